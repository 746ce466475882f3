"""No secret leaves the process: canaries everywhere, the catalogue of faults, a search of what was really exported."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import logging
import threading
import warnings
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import anthropic
import pytest

import anthropic_otel
from anthropic_otel._otel import spans
from anthropic_otel.simulator import FAULTS, ErrorEvent, Reply, Simulator
from reliability import canaries, interrupting
from reliability.canaries import canary, found_in
from reliability.sdk_http import httpx
from support.stacks import LONG

otlp = pytest.importorskip("opentelemetry.exporter.otlp.proto.http.trace_exporter")


class Sink:
    """A collector on loopback that keeps the bytes of what it is sent, by path."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                head = "".join(f"{name}: {value}\n" for name, value in self.headers.items()).encode()
                sink.bodies[self.path] = sink.bodies.get(self.path, b"") + head + body
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


class Everything(logging.Formatter):
    """Prints a record with all of its fields, and the traceback of its exception."""

    def format(self, record: logging.LogRecord) -> str:
        return f"{super().format(record)} {vars(record)}"


@pytest.fixture
def exported() -> Iterator[Any]:
    """Instruments with every option on, and exports all signals over OTLP; called, it flushes and gives the bytes."""
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    sink, text = Sink(), io.StringIO()
    tracer_provider = TracerProvider(shutdown_on_exit=False)
    tracer_provider.add_span_processor(BatchSpanProcessor(otlp.OTLPSpanExporter(f"{sink.url}/v1/traces")))
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{sink.url}/v1/metrics"), 600_000)
    meter_provider = MeterProvider([reader], shutdown_on_exit=False)
    logger_provider = LoggerProvider(shutdown_on_exit=False)
    logger_provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(f"{sink.url}/v1/logs")))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        handlers = [LoggingHandler(logging.DEBUG, logger_provider), logging.StreamHandler(text)]
    handlers[1].setFormatter(Everything())
    logger = logging.getLogger("anthropic_otel")
    level = logger.level
    logger.setLevel(logging.DEBUG)
    for handler in handlers:
        logger.addHandler(handler)
    anthropic_otel.instrument(
        tracer_provider=tracer_provider,
        meter_provider=meter_provider,
        metrics=True,
        logs=True,
        phases=True,
        suppress_http_instrumentation=False,
    )

    def bytes_of_everything() -> dict[str, bytes]:
        for provider in (tracer_provider, meter_provider, logger_provider):
            provider.force_flush()
        return {**sink.bodies, "text": text.getvalue().encode()}

    yield bytes_of_everything
    anthropic_otel.uninstrument()
    for handler in handlers:
        logger.removeHandler(handler)
    logger.setLevel(level)
    for provider in (tracer_provider, meter_provider, logger_provider):
        provider.shutdown()
    sink.close()


def check(found: dict[str, bytes], *signals: str) -> None:
    """No canary in any signal; and the signals did arrive."""
    for signal in signals or ("/v1/traces", "/v1/metrics", "/v1/logs", "text"):
        assert b"anthropic" in found.get(signal, b""), signal
    assert {signal: found_in(data) for signal, data in found.items() if found_in(data)} == {}


def reply() -> Reply:
    """An answer of the model that has canaries in its body and in the headers that the library reads, and others."""
    content = [
        {"type": "text", "text": canaries.REPLY},
        {"type": "tool_use", "id": "t2", "name": "look_up", "input": {"q": canaries.TOOL_INPUT}},
    ]
    headers = tuple((name, canaries.HEADER) for name in ("retry-after", "x-secret", "set-cookie", "server", "via"))
    body = {**interrupting.MESSAGE, "content": content}
    return Reply(body=json.dumps(body).encode(), headers=headers)


def streamed(*last: bytes) -> Reply:
    """The same as a stream, whose end is `last` or the usual one."""
    delta: dict[str, Any] = {"type": "content_block_delta", "index": 0}
    deltas = (
        {"type": "text_delta", "text": canaries.REPLY},
        {"type": "thinking_delta", "thinking": canaries.REPLY},
        {"type": "input_json_delta", "partial_json": json.dumps({"q": canaries.TOOL_INPUT})},
    )
    events = [
        f"event: content_block_delta\ndata: {json.dumps({**delta, 'delta': each})}\n\n".encode() for each in deltas
    ]
    begin, end = interrupting.CHUNKS[:2], last or interrupting.CHUNKS[3:]
    return Reply(body=b"".join((*begin, *events, *end)), content_type="text/event-stream", headers=reply().headers)


BROKEN_EVENTS = (
    f"event: error\ndata: {canaries.REPLY}\n\n".encode(),
    f'event: error\ndata: {{"error": {{"type": "{canaries.REPLY}"}}}}\n\n'.encode(),
    f"event: {canaries.REPLY}\ndata: {{}}\n\n".encode(),
    f'data: {{"type": "{canaries.REPLY}'.encode(),
)
"""Ends of streams that repeat what they should not, where the library looks for an error's type."""


