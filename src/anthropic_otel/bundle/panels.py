"""Panels and boards as data, and the queries that they consist of.

Rule: a panel must say what it shows, how to read it, in which unit, and what it displays when there is no data.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from anthropic_otel._core import semconv
from anthropic_otel._core.instruments import Metric
from anthropic_otel.bundle.promql import GAP, JOB, Histograms, increase, label, series, total

NOW = "$__rate_interval"
RANGE = "$__range"
NO_TRAFFIC = "no traffic"
NO_FAILURES = "no failures"

ALERT, SEVERITY = "alertname", "severity"
"""Labels of Prometheus' series `ALERTS`, which are columns of a table."""
INSTANCE = "instance"

LIMIT = "limit"
"""The first word of the name of a line that is the limit of other lines. Grafana draws such a line dashed."""

VARIABLES = {semconv.OPERATION_NAME: "operation", semconv.GEN_AI_REQUEST_MODEL: "model"}
"""The attributes that a dashboard's user can filter by, and the names of the variables."""


class Kind(str, Enum):
    """How a panel shows its series. Values are the names of Grafana's panels."""

    STAT = "stat"
    BARS = "bargauge"
    LINES = "timeseries"
    TABLE = "table"


@dataclass(frozen=True)
class Query:
    """One query of a panel: a PromQL `expression`.

    `legend` is a template of the series' name; if it is empty, every series has the word `value` as its name.
    `exemplars` is whether exemplars are shown with it.
    """

    expression: str
    legend: str = ""
    exemplars: bool = False


@dataclass(frozen=True)
class Step:
    """A threshold: values from `value` on, and below the next step, have this colour."""

    value: float
    colour: str


Colours = tuple[tuple[str, str], ...]
"""The colours of a panel's series: pairs of a name in the legend, or a regular expression in slashes, and a colour."""

STATUSES: Colours = (
    ("/2../", "green"),
    ("/4../", "orange"),
    ("/5../", "red"),
    ("/429/", "yellow"),
    ("/529/", "dark-red"),
    ("no response", "purple"),
)
"""The colours of HTTP statuses and their classes. The last one that matches applies."""
OUTCOMES: Colours = (
    ("succeeded", "green"),
    ("recovered", "yellow"),
    ("failed", "red"),
    ("exhausted", "dark-red"),
    ("cancelled", "text"),
    ("abandoned", "light-blue"),
)
"""The colours of a call's outcomes."""
QUANTILES: Colours = (("/^median/", "green"), ("/^p95/", "orange"), ("/^p99/", "red"))
"""The colours of quantiles."""


@dataclass(frozen=True)
class Panel:
    """One panel of a dashboard.

    - `unit`: that of the values, by Grafana's name.
    - `drill`: the name of the board that explains more; the panel links to it.
    - `nothing`: what the panel displays when there is no data.
    - `steps`: thresholds, lowest first. Values below them are green, or red if the last step is green.
    - `shows`: the alert whose threshold they are, or `None`.
    - `width`, `height`: in Grafana's grid, which is 24 wide.
    - `stacked`: whether the lines are drawn one upon the other.
    - `maximum`: the end of the scale; `decimals`: how many digits; `None` leaves either to Grafana.
    - `colours`: of series whose meaning is known: good is green, bad is red. Other series get a colour by their name,
      so that it is the same on every panel.
    - `ink`: the colour of all values above 0, in place of `steps`, if the series are all of one kind; else empty.
    - `crowded`: whether there may be a dozen series; their names are then at the right.
    - `extreme`: the value beside each name: `max` or `min`.
    - `columns`: of a table, in their order: pairs of a label of the query, or `Value`, and the heading. The column of
      the error links to the traces.
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
    """A row of panels with a heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Board:
    """One dashboard, of rows of panels. `name` is the last word of its uid and the stem of its file's name."""

    name: str
    title: str
    description: str
    rows: tuple[Row, ...] = field(default_factory=tuple)


def chosen(metric: Metric, *matchers: str) -> tuple[str, ...]:
    """Returns matchers for what the dashboard's user chose, followed by `matchers`.

    That is the job and the instance, then the operation and the model, each of these two only if the metric has its
    attribute.
    """
    variables = (f'{label(name)}=~"${variable}"' for name, variable in VARIABLES.items() if name in metric.attributes)
    return (f'{JOB}=~"$job"', 'instance=~"$instance"', *variables, *matchers)


