"""OpenTelemetry's variables and configuration files, judged by value."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk import resources

from anthropic_otel.cli.doctor.collector import config_file, connection, identity, samplers, settings, start, variables
from anthropic_otel.cli.doctor.collector.start import Signal, Start
from anthropic_otel.cli.doctor.deadline import Deadline
from anthropic_otel.cli.doctor.findings import Finding, State
from support.sink import listening

from .conftest import LONG, bad, texts

USAGE = Path(__file__).parents[3] / "docs/usage.md"
FILE = """
file_format: "1.0"
resource:
  attributes:
    - {name: service.name, value: shop}
tracer_provider:
  processors:
    - batch:
        exporter:
          otlp_http: {endpoint: "ENDPOINT/v1/traces", headers: [{name: x-key, value: CANARY}]}
meter_provider:
  readers:
    - periodic:
        exporter:
          otlp_http: {endpoint: "ENDPOINT/v1/metrics"}
"""


def section(environment: Mapping[str, str], taken: Start = Start.CODE) -> list[Finding]:
    configured = settings.read_file(environment)
    return list(settings.section(environment, taken, configured, Deadline(LONG)).findings)


# -- start and protocol ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "taken", "protocol"),
    [
        ({}, Start.CODE, "http/protobuf"),
        ({}, Start.ZERO_CODE, "grpc"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, Start.CODE, "grpc"),
        ({"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"}, Start.CODE, "grpc"),
        ({"OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "grpc"}, Start.CODE, "http/protobuf"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, Start.ZERO_CODE, "http/protobuf"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, Start.CODE, "http/protobuf"),
        ({"OTEL_TRACES_EXPORTER": "otlp_proto_http"}, Start.ZERO_CODE, "http/protobuf"),
    ],
)
def test_the_protocol_is_that_of_the_start(environment: dict[str, str], taken: Start, protocol: str) -> None:
    """Ours sends by HTTP unless told otherwise, the distro by gRPC."""
    assert start.protocol(environment, Signal.TRACES, taken) == protocol


@pytest.mark.parametrize("value", ["http/json", "http", "GRPC", "grpc "])
def test_our_start_takes_another_protocol_for_http(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `instrument(export="otlp")` itself does, so that the value is worth a finding."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    from anthropic_otel._otel.providers import otlp_exporter

    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", value)
    exporter = otlp_exporter("traces")
    exporter.shutdown()
    assert isinstance(exporter, OTLPSpanExporter)
    [finding] = [each for each in section(os.environ) if each.subject == "OTLP"]
    assert finding.state is (State.NOTE if value == "http/json" else State.BAD)
    assert "http/protobuf is sent" in finding.text


def test_the_distro_sets_nothing_up_for_a_protocol_without_an_exporter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its configurator raises, and the app runs without telemetry."""
    from opentelemetry.sdk._configuration import _get_exporter_entry_point

    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")
    with pytest.raises(RuntimeError, match="Unsupported OTLP protocol"):
        _get_exporter_entry_point("otlp", "traces")
    [fault] = bad(section(os.environ, Start.ZERO_CODE))
    assert "for which there is no exporter: nothing is set up" in fault.text


def test_an_exporter_that_is_not_installed_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what installs it."""
    monkeypatch.setattr(start, "entry_points", lambda **_: ())
    [fault] = bad(list(start.examine({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, Signal.TRACES, Start.CODE)))
    assert fault.remedy == "pip install opentelemetry-exporter-otlp-proto-grpc"


@pytest.mark.parametrize(
    ("value", "taken", "state", "text"),
    [
        ("none", Start.CODE, State.NOTE, "none are exported"),
        ("console", Start.CODE, State.NOTE, "does not read"),
        ("otpl", Start.ZERO_CODE, State.BAD, "is not an exporter"),
        ("console,otlp", Start.ZERO_CODE, None, ""),
        ("otlp", Start.CODE, None, ""),
    ],
)
def test_the_exporter_variable_is_judged(value: str, taken: Start, state: State | None, text: str) -> None:
    """By what the start does with it."""
    findings = list(start.examine({"OTEL_TRACES_EXPORTER": value}, Signal.TRACES, taken))
    assert [finding.state for finding in findings] == ([state] if state else [])
    assert text in texts(findings)


def test_the_start_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration file is read by one start only, and a provider that is set already comes from it."""
    assert start.detect({}) is Start.CODE
    assert start.detect({"OTEL_CONFIG_FILE": "otel.yaml"}) is Start.ZERO_CODE
    monkeypatch.setattr(start, "is_noop_tracer_provider", lambda provider: False)
    assert start.detect({}) is Start.ZERO_CODE


