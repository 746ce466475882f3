"""Checks which packages are installed, most of them with their versions, and says how to install what is missing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, entry_points, version
from importlib.util import find_spec
from typing import Final

from anthropic_otel import __version__
from anthropic_otel.cli.doctor.findings import Finding, Section, bad, info, note

TITLE: Final = "What is installed"
OLDEST: Final = (0, 40)
NEWEST: Final = (2,)
"""The SDK versions that the test matrix covers: from `OLDEST` on, up to the major version `NEWEST`."""


def section() -> Section:
    """Returns the section with the versions of Python, this package, the SDK, the HTTP libraries and OpenTelemetry.

    A missing or too old SDK is a fault, and so is the lack of any HTTP library. An SDK newer than those that are tested
    is a note, and so is OpenTelemetry's distro without its gRPC exporter. All else is information.
    """
    return Section("installed", TITLE, tuple(_findings()))


def _findings() -> Iterator[Finding]:
    python = ".".join(str(part) for part in sys.version_info[:3])
    yield info("Python", f"{python}, anthropic-otel {__version__}")
    yield sdk()
    clients = ", ".join(f"{name} {at}" for name in ("httpx2", "httpx", "aiohttp") if (at := installed(name)))
    yield info("HTTP", clients) if clients else bad("HTTP", "neither httpx2 nor httpx", "pip install -U anthropic")
    yield from _opentelemetry()


def installed(distribution: str) -> str | None:
    """Returns the version of the distribution with that name, `None` if it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def sdk() -> Finding:
    """Returns the finding with the version of the Anthropic SDK.

    The finding is a fault if the SDK is missing or older than `OLDEST`, a note if its major version is above `NEWEST`,
    else information.
    """
    found = installed("anthropic")
    if found is None:
        return bad("SDK", "anthropic is not installed", "pip install anthropic")
    numbers = tuple(int(part) for part in found.split(".")[:2] if part.isdigit())
    if numbers < OLDEST:
        return bad("SDK", f"anthropic {found} is too old", "pip install 'anthropic>=0.40'")
    if numbers[:1] > NEWEST:
        return note("SDK", f"anthropic {found} is newer than what this release was tested with")
    return info("SDK", f"anthropic {found}")


def _opentelemetry() -> Iterator[Finding]:
    versions = [f"{word} {at}" for word in ("api", "sdk") if (at := installed(f"opentelemetry-{word}"))]
    exporters = sorted({entry.name for entry in entry_points(group="opentelemetry_traces_exporter")})
    otlp = [name for name in exporters if name.startswith("otlp_proto")]
    yield info("OTel", ", ".join([*versions, *otlp]))
    distro = installed("opentelemetry-distro")
    if distro is not None and "otlp_proto_grpc" not in exporters:
        yield note(
            "OTel", "the distro exports by gRPC, for which nothing is installed", "pip install 'anthropic-otel[auto]'"
        )


def missing_for_a_call() -> list[str]:
    """Returns the names of the modules that the self-test needs and that are not installed."""
    return [name for name in ("anthropic", "opentelemetry.sdk", "h11", "trustme") if not importable(name)]


def importable(module: str) -> bool:
    """Returns whether a module with that qualified name is installed.

    Imports the packages above the module, but not the module. `False` too if one of these packages is missing, or a
    module that such a package imports. Raises what else the import of these packages raises.
    """
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
