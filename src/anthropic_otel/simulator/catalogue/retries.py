"""Refusals with headers that say when or whether to retry, in the forms that servers send.

The SDK reads `retry-after-ms`, then `retry-after` as seconds or as a date, and obeys a value above 0.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from anthropic_otel.simulator.actions import Reply
from anthropic_otel.simulator.faults import Fault, refused


def _paced(name: str, description: str, *headers: tuple[str, str], obeyed: bool) -> Fault:
    """Returns a fault: a 429 whose headers say when to retry; `obeyed` is whether the SDK waits as they say.

    In both cases the SDK retries it.
    """
    reply = Reply(429, "rate_limit_error", "Slow down.", headers=headers)
    return replace(refused(name, description, reply, retried=True), retry_after=obeyed)


def _asked(name: str, description: str, status: int, header: str, *, retried: bool) -> Fault:
    """Returns a fault: a refusal of that status, an `api_error`, with `header` as the value of `x-should-retry`.

    `retried` is whether the SDK then retries it.
    """
    reply = Reply(status, "api_error", "No.", headers=(("x-should-retry", header),))
    return refused(name, description, reply, retried=retried)


_PACES: Final = (
    _paced(
        "retry_after_twice",
        "The header `retry-after` comes twice, which the SDK cannot read.",
        ("retry-after", "3"),
        ("retry-after", "3"),
        obeyed=False,
    ),
    _paced(
        "retry_after_text", "The header `retry-after` is no number and no date.", ("retry-after", "soon"), obeyed=False
    ),
    _paced("retry_after_empty", "The header `retry-after` is empty.", ("retry-after", ""), obeyed=False),
    _paced("retry_after_zero", "The header `retry-after` is 0.", ("retry-after", "0"), obeyed=False),
    _paced("retry_after_negative", "The header `retry-after` is negative.", ("retry-after", "-5"), obeyed=False),
    _paced(
        "retry_after_fraction",
        "The header `retry-after` is a fraction of a second.",
        ("retry-after", "0.5"),
        obeyed=True,
    ),
    _paced(
        "retry_after_past",
        "The header `retry-after` is a date in the past.",
        ("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT"),
        obeyed=False,
    ),
    _paced(
        "retry_after_ms_text",
        "The header `retry-after-ms` is no number, `retry-after` is one.",
        ("retry-after-ms", "x"),
        ("retry-after", "1"),
        obeyed=True,
    ),
    _paced(
        "retry_after_ms_zero",
        "The header `retry-after-ms` is 0, and so wins over `retry-after`.",
        ("retry-after-ms", "0"),
        ("retry-after", "1"),
        obeyed=False,
    ),
)

_ASKED: Final = (
    _asked("should_retry_404", "A 404 invites a retry.", 404, "true", retried=True),
    _asked("should_not_retry_408", "A 408 does not want a retry.", 408, "false", retried=False),
    _asked("should_not_retry_529", "A 529 does not want a retry.", 529, "false", retried=False),
    _asked("should_retry_junk", "The header `x-should-retry` is neither true nor false.", 503, "maybe", retried=True),
    _asked(
        "should_retry_capitals",
        "The header `x-should-retry` is written in capitals, which the SDK does not read.",
        400,
        "TRUE",
        retried=False,
    ),
)

FAULTS: Final = (*_PACES, *_ASKED)
