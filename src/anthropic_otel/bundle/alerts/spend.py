"""The alerts on cost: more than the budget of a day, or much more than before.

Rule: they are tickets, because no user is affected and the amount is an estimate by list prices, which is a lower
bound.
"""

from __future__ import annotations

from anthropic_otel.bundle import spend
from anthropic_otel.bundle.alerts.model import About, Alert, Urgency
from anthropic_otel.bundle.growth import RuleQueries
from anthropic_otel.bundle.promql import JOB, grouped

_COST = '{{ $value | printf "%.2f" }} USD'


def daily_budget(e: RuleQueries) -> Alert | None:
    a, budget = e.settings.alerts.AnthropicDailyBudget, e.settings.spend.budget_per_day
    # Recorded without a budget too, because the dashboard shows the cost.
    found = spend.cost_by_job(e, spend.DAY)
    if not budget:
        return None
    return Alert(
        "AnthropicDailyBudget",
        f"sum {grouped(found)} > {budget:.12g}",
        a.hold,
        a.keep,
        Urgency.TICKET,
        About.COST,
        "usage",
        f"The Claude calls of the last 24 hours cost at least {_COST}, more than the budget of {budget:.12g} USD",
        "All services together, estimated from their tokens and from list prices. Which service, which model, and "
        "since when is on the dashboard.",
        per_job=False,
    )


def rise(e: RuleQueries) -> Alert:
    a = e.settings.alerts.AnthropicCostRise
    now = spend.cost_by_job(e, a.window)
    half = f"{a.before.seconds / 2:.0f}s"
    # Without the last day: a rise that lasts would soon be compared with itself, and no longer fire.
    # Without recording rules there is no series of the past, so it is computed in steps of the window.
    if e.records:
        highest = f"max_over_time({now}[{a.before}] offset {spend.DAY})"
        past = f"last_over_time({now}[{half}] offset {half})"
    else:
        highest = f"max_over_time({now}[{a.before}:{a.window}] offset {spend.DAY})"
        past = spend.seen(e, half)
    return Alert(
        "AnthropicCostRise",
        f"{now} > {a.rise:g} * {highest}\nand\n{now} >= {a.at_least:g}\nand\ngroup by ({JOB}) {grouped(past)}",
        a.hold,
        a.keep,
        Urgency.TICKET,
        About.COST,
        "usage",
        f"{{{{ $labels.job }}}}: the Claude calls of the last {a.window} cost at least {_COST}",
        f"That is more than {a.rise:g} times as much as in any {a.window} of the {a.before} until a day ago. More "
        "users, longer prompts, another model, a cache that is missed, or a loop: the dashboard tells them apart.",
    )
