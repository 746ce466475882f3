"""What the shipped configs take out, planted in every place that OTLP has, and looked for in what the Collector sends.

Each place holds a key of its own, so that a test says which place leaks.
"""

from __future__ import annotations

import base64
import re
import secrets
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from anthropic_otel.bundle import files
from anthropic_otel.cli.stack import layout, services
from anthropic_otel.cli.stack.layout import Layout
from support import sink

from . import otlp
from .conftest import eventually, running
from .planting import KINDS, Planting, key, mapping, text

OUT_OF_REACH = {
    "trace state of a link",
    "link: name",
    *(f"link: {kind}" for kind in KINDS),
    *(
        f"{what} of an entity of {signal}"
        for what in ("type", "schema", "id", "description")
        for signal in ("traces", "metrics", "logs")
    ),
}
"""What no processor of the Collector reads or writes: links, and the names in an entity. README.md says so."""
PLANTED = Planting()
PROMPT = "the planted prompt"
CONTENT = (
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.tool.definitions",
    "gen_ai.tool.description",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "gen_ai.request.stop_sequences",
    "gen_ai.prompt.0.content",
    "gen_ai.completion.0.content",
    "gen_ai.retrieval.query.text",
    "anthropic.tool_result.content",
    "traceloop.entity.input",
    "traceloop.entity.output",
    "traceloop.prompt.template_variables",
    "mcp.request.argument",
    "mcp.response.value",
    "input.value",
    "output.value",
    "llm.input_messages.0.message.content",
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments",
    "llm.prompt_template.variables",
    "llm.invocation_parameters",
    "llm.tools.0.tool.json_schema",
    "retrieval.documents.0.document.content",
    "reranker.query",
    "embedding.embeddings.0.embedding.text",
    "tool.parameters",
    "langfuse.observation.input",
    "langfuse.trace.output",
    "request_data",
    "response_data",
    "exception.message",
    "exception.stacktrace",
    "http.request.header.authorization",
    "http.response.header.set-cookie",
)
"""Attributes of OpenTelemetry's conventions, of the SDK's content mode, and of other instrumentations."""
NO_CONTENT = (
    "gen_ai.request.model",
    "gen_ai.tool.name",
    "gen_ai.tool.call.id",
    "gen_ai.usage.output_tokens",
    "gen_ai.response.finish_reasons",
    "gen_ai.token.type",
    "llm.token_count.prompt",
    "llm.model_name",
    "exception.type",
    "error.type",
    "http.response.header.retry-after",
    "url.path",
    "messaging.operation.type",
    "langfuse.observation.model.name",
)


def texts(message: Any) -> Iterator[str]:
    """Every text and every bytes value at any depth of a message."""
    for _, value in message.ListFields():
        for one in value if hasattr(value, "__len__") and not isinstance(value, str | bytes) else [value]:
            if isinstance(one, str):
                yield one
            elif isinstance(one, bytes):
                yield one.decode("latin-1")
            elif hasattr(one, "ListFields"):
                yield from texts(one)


