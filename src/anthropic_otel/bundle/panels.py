"""What a panel is, as data, and the queries that panels are made of.

Rule: a panel cannot be written without saying what it shows, how to read it, in which unit, and what it
says when there is nothing to show.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from anthropic_otel._core import semconv as s
from anthropic_otel._core.semconv import Metric
from anthropic_otel.bundle.promql import GAP, JOB, Histograms, increase, label, series, total

NOW = "$__rate_interval"
RANGE = "$__range"
NO_TRAFFIC = "no traffic"
NO_FAILURES = "no failures"

ALERT, SEVERITY = "alertname", "severity"
"""Labels of Prometheus' own series of alerts, as columns."""
INSTANCE = "instance"

LIMIT = "limit"
"""The first word of the name of a line that is a limit of others: it is dashed."""

VARIABLES = {s.OPERATION_NAME: "operation", s.GEN_AI_REQUEST_MODEL: "model"}
"""The attributes that a dashboard's user can filter by, and the names of the variables."""


class Kind(str, Enum):
    """How a panel shows its series."""

    STAT = "stat"
    BARS = "bargauge"
    LINES = "timeseries"
    TABLE = "table"


@dataclass(frozen=True)
class Query:
    """One query. `legend` is empty where the value has no labels worth a word."""

    expression: str
    legend: str = ""
    exemplars: bool = False


@dataclass(frozen=True)
class Step:
    """From this value on, in this colour."""

    value: float
    colour: str


Colours = tuple[tuple[str, str], ...]
"""The colours of a panel's series: each with the name in the legend, or a regular expression between slashes."""

STATUSES: Colours = (
    ("/2../", "green"),
    ("/4../", "orange"),
    ("/5../", "red"),
    ("/429/", "yellow"),
    ("/529/", "dark-red"),
    ("no response", "purple"),
)
"""HTTP statuses and their classes. The last that fits is taken."""
OUTCOMES: Colours = (
    ("succeeded", "green"),
    ("recovered", "yellow"),
    ("failed", "red"),
    ("exhausted", "dark-red"),
    ("cancelled", "text"),
    ("abandoned", "light-blue"),
)
"""Outcomes of a call."""
QUANTILES: Colours = (("/^median/", "green"), ("/^p95/", "orange"), ("/^p99/", "red"))
"""The longer the wait, the redder."""


@dataclass(frozen=True)
class Panel:
    """One panel. `shows` is the alert whose threshold it draws, if any; `drill` the dashboard that explains more.

    `crowded` is whether there may be a dozen series: their names stand beside them. `extreme` is the value that stands
    with the name of each: its `max`, or its `min`.

    `columns` are those of a table: each a label of its query, or `Value`, with the heading that is shown. The error
    opens the traces of its row.

    `colours` are those of series whose meaning is known: good is green, bad is red. Others get one by their name, so
    that a series has the same colour everywhere. `ink` is the one colour of a panel whose series are all of a kind.
    """

    title: str
    kind: Kind
    unit: str
    description: str
    queries: tuple[Query, ...]
    drill: str
    nothing: str = NO_TRAFFIC
    steps: tuple[Step, ...] = ()
    width: int = 8
    height: int = 8
    stacked: bool = False
    maximum: float | None = None
    decimals: int | None = None
    shows: str | None = None
    colours: Colours = ()
    ink: str = ""
    crowded: bool = False
    extreme: str = "max"
    columns: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Row:
    """Some panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Board:
    """One dashboard. `name` is the last word of its uid and its file's name."""

    name: str
    title: str
    description: str
    rows: tuple[Row, ...] = field(default_factory=tuple)


def chosen(metric: Metric, *matchers: str) -> tuple[str, ...]:
    """The matchers of the dashboard's variables, as far as the metric has the attribute, and some more."""
    variables = (f'{label(name)}=~"${variable}"' for name, variable in VARIABLES.items() if name in metric.attributes)
    return (f'{JOB}=~"$job"', 'instance=~"$instance"', *variables, *matchers)


def filtered(metric: Metric, *matchers: str) -> str:
    """A selector of a metric that is no histogram, under the dashboard's variables."""
    return series(metric.prometheus_name, *chosen(metric, *matchers))


def grown(metric: Metric, *matchers: str, by: Iterable[str] = (), window: str = RANGE, gap: str = GAP) -> str:
    """How much a counter has grown in the time that the dashboard shows, or in another window."""
    return total(by, increase(filtered(metric, *matchers), window, gap))


def per_second(metric: Metric, *matchers: str, by: Iterable[str] = ()) -> str:
    """The same as a rate over time, first increments included."""
    return rate(grown(metric, *matchers, by=by, window=NOW))


def rate(growth: str) -> str:
    """A growth in the window `NOW`, per second."""
    return f"{growth} * 1000 / $__rate_interval_ms"


def ratio(part: str, whole: str) -> str:
    """A share, which is 0 where the part has no series but the whole has."""
    return f"({part} or 0 * {whole}) / ({whole} > 0)"


@dataclass(frozen=True)
class Queries:
    """The queries of a dashboard on histograms, as Prometheus has them."""

    histograms: Histograms

    def seen(self, metric: Metric) -> str:
        """A selector of the series of a histogram of which each has counted something."""
        return self.histograms.selector(metric, "_count", *chosen(metric))

    def count(self, metric: Metric, *matchers: str) -> str:
        """What a histogram has counted until now, series by series."""
        return self.histograms.part("_count", self.histograms.selector(metric, "_count", *chosen(metric, *matchers)))

    def grown(
        self, metric: Metric, *matchers: str, by: Iterable[str] = (), of: str = "_count", window: str = RANGE
    ) -> str:
        """How much a part of a histogram has grown in the time that the dashboard shows, or in another window."""
        return total(by, self.histograms.grown(metric, of, chosen(metric, *matchers), window))

    def per_second(self, metric: Metric, *matchers: str, by: Iterable[str] = (), of: str = "_count") -> str:
        """The same as a rate over time, first observations included."""
        return rate(self.grown(metric, *matchers, by=by, of=of, window=NOW))

    def within(self, metric: Metric, bound: float, by: Iterable[str], window: str) -> str:
        """How many events of a window took no longer than a bound."""

        def grown(of: str, *matchers: str) -> str:
            return self.grown(metric, *matchers, by=by, of=of, window=window)

        return self.histograms.within(metric, bound, grown)

    def quantile(self, q: float, metric: Metric, *matchers: str, by: Iterable[str] = ()) -> str:
        """A quantile of a histogram over time."""
        return self.histograms.quantile(q, metric, chosen(metric, *matchers), NOW, by)

    def quantiles(self, metric: Metric, *matchers: str) -> tuple[Query, ...]:
        """Median, p95 and p99 of a histogram, with exemplars."""
        return tuple(
            Query(self.quantile(q, metric, *matchers), name, exemplars=True)
            for q, name in ((0.5, "median"), (0.95, "p95"), (0.99, "p99"))
        )
