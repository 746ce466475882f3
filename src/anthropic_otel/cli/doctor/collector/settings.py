"""Checks what is set about telemetry: its start, exporters, sampler, the service's identity, and other variables.

Rule: nothing here sends anything by itself, so all of it is checked with `--offline` too. It runs OpenTelemetry's
resource detectors, and one that is installed may ask its cloud.
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
    """Checks what is set about telemetry, and returns the section with the findings.

    `taken` is how the app starts telemetry. `configured` is what was read of a configuration file. With a file, the
    section is about the file and about the variables that `variables` checks. Without one (`None`), it is about those
    variables, the start, exporters, sampler and identity. Without the OpenTelemetry SDK, its only finding is a note
    that says so. `deadline` is for the resource detectors.
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
    """Reads and checks OpenTelemetry's configuration file, which a variable names.

    Returns `None` if no variable does, or if the OpenTelemetry SDK is not installed.
    """
    return config_file.examine(environment) if find_spec("opentelemetry.sdk") is not None else None
