"""Builds PromQL from the library's own definitions: names, labels and bounds come from `instruments`.

Rule: the first increments of a series are not lost. `rate()` and `increase()` see only what happens between two
samples, so the first 529 of the day, with which its series appears, is invisible to them. `increase` below adds the
whole value of a series that is younger than the window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum

from anthropic_otel._core.instruments import Metric

JOB = "job"
GAP = "1h"
"""How long a series may have no samples before it counts as new."""


def label(attribute: str) -> str:
    """Returns the Prometheus label of an attribute: its dots become underscores."""
    return attribute.replace(".", "_")


def equal(attribute: str, value: str) -> str:
    """Returns a PromQL matcher for one value of an attribute, such as `error_type="529"`."""
    return f"{label(attribute)}={quote(value)}"


def any_of(attribute: str, *values: str) -> str:
    """Returns a PromQL matcher for any of the values of an attribute. Each value is a regular expression."""
    return f"{label(attribute)}=~{quote('|'.join(values))}"


def none_of(attribute: str, *values: str) -> str:
    """Returns PromQL matchers for series that have the attribute, with none of these values.

    Each value is a regular expression.
    """
    return f"{label(attribute)}!~{quote('|'.join(values))},{label(attribute)}!={quote('')}"


def quote(text: str) -> str:
    """Returns the text as a PromQL string, in double quotes."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def le(metric: Metric, bound: float) -> str:
    """Returns a matcher for the bucket of a classic histogram with that upper bound.

    OTLP and remote write spell a whole bound `1`, a scrape `1.0`; it matches both. Raises `ValueError` for a bound that
    the metric does not have.
    """
    if bound not in metric.buckets:
        raise ValueError(f"{metric.name} has no bucket bound {bound:g}")
    return f"le=~{quote(f'{bound:g}([.]0)?')}" if float(bound).is_integer() else f"le={quote(f'{bound:g}')}"


def series(name: str, *matchers: str) -> str:
    """Returns a selector of the series with that name and those matchers. Empty matchers are ignored."""
    kept = ",".join(matcher for matcher in matchers if matcher)
    return f"{name}{{{kept}}}" if kept else name


def increase(selector: str, window: str, gap: str = GAP) -> str:
    """Returns an expression for how much each counter has grown in `window`; a new series counts with its whole value.

    A series is new if it had no sample in the time `gap` before the window. If only the window's start were looked at,
    every counter would be new after each short outage, with all that it ever counted.
    """
    return (
        f"(\n  last_over_time({selector}[{window}])\n  unless\n  last_over_time({selector}[{gap}] offset {window})\n)\n"
        f"or\nincrease({selector}[{window}])"
    )


def relabelled(expression: str, target: str, value: str, source: str, pattern: str) -> str:
    """Returns an expression that sets the label `target` to `value` where the whole label `source` fits the pattern.

    Other series stay as they are. `value` may have the pattern's groups, such as `$1`. With `source` and `pattern`
    empty the label is always set.
    """
    return f"label_replace({expression}, {', '.join(map(quote, (target, value, source, pattern)))})"


def total(by: Iterable[str], expression: str) -> str:
    """Returns an expression for the sum of `expression` by the labels `by`; by no labels, for one sum of all."""
    return f"sum by ({', '.join(by)}) {grouped(expression)}"


def grouped(expression: str) -> str:
    """Returns the expression in parentheses. If it has several lines, they are indented between the parentheses."""
    return f"(\n{indented(expression)}\n)" if "\n" in expression else f"({expression})"


def indented(expression: str) -> str:
    """Returns the expression with every line two columns to the right."""
    return "\n".join("  " + line for line in expression.splitlines())


class Histograms(str, Enum):
    """How Prometheus stores histograms, which decides how a query on one is written.

    In its methods, `of` is the part of a histogram, `_count`, `_sum` or `_bucket`; for a metric that is no histogram it
    is empty.
    """

    CLASSIC = "classic"
    """A series for the count, one for the sum, and one for each bucket."""
    NATIVE = "native"
    """One series, whose samples are whole histograms."""

    def selector(self, metric: Metric, of: str, *matchers: str) -> str:
        """Returns a selector of the series that have that part of a metric."""
        return series(metric.prometheus_name + (of if self is Histograms.CLASSIC else ""), *matchers)

    def part(self, of: str, expression: str) -> str:
        """Returns an expression for the numbers of that part; `expression` is one over the series that have the part.

        For classic histograms, and for a metric that is no histogram, it is `expression` itself. For native ones, which
        have no separate buckets, `of` must not be `_bucket`.
        """
        return expression if self is Histograms.CLASSIC or not of else f"histogram{of}{grouped(expression)}"

    def grown(self, metric: Metric, of: str, matchers: Iterable[str], window: str, gap: str = GAP) -> str:
        """Returns an expression for the growth of that part of a metric in a window, series by series.

        `of` is as in `part`, `gap` as in `increase`.
        """
        return self.part(of, increase(self.selector(metric, of, *matchers), window, gap))

    def quantile(self, q: float, metric: Metric, matchers: Iterable[str], window: str, by: Iterable[str] = ()) -> str:
        """Returns an expression for the quantile `q` (0 to 1) of a histogram over a window, by the labels `by`.

        First observations of new series count. With `rate()` a job that runs for a minute and ends would have no
        latency at all, as all its observations are first ones.
        """
        grown = increase(self.selector(metric, "_bucket", *matchers), window)
        labels = ("le", *by) if self is Histograms.CLASSIC else by
        return f"histogram_quantile({q:g}, {total(labels, grown)})"

    def within(self, metric: Metric, bound: float, grown: Callable[..., str]) -> str:
        """Returns an expression for how many events of a histogram took no longer than `bound`.

        `grown(of, *matchers)` must return the summed growth of the series with that part of the histogram. For a
        classic histogram it is asked for one bucket; raises `ValueError` for a bound that the metric does not have. For
        a native one it is asked for the whole (`of` is empty); the bound is inside of a bucket there, in which
        Prometheus interpolates, and the number is rounded to a thousandth.
        """
        if self is Histograms.CLASSIC:
            return grown("_bucket", le(metric, bound))
        found = grown("")
        counted = f"histogram_count{grouped(found)}"
        share = f"histogram_fraction(-Inf, {bound:g}, {found})"
        # Rounded, as the share times the count may be a little less than a whole number. The share of an empty
        # histogram is NaN, which the comparison drops.
        return grouped(f"round({counted} * {share}, 0.001) >= 0\nor\n{counted}")