# -- sampler -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "argument", "state", "text"),
    [
        ("always_off", None, State.BAD, "drops every trace"),
        ("parentbased_always_off", None, State.BAD, "drops every trace that begins in this process"),
        ("traceidratio", "0", State.BAD, "drops every trace that begins here"),
        ("traceidratio", None, State.BAD, "is not set: traceidratio keeps every trace"),
        ("traceidratio", "ten", State.BAD, "is not a number"),
        ("parentbased_traceidratio", "10", State.BAD, "is not from 0 to 1"),
        ("traceidratio", "nan", State.BAD, "is not from 0 to 1"),
        ("parentbased_traceidratio", "0.1", State.NOTE, "keeps 0.1 of the traces"),
        ("traceidratio", "1", State.INFO, "traceidratio"),
        ("always_on", None, State.INFO, "always_on"),
        ("ALWAYS_ON", None, State.INFO, "always_on"),
        ("always-on", None, State.BAD, "is not a sampler"),
        ("always_on ", None, State.BAD, "is not a sampler"),
    ],
)
def test_a_sampler_is_judged_by_what_it_keeps(name: str, argument: str | None, state: State, text: str) -> None:
    """One that is not known keeps everything, in silence."""
    environment = {samplers.NAME: name} | ({samplers.ARGUMENT: argument} if argument is not None else {})
    [finding] = samplers.examine(environment)
    assert finding.state is state
    assert text in finding.text
    assert bool(finding.remedy) == (state is not State.INFO)


# -- identity ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def resource(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The attributes that the SDK makes here."""
    attributes: dict[str, Any] = {"service.name": "shop", "service.instance.id": "b2a8"}

    class Made:
        @staticmethod
        def create() -> Any:
            return type("Resource", (), {"attributes": attributes})

    monkeypatch.setattr(resources, "Resource", Made)
    return attributes


def of_identity(environment: Mapping[str, str]) -> list[Finding]:
    return list(identity.examine(environment, Deadline(LONG)))


def test_an_instance_id_of_each_process_is_a_fact(resource: dict[str, Any]) -> None:
    """As the SDK makes one from 1.43 on."""
    assert [(each.state, each.text) for each in of_identity({})] == [
        (State.INFO, "service.name=shop"),
        (State.INFO, "service.instance.id is made for each process"),
    ]


def test_without_an_instance_id_workers_share_their_series(resource: dict[str, Any]) -> None:
    """Which makes their counters garbage."""
    del resource["service.instance.id"]
    assert "the SDK makes no service.instance.id: with providers of your own, workers share" in texts(of_identity({}))


def test_a_fixed_instance_id_is_worth_a_line(resource: dict[str, Any]) -> None:
    """Workers inherit the variable."""
    [_, finding] = of_identity({identity.ATTRIBUTES: "service.instance.id=one,team=a"})
    assert (finding.state, "is fixed by OTEL_RESOURCE_ATTRIBUTES" in finding.text) == (State.NOTE, True)


def test_a_service_without_a_name_is_worth_a_line(resource: dict[str, Any]) -> None:
    """Dashboards select by it."""
    resource["service.name"] = "unknown_service:python"
    assert "service.name is not set" in texts(of_identity({}))


def test_attributes_without_an_equals_sign_are_a_fault(resource: dict[str, Any]) -> None:
    """The SDK leaves them out."""
    [fault] = bad(of_identity({identity.ATTRIBUTES: "team"}))
    assert "has a part without '='" in fault.text


def test_the_real_sdk_makes_an_identity() -> None:
    """Whatever its version, there is something to say of it."""
    assert [each.subject for each in of_identity({})] == ["Identity", "Identity"]


# -- other variables ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "state", "text"),
    [
        ("OTEL_SDK_DISABLED", "true", State.BAD, "nothing is recorded"),
        ("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "requests, anthropic_otel", State.NOTE, "switches"),
        ("OTEL_PROPAGATORS", "tracecontex", State.BAD, "is not installed: importing OpenTelemetry fails"),
        ("OTEL_PROPAGATORS", "none", State.NOTE, "sends no traceparent"),
        ("OTEL_PROPAGATORS", "baggage", State.NOTE, "sends no traceparent"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta", State.NOTE, "Prometheus needs cumulative"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "both", State.BAD, "is not cumulative"),
        ("OTEL_SDK_DISABLED", "yes", State.NOTE, "is taken for false"),
        *(("OTEL_EXPORTER_OTLP_TIMEOUT", value, State.BAD, "above 0") for value in ("10s", "0", "-1", "nan", "inf")),
        ("OTEL_METRIC_EXPORT_INTERVAL", "0", State.BAD, "must be a number above 0"),
        *(("OTEL_BSP_SCHEDULE_DELAY", value, State.BAD, "whole number above 0") for value in ("-1", "0", "1.5", "x")),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "100", State.BAD, "512 spans does not fit into a queue of 100"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4096", State.BAD, "4096 spans does not fit into a queue of 2048"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "many", State.BAD, "must be a whole number"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization: Bearer x", State.BAD, "part 1 of OTEL_EXPORTER_OTLP_HEADERS"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a=b,c", State.BAD, "part 2 of OTEL_EXPORTER_OTLP_TRACES_HEADERS"),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "8", State.NOTE, "cuts attributes of attempts off"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zip", State.BAD, "is not a compression"),
        ("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "/missing/ca.pem", State.BAD, "is not a file that can be read"),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "a\0b", State.BAD, "is not a file that can be read"),
    ],
)
def test_a_variable_is_judged_by_value(name: str, value: str, state: State, text: str) -> None:
    """With what to do about it."""
    [finding] = variables.examine({name: value})
    assert finding.state is state
    assert text in finding.text
    assert finding.remedy


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_SDK_DISABLED": "false", "OTEL_PROPAGATORS": "tracecontext,baggage"},
        {"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip", "OTEL_EXPORTER_OTLP_TIMEOUT": "5"},
        {"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer a,b=c%20d,"},
        {"OTEL_BSP_MAX_QUEUE_SIZE": "100", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "50"},
    ],
)
def test_variables_as_they_should_be_need_no_line(environment: dict[str, str]) -> None:
    """A screen is for what is to be done."""
    assert not list(variables.examine(environment))


