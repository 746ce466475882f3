"""What an alert rule is, as data, and the forms that conditions have.

Rule: a share of bad events never fires alone; it has a floor under it, and the floor counts calls.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from anthropic_otel.bundle.conditions import Duration
from anthropic_otel.bundle.growth import WORK
from anthropic_otel.bundle.promql import JOB, indented


class Urgency(Enum):
    """Whether an alert wakes somebody. What the label `severity` calls it is a setting."""

    PAGE = "page"
    TICKET = "ticket"


class About(str, Enum):
    """The label `cause` of an alert. Alerts of one cause are told together, whatever services they are of."""

    UNANSWERED = "unanswered"
    SPEND = "spend"
    ACCESS = "access"
    MODEL = "model"
    OVERLOAD = "overload"
    RATE_LIMIT = "rate_limit"
    NETWORK = "network"
    RETRIES = "retries"
    STREAMS = "streams"
    COST = "cost"
    TELEMETRY = "telemetry"


PER_JOB = f"on ({JOB}, {WORK}) group_left ()"
"""How a share by cause is divided by a count by job."""


@dataclass(frozen=True)
class Alert:
    """One alert rule. `dashboard` is the last word of the uid of the dashboard that shows its cause.

    `hold` is how long its condition must hold before it fires, and `keep` how long it goes on firing afterwards, so
    that trouble which comes and goes is told once.
    """

    name: str
    expression: str
    hold: Duration
    keep: Duration
    urgency: Urgency
    cause: About
    dashboard: str
    summary: str
    description: str
    per_job: bool = True
    """Whether it is about one service, which its label `job` names."""


def share(bad: str, every: str, ratio: float, at_least: float, join: str = "") -> str:
    """The condition that `bad` is more than a share of `every`, and at least so many. Its value is the share."""
    divide = f"/ {join}" if join else "/"
    return f"(\n{indented(bad)}\n  {divide}\n{indented(every)}\n  > {ratio:g}\n)\nand\n{bad} >= {at_least:g}"


def either(expressions: Iterable[str]) -> str:
    """The condition that one of some conditions holds. Its value is that of the first that does."""
    return "\nor\n".join(expressions)
