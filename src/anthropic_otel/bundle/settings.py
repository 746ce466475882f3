"""The settings that a user decides, read from `thresholds.yaml`: service level, thresholds, jobs, links.

Rule: what a user decides is in that file and nowhere else. A file with an unknown name or with a value that cannot work
is refused, with a message that says where and why.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from anthropic_otel.bundle import files
from anthropic_otel.bundle.conditions import (
    Amplification,
    Count,
    Duration,
    Full,
    Hang,
    Headroom,
    Limit,
    Longer,
    Outage,
    Refusals,
    Rise,
    Share,
    Silence,
    SlowShare,
)
from anthropic_otel.bundle.promql import Histograms

T = TypeVar("T")
_DURATION = re.compile(r"(?:\d+(?:ms|[smhdwy]))+")


class SettingsError(ValueError):
    """A thresholds file cannot be used. The message says where and why."""


@dataclass(frozen=True)
class Links:
    """The addresses that alerts link to: the base URL of Grafana; the base URL, or the folder, of the runbooks."""

    grafana: str
    runbooks: str


@dataclass(frozen=True)
class Severity:
    """The values of the label `severity`.

    `page` is that of alerts that wake somebody, `ticket` that of alerts that wait until morning.
    """

    page: str
    ticket: str


@dataclass(frozen=True)
class Evaluation:
    """How often rules are evaluated and metrics are exported.

    - `interval`: of the rules; `slow_interval`: of recording rules over windows of more than an hour, or on tokens.
    - `export_interval`: how often apps export their metrics, which is only assumed here.
    """

    interval: Duration
    slow_interval: Duration
    export_interval: Duration


@dataclass(frozen=True)
class BurnWindow:
    """A long and a short window: an alert fires if the error budget burns faster than `burn_rate` in both of them.

    The floors of `Slo` must be met too. A rate of 1 uses up the budget in exactly the service level's `window`.
    """

    long: Duration
    short: Duration
    burn_rate: float


@dataclass(frozen=True)
class Slo:
    """The service level of the calls that ask a model for an answer.

    - `objective`: the percentage of calls that must not fail, over `window`.
    - `at_least`, `at_least_short`: how many failed calls a long and a short window must have before an alert fires.
    - `page`, `ticket`: the pairs of windows of the alert that pages, and those of the one that is a ticket. Each alert
      fires by any of its pairs.
    - `hold`, `keep`: those of both alerts, as in `Condition`.
    """

    objective: float
    window: Duration
    at_least: float
    at_least_short: float
    page: tuple[BurnWindow, ...]
    ticket: tuple[BurnWindow, ...]
    hold: Duration
    keep: Duration

    @property
    def budget(self) -> float:
        """The share of calls that may fail, such as 0.001."""
        return round(1 - self.objective / 100, 10)

    @property
    def windows(self) -> tuple[Duration, ...]:
        """Every window of the alerts' pairs, shortest first, each once."""
        found = {window for pair in (*self.page, *self.ticket) for window in (pair.long, pair.short)}
        return tuple(sorted(found, key=lambda window: window.seconds))


@dataclass(frozen=True)
class Price:
    """What a million tokens of a model cost, in USD, by kind.

    `input` is for tokens that are neither read from nor written to a cache, `cache_write_5m` and `cache_write_1h` for
    tokens that are written to a cache which keeps them for 5 minutes or an hour. `model` is the name in requests. A
    request for that name followed by `-` or `@` and the eight digits of a version's date costs the same, unless it has
    a price of its own.
    """

    model: str
    input: float
    cache_read: float
    cache_write_5m: float
    cache_write_1h: float
    output: float


@dataclass(frozen=True)
class Spend:
    """What tokens cost, and what calls may cost in a day.

    - `budget_per_day`: in USD, for all calls; 0 is no budget.
    - `cache_writes`: which price is taken for tokens written to a cache: `5m` or `1h`.
    - `prices_from`, `prices_of`: the source of the prices, and their day as an ISO date.
    - `prices`: the price of each model.
    """

    budget_per_day: float
    cache_writes: str
    prices_from: str
    prices_of: str
    prices: tuple[Price, ...]


