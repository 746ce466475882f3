"""What tokens cost, as queries, and the panels of the row "Cost".

Rule: every amount is an estimate and a lower bound, by the price list in the rules.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from anthropic_otel._core import semconv
from anthropic_otel._core.instruments import Metric
from anthropic_otel.bundle import spend
from anthropic_otel.bundle.boards import tokens
from anthropic_otel.bundle.growth import MODEL
from anthropic_otel.bundle.panels import (
    NO_FAILURES,
    NOW,
    OUTCOMES,
    RANGE,
    Colours,
    Kind,
    Panel,
    Query,
    Step,
    grown,
    rate,
)
from anthropic_otel.bundle.promql import JOB, label, series
from anthropic_otel.bundle.settings import Settings

USD: Final = "currencyUSD"
NO_PRICES: Final = "nothing priced: are the rules in Prometheus?"
_OUTCOME = label(semconv.ATTEMPT_OUTCOME)
_HOUR = 3600


def cost(*matchers: str, by: tuple[str, ...] = (), window: str = RANGE) -> str:
    """Returns an expression for the cost of tokens in a window, in USD, at the latest price of each model.

    It covers series that fit the dashboard's variables and the matchers, and is summed by the labels `by`. Models
    without a price are left out. It is absent where one of the kinds of token is absent.
    """
    return spend.cost(by, _tokens(matchers, by, window), spend.recorded_price("" if window == NOW else window))


def cost_per_hour(*matchers: str, by: tuple[str, ...] = ()) -> str:
    """Returns an expression for the cost in the window `NOW`, in USD per hour. Arguments are as in `cost`."""
    return f"{rate(cost(*matchers, by=by, window=NOW))} * {_HOUR}"


def recorded(window: str) -> str:
    """Returns an expression for the recorded cost in a window, in USD, of each service that the dashboard shows.

    `window` is one that the rules record: `spend.DAY` or the window of the alert on a rise of cost.
    """
    return series(spend.recorded_cost(window), f'{JOB}=~"$job"')


def _tokens(matchers: tuple[str, ...], by: tuple[str, ...], window: str) -> Callable[[Metric], str]:
    def of(metric: Metric) -> str:
        return grown(metric, *matchers, by=tuple(dict.fromkeys((*by, MODEL))), window=window, gap=spend.GAP)

    return of


def _of_kind(kind: str) -> str:
    found = spend.kind_cost(kind, (), _tokens((), (), NOW), spend.recorded_price())
    return f"{rate(found)} * {_HOUR}"


def budget(settings: Settings) -> tuple[Step, ...]:
    """Returns a red step at the daily budget in USD, or no step without a budget."""
    most = settings.spend.budget_per_day
    return (Step(most, "red"),) if most else ()


def budget_alert(settings: Settings) -> str | None:
    """Returns the name of the alert on the daily budget, `None` without a budget."""
    return "AnthropicDailyBudget" if settings.spend.budget_per_day else None


def hourly_by_service(width: int, drill: str = "usage") -> Panel:
    """Returns the panel, of that width, on the cost per hour of each service; the overview has it too.

    `drill` is the board that it links to.
    """
    return Panel(
        "Cost an hour, by service",
        Kind.LINES,
        USD,
        "USD an hour, by service, at least and by list prices: who to ask.",
        (Query(cost_per_hour(by=(JOB,)), f"{{{{{JOB}}}}}"),),
        drill,
        NO_PRICES,
        stacked=True,
        width=width,
    )


def panels(settings: Settings) -> tuple[Panel, ...]:
    """Returns the panels of the row "Cost"."""
    rise, listed = settings.alerts.AnthropicCostRise, settings.spend
    prices = series(spend.PRICE, f'{MODEL}=~"$model"')

    def hourly(title: str, description: str, *queries: Query, nothing: str = NO_PRICES, colours: Colours = ()) -> Panel:
        return Panel(title, Kind.LINES, USD, description, queries, "overview", nothing, stacked=True, colours=colours)

    return (
        hourly(
            "Cost an hour, by model",
            "USD an hour, by the model that was asked for: what a change of model has saved or cost.",
            Query(cost_per_hour(by=(MODEL,)), f"{{{{{MODEL}}}}}"),
        ),
        hourly_by_service(8, "overview"),
        hourly(
            "Cost an hour, by kind of token",
            "USD an hour. More of other input and less of the cache: the beginning of the prompt changes from call to "
            "call. More output: longer replies, or more thinking.",
            *(Query(_of_kind(kind), legend) for kind, legend in _LEGENDS),
            colours=(*tokens.KINDS, ("output", "orange")),
        ),
        Panel(
            "Cost of 24 hours, by service",
            Kind.LINES,
            USD,
            "What the 24 hours before each moment cost, whatever model is chosen. The line is the budget, if there is "
            "one: it holds for all services together.",
            (Query(recorded(spend.DAY), f"{{{{{JOB}}}}}"),),
            "overview",
            NO_PRICES,
            steps=budget(settings),
            stacked=True,
            shows=budget_alert(settings),
        ),
        Panel(
            f"Cost of {rise.window} against the dearest of {rise.before}",
            Kind.LINES,
            "short",
            f"How many times as much the last {rise.window} cost as the dearest {rise.window} of the {rise.before} "
            f"until a day ago. The alert also asks for {rise.at_least:g} USD, and for a service that is not new.",
            (
                Query(
                    f"{recorded(rise.window)}"
                    f" / (max_over_time({recorded(rise.window)}[{rise.before}] offset {spend.DAY}) > 0)",
                    f"{{{{{JOB}}}}}",
                ),
            ),
            "overview",
            "no past to compare with",
            steps=(Step(rise.rise, "red"),),
            decimals=2,
            shows="AnthropicCostRise",
        ),
        hourly(
            "Cost of failures an hour",
            "USD an hour for attempts that gave the app no whole reply, by how they ended. abandoned: the app stopped "
            "reading. failed: what the API had told before it broke, so at least so much.",
            Query(cost_per_hour(tokens.LOST, by=(_OUTCOME,)), f"{{{{{_OUTCOME}}}}}"),
            nothing=NO_FAILURES,
            colours=OUTCOMES,
        ),
        Panel(
            "Prices of a million tokens",
            Kind.TABLE,
            USD,
            f"The prices by which the models that are in use now are counted: {listed.prices_from}, list prices of "
            f"{listed.prices_of}, or what `thresholds.yaml` has instead.",
            (Query(f"max by ({MODEL}, {spend.KIND}) ({prices})"),),
            "overview",
            NO_PRICES,
            width=24,
            height=12,
            decimals=3,
            columns=((MODEL, "model"), (spend.KIND, "kind of token"), ("Value", "USD")),
        ),
    )


_LEGENDS = (
    ("cache_read", "from the cache"),
    ("cache_write", "into the cache"),
    ("input", "other input"),
    ("output", "output"),
)