# -- configuration file ------------------------------------------------------------------------------------------------


def write(path: Path, text: str, endpoint: str = "http://127.0.0.1:4318") -> dict[str, str]:
    path.write_text(text.replace("ENDPOINT", endpoint), "utf-8")
    return {"OTEL_CONFIG_FILE": str(path)}


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("missing.yaml", None, "does not exist"),
        ("otel.txt", FILE, "ends in none of"),
        ("otel.yaml", "a: [", "is not YAML (line 1)"),
        ("otel.yaml", "tracer_provider: {}", "does not match the schema (is file_format there?)"),
        ("otel.yaml", 'file_format: "1.0"\ndisabled: maybe-CANARY', "does not match the schema at disabled"),
        ("otel.yaml", "", "is not a configuration that OpenTelemetry can read"),
        ("otel.json", "CANARY", "is not"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_finding(tmp_path: Path, name: str, content: str | None, text: str) -> None:
    """With the place of the mistake, and without what stands there."""
    path = tmp_path / name
    environment = {"OTEL_CONFIG_FILE": str(path)} if content is None else write(path, content)
    findings = section(environment, Start.ZERO_CODE)
    [fault] = bad(findings)
    assert text in fault.text
    assert "CANARY" not in texts(findings)


def test_a_directory_is_no_configuration_file(tmp_path: Path) -> None:
    """It cannot be read."""
    [fault] = bad(section({"OTEL_CONFIG_FILE": str(tmp_path)}, Start.ZERO_CODE))
    assert "cannot be read" in fault.text


def test_the_exporters_of_a_file_are_tried(tmp_path: Path) -> None:
    """At its endpoints, with its headers, and not at those of the variables."""
    with listening() as sink:
        environment = write(tmp_path / "otel.yaml", FILE, sink.url) | {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x.invalid"
        }
        configured = config_file.examine(environment)
        found = connection.section(environment, Start.ZERO_CODE, configured, Deadline(LONG), offline=False).findings
    assert [(each.state, each.text) for each in found] == [
        (State.GOOD, f"{sink.url}/v1/traces answers 200"),
        (State.GOOD, f"{sink.url}/v1/metrics answers 200"),
    ]
    assert [headers.get("x-key") for path, headers, _ in sink.requests if "traces" in path] == ["CANARY"]


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ("disabled: true", "nothing is recorded"),
        ("  sampler: {always_off: {}}", "drops every trace"),
        ("  sampler: {parent_based: {root: {always_off: {}}}}", "drops every trace"),
        ("  sampler: {trace_id_ratio_based: {ratio: 0}}", "its ratio is 0"),
    ],
)
def test_a_file_that_records_nothing_is_a_fault(tmp_path: Path, more: str, text: str) -> None:
    """However well it is written."""
    content = FILE.replace("tracer_provider:", f"tracer_provider:\n{more}") if more.startswith(" ") else FILE + more
    [fault] = bad(section(write(tmp_path / "otel.yaml", content), Start.ZERO_CODE))
    assert text in fault.text


def test_a_file_without_a_signal_is_worth_a_line(tmp_path: Path) -> None:
    """It may be meant."""
    findings = section(write(tmp_path / "otel.yaml", 'file_format: "1.0"'), Start.ZERO_CODE)
    assert not bad(findings)
    assert "the file has no tracer_provider: none are recorded" in texts(findings)


def test_the_file_in_the_documents_is_whole(tmp_path: Path) -> None:
    """OpenTelemetry reads it, and both signals go somewhere."""
    [file] = re.findall(r"^```yaml\n(.*?)^```$", USAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    environment = write(tmp_path / "otel.yaml", file)
    assert not bad(section(environment, Start.ZERO_CODE))
    configured = config_file.examine(environment)
    assert configured is not None
    assert [each.endpoint.url for each in configured.exporters] == [
        "http://localhost:4318/v1/traces",
        "http://localhost:4318/v1/metrics",
    ]


def test_our_start_does_not_read_a_file(tmp_path: Path) -> None:
    """Which is worth a line."""
    said = texts(section(write(tmp_path / "otel.yaml", FILE), Start.CODE))
    assert 'instrument(export="otlp") does not read it' in said
