"""Checks OpenTelemetry's configuration file, which `opentelemetry-instrument` reads instead of most variables.

Rule: OpenTelemetry's own loader reads it. The loader's message about a mistake may quote a value, so it is not shown;
the place in the file is, if it is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from anthropic_otel.cli.doctor.collector.endpoint import Endpoint, of_signal
from anthropic_otel.cli.doctor.collector.start import CONFIG_FILES, GRPC, HTTP, Signal
from anthropic_otel.cli.doctor.findings import Finding, bad, info, note

_SUBJECT: Final = "File"
_ENDINGS: Final = (".yaml", ".yml", ".json")
_EXAMPLE: Final = "docs/usage.md shows a whole file"


@dataclass(frozen=True, slots=True)
class Exporter:
    """An OTLP exporter: where it sends, and the arguments of its constructor. Without a file, it has no arguments."""

    endpoint: Endpoint
    options: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Configured:
    """What was read of a configuration file: the findings about it, and its OTLP exporters of traces and metrics."""

    findings: tuple[Finding, ...]
    exporters: tuple[Exporter, ...] = ()


def examine(environment: Mapping[str, str]) -> Configured | None:
    """Reads and checks the file that a variable names: the first one in `CONFIG_FILES` that is set and not empty.

    If the file cannot be read, is no configuration, or needs a package that is not installed, the result is a fault and
    no exporters. Returns `None` if no such variable is set.
    """
    for name in CONFIG_FILES:
        if path := environment.get(name):
            return _read(name, path, environment)
    return None


def _read(name: str, path: str, environment: Mapping[str, str]) -> Configured:
    if wrong := _unreadable(name, path):
        return Configured((wrong,))
    try:
        from opentelemetry.configuration import load_config_file
    except ImportError:
        remedy = "pip install 'anthropic-otel[auto]'"
        return Configured((bad(_SUBJECT, f"{name} is set, and what reads such files is not installed", remedy),))
    try:
        config = load_config_file(path)
    except Exception as error:
        return Configured((bad(_SUBJECT, f"{name}={path}: {_place(error)}", f"correct it; {_EXAMPLE}"),))
    exporters = tuple(_exporters(config, name, environment))
    return Configured((info(_SUBJECT, f"{path}   {name}"), *_judged(config, exporters)), exporters)


def _unreadable(name: str, path: str) -> Finding | None:
    try:
        with Path(path).open("rb"):
            pass
    except FileNotFoundError:
        return bad(_SUBJECT, f"{name}={path} does not exist", f"correct the path, or unset {name}")
    except (OSError, ValueError):
        return bad(_SUBJECT, f"{name}={path} cannot be read", f"correct the path or its permissions, or unset {name}")
    if not path.lower().endswith(_ENDINGS):
        return bad(_SUBJECT, f"{name}={path} ends in none of {', '.join(_ENDINGS)}", "rename it")
    return None


def _place(error: Exception) -> str:
    """Returns what is wrong with the file, by the exception `error` that the loader raised.

    That is "it does not match the schema", with the keys that lead to the place or, if the place is the whole file, a
    hint at `file_format`; "it is not YAML", with the line's number; or only that OpenTelemetry cannot read it.
    """
    cause = error.__cause__
    place = getattr(cause, "absolute_path", None)
    if place is not None:
        keys = ".".join(str(key) for key in place)
        return f"it does not match the schema{' at ' + keys if keys else ' (is file_format there?)'}"
    mark = getattr(cause, "problem_mark", None)
    if mark is not None:
        return f"it is not YAML (line {mark.line + 1})"
    return "it is not a configuration that OpenTelemetry can read"


def _exporters(config: Any, name: str, environment: Mapping[str, str]) -> Iterator[Exporter]:
    places = (
        (Signal.TRACES, "tracer_provider", "processors", ("batch", "simple")),
        (Signal.METRICS, "meter_provider", "readers", ("periodic",)),
    )
    for signal, provider, members, kinds in places:
        for member in getattr(getattr(config, provider, None), members, None) or ():
            for kind in kinds:
                exporter = getattr(getattr(member, kind, None), "exporter", None)
                yield from _of_exporter(exporter, signal, name, environment)


def _of_exporter(exporter: Any, signal: Signal, name: str, environment: Mapping[str, str]) -> Iterator[Exporter]:
    for attribute, protocol in (("otlp_http", HTTP), ("otlp_grpc", GRPC)):
        found = getattr(exporter, attribute, None)
        if found is None:
            continue
        url = getattr(found, "endpoint", None)
        endpoint = (
            Endpoint(signal, protocol, url, name, exact=True) if url else of_signal(environment, signal, protocol)
        )
        headers = {str(each.name): str(each.value) for each in getattr(found, "headers", None) or ()}
        yield Exporter(endpoint, {"endpoint": url, "headers": headers or None})


def _judged(config: Any, exporters: tuple[Exporter, ...]) -> Iterator[Finding]:
    if getattr(config, "disabled", None):
        yield bad(_SUBJECT, "disabled: true, so that nothing is recorded", "take the line out")
    for signal, provider in ((Signal.TRACES, "tracer_provider"), (Signal.METRICS, "meter_provider")):
        if getattr(config, provider, None) is None:
            yield note(signal.subject, f"the file has no {provider}: none are recorded", _EXAMPLE)
        elif not any(exporter.endpoint.signal is signal for exporter in exporters):
            yield note(signal.subject, f"its {provider} has no OTLP exporter", _EXAMPLE)
    yield from _sampler(getattr(getattr(config, "tracer_provider", None), "sampler", None))


def _sampler(sampler: Any) -> Iterator[Finding]:
    root = getattr(getattr(sampler, "parent_based", None), "root", None) or sampler
    ratio = getattr(getattr(root, "trace_id_ratio_based", None), "ratio", None)
    if getattr(root, "always_off", None) is not None:
        yield bad("Sampler", "the file's sampler is always_off: it drops every trace", "always_on, or a ratio")
    elif ratio is not None and ratio <= 0:
        yield bad("Sampler", "the file's sampler keeps none: its ratio is 0", "a ratio from 0 to 1")
    elif ratio is not None and ratio < 1:
        yield note("Sampler", f"the file's sampler keeps {ratio:.3g} of the traces", "traces will be missing")
