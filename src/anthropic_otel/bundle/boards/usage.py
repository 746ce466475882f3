"""The dashboard "Claude API: usage": what is used, what it costs, and how much of it was wasted.

Rule: every amount is an estimate and a lower bound, by the price list in the rules. A model without a price is shown as
not priced, and is in no amount.
"""

from __future__ import annotations

from collections.abc import Callable

from anthropic_otel._core import instruments, semconv
from anthropic_otel._core.instruments import Metric
from anthropic_otel.bundle import spend
from anthropic_otel.bundle.boards import tokens
from anthropic_otel.bundle.growth import MODEL
from anthropic_otel.bundle.panels import (
    NO_FAILURES,
    NO_TRAFFIC,
    NOW,
    OUTCOMES,
    RANGE,
    Board,
    Colours,
    Kind,
    Panel,
    Query,
    Row,
    Step,
    filtered,
    grown,
    per_second,
    rate,
    ratio,
)
from anthropic_otel.bundle.promql import JOB, equal, label, series, total
from anthropic_otel.bundle.settings import Settings

_OUTCOME = label(semconv.ATTEMPT_OUTCOME)
_OUTPUT_LIMIT = equal(semconv.RATELIMIT_KIND, "output_tokens")
_NO_PRICES = "nothing priced: are the rules in Prometheus?"
_USD = "currencyUSD"
_HOUR = 3600
_MINUTE = 60


def board(settings: Settings) -> Board:
    """Returns the dashboard "Claude API: usage" for these settings."""
    return Board(
        "usage",
        "Claude API: usage",
        "Tokens, and at least what they cost in USD, by list prices: an estimate, and no bill. Needs the rule file in "
        "Prometheus.",
        (
            Row("What does it cost? What of it was for nothing?", _answers(settings)),
            Row("Cost", _costs(settings)),
            Row("Tokens", tokens.panels()),
            Row("Output against the rate limit", _output()),
        ),
    )


def cost(*matchers: str, by: tuple[str, ...] = (), window: str = RANGE) -> str:
    """Returns an expression for the cost of tokens in a window, in USD, at the latest price of each model.

    It covers series that fit the dashboard's variables and the matchers, and is summed by the labels `by`.
    """
    return spend.cost(by, _tokens(matchers, by, window), spend.recorded_price("" if window == NOW else window))


def cost_per_hour(*matchers: str, by: tuple[str, ...] = ()) -> str:
    """Returns an expression for the cost in the window `NOW`, in USD per hour. Arguments are as in `cost`."""
    return f"{rate(cost(*matchers, by=by, window=NOW))} * {_HOUR}"


def not_priced() -> str:
    """Returns an expression for the tokens in the time shown, by model, of models that had no price in that time.

    Input and output tokens are added up. Only models with tokens are in it.
    """
    every = total(
        (MODEL,),
        "\nor\n".join(
            f'label_replace({grown(metric, by=(MODEL,), gap=spend.GAP)}, "kind", "{kind}", "", "")'
            for kind, metric in (("input", instruments.USAGE_INPUT), ("output", instruments.USAGE_OUTPUT))
        ),
    )
    return f"{every} > 0\nunless on ({MODEL})\n{spend.recorded_price(RANGE)('input')}"


def hourly_by_service(width: int, drill: str = "usage") -> Panel:
    """Returns the panel, of that width, on the cost per hour of each service; the overview has it too.

    `drill` is the board that it links to.
    """
    return Panel(
        "Cost an hour, by service",
        Kind.LINES,
        _USD,
        "USD an hour, by service, at least and by list prices: who to ask.",
        (Query(cost_per_hour(by=(JOB,)), f"{{{{{JOB}}}}}"),),
        drill,
        _NO_PRICES,
        stacked=True,
        width=width,
    )


def _tokens(matchers: tuple[str, ...], by: tuple[str, ...], window: str) -> Callable[[Metric], str]:
    def of(metric: Metric) -> str:
        return grown(metric, *matchers, by=tuple(dict.fromkeys((*by, MODEL))), window=window, gap=spend.GAP)

    return of


def _of_kind(kind: str) -> str:
    found = spend.kind_cost(kind, (), _tokens((), (), NOW), spend.recorded_price())
    return f"{rate(found)} * {_HOUR}"


def _budget(settings: Settings) -> tuple[Step, ...]:
    budget = settings.spend.budget_per_day
    return (Step(budget, "red"),) if budget else ()


def _budget_alert(settings: Settings) -> str | None:
    return "AnthropicDailyBudget" if settings.spend.budget_per_day else None