def filtered(metric: Metric, *matchers: str) -> str:
    """Returns a selector of a metric that is no histogram, with the matchers of `chosen`."""
    return series(metric.prometheus_name, *chosen(metric, *matchers))


def grown(metric: Metric, *matchers: str, by: Iterable[str] = (), window: str = RANGE, gap: str = GAP) -> str:
    """Returns an expression for the growth of a counter in a window, summed by the labels `by`.

    It covers series that fit `chosen(metric, *matchers)`. `window` is by default the time that the dashboard shows.
    `gap` is how long a series may have no samples before it counts as new.
    """
    return total(by, increase(filtered(metric, *matchers), window, gap))


def per_second(metric: Metric, *matchers: str, by: Iterable[str] = ()) -> str:
    """Returns an expression for the rate of a counter per second in the window `NOW`, summed by the labels `by`.

    The first increments of new series count.
    """
    return rate(grown(metric, *matchers, by=by, window=NOW))


def rate(growth: str) -> str:
    """Returns an expression for the rate per second of `growth`, an expression for the growth in the window `NOW`.

    `growth` is not put in brackets, so it must bind as tightly as `*`.
    """
    return f"{growth} * 1000 / $__rate_interval_ms"


def ratio(part: str, whole: str) -> str:
    """Returns an expression for the share of `part` in `whole`, for each set of labels.

    It is 0 for labels that `part` does not have, and absent for those that `whole` does not have or has with 0.
    """
    return f"({part} or 0 * {whole}) / ({whole} > 0)"


@dataclass(frozen=True)
class Queries:
    """Makes the expressions on histograms, with the matchers of `chosen`, for classic or native histograms."""

    histograms: Histograms

    def seen(self, metric: Metric) -> str:
        """Returns a selector of the series that have the count of a histogram."""
        return self.histograms.selector(metric, "_count", *chosen(metric))

    def count(self, metric: Metric, *matchers: str) -> str:
        """Returns an expression for the total count of a histogram up to now, series by series."""
        return self.histograms.part("_count", self.histograms.selector(metric, "_count", *chosen(metric, *matchers)))

    def grown(
        self, metric: Metric, *matchers: str, by: Iterable[str] = (), of: str = "_count", window: str = RANGE
    ) -> str:
        """Returns an expression for the growth of a part of a histogram in a window, summed by the labels `by`.

        `of` is the part, `_count` or `_sum`; `window` is by default the time that the dashboard shows. It covers series
        that fit `chosen(metric, *matchers)`.
        """
        return total(by, self.histograms.grown(metric, of, chosen(metric, *matchers), window))

    def per_second(self, metric: Metric, *matchers: str, by: Iterable[str] = (), of: str = "_count") -> str:
        """Returns an expression for the growth of a part of a histogram (`of`) per second in the window `NOW`.

        It is summed by the labels `by`. First observations of new series count.
        """
        return rate(self.grown(metric, *matchers, by=by, of=of, window=NOW))

    def within(self, metric: Metric, bound: float, by: Iterable[str], window: str) -> str:
        """Returns an expression for how many events in a window took no longer than a bucket's `bound`, summed by `by`.

        `bound` is in the unit of the metric. Raises `ValueError` for a bound that the metric does not have, if
        histograms are classic.
        """

        def grown(of: str, *matchers: str) -> str:
            return self.grown(metric, *matchers, by=by, of=of, window=window)

        return self.histograms.within(metric, bound, grown)

    def quantile(self, q: float, metric: Metric, *matchers: str, by: Iterable[str] = ()) -> str:
        """Returns an expression for the quantile `q` (0 to 1) of a histogram in the window `NOW`, by the labels `by`.

        It covers series that fit `chosen(metric, *matchers)`.
        """
        return self.histograms.quantile(q, metric, chosen(metric, *matchers), NOW, by)

    def quantiles(self, metric: Metric, *matchers: str) -> tuple[Query, ...]:
        """Returns three queries of a histogram, with exemplars: `median`, `p95` and `p99` in the window `NOW`."""
        return tuple(
            Query(self.quantile(q, metric, *matchers), name, exemplars=True)
            for q, name in ((0.5, "median"), (0.95, "p95"), (0.99, "p99"))
        )
