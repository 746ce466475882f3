"""The way to the collector: an empty export of each signal, judged by its answer, over HTTP and over gRPC."""

from __future__ import annotations

import http.server
import os
import threading
from collections.abc import Iterator, Mapping
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from anthropic_otel.cli.doctor.collector import connection, endpoint
from anthropic_otel.cli.doctor.collector.start import Signal, Start
from anthropic_otel.cli.doctor.deadline import Deadline
from anthropic_otel.cli.doctor.findings import Finding, State
from anthropic_otel.simulator import Simulator
from support.sink import listening
from support.waiting import patience

from .conftest import LONG, bad, texts

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
GRPC = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
CODE = Start.CODE


@pytest.fixture
def export(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Goes the way to the collector with these variables."""

    def go(variables: Mapping[str, str], start: Start = CODE, seconds: float = LONG, offline: bool = False) -> Any:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return list(connection.section(dict(os.environ), start, None, Deadline(seconds), offline=offline).findings)

    return go


@contextmanager
def answering(status: int, content_type: str = "", body: bytes = b"") -> Iterator[str]:
    """The URL of a server that gives every POST this answer."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(status)
            if content_type:
                self.send_header("content-type", content_type)
            if 300 <= status < 400:
                self.send_header("location", "https://elsewhere.example/")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def collecting(address: str = "127.0.0.1:0", *, code: Any = None, services: bool = True) -> Iterator[str]:
    """The URL of a gRPC server that takes traces and metrics, or refuses them with that code."""

    def take(reply: Any) -> Any:
        def export(self: Any, request: Any, context: Any) -> Any:
            if code is not None:
                context.abort(code, "no")
            return reply

        return export

    class Traces(trace_service_pb2_grpc.TraceServiceServicer):
        Export = take(trace_service_pb2.ExportTraceServiceResponse())

    class Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
        Export = take(metrics_service_pb2.ExportMetricsServiceResponse())

    server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
    if services:
        services_of: Any = (trace_service_pb2_grpc, metrics_service_pb2_grpc)
        services_of[0].add_TraceServiceServicer_to_server(Traces(), server)
        services_of[1].add_MetricsServiceServicer_to_server(Metrics(), server)
    port = server.add_insecure_port(address)
    server.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


# -- HTTP --------------------------------------------------------------------------------------------------------------


def test_a_collector_takes_an_empty_export_of_each_signal(export: Any) -> None:
    """By the exporter itself, with its path, its headers and its encoding."""
    with listening() as sink:
        findings = export({ENDPOINT: sink.url, "OTEL_EXPORTER_OTLP_HEADERS": "x-tenant=one"})
    assert [(each.subject, each.state, each.text) for each in findings] == [
        ("Traces", State.GOOD, f"{sink.url}/v1/traces answers 200"),
        ("Metrics", State.GOOD, f"{sink.url}/v1/metrics answers 200"),
    ]
    assert sorted(path for path, _, _ in sink.requests) == ["/v1/metrics", "/v1/traces"]
    assert all((headers["x-tenant"], body) == ("one", b"") for _, headers, body in sink.requests)
    assert all(headers["content-type"] == "application/x-protobuf" for _, headers, _ in sink.requests)


@pytest.mark.parametrize(
    ("status", "content_type", "state", "text", "remedy"),
    [
        (404, "", State.BAD, "answers 404", "is it a collector?"),
        (401, "", State.BAD, "answers 401", "OTEL_EXPORTER_OTLP_HEADERS"),
        (403, "text/html", State.BAD, "answers 403", "OTEL_EXPORTER_OTLP_HEADERS"),
        (405, "", State.BAD, "answers 405", "OTEL_EXPORTER_OTLP_PROTOCOL"),
        (415, "", State.BAD, "answers 415", "OTEL_EXPORTER_OTLP_PROTOCOL"),
        (302, "", State.BAD, "answers 302", "a redirect"),
        (503, "", State.BAD, "answers 503", "look at its log"),
        (429, "", State.BAD, "answers 429", "look at its limits"),
        (407, "", State.BAD, "answers 407", "NO_PROXY"),
        (400, "", State.NOTE, "answers 400 to an empty export", "make a call"),
        (200, "text/html", State.BAD, "answers 200 with a page", "is it a collector?"),
        (202, "application/json", State.GOOD, "answers 202", ""),
    ],
)
def test_an_answer_is_judged_by_what_it_is(
    export: Any, status: int, content_type: str, state: State, text: str, remedy: str
) -> None:
    """An open port is not a collector."""
    with answering(status, content_type, b"<html>" if "html" in content_type else b"") as url:
        findings = export({ENDPOINT: url})
    for finding in findings:
        assert finding.state is state
        assert text in finding.text
        assert remedy in finding.remedy


@pytest.mark.parametrize(
    ("variables", "remedy"),
    [
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "{url}"}, "is used as it is: put /v1/traces at its end"),
        ({ENDPOINT: "{url}/v1/traces"}, f"take the path off {ENDPOINT}"),
    ],
)
def test_a_wrong_path_is_named(export: Any, variables: dict[str, str], remedy: str) -> None:
    """The general variable gets OTLP's path, that of a signal does not."""
    with answering(404) as url:
        findings = export({name: value.format(url=url) for name, value in variables.items()})
    assert remedy in texts(findings)


