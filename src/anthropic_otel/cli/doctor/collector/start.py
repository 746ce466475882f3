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
    """A signal that is exported. The value is its name in variables, entry points and paths."""

    TRACES = "traces"
    METRICS = "metrics"

    @property
    def subject(self) -> str:
        """The signal's name on the screen, such as `Traces`."""
        return self.value.capitalize()


class Start(Enum):
    """How an app starts telemetry. The value is an argument of `--start`."""

    CODE = "code"
    ZERO_CODE = "zero-code"

    @property
    def text(self) -> str:
        """The code or command of that start."""
        return 'instrument(export="otlp")' if self is Start.CODE else "opentelemetry-instrument"


def detect(environment: Mapping[str, str]) -> Start:
    """Returns how this process started telemetry, or how an app with this environment would.

    It is zero-code if a tracer provider is set already, or a variable names a configuration file.
    """
    started = not is_noop_tracer_provider(trace.get_tracer_provider())
    configured = any(environment.get(name) for name in CONFIG_FILES)
    return Start.ZERO_CODE if started or configured else Start.CODE


def variable(environment: Mapping[str, str], signal: Signal, rest: str) -> tuple[str, str] | None:
    """Returns name and value of the variable `OTEL_EXPORTER_OTLP_<SIGNAL>_<rest>`, or `None`.

    If it is not set, `OTEL_EXPORTER_OTLP_<rest>` takes its place.
    """
    for name in (f"OTEL_EXPORTER_OTLP_{signal.value.upper()}_{rest}", f"OTEL_EXPORTER_OTLP_{rest}"):
        if environment.get(name):
            return name, environment[name]
    return None


def protocol(environment: Mapping[str, str], signal: Signal, start: Start) -> str:
    """Returns the protocol that the signal's exporter speaks: `grpc` or `http/protobuf`.

    If no variable decides, it is gRPC for the zero-code start and HTTP for the other one.
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
    """Returns the name of the variable that sets the signal's exporters."""
    return f"OTEL_{signal.value.upper()}_EXPORTER"


def exports(environment: Mapping[str, str], signal: Signal, start: Start) -> bool:
    """Returns whether that start exports the signal by OTLP, by the variable with the signal's exporters."""
    value = environment.get(exporter_variable(signal), "otlp").strip().lower() or "otlp"
    if start is Start.CODE:
        return value != "none"
    return any(name.strip().startswith("otlp") for name in value.split(","))


def examine(environment: Mapping[str, str], signal: Signal, start: Start) -> Iterator[Finding]:
    """Yields findings about the exporters and the protocol of a signal: wrong values, and exporters not installed."""
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
    """Returns the finding that says which start is checked, and how to check the other one."""
    other = Start.ZERO_CODE if start is Start.CODE else Start.CODE
    words = {protocol(environment, signal, start) for signal in Signal if exports(environment, signal, start)}
    by = f", {' and '.join(sorted(words))}" if words else ""
    return info("Start", f"{start.text}{by}   (--start {other.value} for {other.text})")