def failing(status: int) -> Reply:
    return Reply(status, error_type="api_error", message=canaries.ERROR_MESSAGE, headers=(("x-app", canaries.HEADER),))


def send(client: Any, **more: Any) -> None:
    """One call, read to its end, whatever comes of it."""
    try:
        result = client.messages.create(**canaries.request(**more))
        if more.get("stream"):
            list(result)
    except Exception:
        return


@pytest.mark.usefixtures("waits")
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_no_canary_is_exported(sim: Simulator, exported: Any) -> None:
    """Every fault that can befall a request, whole and streamed, sync and async, with canaries wherever one fits."""
    playable = [fault for fault in FAULTS.values() if not fault.own_address and not fault.needs.write_timeout]
    netloc = urlsplit(sim.base_url).netloc
    options: dict[str, Any] = {
        "base_url": f"http://user:{canaries.USERINFO}@{netloc}",
        "api_key": canaries.API_KEY,
        "max_retries": 0,
        "timeout": 0.4,
        "default_headers": {"x-default": canaries.HEADER},
        "default_query": {"default": canaries.QUERY},
    }
    with anthropic.Anthropic(**options) as client:
        for fault in playable:
            for stream in (False, True):
                if fault.stream in (None, stream):
                    sim.play(fault)
                    send(client, stream=stream)
        sim.reset()
        sim.play(
            reply(), failing(500), ErrorEvent("overloaded_error", canaries.ERROR_MESSAGE), ErrorEvent(canary("t"), "m")
        )
        for stream in (False, False, True, True):
            send(client, stream=stream)
        sim.play(streamed(), *map(streamed, BROKEN_EVENTS))
        for _ in range(1 + len(BROKEN_EVENTS)):
            send(client, stream=True)
        sim.reset()
        sim.play("ok", "http_404")
        files = client.with_options(timeout=LONG).beta.files
        files.upload(file=(canaries.FILE_NAME, b"content", "text/plain"))
        with pytest.raises(anthropic.APIStatusError):
            files.upload(file=(canaries.FILE_NAME, b"content", "text/plain"))

    tokens = {**options, "api_key": None, "auth_token": canaries.AUTH_TOKEN}
    with anthropic.Anthropic(**tokens) as client:
        sim.play(reply(), "http_401")
        for _ in range(2):
            send(client)

    async def main() -> None:
        async with anthropic.AsyncAnthropic(**options) as client:
            for action in (reply(), failing(529), "connection_reset", "ok"):
                sim.play(action)
                try:
                    await client.messages.create(**canaries.request())
                except anthropic.APIError:
                    continue

    asyncio.run(main())
    check(exported())


@pytest.mark.usefixtures("waits")
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_no_proxy_password_is_exported(sim: Simulator, exported: Any) -> None:
    """A proxy's URL has a password, and the errors of a proxy quote its URL."""
    for name in ("proxy_407", "proxy_refused", "proxy_502", "proxy_garbage", "proxy_http_407"):
        endpoint = sim.endpoint(name)
        assert endpoint.proxy is not None
        parts = urlsplit(endpoint.proxy)
        proxy = f"{parts.scheme}://user:{canaries.PROXY_PASSWORD}@{parts.netloc}"
        http = httpx.Client(proxy=proxy, trust_env=False)
        with anthropic.Anthropic(
            base_url=endpoint.base_url, api_key=canaries.API_KEY, http_client=http, max_retries=0
        ) as client:
            send(client)
    check(exported())


@pytest.mark.usefixtures("waits")
def test_no_text_of_an_exception_is_exported(exported: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exceptions of a transport, of the app, and of the library itself, whose texts quote what was sent."""

    def refuse(request: Any) -> Any:
        raise httpx.ConnectError(canaries.EXCEPTION) from OSError(111, canaries.EXCEPTION)

    def explode(request: Any) -> Any:
        raise RuntimeError(canaries.EXCEPTION, request.headers) from ValueError(canaries.EXCEPTION)

    for handler in (refuse, explode):
        http = httpx.Client(transport=httpx.MockTransport(handler))
        with anthropic.Anthropic(api_key=canaries.API_KEY, http_client=http, max_retries=1) as client:
            send(client)

    def fail(*args: Any) -> None:
        raise ValueError(canaries.EXCEPTION, args)

    monkeypatch.setattr(spans, "end_attempt", fail)
    send(interrupting.client(interrupting.Transport(200), api_key=canaries.API_KEY))
    found = exported()
    assert b"Telemetry failed" in found["text"]
    check(found)


def test_the_search_finds_what_is_there(exported: Any) -> None:
    """The counter-test: a canary that an app puts into its own log record does arrive in the sink, and is found."""
    logging.getLogger("anthropic_otel").warning(canary("planted"))
    found = exported()
    assert found_in(found["/v1/logs"])
    assert found_in(found["text"])