def test_nobody_at_the_default_is_no_fault(export: Any, sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has asked for a collector there. Where one was asked for it is."""
    from anthropic_otel.cli.doctor.collector import endpoint

    url = sim.endpoint("connection_refused").base_url
    monkeypatch.setattr(endpoint, "_DEFAULTS", {True: url, False: url})
    monkeypatch.setattr("opentelemetry.exporter.otlp.proto.http._common._DEFAULT_ENDPOINT", url)
    [finding] = export({})
    assert (finding.state, finding.cause) == (State.NOTE, "connection_refused")
    assert "OTEL_EXPORTER_OTLP_ENDPOINT is not set" in finding.text
    [finding] = export({ENDPOINT: url})
    assert (finding.state, finding.cause) == (State.BAD, "connection_refused")
    assert "(ECONNREFUSED)" in finding.text


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ("name_resolution_error", "name_resolution_error"),
        ("connection_reset", "connection_reset"),
        ("server_disconnected", "server_disconnected"),
        ("protocol_error", "protocol_error"),
        ("tls_untrusted", "tls_certificate_error"),
        ("tls_wrong_host", "tls_certificate_error"),
        ("tls_plain_port", "tls_error"),
        ("read_timeout", "read_timeout"),
        ("connect_timeout", "connect_timeout"),
    ],
)
def test_a_fault_of_the_network_has_the_same_word(export: Any, sim: Simulator, fault: str, cause: str) -> None:
    """As on the way to the API."""
    seconds = patience(0.5) if fault.endswith("timeout") else LONG
    findings = export({ENDPOINT: sim.endpoint(fault).base_url}, seconds=seconds)
    assert {finding.cause for finding in findings} == {cause}
    assert all(finding.state is State.BAD and finding.remedy for finding in findings)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://localhost:port", "is not a URL"),
        ("http://", "is not a URL"),
        ("://", "is not a URL"),
        ("ftp://localhost:4318", "is neither http:// nor https://"),
        (" http://localhost:4318", "has a blank or newline in it"),
        ('"http://localhost:4318"', "has quotes around it"),
    ],
)
@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_malformed_endpoint_is_a_finding(export: Any, url: str, text: str, protocol: str) -> None:
    """It says what is wrong, and nothing is tried."""
    [fault] = export({ENDPOINT: url, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol})
    assert (fault.state, fault.cause) == (State.BAD, "request_not_sent")
    assert text in fault.text


def test_http_sends_nothing_to_an_endpoint_without_a_scheme(export: Any) -> None:
    """It is a fault, and nothing is tried."""
    [fault] = export({ENDPOINT: "localhost:4318"})
    assert (fault.state, fault.cause) == (State.BAD, "request_not_sent")
    assert "has no http:// in front" in fault.text


def test_grpc_takes_an_endpoint_without_a_scheme(export: Any) -> None:
    """As in gRPC's own documents. It is a note how it is taken, and no fault where a collector accepts the export."""
    with collecting() as url:
        address = url.removeprefix("http://")
        findings = export({ENDPOINT: address, "OTEL_EXPORTER_OTLP_INSECURE": "true", **GRPC})
    assert [(each.state, each.text) for each in findings] == [
        (
            State.NOTE,
            f"{ENDPOINT} has no http:// or https:// in front: gRPC uses TLS, unless OTEL_EXPORTER_OTLP_INSECURE=true",
        ),
        (State.GOOD, f"{address} answers OK (grpc)"),
    ]


@pytest.mark.parametrize(
    "form", ["dns:///127.0.0.1:{}", "dns:127.0.0.1:{}", "ipv4:127.0.0.1:{}", "ipv4:127.0.0.1:{},127.0.0.1:1"]
)
def test_grpc_takes_a_target_of_its_own_form(export: Any, form: str) -> None:
    """The exporter hands it to gRPC as it is. Its host and port are shown."""
    with collecting() as url:
        port = url.rpartition(":")[2]
        findings = export({ENDPOINT: form.format(port), "OTEL_EXPORTER_OTLP_INSECURE": "true", **GRPC})
    assert [each.state for each in findings] == [State.NOTE, State.GOOD]
    assert f"{ENDPOINT} is a target of gRPC's own form, for which it uses TLS" in findings[0].text
    assert findings[1].text == f"127.0.0.1:{port} answers OK (grpc)"


@pytest.mark.parametrize("form", ["unix:{}", "unix://{}"])
def test_grpc_takes_the_path_of_a_socket(export: Any, form: str, tmp_path: Path) -> None:
    """Where nothing listens on it, that is a fault. The path is not shown."""
    with collecting(f"unix:{tmp_path}/otel.sock"):
        taken = export({ENDPOINT: form.format(tmp_path / "otel.sock"), "OTEL_EXPORTER_OTLP_INSECURE": "true", **GRPC})
    refused = export({ENDPOINT: form.format(tmp_path / "no.sock"), "OTEL_EXPORTER_OTLP_INSECURE": "true", **GRPC})
    assert [each.text for each in taken[1:]] == [f"{ENDPOINT} answers OK (grpc)"]
    assert {(each.text, each.cause) for each in bad(refused)} == {
        ("nothing is listening at a local socket (ENOENT)", "connection_refused")
    }
    assert str(tmp_path) not in texts([*taken, *refused])


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("dns://127.0.0.1/localhost:4317", "is neither http:// nor https://"),
        ("dns:///", "is not a URL"),
        ("dns:///localhost:port", "is not a URL"),
        ("ipv4:127.0.0.1", "has no port, which gRPC needs in this form"),
    ],
)
def test_a_malformed_target_of_grpc_is_a_finding(export: Any, url: str, text: str) -> None:
    """A target with a name server is one: the exporter would connect to the name server."""
    [fault] = bad(export({ENDPOINT: url, **GRPC}))
    assert (fault.state, fault.cause) == (State.BAD, "request_not_sent")
    assert text in fault.text


