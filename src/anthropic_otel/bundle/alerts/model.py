"""What an alert rule is, as data, and the form that every ratio has.

Rule: a share of bad events never fires alone; it has a floor of bad events under it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from anthropic_otel.bundle.promql import JOB, indented

PAGE, TICKET = "page", "ticket"
PER_JOB = f"on ({JOB}) group_left ()"
"""How a share by cause is divided by a count by job."""


@dataclass(frozen=True)
class Alert:
    """One alert rule. `dashboard` is the last word of the uid of the dashboard that shows its cause."""

    name: str
    expression: str
    hold: str
    severity: str
    dashboard: str
    summary: str
    description: str


def share(bad: str, every: str, ratio: float, at_least: float, join: str = "") -> str:
    """The condition that `bad` is more than a share of `every`, and at least so many. Its value is the share."""
    divide = f"/ {join}" if join else "/"
    return f"(\n{indented(bad)}\n  {divide}\n{indented(every)}\n  > {ratio:g}\n)\nand\n{bad} >= {at_least:g}"


def either(expressions: Iterable[str]) -> str:
    """The condition that one of some conditions holds."""
    return "\nor\n".join(expressions)
