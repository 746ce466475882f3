"""Finds out how an app starts telemetry here, and what that means for its exporters.

`instrument(export="otlp")` sends by HTTP unless a variable says gRPC. OpenTelemetry's distro, which
`opentelemetry-instrument` starts, sends by gRPC unless a variable says HTTP.

Rule: variables are judged by what that start really does with them, and not by the specification.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from importlib.metadata import entry_points
from typing import Final

from opentelemetry import trace

from anthropic_otel._otel.providers import is_noop_tracer_provider
from anthropic_otel.cli.doctor.findings import Finding, bad, info, note

CONFIG_FILES: Final = ("OTEL_CONFIG_FILE", "OTEL_EXPERIMENTAL_CONFIG_FILE")
PROTOCOL: Final = "OTEL_EXPORTER_OTLP_PROTOCOL"
GRPC: Final = "grpc"
HTTP: Final = "http/protobuf"
_JSON: Final = "http/json"
_PACKAGES: Final = {GRPC: "opentelemetry-exporter-otlp-proto-grpc", HTTP: "opentelemetry-exporter-otlp-proto-http"}
_ENTRY_POINTS: Final = {GRPC: "otlp_proto_grpc", HTTP: "otlp_proto_http"}


class Signal(Enum):
    """A kind of telemetry that is exported. The value is its name in variables, entry points and URL paths."""

    TRACES = "traces"
    METRICS = "metrics"

    @property
    def subject(self) -> str:
        """The signal's name on the screen, such as `Traces`."""
        return self.value.capitalize()


class Start(Enum):
    """How an app starts telemetry: by code, or without (`opentelemetry-instrument`). The value is that of `--start`."""

    CODE = "code"
    ZERO_CODE = "zero-code"

    @property
    def text(self) -> str:
        """The code or the command that starts telemetry in this way."""
        return 'instrument(export="otlp")' if self is Start.CODE else "opentelemetry-instrument"


def detect(environment: Mapping[str, str]) -> Start:
    """Returns how an app with this environment would start telemetry.

    That is without code if this process has a tracer provider already, which `opentelemetry-instrument` sets, or if a
    variable names a configuration file; else by code.
    """
    started = not is_noop_tracer_provider(trace.get_tracer_provider())
    configured = any(environment.get(name) for name in CONFIG_FILES)
    return Start.ZERO_CODE if started or configured else Start.CODE


def variable(environment: Mapping[str, str], signal: Signal, rest: str) -> tuple[str, str] | None:
    """Returns name and value of the variable `OTEL_EXPORTER_OTLP_<SIGNAL>_<rest>`, or else `OTEL_EXPORTER_OTLP_<rest>`.

    A variable that is empty counts as unset. Returns `None` if neither is set.
    """
    for name in (f"OTEL_EXPORTER_OTLP_{signal.value.upper()}_{rest}", f"OTEL_EXPORTER_OTLP_{rest}"):
        if environment.get(name):
            return name, environment[name]
    return None


def protocol(environment: Mapping[str, str], signal: Signal, start: Start) -> str:
    """Returns the protocol that the signal's exporter speaks after that start: `grpc` or `http/protobuf`.

    For the start without code, an exporter named `otlp_proto_grpc` or `otlp_proto_http` decides. Else the variable
    with the protocol does: any value but `grpc` means HTTP. If that is not set either, it is gRPC for the start without
    code, and HTTP for the start in code.
    """
    exporters = {name.strip() for name in environment.get(exporter_variable(signal), "").split(",")}
    if start is Start.ZERO_CODE:
        for word, entry_point in _ENTRY_POINTS.items():
            if entry_point in exporters:
                return word
    asked = variable(environment, signal, "PROTOCOL")
    if asked is None:
        return GRPC if start is Start.ZERO_CODE else HTTP
    value = asked[1].strip() if start is Start.ZERO_CODE else asked[1]
    return GRPC if value == GRPC else HTTP


def exporter_variable(signal: Signal) -> str:
    """Returns the name of the variable that names the signal's exporters, such as `OTEL_TRACES_EXPORTER`."""
    return f"OTEL_{signal.value.upper()}_EXPORTER"


def exports(environment: Mapping[str, str], signal: Signal, start: Start) -> bool:
    """Returns whether the signal is exported by OTLP after that start, by the variable that names its exporters.

    After a start in code the signal is exported, unless the value is `none`; after one without code, if one of the
    names begins with `otlp`. An unset or empty variable means `otlp`. Case does not count.
    """
    value = environment.get(exporter_variable(signal), "otlp").strip().lower() or "otlp"
    if start is Start.CODE:
        return value != "none"
    return any(name.strip().startswith("otlp") for name in value.split(","))


def examine(environment: Mapping[str, str], signal: Signal, start: Start) -> Iterator[Finding]:
    """Yields findings about a signal's exporters and, if it is exported by OTLP, about its protocol.

    The findings are about the value `none`, about values that are wrong or that the start does not read, and about an
    exporter that is not installed. Yields nothing if all is right.
    """
    yield from _exporters(environment, signal, start)
    if exports(environment, signal, start):
        yield from _protocol(environment, signal, start)


def _exporters(environment: Mapping[str, str], signal: Signal, start: Start) -> Iterator[Finding]:
    name = exporter_variable(signal)
    value = environment.get(name, "").strip()
    if value.lower() == "none":
        yield note(signal.subject, f"{name}=none: none are exported", f"unset {name}")
    elif start is Start.CODE and value and not value.startswith("otlp"):
        yield note(signal.subject, f"{name}={value}, which {start.text} does not read", "use export=... for it")
    elif start is Start.ZERO_CODE:
        known = {entry.name for entry in entry_points(group=f"opentelemetry_{signal.value}_exporter")} | {"otlp"}
        for each in filter(None, (part.strip() for part in value.split(","))):
            if each not in known:
                remedy = f"one of {', '.join(sorted(known))}"
                yield bad(signal.subject, f"{name}={each} is not an exporter: {start.text} sets nothing up", remedy)


def _protocol(environment: Mapping[str, str], signal: Signal, start: Start) -> Iterator[Finding]:
    used = protocol(environment, signal, start)
    asked = variable(environment, signal, "PROTOCOL")
    if asked is not None and asked[1] not in (GRPC, HTTP):
        yield _unknown_protocol(*asked, start, used)
    if not any(entry_points(group=f"opentelemetry_{signal.value}_exporter", name=_ENTRY_POINTS[used])):
        yield bad("OTLP", f"the exporter for {used} is not installed", f"pip install {_PACKAGES[used]}")


def _unknown_protocol(name: str, value: str, start: Start, used: str) -> Finding:
    remedy = f"{name}={GRPC} or {HTTP}"
    if start is Start.ZERO_CODE and value.strip() not in (GRPC, HTTP):
        return bad("OTLP", f"{name}={value}, for which there is no exporter: nothing is set up", remedy)
    if value == _JSON:
        return note("OTLP", f"{name}={value} is not supported: {used} is sent", remedy)
    return bad("OTLP", f"{name}={value} is not a protocol: {used} is sent", remedy)


def described(environment: Mapping[str, str], start: Start) -> Finding:
    """Returns the finding that says which start is checked, with its OTLP protocols, and how to check the other one."""
    other = Start.ZERO_CODE if start is Start.CODE else Start.CODE
    words = {protocol(environment, signal, start) for signal in Signal if exports(environment, signal, start)}
    by = f", {' and '.join(sorted(words))}" if words else ""
    return info("Start", f"{start.text}{by}   (--start {other.value} for {other.text})")