@pytest.mark.parametrize("url", ["http://127.0.0.1", "127.0.0.1", "dns:///127.0.0.1"])
def test_grpc_without_a_port_goes_to_443(url: str) -> None:
    """Also with `http://` in front."""
    assert endpoint.of_signal({ENDPOINT: url}, Signal.TRACES, "grpc").address == "127.0.0.1:443"


def test_grpc_uses_tls_for_an_endpoint_without_a_scheme(export: Any) -> None:
    """A collector that speaks plain text is not reached, and the remedy is the scheme."""
    with collecting() as url:
        findings = export({ENDPOINT: url.removeprefix("http://"), **GRPC}, seconds=patience(5.0))
    assert [each.state for each in findings] == [State.NOTE, State.BAD]
    assert "http://" in texts(bad(findings))


def test_secrets_of_an_endpoint_are_not_shown(export: Any) -> None:
    """Nor those of headers."""
    with answering(404) as url:
        secret = url.replace("http://", "http://user:pw-canary@") + "/path-canary?token=query-canary"
        findings = export({ENDPOINT: secret, "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20canary-header"})
    assert findings
    assert "canary" not in texts(findings)
    assert "has a secret in it (not shown)" in texts(findings)


def test_headers_that_cannot_be_sent_are_a_finding(export: Any) -> None:
    """Not a traceback."""
    with listening() as sink:
        findings = export({ENDPOINT: sink.url, "OTEL_EXPORTER_OTLP_HEADERS": "x=%E4%B8%ADcanary"})
    assert {finding.cause for finding in findings} == {"request_not_sent"}
    assert "canary" not in texts(findings)