def _answers(settings: Settings) -> tuple[Panel, ...]:
    def stat(title: str, unit: str, query: str, description: str, nothing: str = _NO_PRICES) -> Panel:
        return Panel(
            title, Kind.STAT, unit, description, (Query(query),), "overview", nothing, width=4, height=6, decimals=2
        )

    return (
        stat(
            "Cost",
            _USD,
            cost(),
            "What the tokens of the time shown cost at least, by list prices. Not in it: batches, server tools, fast "
            "mode, and what long prompts cost more.",
        ),
        Panel(
            "Cost of the last 24 hours",
            Kind.STAT,
            _USD,
            "What whole services cost in the last 24 hours, whatever time and model are chosen: what the budget is "
            "compared with, if `thresholds.yaml` has one.",
            (Query(f"sum({_recorded(spend.DAY)})"),),
            "overview",
            _NO_PRICES,
            steps=_budget(settings),
            width=4,
            height=6,
            decimals=2,
            shows=_budget_alert(settings),
        ),
        stat(
            "Cost of failures",
            _USD,
            f"{cost(tokens.LOST)} or 0 * {cost()}",
            "What the tokens of attempts cost that failed, were cancelled or were abandoned: for nothing. If such an "
            "attempt was retried, its retry is paid once more.",
        ),
        stat(
            "Input from the cache",
            "percentunit",
            ratio(grown(instruments.USAGE_CACHE_READ), grown(instruments.USAGE_INPUT)),
            "Share of the input tokens that were read from the prompt cache. They cost a tenth or less of others.",
            NO_TRAFFIC,
        ),
        Panel(
            "Not priced: tokens of models without a price",
            Kind.BARS,
            "short",
            "Input and output tokens, in the time shown, of models that the price list does not have. They are in no "
            "amount here. `anthropic-otel bundle DIR --prices MODEL,MODEL` adds prices.",
            (Query(not_priced(), f"{{{{{MODEL}}}}}"),),
            "overview",
            "everything is priced",
            width=8,
            height=6,
            ink="yellow",
        ),
    )


def _costs(settings: Settings) -> tuple[Panel, ...]:
    rise, listed = settings.alerts.AnthropicCostRise, settings.spend
    prices = series(spend.PRICE, f'{MODEL}=~"$model"')

    def hourly(
        title: str, description: str, *queries: Query, nothing: str = _NO_PRICES, colours: Colours = ()
    ) -> Panel:
        return Panel(title, Kind.LINES, _USD, description, queries, "overview", nothing, stacked=True, colours=colours)

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
            _USD,
            "What the 24 hours before each moment cost, whatever model is chosen. The line is the budget, if there is "
            "one: it holds for all services together.",
            (Query(_recorded(spend.DAY), f"{{{{{JOB}}}}}"),),
            "overview",
            _NO_PRICES,
            steps=_budget(settings),
            stacked=True,
            shows=_budget_alert(settings),
        ),
        Panel(
            f"Cost of {rise.window} against the dearest of {rise.before}",
            Kind.LINES,
            "short",
            f"How many times as much the last {rise.window} cost as the dearest {rise.window} of the {rise.before} "
            f"until a day ago. The alert also asks for {rise.at_least:g} USD, and for a service that is not new.",
            (
                Query(
                    f"{_recorded(rise.window)}"
                    f" / (max_over_time({_recorded(rise.window)}[{rise.before}] offset {spend.DAY}) > 0)",
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
            _USD,
            f"The prices by which the models that are in use now are counted: {listed.prices_from}, list prices of "
            f"{listed.prices_of}, or what `thresholds.yaml` has instead.",
            (Query(f"max by ({MODEL}, {spend.KIND}) ({prices})"),),
            "overview",
            _NO_PRICES,
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


def _recorded(window: str) -> str:
    return series(spend.recorded_cost(window), f'{JOB}=~"$job"')


def _output() -> tuple[Panel, ...]:
    output = per_second(instruments.USAGE_OUTPUT, by=(MODEL,))
    limit = f"max by ({MODEL}) (max_over_time({filtered(instruments.RATELIMIT_LIMIT, _OUTPUT_LIMIT)}[{NOW}]))"
    no_limit = "no rate-limit headers seen"
    return (
        Panel(
            "Output tokens a second, against the limit",
            Kind.LINES,
            "short",
            "Output tokens of all attempts by model, and the limit of the organization, which is by the minute, as "
            "so many a second. Other services and batches use the same limit.",
            (
                Query(output, f"{{{{{MODEL}}}}}"),
                Query(f"{limit} / {_MINUTE}", f"limit {{{{{MODEL}}}}}"),
            ),
            "limits",
            width=12,
        ),
        Panel(
            "Share of the output limit that is used",
            Kind.LINES,
            "percentunit",
            "The same as a share. Near 1 the next answer is 429. A reply counts when it has ended, so long streams "
            "come late and all at once.",
            (Query(f"{output} * {_MINUTE} / on ({MODEL}) {limit}", f"{{{{{MODEL}}}}}"),),
            "limits",
            no_limit,
            width=12,
        ),
    )
