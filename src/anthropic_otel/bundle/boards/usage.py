"""The dashboard "Claude API: usage": what is used, what it costs, and how much of it was wasted.

Rule: every amount is an estimate and a lower bound, by the price list in the rules. A model without a price is shown as
not priced, and is in no amount.
"""

from __future__ import annotations

from anthropic_otel._core import instruments, semconv
from anthropic_otel.bundle import spend
from anthropic_otel.bundle.boards import costs, tokens
from anthropic_otel.bundle.growth import MODEL
from anthropic_otel.bundle.panels import (
    NO_TRAFFIC,
    NOW,
    RANGE,
    Board,
    Kind,
    Panel,
    Query,
    Row,
    filtered,
    grown,
    per_second,
    ratio,
)
from anthropic_otel.bundle.promql import equal, total
from anthropic_otel.bundle.settings import Settings

_OUTPUT_LIMIT = equal(semconv.RATELIMIT_KIND, "output_tokens")
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
            Row("Cost", costs.panels(settings)),
            Row("Tokens", tokens.panels()),
            Row("Output against the rate limit", _output()),
        ),
    )


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


def _answers(settings: Settings) -> tuple[Panel, ...]:
    def stat(title: str, unit: str, query: str, description: str, nothing: str = costs.NO_PRICES) -> Panel:
        return Panel(
            title, Kind.STAT, unit, description, (Query(query),), "overview", nothing, width=4, height=6, decimals=2
        )

    return (
        stat(
            "Cost",
            costs.USD,
            costs.cost(),
            "What the tokens of the time shown cost at least, by list prices. Not in it: batches, server tools, fast "
            "mode, and what long prompts cost more.",
        ),
        Panel(
            "Cost of the last 24 hours",
            Kind.STAT,
            costs.USD,
            "What whole services cost in the last 24 hours, whatever time and model are chosen: what the budget is "
            "compared with, if `thresholds.yaml` has one.",
            (Query(f"sum({costs.recorded(spend.DAY)})"),),
            "overview",
            costs.NO_PRICES,
            steps=costs.budget(settings),
            width=4,
            height=6,
            decimals=2,
            shows=costs.budget_alert(settings),
        ),
        stat(
            "Cost of failures",
            costs.USD,
            f"{costs.cost(tokens.LOST)} or 0 * {costs.cost()}",
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
