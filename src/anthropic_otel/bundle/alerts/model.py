"""The form of an alert rule, as data, and two forms of conditions.

Rule: a share of bad events never fires alone. It has a floor, which counts events or calls.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from anthropic_otel.bundle.conditions import Duration
from anthropic_otel.bundle.growth import WORK
from anthropic_otel.bundle.promql import JOB, indented


class Urgency(Enum):
    """Whether an alert wakes somebody (`PAGE`) or waits for working hours (`TICKET`).

    The settings say which value the label `severity` has for each.
    """

    PAGE = "page"
    TICKET = "ticket"


class About(str, Enum):
    """The values of the label `cause`. Alerts of one cause are notified together, across services."""

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
"""The vector matching that divides a count that has more labels by the count of its job and work."""


@dataclass(frozen=True)
class Alert:
    """One alert rule.

    - `expression`: a PromQL query; the alert fires for each series that it returns.
    - `hold`: how long a series must be returned before the alert fires.
    - `keep`: how long it goes on firing afterwards, so that trouble that comes and goes is notified once.
    - `urgency`, `cause`: from which its labels `severity` and `cause` are made.
    - `dashboard`: the name of the dashboard that shows its cause, which is the last word of that dashboard's uid.
    - `summary`, `description`: the texts of the notification, as Prometheus templates.
    - `per_job`: whether the alert is about one service, which its label `job` names.
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


def share(bad: str, every: str, ratio: float, at_least: float, join: str = "") -> str:
    """Returns the condition that `bad` is more than a share `ratio` of `every`, and at least `at_least` itself.

    Its value is the share. `join` is the vector matching of the division; empty for series with the same labels.
    """
    divide = f"/ {join}" if join else "/"
    return f"(\n{indented(bad)}\n  {divide}\n{indented(every)}\n  > {ratio:g}\n)\nand\n{bad} >= {at_least:g}"


def either(expressions: Iterable[str]) -> str:
    """Returns the condition that at least one of the conditions holds, for each set of labels.

    Its value is that of the first condition that holds for those labels.
    """
    return "\nor\n".join(expressions)
