"""The panels on tokens: how many were used, by model and by kind, and how many were wasted.

Rule: tokens only, no money. Their cost is an estimate, which only the panels of `costs` and `usage` show.
"""

from __future__ import annotations

from anthropic_otel._core import instruments, semconv
from anthropic_otel._core.instruments import Metric
from anthropic_otel.bundle.growth import MODEL
from anthropic_otel.bundle.panels import NO_FAILURES, Colours, Kind, Panel, Query, grown, per_second, ratio
from anthropic_otel.bundle.promql import equal, increase, label, quote, series, total

LOST = f"{label(semconv.ATTEMPT_OUTCOME)}!={quote('completed')}"
"""A matcher for attempts that did not complete."""
KINDS: Colours = (
    ("from the cache", "light-blue"),
    ("into the cache", "blue"),
    ("other input", "purple"),
    ("reasoning", "light-orange"),
    ("other output", "orange"),
)
"""The colours of the kinds of token: the more expensive the kind, the warmer."""


def lost_tokens(by: tuple[str, ...] = ()) -> str:
    """Returns an expression for the tokens of attempts that did not complete, in the time shown, by the labels `by`.

    Input and output tokens are added up, of series that fit the dashboard's variables. It is absent where one of the
    two has no series.
    """
    return _sum(*(grown(metric, LOST, by=by) for metric in (instruments.USAGE_INPUT, instruments.USAGE_OUTPUT)))


def tokens_of(outcome: str, window: str) -> str:
    """Returns an expression for the tokens, by model, of attempts with that outcome in a window.

    Input and output tokens are added up; a model for which one of the two has no series is left out. The expression
    uses no variable of a dashboard, so any Prometheus can evaluate it.
    """
    outcomes = equal(semconv.ATTEMPT_OUTCOME, outcome)
    grown_by = (
        increase(series(metric.prometheus_name, outcomes), window)
        for metric in (instruments.USAGE_INPUT, instruments.USAGE_OUTPUT)
    )
    return "\n+\n".join(total((MODEL,), growth) for growth in grown_by)


def _sum(*terms: str) -> str:
    return " + ".join(f"({term})" for term in terms)


def _rest(whole: Metric, *parts: Metric) -> str:
    """Returns an expression for the rate per second of a counter without the counters that are parts of it.

    It is one sum of the series that fit the dashboard's variables, and absent if one of the counters has none.
    """
    return " - ".join(f"({per_second(metric)})" for metric in (whole, *parts))


def lost() -> Panel:
    """Returns the panel with a bar for each model: the input plus output tokens of attempts that did not complete."""
    return Panel(
        "What failures cost: tokens for nothing",
        Kind.BARS,
        "short",
        "Input and output tokens of attempts that failed, were cancelled or were abandoned, in the time shown, by "
        "model. At least so many: of a broken stream it is what the API had told before it broke.",
        (Query(f"{lost_tokens((MODEL,))} > 0", f"{{{{{MODEL}}}}}"),),
        "usage",
        nothing=NO_FAILURES,
        width=8,
        ink="red",
    )


def panels() -> tuple[Panel, ...]:
    """Returns three panels: on tokens by model, on tokens by kind, and on the share of input from the cache."""
    by_kind = (
        (per_second(instruments.USAGE_CACHE_READ), "from the cache"),
        (per_second(instruments.USAGE_CACHE_WRITE), "into the cache"),
        (_rest(instruments.USAGE_INPUT, instruments.USAGE_CACHE_READ, instruments.USAGE_CACHE_WRITE), "other input"),
        (per_second(instruments.USAGE_REASONING), "reasoning"),
        (_rest(instruments.USAGE_OUTPUT, instruments.USAGE_REASONING), "other output"),
    )
    return (
        Panel(
            "Tokens per second by model",
            Kind.LINES,
            "short",
            "Input and output tokens of all attempts, retries among them, by the model that was asked for.",
            (
                Query(
                    _sum(
                        *(
                            per_second(metric, by=(MODEL,))
                            for metric in (instruments.USAGE_INPUT, instruments.USAGE_OUTPUT)
                        )
                    ),
                    f"{{{{{MODEL}}}}}",
                ),
            ),
            "limits",
            stacked=True,
        ),
        Panel(
            "Tokens per second by kind",
            Kind.LINES,
            "short",
            "The same by what they cost: what was read from the cache costs least, what was written to it more than "
            "other input, output most. Reasoning is billed as output.",
            tuple(Query(expression, legend) for expression, legend in by_kind),
            "limits",
            stacked=True,
            colours=KINDS,
        ),
        Panel(
            "Input from the cache, by model",
            Kind.LINES,
            "percentunit",
            "Share of the input tokens that were read from the prompt cache, by model. A fall after a deployment: the "
            "beginning of the prompt changes from call to call.",
            (
                Query(
                    ratio(
                        per_second(instruments.USAGE_CACHE_READ, by=(MODEL,)),
                        per_second(instruments.USAGE_INPUT, by=(MODEL,)),
                    ),
                    f"{{{{{MODEL}}}}}",
                ),
            ),
            "limits",
            maximum=1.0,
        ),
    )
