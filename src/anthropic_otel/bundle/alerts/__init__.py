"""The alert rules as data, from which `rules` makes every format.

Rule: an alert pages only if users get no answer; every other alert is a ticket that names a cause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from anthropic_otel.bundle.alerts import attempts, calls, hanging, outages, refusals, spend, telemetry
from anthropic_otel.bundle.alerts.model import Alert
from anthropic_otel.bundle.growth import RuleQueries

_RULES: tuple[Callable[[RuleQueries], Alert | None], ...] = (
    outages.all_failing,
    outages.target_failing,
    hanging.hanging,
    refusals.spend_limit,
    refusals.access_refused,
    outages.model_gone,
    outages.all_invalid,
    calls.burn_fast,
    calls.burn_slow,
    outages.operation_failing,
    attempts.timeouts,
    attempts.overloaded,
    attempts.rate_limited,
    attempts.connections,
    calls.amplification,
    calls.backoff,
    attempts.headroom,
    attempts.first_chunk,
    attempts.stalls,
    spend.daily_budget,
    spend.rise,
    telemetry.absent,
    telemetry.lost,
    telemetry.refused,
    telemetry.collector_down,
    telemetry.queue_full,
)


def alerts(queries: RuleQueries) -> Iterator[Alert]:
    """Yields every alert: the pages first, and the alert on the daily budget only if the settings have a budget.

    Adds the recording rules that an alert reads to `queries` before it yields the alert, and those of the daily cost
    also without a budget.
    """
    yield from (alert for rule in _RULES if (alert := rule(queries)) is not None)