def readable(found: str) -> str:
    """A text with whatever it has in base64."""
    decoded = [
        base64.b64decode(word[: len(word) // 4 * 4]).decode("latin-1")
        for word in re.findall(r"[A-Za-z0-9+/]{16,}", found)
    ]
    return "\n".join([found, *decoded])


class Sent:
    """What came out of a Collector."""

    def __init__(self, traces: Any, metrics: Any, logs: Any) -> None:
        self.traces, self.metrics, self.logs = traces, metrics, logs
        self.text = "\n".join(readable(one) for message in (traces, metrics, logs) for one in texts(message))


def through(collector: Path, config: str, work: Path, *messages: tuple[str, Any], options: Iterable[str] = ()) -> Sent:
    """What a Collector with one of the shipped configs, and with more options, sends of some messages."""
    kinds: dict[str, Any] = {
        "traces": ExportTraceServiceRequest,
        "metrics": ExportMetricsServiceRequest,
        "logs": ExportLogsServiceRequest,
    }
    where = Layout(work, layout.free_ports())
    with sink.listening() as out:
        service = services.collector(
            collector,
            (config, "metrics/otlp.yaml"),
            where,
            TRACES_ENDPOINT=out.url,
            METRICS_ENDPOINT=out.url,
            BATCH_TIMEOUT="100ms",
        )
        logs = "{receivers: [otlp], processors: [memory_limiter, transform/content, redaction], exporters: [%s]}"
        exporter = "otlp_http/metrics"  # takes any signal
        service.command.append(f"--config=yaml:service::pipelines::logs: {logs % exporter}")
        if config == "agent.yaml":  # whose traces go to a gateway; what its processors make of them is looked at here
            service.command.append(f"--config=yaml:service::pipelines::traces::exporters: [span_metrics, {exporter}]")
        service.command.extend(options)
        with running(service):
            for signal, message in messages:
                otlp.post(where.ports["otlp_http"], signal, message)
            found = {
                signal: eventually(
                    lambda kind=signal: next((body for path, _, body in out.requests if kind in path), None),  # type: ignore[misc]
                    60,
                    signal,
                )
                for signal, _ in messages
            }
    return Sent(*(kinds[signal].FromString(found[signal]) if signal in found else kinds[signal]() for signal in kinds))


@pytest.fixture(scope="module", params=["all-in-one.yaml", "agent.yaml"])
def sent(request: pytest.FixtureRequest, collector_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Sent:
    """All of what was planted, after each of the configs that redact."""
    work = tmp_path_factory.mktemp("redaction")
    messages = (("traces", PLANTED.traces), ("metrics", PLANTED.metrics), ("logs", PLANTED.logs))
    return through(collector_path, request.param, work, *messages)


def test_no_key_leaves_from_any_place_that_the_collector_reaches(sent: Sent) -> None:
    """In no kind of value, at no depth, in no name. What cannot be reached is exactly what the README names."""
    leaks = {place for place in PLANTED.places if key(place).removeprefix("sk-ant-api03-") in sent.text}
    assert leaks == OUT_OF_REACH
    assert len(PLANTED.places) == len(set(map(key, PLANTED.places))) > 250


def test_a_key_in_any_place_would_be_seen() -> None:
    """The same search finds every one of them in what was sent in."""
    text = Sent(PLANTED.traces, PLANTED.metrics, PLANTED.logs).text
    assert [place for place in PLANTED.places if key(place).removeprefix("sk-ant-api03-") not in text] == []


def test_what_is_no_key_stays(sent: Sent) -> None:
    """Attributes beside a key, the numbers of tokens, bodies, and the ids of an exemplar."""
    for place in ("resource of traces", "scope of traces", "span", "event", "resource of metrics", "log"):
        assert f"{place} stays" in sent.text
    for kind in ("gauge", "sum", "histogram", "exponential_histogram", "summary"):
        assert f"point of a {kind} stays" in sent.text
    assert "this body stays" in sent.text
    assert "first" in sent.text
    (span,) = sent.traces.resource_spans[0].scope_spans[0].spans
    tokens = {pair.key: pair.value for pair in span.attributes}["gen_ai.usage.input_tokens"]
    assert tokens == AnyValue(int_value=12)
    histogram = next(
        one for one in sent.metrics.resource_metrics[0].scope_metrics[0].metrics if one.HasField("histogram")
    )
    (exemplar,) = histogram.histogram.data_points[0].exemplars
    assert (exemplar.trace_id, exemplar.as_double) == (b"t" * 16, 1.0)


def test_a_value_without_a_key_keeps_its_kind(collector_path: Path, tmp_path: Path) -> None:
    """Only what has a key in it becomes a text."""
    span = otlp.span(secrets.token_bytes(16), "kinds")
    harmless = [KeyValue(key=kind, value=made("nothing secret")) for kind, made in KINDS.items()]
    span.attributes.extend(harmless)
    sent = through(collector_path, "all-in-one.yaml", tmp_path, ("traces", otlp.traces([span])))
    assert list(sent.traces.resource_spans[0].scope_spans[0].spans[0].attributes) == harmless


def test_what_carries_content_is_deleted_and_what_does_not_stays(collector_path: Path, tmp_path: Path) -> None:
    """By the names that the conventions, the SDK's content mode and other instrumentations use."""
    names: dict[str, Any] = {key.replace(".", "__"): PROMPT for key in CONTENT} | {
        key.replace(".", "__"): "kept" for key in NO_CONTENT
    }
    span = otlp.span(secrets.token_bytes(16), "chat", error=True, **names)
    span.status.message = f"BadRequestError: Error code: 400 - {PROMPT}\nand more of {PROMPT}"
    event = span.events.add(name="exception")
    event.attributes.extend(otlp.pair(name, PROMPT) for name in (*CONTENT[:7], *CONTENT[-4:-2], "content"))
    event.attributes.append(otlp.pair("exception.type", "anthropic.BadRequestError"))
    query = f"https://api.example.com/v1/memories?path_prefix={PROMPT}"
    of_sdk = otlp.span(secrets.token_bytes(16), "list", url__full=query, url__query=PROMPT, url__path="/v1/memories")
    exported = otlp.traces([span])
    sdk = exported.resource_spans[0].scope_spans.add(spans=[of_sdk])
    sdk.scope.name = "com.anthropic.sdk.python"
    logs = ExportLogsServiceRequest()
    record = (
        logs.resource_logs.add()
        .scope_logs.add()
        .log_records.add(
            time_unix_nano=time.time_ns(), event_name="gen_ai.user.message", body=mapping("content", text(PROMPT))
        )
    )
    record.attributes.append(otlp.pair("gen_ai.input.messages", PROMPT))
    sent = through(collector_path, "all-in-one.yaml", tmp_path, ("traces", exported), ("logs", logs))
    assert PROMPT not in sent.text
    (first,), (second,) = (scope.spans for scope in sent.traces.resource_spans[0].scope_spans)
    assert {pair.key for pair in first.attributes} == set(NO_CONTENT)
    assert first.status.message == "BadRequestError"
    assert [(pair.key, pair.value.string_value) for pair in first.events[0].attributes] == [
        ("exception.type", "anthropic.BadRequestError")
    ]
    kept = {pair.key: pair.value.string_value for pair in second.attributes}
    assert kept == {"url.full": "https://api.example.com/v1/memories", "url.path": "/v1/memories"}


def test_a_gate_of_the_collector_lets_a_statement_drop_links(collector_path: Path, tmp_path: Path) -> None:
    """The way out that the README names for who has content on links."""
    readme = files.source("collector-config/README.md").read_text()
    gate, statement = "--feature-gates=ottl.set.allowNil", "set(span.links, nil)"
    assert gate in readme
    assert statement in readme
    drop = f"yaml:processors::transform/links::trace_statements: ['{statement}']"
    order = (
        "yaml:service::pipelines::traces::processors: [memory_limiter, transform/content, transform/links, redaction]"
    )
    options = [gate, f"--config={drop}", f"--config={order}"]
    sent = through(collector_path, "all-in-one.yaml", tmp_path, ("traces", PLANTED.traces), options=options)
    leaks = {place for place in PLANTED.places if key(place).removeprefix("sk-ant-api03-") in sent.text}
    assert leaks == {place for place in OUT_OF_REACH if place.endswith("an entity of traces")}
    assert sent.traces.resource_spans[0].scope_spans[0].spans