@dataclass(frozen=True)
class Alerts:
    """The condition of each alert, apart from the two on the error budget, which `Slo` has.

    A field's name is the alert's name.
    """

    AnthropicAllCallsFailing: Outage
    AnthropicTargetFailing: Outage
    AnthropicHanging: Hang
    AnthropicSpendLimit: Refusals
    AnthropicAccessRefused: Refusals
    AnthropicModelGone: Outage
    AnthropicAllCallsInvalid: Outage
    AnthropicOperationFailing: Outage
    AnthropicTimeouts: Share
    AnthropicOverloaded: Share
    AnthropicRateLimited: Share
    AnthropicConnectionFailures: Share
    AnthropicRetryAmplification: Amplification
    AnthropicLongBackoff: Longer
    AnthropicLowHeadroom: Headroom
    AnthropicSlowFirstChunk: SlowShare
    AnthropicStreamStalls: SlowShare
    AnthropicDailyBudget: Limit
    AnthropicCostRise: Rise
    AnthropicTelemetryAbsent: Silence
    AnthropicTelemetryLost: Count
    AnthropicTelemetryRefused: Count
    AnthropicCollectorDown: Silence
    AnthropicTelemetryQueue: Full


@dataclass(frozen=True)
class Settings:
    """All values of a thresholds file.

    - `job`, `short_lived`, `collectors`: regular expressions on the label `job`: the services, those that run only
      briefly, the Collectors. An empty `job` is every service, an empty `short_lived` none.
    - `max_retries`: how many retries a call may have.
    - `histograms`: how Prometheus stores histograms.
    - The others are described by their classes.
    """

    job: str
    short_lived: str
    collectors: str
    max_retries: float
    histograms: Histograms
    severity: Severity
    links: Links
    evaluation: Evaluation
    slo: Slo
    spend: Spend
    alerts: Alerts


def load(path: Path | None = None) -> Settings:
    """Reads the settings from a thresholds file; `None` reads the shipped one.

    Raises what `parse` raises, and `OSError` or `UnicodeDecodeError` if the file cannot be read.
    """
    return parse((path or files.source("dashboards/thresholds.yaml")).read_text(encoding="utf-8"))


def parse(text: str) -> Settings:
    """Returns the settings in the text of a thresholds file.

    Raises `SettingsError` if the text is not YAML, has an unknown or missing name, or a value that cannot work;
    `ImportError` without PyYAML.
    """
    import yaml  # not at the top, because writing the shipped files needs no YAML

    from anthropic_otel.bundle import checks

    try:
        values = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a `ValueError` is of a day such as 2026-13-01
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark is not None else ""
        raise SettingsError(
            f"it is not YAML{where}: {problem or (error if isinstance(error, ValueError) else type(error).__name__)}"
        ) from error
    settings = _build(Settings, values, "")
    checks.check(settings)
    return settings


def _build(kind: type[T], value: Any, where: str) -> T:
    """Returns `value` as an instance of the dataclass `kind`; `where` is its place in the file, for messages.

    An empty `where` is the whole file. Raises `SettingsError` if `value` is no mapping, for a name that is unknown or
    missing, and for a value that is of the wrong type or that its type cannot have, such as a number below 0.
    """
    if not isinstance(value, Mapping):
        raise SettingsError(f"{where or 'the file'} must be a mapping")
    hints = get_type_hints(kind)
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    for problem, found in (("unknown", set(value) - names), ("missing", names - set(value))):
        if found:
            raise SettingsError(f"{problem} in {where or 'the file'}: {', '.join(sorted(map(str, found)))}")
    return kind(**{name: _value(hints[name], value[name], f"{where}.{name}".lstrip(".")) for name in names})


def _value(kind: Any, value: Any, where: str) -> Any:
    if get_origin(kind) is tuple:
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise SettingsError(f"{where} must be a list")
        return tuple(_build(get_args(kind)[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if is_dataclass(kind):
        return _build(kind, value, where)  # type: ignore[arg-type]
    if kind is Duration:
        if not isinstance(value, str) or not _DURATION.fullmatch(value):
            raise SettingsError(f"{where} must be a duration such as 5m, not {value!r}")
        return Duration(value)
    if kind is Histograms:
        if value not in [each.value for each in Histograms]:
            raise SettingsError(f"{where} must be {' or '.join(each.value for each in Histograms)}, not {value!r}")
        return Histograms(value)
    if kind is float:
        # Not `value < 0`: nothing is below or above a nan.
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= sys.float_info.max:
            raise SettingsError(f"{where} must be a number of at least 0, not {value!r}")
        return float(value)
    if not isinstance(value, str):
        raise SettingsError(f"{where} must be text, not {value!r}")
    if not value.isprintable():
        # Such as that of a YAML block: in a query or a comment, Prometheus cannot read it.
        raise SettingsError(f"{where} has a line break or another character that is not printable: {value!r}")
    return value
