"""The series of classic histograms that a test makes up, as native ones, in the words of promtool's tests.

Rule: nothing is told that the classic series do not tell. What lies within the one bound that a test has goes into a
bucket far below it, the rest into one far above.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from anthropic_otel._core import instruments

_HISTOGRAMS = "|".join(metric.prometheus_name for metric in instruments.METRICS if metric.buckets)
_SERIES = re.compile(rf"({_HISTOGRAMS})_(count|sum|bucket)\{{(.*)\}}")
_BOUND = re.compile(r',?le="[^"]*"')
_SAMPLE = re.compile(r"([\d.e+-]+?)(x\d+)?")
_LONG, _THINNED = 1000, 4
"""A series of more samples has one in so many: to promtool, which takes 10,000 at a time, each of these is a dozen."""


def series(classic: Mapping[str, str]) -> dict[str, str]:
    """The same series, with one native histogram for each classic one; what is no histogram stays as it is.

    A histogram may have one bound. Without a count its sum is its count.
    """
    found, parts = dict[str, str](), defaultdict[str, dict[str, list[str]]](dict)
    for name, values in classic.items():
        histogram = _SERIES.fullmatch(name)
        if histogram is None:
            found[name] = values
            continue
        metric, part, labels = histogram.groups()
        parts[f"{metric}{{{_BOUND.sub('', labels)}}}"][part] = values.split()
    return found | {name: " ".join(_thinned(list(_samples(of)))) for name, of in parts.items()}


def _thinned(samples: list[str]) -> Iterable[str]:
    every = _THINNED if len(samples) > _LONG else 1
    return (sample if at % every == 0 else "_" for at, sample in enumerate(samples))


def _samples(parts: Mapping[str, list[str]]) -> Iterable[str]:
    counts = parts.get("count") or parts["sum"]
    short = parts.get("bucket", counts)
    sums = parts.get("sum", counts)
    for count, within, total in zip(counts, short, sums, strict=True):
        sample = _SAMPLE.fullmatch(count)
        if sample is None:  # a gap, or the end of the series
            yield count
            continue
        low = float(_SAMPLE.sub(r"\1", within))
        yield histogram(float(sample[1]), float(_SAMPLE.sub(r"\1", total)), low) + (sample[2] or "")


def histogram(count: float, total: float, low: float) -> str:
    """A native histogram of some events, of which so many are short and the others long."""
    # Of schema -3: from 1/256 to 1, to 256, in which is every bound that an alert has, and to 65536.
    return f"{{{{schema:-3 count:{count:g} sum:{total:g} buckets:[{low:g} 0 {count - low:g}]}}}}"
