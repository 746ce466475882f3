"""PromQL from the library's own definitions: names, labels and bucket bounds come from `semconv`.

Rule: no increment is lost. `rate()` and `increase()` only see what happens between two samples, so the
first 529 of the day, which makes its series appear with the value 1, is invisible to them. `increase` below adds the
whole value of a series that is younger than the window.
"""

from __future__ import annotations

from collections.abc import Iterable

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


def quantile(q: float, buckets: str, window: str, by: Iterable[str] = ()) -> str:
    """A quantile of a histogram, from its `_bucket` selector.

    First observations count here too: a job that runs for a minute and ends is nothing but first observations, and by
    `rate()` it would have no latency at all.
    """
    return f"histogram_quantile({q:g}, {total(('le', *by), increase(buckets, window))})"
