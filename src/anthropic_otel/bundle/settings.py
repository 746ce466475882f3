"""What a user decides: the service level, the thresholds, which jobs, where links lead. Read from `thresholds.yaml`.

Rule: a value that a rule or a panel depends on is in that file and nowhere else, and a file with a name
that this module does not know, or with a value that cannot work, is refused with a sentence that says where and why.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
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
_PRICES = re.compile(r"^( *)prices:\n(?:\1  (?:- |#).*\n)+", re.MULTILINE)
_DURATION = re.compile(r"(?:\d+(?:ms|[smhdwy]))+")


class SettingsError(ValueError):
    """A thresholds file that cannot be used. The message says where and why."""


@dataclass(frozen=True)
class Links:
    """Where alerts lead: the base address of Grafana, and of the runbooks."""

    grafana: str
    runbooks: str


@dataclass(frozen=True)
class Severity:
    """What the label `severity` of an alert says: of one that wakes somebody, and of one for the next morning."""

    page: str
    ticket: str


@dataclass(frozen=True)
class Evaluation:
    """How often rules are evaluated, and how far apart the samples of a series are."""

    interval: Duration
    slow_interval: Duration
    export_interval: Duration


@dataclass(frozen=True)
class BurnWindow:
    """One pair of windows in which the error budget must burn at `burn_rate` before anyone is told."""

    long: Duration
    short: Duration
    burn_rate: float


@dataclass(frozen=True)
class Slo:
    """The service level of calls. `objective` is in percent."""

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
        """The share of calls that may fail."""
        return round(1 - self.objective / 100, 10)

    @property
    def windows(self) -> tuple[Duration, ...]:
        """Every window that a burn rate is computed over, shortest first."""
        found = {window for pair in (*self.page, *self.ticket) for window in (pair.long, pair.short)}
        return tuple(sorted(found, key=lambda window: window.seconds))


@dataclass(frozen=True)
class Price:
    """What a million tokens of a model cost, in USD, by kind. `input` is that of what no cache has to do with.

    `model` is the name that requests ask for. It stands for the same name with a date behind it, too.
    """

    model: str
    input: float
    cache_read: float
    cache_write_5m: float
    cache_write_1h: float
    output: float


@dataclass(frozen=True)
class Spend:
    """What calls cost, and may cost in a day, in USD. A budget of 0 is none.

    `cache_writes` says which of the two prices is taken for what is written to the cache. `prices_from` and `prices_of`
    say where the prices are from, and of which day.
    """

    budget_per_day: float
    cache_writes: str
    prices_from: str
    prices_of: str
    prices: tuple[Price, ...]


@dataclass(frozen=True)
class Alerts:
    """One field per alert; its name is the alert's name."""

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
    """All that a thresholds file says."""

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
    """The settings in a thresholds file; without a path, the defaults. Raises `SettingsError`, or OSError."""
    return parse((path or files.source("dashboards/thresholds.yaml")).read_text(encoding="utf-8"))


def parse(text: str) -> Settings:
    """The settings in the text of a thresholds file. Raises `SettingsError`."""
    import yaml  # not at the top: whoever only copies the defaults needs no YAML

    from anthropic_otel.bundle import checks

    try:
        settings = _build(Settings, yaml.safe_load(text), "")
    except yaml.YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark is not None else ""
        raise SettingsError(f"it is not YAML{where}: {problem or type(error).__name__}") from error
    checks.check(settings)
    return settings


def edited(text: str, **values: str | float) -> str:
    """The text of a thresholds file with other values, its comments kept. Each key must be in it once.

    Raises `SettingsError` where a key has no line of its own, or a value more than one.
    """
    for key, value in values.items():
        if not str(value).isprintable():
            # YAML would make a space of a line break, and go on.
            raise SettingsError(f"{key} has a line break or a control character: {value!r}")
        line = re.search(rf"^([ \t]*){key}:.*$", text, re.MULTILINE)
        if line is None:
            raise SettingsError(f"no line of its own for {key!r}, so it cannot be changed")
        shown = "'" + value.replace("'", "''") + "'" if isinstance(value, str) else f"{value:.12g}"
        text = f"{text[: line.start()]}{line[1]}{key}: {shown}{text[line.end() :]}"
    return text


def with_prices(text: str, lines: Iterable[str]) -> str:
    """The text of a thresholds file with other lines of prices. Raises `SettingsError` where it has none."""
    rows = _PRICES.search(text)
    if rows is None:
        raise SettingsError("no list `prices` with a line for each, so it cannot be replaced")
    indent = rows[1]
    new = "".join(f"{indent}  {line}\n" for line in lines)
    return f"{text[: rows.start()]}{indent}prices:\n{new}{text[rows.end() :]}"


def _build(kind: type[T], value: Any, where: str) -> T:
    """`value` as an instance of the dataclass `kind`, every field checked."""
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
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
            raise SettingsError(f"{where} must be a number of at least 0, not {value!r}")
        return float(value)
    if not isinstance(value, str):
        raise SettingsError(f"{where} must be text, not {value!r}")
    return value
