"""PromQL from the library's own definitions: names, labels and bucket bounds come from `semconv`.

Rule: no increment is lost. `rate()` and `increase()` only see what happens between two samples, so the
first 529 of the day, which makes its series appear with the value 1, is invisible to them. `increase` below adds the
whole value of a series that is younger than the window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum

from anthropic_otel._core.semconv import Metric

JOB = "job"
GAP = "1h"
"""How long a gap in the telemetry may be before an old series is taken for a new one."""


def label(attribute: str) -> str:
    """The Prometheus label of an attribute."""
    return attribute.replace(".", "_")


def equal(attribute: str, value: str) -> str:
    """A matcher for one value of an attribute."""
    return f"{label(attribute)}={quote(value)}"


def any_of(attribute: str, *values: str) -> str:
    """A matcher for any of some values of an attribute. A value may be a regular expression."""
    return f"{label(attribute)}=~{quote('|'.join(values))}"


def none_of(attribute: str, *values: str) -> str:
    """A matcher for what is neither absent nor one of these."""
    return f"{label(attribute)}!~{quote('|'.join(values))},{label(attribute)}!={quote('')}"


def quote(text: str) -> str:
    """A PromQL string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def le(metric: Metric, bound: float) -> str:
    """A matcher for one bucket of a histogram.

    A whole bound is written `1` by OTLP and remote write, and `1.0` by a scrape. Raises ValueError for a bound that the
    metric has not, as such a matcher finds nothing.
    """
    if bound not in metric.buckets:
        raise ValueError(f"{metric.name} has no bucket bound {bound:g}")
    return f"le=~{quote(f'{bound:g}([.]0)?')}" if float(bound).is_integer() else f"le={quote(f'{bound:g}')}"


def series(name: str, *matchers: str) -> str:
    """A selector."""
    kept = ",".join(matcher for matcher in matchers if matcher)
    return f"{name}{{{kept}}}" if kept else name


def increase(selector: str, window: str, gap: str = GAP) -> str:
    """How much each counter has grown in `window`, counting the first increment of a new one.

    A series that had a sample in the hour before the window, or in another `gap`, is an old one. Were it only asked
    whether there is one at the window's start, every counter would be new again, with all that it ever counted, after
    each short outage.
    """
    return (
        f"(\n  last_over_time({selector}[{window}])\n  unless\n  last_over_time({selector}[{gap}] offset {window})\n)\n"
        f"or\nincrease({selector}[{window}])"
    )


def relabelled(expression: str, target: str, value: str, source: str, pattern: str) -> str:
    """An expression with one more label, or another value of it, where the source label fits a pattern."""
    return f"label_replace({expression}, {', '.join(map(quote, (target, value, source, pattern)))})"


def total(by: Iterable[str], expression: str) -> str:
    """The sum by some labels."""
    return f"sum by ({', '.join(by)}) {grouped(expression)}"


def grouped(expression: str) -> str:
    """An expression in parentheses, indented if it has several lines."""
    return f"(\n{indented(expression)}\n)" if "\n" in expression else f"({expression})"


def indented(expression: str) -> str:
    """An expression two columns to the right."""
    return "\n".join("  " + line for line in expression.splitlines())


class Histograms(str, Enum):
    """How Prometheus has the histograms, and so how a query of one is written. It is decided here and nowhere else.

    `of` is which part of a histogram is asked for, `_count` or `_sum`; of a metric that is no histogram it is empty.
    """

    CLASSIC = "classic"
    """A series for the count, one for the sum, and one for each bucket."""
    NATIVE = "native"
    """One series, whose samples are whole histograms."""

    def selector(self, metric: Metric, of: str, *matchers: str) -> str:
        """A selector of the series that have a part of a metric."""
        return series(metric.prometheus_name + (of if self is Histograms.CLASSIC else ""), *matchers)

    def part(self, of: str, expression: str) -> str:
        """A part of a metric as numbers, of an expression over the series that have it."""
        return expression if self is Histograms.CLASSIC or not of else f"histogram{of}{grouped(expression)}"

    def grown(self, metric: Metric, of: str, matchers: Iterable[str], window: str, gap: str = GAP) -> str:
        """How much a part of a metric has grown, series by series."""
        return self.part(of, increase(self.selector(metric, of, *matchers), window, gap))

    def quantile(self, q: float, metric: Metric, matchers: Iterable[str], window: str, by: Iterable[str] = ()) -> str:
        """A quantile of a histogram.

        First observations count here too: a job that runs for a minute and ends is nothing but first observations, and
        by `rate()` it would have no latency at all.
        """
        grown = increase(self.selector(metric, "_bucket", *matchers), window)
        labels = ("le", *by) if self is Histograms.CLASSIC else by
        return f"histogram_quantile({q:g}, {total(labels, grown)})"

    def within(self, metric: Metric, bound: float, grown: Callable[..., str]) -> str:
        """How many events of a histogram took no longer than a bound.

        `grown(of, *matchers)` is how much the series with that part have grown, summed up. A native histogram has the
        bound inside of a bucket, in which Prometheus interpolates.
        """
        if self is Histograms.CLASSIC:
            return grown("_bucket", le(metric, bound))
        found = grown("")
        counted = f"histogram_count{grouped(found)}"
        share = f"histogram_fraction(-Inf, {bound:g}, {found})"
        # Rounded, as a share of 49 times 49 may be a little less than a whole number. The share of nothing is NaN: the
        # comparison leaves it out.
        return grouped(f"round({counted} * {share}, 0.001) >= 0\nor\n{counted}")
