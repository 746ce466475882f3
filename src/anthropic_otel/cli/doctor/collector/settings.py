"""Checks what is set about telemetry: its start, the sampler, the service's identity, and switches.

Rule: nothing here sends anything, so all of it is checked with `--offline` too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Final

from anthropic_otel.cli.doctor.collector import config_file, identity, samplers, start, variables
from anthropic_otel.cli.doctor.collector.config_file import Configured
from anthropic_otel.cli.doctor.collector.start import Signal, Start
from anthropic_otel.cli.doctor.deadline import Deadline
from anthropic_otel.cli.doctor.findings import Finding, Section, info, merged, note

TITLE: Final = "What is set about telemetry"


def section(environment: Mapping[str, str], taken: Start, configured: Configured | None, deadline: Deadline) -> Section:
    """Checks start, sampler, identity and other settings of telemetry, and returns the section with the findings.

    `taken` is how the app starts telemetry. `configured` is what was read of a configuration file, `None` without one;
    with one, the file and only some variables are checked. Without the OpenTelemetry SDK, one note says so. Sends
    nothing.
    """
    return Section("settings", TITLE, tuple(merged(_findings(environment, taken, configured, deadline))))


def _findings(
    environment: Mapping[str, str], taken: Start, configured: Configured | None, deadline: Deadline
) -> Iterator[Finding]:
    if find_spec("opentelemetry.sdk") is None:
        yield note(
            "Start", "the OpenTelemetry SDK is not installed: nothing is sent", "pip install 'anthropic-otel[otlp]'"
        )
        return
    if configured is not None:
        yield info("Start", f"{Start.ZERO_CODE.text} with a configuration file")
        yield from configured.findings
        if taken is Start.CODE:
            yield note("File", f"{Start.CODE.text} does not read it", f"start by {Start.ZERO_CODE.text}")
        yield from variables.examine(environment)
        return
    yield start.described(environment, taken)
    for signal in Signal:
        yield from start.examine(environment, signal, taken)
    yield from samplers.examine(environment)
    yield from identity.examine(environment, deadline)
    yield from variables.examine(environment)


def read_file(environment: Mapping[str, str]) -> Configured | None:
    """Reads and checks OpenTelemetry's configuration file.

    Returns `None` if no variable names one, or the OpenTelemetry SDK is not installed.
    """
    return config_file.examine(environment) if find_spec("opentelemetry.sdk") is not None else None
