"""Compares the clock of this machine with the `Date` of the response.

Rule: a `Date` has whole seconds, and the response may have taken some, so a difference of less than a minute is
ignored.
"""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Final

from anthropic_otel.cli.doctor.api.request import Answer
from anthropic_otel.cli.doctor.findings import Finding, bad, note

_SUBJECT: Final = "Clock"
_WORTH_A_LINE: Final = 60.0
_FAULT: Final = 300.0
"""The seconds from which a difference is a fault: AWS and most token issuers refuse a clock that is so far off."""


def examine(answer: Answer) -> Iterator[Finding]:
    """Yields a finding if this machine's clock and the response's `Date` differ by a minute or more.

    From five minutes on it is a fault, below a note. Yields nothing if the response has no valid `Date`.
    """
    try:
        skew = answer.at - parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except (TypeError, ValueError, OverflowError, IndexError):
        return
    if abs(skew) < _WORTH_A_LINE:
        return
    text = f"this machine's is {_span(abs(skew))} {'ahead of' if skew > 0 else 'behind'} the server's"
    if abs(skew) < _FAULT:
        yield note(_SUBJECT, text, "set it by NTP")
    else:
        yield bad(_SUBJECT, text, "set it by NTP: certificates, signed requests and time stamps go wrong by it")


def _span(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{round(minutes / 60)} h" if minutes < 48 * 60 else f"{round(minutes / 60 / 24)} days"
