"""Checks the connection to the collector with an empty export by each OTLP exporter of traces and metrics.

Rule: only an answer to the export that says success is good. An open port is not enough.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from anthropic_otel.cli.doctor.collector import endpoint as endpoints
from anthropic_otel.cli.doctor.collector import over_grpc, over_http
from anthropic_otel.cli.doctor.collector.config_file import Configured, Exporter
from anthropic_otel.cli.doctor.collector.outcome import Outcome, judge
from anthropic_otel.cli.doctor.collector.start import Signal, Start, exports, protocol
from anthropic_otel.cli.doctor.deadline import NETWORK, Deadline, Work
from anthropic_otel.cli.doctor.findings import Finding, Section, merged, untried
from anthropic_otel.cli.doctor.installed import importable

TITLE: Final = "The way to the collector"
_SHARE: Final = 0.8
_MODULES: Final = {
    True: "opentelemetry.exporter.otlp.proto.grpc",
    False: "opentelemetry.exporter.otlp.proto.http",
}


def section(
    environment: Mapping[str, str], taken: Start, configured: Configured | None, deadline: Deadline, *, offline: bool
) -> Section:
    """Checks the connection to the collector by empty exports, and returns the section with the findings.

    The exporters are those of `configured`, what was read of a configuration file; without one (`None`), they follow
    from the variables and from `taken`, how the app starts telemetry. An export that is not made has a finding that
    says why: with `offline`, none is. The exports have until the deadline, or two seconds if that is later. If there is
    no exporter, one finding says so.
    """
    exporters = list(configured.exporters if configured is not None else _exporters(environment, taken))
    findings = merged(_findings(environment, exporters, deadline, offline))
    return Section("collector", TITLE, tuple(findings or [untried("OTLP", "not tried: nothing is exported by it")]))


def _exporters(environment: Mapping[str, str], taken: Start) -> Iterator[Exporter]:
    for signal in Signal:
        if exports(environment, signal, taken):
            yield Exporter(endpoints.of_signal(environment, signal, protocol(environment, signal, taken)), {})


def _findings(
    environment: Mapping[str, str], exporters: list[Exporter], deadline: Deadline, offline: bool
) -> Iterator[Finding]:
    for exporter in exporters:
        yield from endpoints.doubtful(exporter.endpoint)
    deadline = deadline.at_least(NETWORK)
    work: list[tuple[Exporter, Work[Finding]]] = []
    for exporter in exporters:
        if wrong := list(endpoints.wrong(exporter.endpoint)):
            yield from wrong
        elif reason := _why_not(environment, exporter, offline):
            yield untried("OTLP", f"not tried{reason}")
        else:
            work.append((exporter, Work(lambda exporter=exporter: _try(exporter, deadline))))  # type: ignore[misc]
    for exporter, each in work:
        yield each.result(deadline, lambda exporter=exporter: _late(exporter))  # type: ignore[misc]


def _why_not(environment: Mapping[str, str], exporter: Exporter, offline: bool) -> str:
    if offline:
        return " (--offline)"
    if not importable(_MODULES[exporter.endpoint.over_grpc]):
        return ": its exporter is not installed"
    if any(name.endswith(over_http.PROVIDERS) and value for name, value in environment.items()):
        return ": its credentials come from a package (OTEL_PYTHON_EXPORTER_OTLP_*_CREDENTIAL_PROVIDER)"
    return ""


def _try(exporter: Exporter, deadline: Deadline) -> Finding:
    export = over_grpc.export if exporter.endpoint.over_grpc else over_http.export
    return judge(exporter.endpoint, export(exporter.endpoint, deadline.remaining * _SHARE, exporter.options))


def _late(exporter: Exporter) -> Finding:
    from anthropic_otel._core.semconv import NetworkCause

    return judge(exporter.endpoint, Outcome(0.0, cause=NetworkCause.READ_TIMEOUT.value))
