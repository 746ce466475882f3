"""Checks variables of OpenTelemetry that no other module here does.

They are switches, propagators, the metrics' temporality, numbers, OTLP headers, compressions, and files of certificates
and keys.

Rule: a value is judged by its effect: OpenTelemetry may raise for it, ignore it or replace it, or telemetry may be lost
by it, as in Prometheus by delta temporality.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

from opentelemetry.util.re import parse_env_headers

from anthropic_otel.cli.doctor.findings import Finding, bad, note

_PROPAGATORS: Final = "OTEL_PROPAGATORS"
_BUILT_IN: Final = {"tracecontext", "baggage", "none"}
_TEMPORALITY: Final = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
_DISABLED: Final = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
_COMPRESSIONS: Final = ("none", "gzip", "deflate")
_FILES: Final = ("_CERTIFICATE", "_CLIENT_CERTIFICATE", "_CLIENT_KEY")
_SECONDS: Final = (
    "OTEL_EXPORTER_OTLP_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT",
    "OTEL_METRIC_EXPORT_INTERVAL",
    "OTEL_METRIC_EXPORT_TIMEOUT",
)
_QUEUE: Final = "OTEL_BSP_MAX_QUEUE_SIZE"
_BATCH: Final = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"
_COUNTS: Final = ("OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_EXPORT_TIMEOUT", _QUEUE, _BATCH)
_DEFAULT_SIZES: Final = {_QUEUE: "2048", _BATCH: "512"}
_OTLP_HEADERS: Final = tuple(f"OTEL_EXPORTER_OTLP_{signal}HEADERS" for signal in ("", "TRACES_", "METRICS_"))
_LIMITS: Final = ("OTEL_ATTRIBUTE_COUNT_LIMIT", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT")
_ENDLESS: Final = 1e9
_ATTRIBUTES: Final = 48
"""The least limit with which no attribute of an attempt is cut off."""


def examine(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yields findings about the variables whose value is wrong, loses telemetry, or names a file that cannot be read.

    A variable with several headers has one for each that is malformed. Two sizes that do not fit each other have one
    together. Yields nothing if all values are right.
    """
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        yield bad("Switch", "OTEL_SDK_DISABLED=true: nothing is recorded", "unset OTEL_SDK_DISABLED")
    elif environment.get("OTEL_SDK_DISABLED", "").strip().lower() not in ("", "false"):
        yield note("Switch", "OTEL_SDK_DISABLED is not true, and so is taken for false", "true, or unset it")
    if "anthropic_otel" in [name.strip() for name in environment.get(_DISABLED, "").split(",")]:
        yield note("Switch", f"{_DISABLED} switches the zero-code start off", f"take anthropic_otel out of {_DISABLED}")
    yield from _propagators(environment)
    yield from _metrics(environment)
    yield from _values(environment)


def _propagators(environment: Mapping[str, str]) -> Iterator[Finding]:
    value = environment.get(_PROPAGATORS)
    if value is None:
        return
    names = [name.strip() for name in value.split(",")]
    known = _BUILT_IN | {entry.name for entry in entry_points(group="opentelemetry_propagator")}
    unknown = [name for name in names if name not in known and name.lower() != "none"]
    if unknown:
        text = f"{_PROPAGATORS} names one that is not installed: importing OpenTelemetry fails"
        yield bad("Context", text, f"{_PROPAGATORS}=tracecontext,baggage, or install its package")
    elif "tracecontext" not in names:
        yield note("Context", f"{_PROPAGATORS} sends no traceparent: the API cannot link its spans", "add tracecontext")


def _metrics(environment: Mapping[str, str]) -> Iterator[Finding]:
    value = environment.get(_TEMPORALITY, "").strip().lower()
    if value in ("delta", "lowmemory"):
        yield note("Metrics", f"{_TEMPORALITY}={value}: Prometheus needs cumulative ones", f"unset {_TEMPORALITY}")
    elif value not in ("", "cumulative"):
        yield bad("Metrics", f"{_TEMPORALITY} is not cumulative, delta or lowmemory", f"unset {_TEMPORALITY}")


def _values(environment: Mapping[str, str]) -> Iterator[Finding]:
    yield from _numbers(environment)
    yield from _headers(environment)
    for name, value in environment.items():
        if not name.startswith("OTEL_EXPORTER_OTLP") or not value.strip():
            continue
        if name.endswith("_COMPRESSION") and value.strip().lower() not in _COMPRESSIONS:
            yield bad("Value", f"{name} is not a compression", f"one of {', '.join(_COMPRESSIONS)}")
        elif name.endswith(_FILES) and not _is_file(value):
            yield bad("Value", f"{name}={value} is not a file that can be read", "correct the path")


def _numbers(environment: Mapping[str, str]) -> Iterator[Finding]:
    kinds = ((_SECONDS, _is_above_0, "number above 0"), (_COUNTS, _is_count, "whole number above 0"))
    for names, is_right, kind in (*kinds, (_LIMITS, str.isdecimal, "whole number")):
        for name in names:
            value = environment.get(name, "").strip()
            if value and not is_right(value):
                yield bad("Value", f"{name} must be a {kind}", f"correct it, or unset {name}")
            elif value and name in _LIMITS and int(value) < _ATTRIBUTES:
                yield note("Value", f"{name}={value} cuts attributes of attempts off", f"at least {_ATTRIBUTES}")
    queue, batch = (environment.get(name, "").strip() or _DEFAULT_SIZES[name] for name in (_QUEUE, _BATCH))
    if _is_count(queue) and _is_count(batch) and int(batch) > int(queue):
        text = f"a batch of {batch} spans does not fit into a queue of {queue}: the SDK refuses them"
        yield bad("Value", text, f"{_BATCH} must not be above {_QUEUE}")


def _headers(environment: Mapping[str, str]) -> Iterator[Finding]:
    for name in _OTLP_HEADERS:
        for number, part in enumerate(filter(str.strip, environment.get(name, "").split(",")), 1):
            if not parse_env_headers(part, liberal=True):
                text = f"part {number} of {name} is not name=value, so it is ignored (value not shown)"
                yield bad("Headers", text, "name=value,name=value, with %2C for a comma in a value")


def _is_above_0(value: str) -> bool:
    try:
        return 0 < float(value) < _ENDLESS
    except ValueError:
        return False


def _is_count(value: str) -> bool:
    return value.isdecimal() and int(value) > 0


def _is_file(path: str) -> bool:
    try:
        with Path(path).open("rb"):
            return True
    except (OSError, ValueError):
        return False
