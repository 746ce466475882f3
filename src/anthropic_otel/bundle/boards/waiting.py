"""The row of "Claude API: limits" on backoffs that the server asked for, and on long ones.

Rule: backoffs that the server asks for are apart from those that the SDK computes, because only the former can last
hours.
"""

from __future__ import annotations

from anthropic_otel._core import instruments, semconv
from anthropic_otel.bundle.growth import SOURCE
from anthropic_otel.bundle.panels import QUANTILES, Kind, Panel, Queries, Query, Step
from anthropic_otel.bundle.promql import equal
from anthropic_otel.bundle.settings import Settings

NO_RETRIES = "no retries"


def long(settings: Settings, q: Queries, window: str, by: tuple[str, ...] = ()) -> str:
    """Returns an expression for how many backoffs in a window were longer than the bound of the alert on long backoffs.

    They are summed by the labels `by`.
    """
    bound = settings.alerts.AnthropicLongBackoff.longer_than
    every = q.grown(instruments.RETRY_DELAY, by=by, window=window)
    return f"{every} - {q.within(instruments.RETRY_DELAY, bound, by, window)}"


def panels(settings: Settings, q: Queries) -> tuple[Panel, ...]:
    """Returns three panels: on backoffs that the server asked for, on what sets backoffs, and on long ones."""
    asked = equal(semconv.RETRY_SOURCE, "retry_after")
    bound = settings.alerts.AnthropicLongBackoff
    return (
        Panel(
            "Backoffs that the server asked for",
            Kind.LINES,
            "s",
            "Length of the backoffs that a retry-after header set. The SDK obeys it, also when it says hours.",
            q.quantiles(instruments.RETRY_DELAY, asked),
            "attempts",
            nothing=NO_RETRIES,
            colours=QUANTILES,
            steps=(Step(bound.longer_than, "red"),),
            shows="AnthropicLongBackoff",
        ),
        Panel(
            "Who sets the backoff",
            Kind.LINES,
            "short",
            "Backoffs per second, by what set their length: the server's retry-after, or the SDK's own formula.",
            (Query(q.per_second(instruments.RETRY_DELAY, by=(SOURCE,)), f"{{{{{SOURCE}}}}}"),),
            "attempts",
            nothing=NO_RETRIES,
            stacked=True,
        ),
        Panel(
            f"Backoffs longer than {bound.longer_than:g} s",
            Kind.LINES,
            "short",
            f"Backoffs in {bound.window} that kept a user waiting this long, by what set them.",
            (Query(long(settings, q, bound.window, (SOURCE,)), f"{{{{{SOURCE}}}}}"),),
            "attempts",
            nothing=NO_RETRIES,
            steps=(Step(bound.at_least, "red"),),
            decimals=0,
            shows="AnthropicLongBackoff",
        ),
    )
