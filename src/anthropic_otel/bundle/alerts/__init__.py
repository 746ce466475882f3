"""The alert rules, as data. Every format is made from this by `rules`.

Rule: a page is for users who get no answer; everything else is a ticket that names a cause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from anthropic_otel.bundle.alerts import attempts, calls, telemetry
from anthropic_otel.bundle.alerts.model import Alert
from anthropic_otel.bundle.growth import Ledger

_RULES: tuple[Callable[[Ledger], Alert], ...] = (
    calls.burn_fast,
    calls.all_failing,
    calls.burn_slow,
    attempts.timeouts,
    attempts.overloaded,
    attempts.rate_limited,
    attempts.connections,
    calls.amplification,
    calls.backoff,
    attempts.headroom,
    attempts.first_chunk,
    telemetry.absent,
    telemetry.lost,
)


def alerts(ledger: Ledger) -> Iterator[Alert]:
    """Every alert rule, the pages first. What they count is entered in the ledger."""
    for rule in _RULES:
        yield rule(ledger)
