"""What a fleet costs in Prometheus, with classic and with native histograms: the tables of docs/fleet.md.

    python tests/dashboards/fleet.py             print the tables
    python tests/dashboards/fleet.py --measure   measure a real Prometheus 3 and print what MEASURED should say

Rule: series are counted of what a process exports. What a series costs is measured, on what twenty processes export in
two hours, and kept here with the version; all else is arithmetic.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "src")]

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from anthropic_otel._core import semconv
from anthropic_otel.cli.stack import binaries
from dashboards import instance, sent
from dashboards.storage import CLASSIC, FIXED, NATIVE, WAYS, Cost, measured

FLEETS: Final = (10, 1_000, 10_000)
DAY: Final = 24 * 60


MEASURED: Final[Mapping[str, Cost]] = {
    CLASSIC: Cost(2005, 1474953, 4413),
    NATIVE: Cost(661, 536552, 5207),
    FIXED: Cost(415, 233375, 4412),
}
"""By `--measure`, Prometheus 3.15, in November 2026."""


@dataclass(frozen=True)
class Series:
    """The series of a metric of one process."""

    metric: str
    labels: tuple[frozenset[tuple[str, str]], ...]
    buckets: int
    """How many buckets each has with the fixed bounds; 0: it is no histogram."""

    @property
    def native(self) -> int:
        """How many there are where a histogram is one series."""
        return len(self.labels)

    @property
    def classic(self) -> int:
        """How many there are where it is a count, a sum and its buckets."""
        return len(self.labels) * (self.buckets + 2 if self.buckets else 1)

    def without(self, attributes: Collection[str]) -> Series:
        """The same without some attributes."""
        left = {frozenset(pair for pair in labels if pair[0] not in attributes) for labels in self.labels}
        return Series(self.metric, tuple(left), self.buckets)


TARGET: Final = Series("target_info", (frozenset(),), 0)
"""What Prometheus has of the process itself."""


def counted(export: ExportMetricsServiceRequest) -> list[Series]:
    """The series of an export with fixed buckets, metric by metric, and that of its process."""
    found = []
    for metric in sent.metrics(export):
        points = getattr(metric, str(metric.WhichOneof("data"))).data_points
        labels = (frozenset((pair.key, str(pair.value)) for pair in point.attributes) for point in points)
        buckets = len(points[0].bucket_counts) if metric.HasField("histogram") else 0
        found.append(Series(metric.name, tuple(labels), buckets))
    return [*found, TARGET]


def totals(found: Iterable[Series]) -> dict[str, int]:
    """How many series a process has, by the way."""
    every = list(found)
    native = sum(one.native for one in every)
    return {CLASSIC: sum(one.classic for one in every), NATIVE: native, FIXED: native}


_REASONS: Final = (
    semconv.ERROR_TYPE,
    semconv.HTTP_RESPONSE_STATUS_CODE,
    semconv.ATTEMPT_STATUS_CLASS,
    semconv.NETWORK_CAUSE,
    semconv.API_ERROR_CODE,
    semconv.RETRY_REASON,
)
_NONE: Final = "(?!)"
CHOICES: Final = (
    (f"the model, `{semconv.GEN_AI_REQUEST_MODEL}`", (semconv.GEN_AI_REQUEST_MODEL,), _NONE),
    ("why attempts fail: " + ", ".join(f"`{name}`" for name in _REASONS), _REASONS, _NONE),
    (f"the operation, `{semconv.OPERATION_NAME}`", (semconv.OPERATION_NAME,), _NONE),
    ("the gauges of rate limits", (), r"\.ratelimit\."),
    ("the counters of tokens", (), r"\.usage\."),
)
"""What one may leave out: words, attributes, and a regular expression of metrics."""


# -- the tables --------------------------------------------------------------------------------------------------------


def tables() -> Iterator[str]:
    """The lines of the page's three tables."""
    *_, (fixed, _exponential) = instance.exports(0, 2)
    found = counted(fixed)
    yield from _by_metric(found)
    yield ""
    yield from _by_fleet(totals(found))
    yield ""
    yield from _by_choice(found)


def _by_metric(found: list[Series]) -> Iterator[str]:
    yield "| of one process | label sets | series, classic | series, native |"
    yield "|---|---:|---:|---:|"
    for one in sorted(found, key=lambda one: (-one.classic, one.metric)):
        yield f"| `{one.metric}` | {one.native} | {one.classic:,} | {one.native} |"
    every = totals(found)
    yield f"| all | {every[NATIVE]} | {every[CLASSIC]:,} | {every[NATIVE]} |"


def _by_fleet(series: Mapping[str, int]) -> Iterator[str]:
    yield "| processes | histograms | series | samples/s | memory of two hours | disk a day | sent a minute |"
    yield "|---:|---|---:|---:|---:|---:|---:|"
    for fleet in FLEETS:
        for way in WAYS:
            cost, count = MEASURED[way], fleet * series[way]
            amounts = (fleet * cost.memory, fleet * cost.disk * DAY, fleet * cost.wire)
            cells = (f"{fleet:,}", way, f"{count:,}", f"{count / 60:,.0f}", *map(_bytes, amounts))
            yield f"| {' | '.join(cells)} |"


def _by_choice(found: list[Series]) -> Iterator[str]:
    yield "| what is left out | series, classic | series, native |"
    yield "|---|---:|---:|"
    every = totals(found)
    for words, attributes, metrics in CHOICES:
        left = totals(one.without(attributes) for one in found if not re.search(metrics, one.metric))
        cells = (f"{left[way]:,} ({1 - left[way] / every[way]:.0%} less)" for way in (CLASSIC, NATIVE))
        yield f"| {words} | {' | '.join(cells)} |"


def _bytes(amount: float) -> str:
    """An amount with two digits: more are not sure."""
    kept = round(amount, 1 - math.floor(math.log10(amount)))
    power = min(3, math.floor(math.log10(kept) / 3))
    return f"{kept / 1000**power:g} {('', 'kB', 'MB', 'GB')[power]}"


def main() -> None:
    """Prints the tables, or what was measured."""
    if "--measure" not in sys.argv[1:]:
        print("\n".join(tables()))
        return
    binary = binaries.find(binaries.PROMETHEUS_3, lambda text: print(text, file=sys.stderr))
    for way in WAYS:
        cost = measured(binary, way)
        print(f"{way}: Cost({cost.disk:.0f}, {cost.memory:.0f}, {cost.wire:.0f})", flush=True)


if __name__ == "__main__":
    main()