# -- gRPC --------------------------------------------------------------------------------------------------------------


def test_a_collector_takes_an_empty_export_over_grpc(export: Any) -> None:
    """For the start that asks for gRPC by default, too."""
    with collecting() as url:
        for variables, start in (({**GRPC}, CODE), ({}, Start.ZERO_CODE)):
            findings = export({ENDPOINT: url, **variables}, start)
            assert [(each.subject, each.state) for each in findings] == [("Traces, Metrics", State.GOOD)]


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, "OTEL_EXPORTER_OTLP_HEADERS"),
        (grpc.StatusCode.PERMISSION_DENIED, "OTEL_EXPORTER_OTLP_HEADERS"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "look at its log"),
    ],
)
def test_a_refusal_over_grpc_is_a_fault(export: Any, code: Any, remedy: str) -> None:
    """With gRPC's own word."""
    with collecting(code=code) as url:
        findings = export({ENDPOINT: url, **GRPC})
    [fault] = bad(findings)
    assert (fault.subject, remedy in fault.remedy) == ("Traces, Metrics", True)
    assert f"answers {code.name} (grpc)" in fault.text


def test_a_grpc_server_that_is_no_collector_is_a_fault(export: Any) -> None:
    """It knows neither service."""
    with collecting(services=False) as url:
        findings = export({ENDPOINT: url, **GRPC})
    [fault] = bad(findings)
    assert "answers UNIMPLEMENTED" in fault.text
    assert "is it a collector" in fault.remedy


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ("connection_refused", "connection_refused"),
        ("name_resolution_error", "name_resolution_error"),
        ("tls_untrusted", "tls_certificate_error"),
        ("tls_plain_port", "tls_error"),
        ("read_timeout", "read_timeout"),
    ],
)
def test_a_fault_of_the_network_has_the_same_word_over_grpc(
    export: Any, sim: Simulator, fault: str, cause: str
) -> None:
    """Though gRPC has only text for it."""
    seconds = patience(1.0) if fault.endswith("timeout") else LONG
    url = sim.endpoint(fault).base_url
    url = url if url.count(":") > 1 else f"{url}:4317"
    findings = export({ENDPOINT: url, **GRPC}, seconds=seconds)
    assert {finding.cause for finding in findings} == {cause}


def test_the_port_of_the_other_protocol_is_named(export: Any) -> None:
    """HTTP to gRPC's port, and gRPC to that of HTTP: the remedy is the protocol's variable."""
    with collecting() as url:
        findings = export({ENDPOINT: url})
    assert all("OTEL_EXPORTER_OTLP_PROTOCOL=grpc" in each.remedy for each in bad(findings))
    assert bad(findings)
    with listening() as sink:
        findings = export({ENDPOINT: sink.url, **GRPC}, seconds=patience(2.0))
    assert all("OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf" in each.remedy for each in bad(findings))
    assert bad(findings)


def test_an_exporter_that_cannot_be_made_is_a_finding(export: Any) -> None:
    """The app would have a traceback where it starts."""
    with collecting() as url:
        findings = export({ENDPOINT: url, **GRPC, "OTEL_EXPORTER_OTLP_COMPRESSION": "zip"})
    assert all("the exporter cannot be made" in each.text for each in bad(findings))
    assert bad(findings)


# -- not tried ---------------------------------------------------------------------------------------------------------


def _untried(findings: list[Finding]) -> list[str]:
    assert {finding.state for finding in findings} == {State.UNTRIED}
    return [finding.text for finding in findings]


def test_what_is_not_exported_is_not_tried(export: Any) -> None:
    """By its own variable."""
    none = {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}
    assert _untried(export(none)) == ["not tried: nothing is exported by it"]


def test_offline_exports_nothing(export: Any) -> None:
    """And calls nothing good."""
    with listening() as sink:
        assert _untried(export({ENDPOINT: sink.url}, offline=True)) == ["not tried (--offline)"]
    assert not sink.requests


def test_credentials_of_a_package_are_not_made_up(export: Any) -> None:
    """Without them the answer would say nothing."""
    name = "OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER"
    with listening() as sink:
        [text] = _untried(export({ENDPOINT: sink.url, name: "gcp"}))
    assert "its credentials come from a package" in text
    assert not sink.requests
