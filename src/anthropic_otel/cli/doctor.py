"""Finds out what is installed and set here, and whether `instrument()` works with it.

Rule: it tells names, versions and addresses, never the value of a key, a header or a token; and for whatever is
missing it says how to get it.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum
from importlib.metadata import PackageNotFoundError, entry_points, version
from importlib.util import find_spec
from typing import Final
from urllib.parse import urlsplit

from anthropic_otel import __version__


class State(Enum):
    """How good a finding is. Only `BAD` keeps the library from its work."""

    GOOD = "good"
    NOTE = "note"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: what, how it is, and what to do about it, if anything."""

    state: State
    subject: str
    text: str
    remedy: str = ""


OLDEST: Final = (0, 40)
NEWEST: Final = (2,)
"""The SDK versions that the test matrix covers: from the first on, and within the second's major version."""

_ENDPOINTS: Final = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
)
_SWITCHES: Final = ("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_TRACES_SAMPLER", "OTEL_SERVICE_NAME")
_PATIENCE: Final = 2.0
_HTTP_PORTS: Final = {"http": 80, "https": 443}
_GRPC_PORT: Final = 4317
_PROTOCOL: Final = "OTEL_EXPORTER_OTLP_PROTOCOL"
_GRPC: Final = "otlp_proto_grpc"
_CONFIGURATION_FILES: Final = ("OTEL_CONFIG_FILE", "OTEL_EXPERIMENTAL_CONFIG_FILE")


def findings() -> Iterator[Finding]:
    """Everything that can be known without a call, one after the other."""
    python = ".".join(str(part) for part in sys.version_info[:3])
    yield Finding(State.GOOD, "anthropic-otel", f"{__version__} on Python {python}")
    yield sdk()
    yield from _http_clients()
    yield from _opentelemetry()
    yield from _variables()


def installed(distribution: str) -> str | None:
    """The version of a distribution, `None` if it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def sdk() -> Finding:
    """The Anthropic SDK."""
    found = installed("anthropic")
    if found is None:
        return Finding(State.BAD, "Anthropic SDK", "not installed", "pip install anthropic")
    numbers = tuple(int(part) for part in found.split(".")[:2] if part.isdigit())
    if numbers < OLDEST:
        return Finding(State.BAD, "Anthropic SDK", f"{found} is too old", "pip install 'anthropic>=0.40'")
    if numbers[:1] > NEWEST:
        return Finding(State.NOTE, "Anthropic SDK", f"{found} is newer than what this release was tested with")
    return Finding(State.GOOD, "Anthropic SDK", found)


def _http_clients() -> Iterator[Finding]:
    found = [f"{name} {at}" for name in ("httpx2", "httpx", "aiohttp") if (at := installed(name))]
    yield Finding(State.GOOD if found else State.BAD, "HTTP clients", ", ".join(found) or "neither httpx2 nor httpx")


def _opentelemetry() -> Iterator[Finding]:
    yield Finding(State.GOOD, "OpenTelemetry API", installed("opentelemetry-api") or "unknown version")
    at = installed("opentelemetry-sdk")
    remedy = "" if at else "pip install 'anthropic-otel[otlp]'"
    yield Finding(State.GOOD if at else State.NOTE, "OpenTelemetry SDK", at or "not installed: nothing is sent", remedy)
    exporters = sorted({entry.name for entry in entry_points(group="opentelemetry_traces_exporter")})
    otlp = any(name.startswith("otlp") for name in exporters)
    yield Finding(
        State.GOOD if otlp else State.NOTE,
        "Exporters",
        ", ".join(exporters) or "none",
        "" if otlp else "pip install 'anthropic-otel[otlp]'",
    )
    if os.environ.get(_PROTOCOL) == "grpc" and _GRPC not in exporters:
        remedy = "pip install opentelemetry-exporter-otlp-proto-grpc"
        yield Finding(State.BAD, "Exporters", f"{_PROTOCOL}=grpc, and none for it", remedy)
    yield zero_code(exporters)


def zero_code(exporters: Collection[str]) -> Finding:
    """Whether `opentelemetry-instrument` can start an app here: the distro asks for gRPC unless told otherwise."""
    subject = "Start without code"
    if installed("opentelemetry-distro") is None:
        return Finding(State.GOOD, subject, "no; for it: pip install 'anthropic-otel[auto]'")
    named = any(os.environ.get(name) for name in (_PROTOCOL, "OTEL_TRACES_EXPORTER", *_CONFIGURATION_FILES))
    if _GRPC in exporters or named:
        return Finding(State.GOOD, subject, "opentelemetry-instrument python app.py")
    return Finding(State.NOTE, subject, "the distro's gRPC exporter is missing", "pip install 'anthropic-otel[auto]'")


# -- the environment ---------------------------------------------------------------------------------------------------


def _variables() -> Iterator[Finding]:
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        yield Finding(State.BAD, "Environment", "OTEL_SDK_DISABLED: nothing is recorded", "unset OTEL_SDK_DISABLED")
    if "anthropic_otel" in os.environ.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", ""):
        yield Finding(State.NOTE, "Start without code", "off by OTEL_PYTHON_DISABLED_INSTRUMENTATIONS")
    for name in _SWITCHES:
        if value := os.environ.get(name):
            yield Finding(State.NOTE if value == "none" else State.GOOD, "Environment", f"{name}={value}")
    named = [name for name in _ENDPOINTS if os.environ.get(name)]
    for name in named:
        yield endpoint(name, os.environ[name])
    if not named:
        port = _GRPC_PORT if os.environ.get(_PROTOCOL) == "grpc" else 4318
        yield endpoint(f"the default, as {_ENDPOINTS[0]} is not set", f"http://localhost:{port}")


def endpoint(name: str, url: str) -> Finding:
    """Whether somebody listens at an OTLP endpoint. Tells scheme, host and port of it only."""
    parts = urlsplit(url if "://" in url else f"//{url}")
    try:
        host, port = parts.hostname, parts.port or _HTTP_PORTS.get(parts.scheme, 4317)
    except ValueError:
        host, port = None, 0
    if not host:
        return Finding(State.BAD, "OTLP", f"{name} is not a URL", "use one such as http://localhost:4318")
    try:
        socket.create_connection((host, port), timeout=_PATIENCE).close()
    except OSError as error:
        why = error.strerror or str(error)
        return Finding(State.NOTE, "OTLP", f"nobody at {host}:{port}: {why}", f"({name})")
    if port == _GRPC_PORT and os.environ.get(_PROTOCOL) != "grpc":
        return Finding(State.NOTE, "OTLP", f"{host}:{port} is gRPC's usual port", f"{_PROTOCOL}=grpc, or port 4318")
    return Finding(State.GOOD, "OTLP", f"{host}:{port} accepts connections", f"({name})")


def missing_for_a_call() -> Finding | None:
    """What keeps `doctor` from trying a call, `None` if nothing does."""
    modules = ("anthropic", "opentelemetry.sdk", "h11", "trustme")
    missing = [name for name in modules if not _found(name)]
    if not missing:
        return None
    text = f"not tried: {', '.join(missing)} not installed"
    return Finding(State.NOTE, "instrument()", text, "pip install 'anthropic-otel[demo]'")


def _found(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
