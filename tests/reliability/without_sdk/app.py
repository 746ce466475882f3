"""An app that reaches the Messages API by a library that does not use the SDK. Prints what it got and recorded.

    python app.py LIBRARY before|after [sdk_only]

`instrument()` is called before or after the library is imported. In the environment there is no SDK.

Rule: nothing but loopback is reached. Any other address raises, whoever asks for it.
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import importlib.util
import ipaddress
import itertools
import json
import logging
import os
import sys
from collections.abc import Callable
from typing import Any, Final

# LiteLLM would fetch a list of prices, and the library of Hugging Face below smolagents a model.
os.environ |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1"}

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import anthropic_otel
from anthropic_otel.simulator import Simulator

MODEL: Final = "anthropic/claude-opus-4-8"
BEDROCK_MODEL: Final = "anthropic.claude-opus-4-8-v1:0"
PROFILE: Final = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/profile"
SPAN_ATTRIBUTES: Final = ("http.response.status_code", "error.type", "anthropic.client.attempt.outcome")
METRIC_ATTRIBUTES: Final = ("gen_ai.request.model", "http.response.status_code", "error.type")


class Warnings(logging.Handler):
    """The warnings of this library about itself: all but those of failed attempts."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != "anthropic_otel.attempt":
            self.texts.append(record.getMessage())


def only_loopback(event: str, args: tuple[Any, ...]) -> None:
    """An audit hook that raises where a socket is to reach another machine, or a name is looked up for that."""
    address = args[1] if event == "socket.connect" else args[0] if event == "socket.getaddrinfo" else None
    host = address[0] if isinstance(address, tuple) else address
    if host is not None and str(host) != "localhost" and not ipaddress.ip_address(str(host)).is_loopback:
        raise ConnectionError(f"{event} {host}: only loopback may be reached")


def seen(step: Callable[[], Any]) -> str:
    """What a step of the app gave: its text, or the type of what it raised."""
    try:
        return str(step())
    except Exception as error:
        return type(error).__name__


# -- the libraries: what is played to each, and what it asks for -------------------------------------------------------


Name = Callable[[Any], None]
"""Names an HTTP client to this library. Only an app whose requests `instrument()` does not know needs it."""


def litellm(base_url: str, name: Name) -> list[str]:
    """A message, a stream and three failures."""
    return litellm_by(litellm_options(base_url))


def litellm_vertex(base_url: str, name: Name) -> list[str]:
    """The same through Vertex."""
    return litellm_by(vertex_options(base_url))


def litellm_bedrock(base_url: str, name: Name) -> list[str]:
    """The same through Bedrock."""
    return litellm_by(bedrock_options(base_url, "HTTPHandler"))


def litellm_profile(base_url: str, name: Name) -> list[str]:
    """The same by an inference profile, whose ARN does not say whose model it is."""
    return litellm_by(bedrock_options(base_url, "HTTPHandler") | {"model_id": PROFILE})


def litellm_profile_named(base_url: str, name: Name) -> list[str]:
    """The same by an HTTP client that is named."""
    options = bedrock_options(base_url, "HTTPHandler") | {"model_id": PROFILE}
    name(options["client"].client)
    return litellm_by(options)


def litellm_by(options: dict[str, Any]) -> list[str]:
    library = importlib.import_module("litellm")

    def read() -> str:
        return "".join(part.choices[0].delta.content or "" for part in library.completion(stream=True, **options))

    def create() -> str:
        return str(library.completion(**options).choices[0].message.content)

    return [seen(step) for step in (create, read, create, create, create)]


def litellm_async(base_url: str, name: Name) -> list[str]:
    """The same, each in the same event loop."""
    return litellm_async_by(litellm_options(base_url))


def litellm_vertex_async(base_url: str, name: Name) -> list[str]:
    """The same through Vertex."""
    return litellm_async_by(vertex_options(base_url))


def litellm_bedrock_async(base_url: str, name: Name) -> list[str]:
    """The same through Bedrock."""
    return litellm_async_by(bedrock_options(base_url, "AsyncHTTPHandler"))


def litellm_async_by(options: dict[str, Any]) -> list[str]:
    library = importlib.import_module("litellm")

    async def read() -> str:
        parts = [part async for part in await library.acompletion(stream=True, **options)]
        return "".join(part.choices[0].delta.content or "" for part in parts)

    async def create() -> str:
        return str((await library.acompletion(**options)).choices[0].message.content)

    loop = asyncio.new_event_loop()
    return [seen(lambda: loop.run_until_complete(step())) for step in (create, read, create, create, create)]  # noqa: B023


def litellm_options(base_url: str) -> dict[str, Any]:
    """Without retries: each request is one of the steps."""
    messages = [{"role": "user", "content": "hi"}]
    return {"model": MODEL, "messages": messages, "api_base": base_url, "api_key": "none", "num_retries": 0}


def vertex_options(base_url: str) -> dict[str, Any]:
    """As if Google had given a token: none of its servers is asked for one."""
    base = importlib.import_module("litellm.llms.vertex_ai.vertex_llm_base").VertexBase
    base._ensure_access_token = lambda *_, **__: ("none", "project")
    path = "v1/projects/project/locations/global/publishers/anthropic/models/claude-opus-4-8"
    place = {"vertex_project": "project", "vertex_location": "global"}
    return litellm_options(f"{base_url}/{path}") | place | {"model": "vertex_ai/claude-opus-4-8"}


def bedrock_options(base_url: str, handler: str) -> dict[str, Any]:
    """With credentials that only sign. `handler` is LiteLLM's class around an HTTP client."""
    client = getattr(importlib.import_module("litellm.llms.custom_httpx.http_handler"), handler)()
    account = {"aws_access_key_id": "none", "aws_secret_access_key": "none", "aws_region_name": "us-east-1"}
    options = litellm_options(base_url) | account | {"model": f"bedrock/invoke/{BEDROCK_MODEL}", "client": client}
    return {option: value for option, value in options.items() if option != "api_key"}


def smolagents(base_url: str, name: Name) -> list[str]:
    """A message by a model of smolagents, which goes through LiteLLM."""
    library = importlib.import_module("smolagents")
    model = library.LiteLLMModel(MODEL, api_base=base_url, api_key="none", num_retries=0)
    messages = [library.ChatMessage(role="user", content=[{"type": "text", "text": "hi"}])]
    return [seen(lambda: model.generate(messages).content)]


def httpx_sse(base_url: str, name: Name) -> list[str]:
    """A stream for each of `SSE`, read by the events that the library makes of it. One is left after its first."""
    httpx, library = importlib.import_module("httpx"), importlib.import_module("httpx_sse")

    def read(events: int | None) -> Any:
        with (
            httpx.Client() as client,
            library.connect_sse(client, "POST", f"{base_url}/v1/messages", **SSE_REQUEST) as source,
        ):
            return [event.event for event in itertools.islice(source.iter_sse(), events)][-1]

    return [seen(lambda: read(1 if step == 1 else None)) for step in range(len(SSE))]  # noqa: B023


def httpx_sse_async(base_url: str, name: Name) -> list[str]:
    """The same by an async client."""
    httpx, library = importlib.import_module("httpx"), importlib.import_module("httpx_sse")

    async def read(events: int | None) -> str:
        last = ""
        async with (
            httpx.AsyncClient() as client,
            library.aconnect_sse(client, "POST", f"{base_url}/v1/messages", **SSE_REQUEST) as source,
        ):
            async for event in source.aiter_sse():
                last = event.event
                if events == 1:
                    break
        return last

    return [seen(lambda: asyncio.run(read(1 if step == 1 else None))) for step in range(len(SSE))]  # noqa: B023


SSE: Final = (
    "ok",
    "ok",
    "ok_gzip",
    "stream_cut",
    "stream_incomplete",
    "stream_overloaded",
    "http_529",
    "connection_reset",
)
SSE_REQUEST: Final[dict[str, Any]] = {
    "headers": {"x-api-key": "none", "anthropic-version": "2023-06-01"},
    "json": {
        "model": "claude-opus-4-8",
        "max_tokens": 100,
        "stream": True,
        "messages": [{"role": "user", "content": "hi"}],
    },
}
FIVE: Final = ("ok", "ok", "http_429", "http_529", "connection_reset")
LIBRARIES: Final = {
    "litellm": ("litellm", FIVE, litellm),
    "litellm_async": ("litellm", FIVE, litellm_async),
    "litellm_vertex": ("litellm", FIVE, litellm_vertex),
    "litellm_vertex_async": ("litellm", FIVE, litellm_vertex_async),
    "litellm_bedrock": ("litellm", FIVE, litellm_bedrock),
    "litellm_bedrock_async": ("litellm", FIVE, litellm_bedrock_async),
    "litellm_profile": ("litellm", FIVE, litellm_profile),
    "litellm_profile_named": ("litellm", FIVE, litellm_profile_named),
    "httpx_sse": ("httpx_sse", SSE, httpx_sse),
    "httpx_sse_async": ("httpx_sse", SSE, httpx_sse_async),
    "smolagents": ("smolagents", ("ok",), smolagents),
}


# -- the program -------------------------------------------------------------------------------------------------------


def main(name: str, order: str, *, sdk_only: bool) -> None:
    """Runs the app, and prints what it got, what the server received, and what was recorded of it."""
    module, play, app = LIBRARIES[name]
    sys.addaudithook(only_loopback)
    warnings = Warnings()
    logging.getLogger("anthropic_otel").addHandler(warnings)
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    meter_provider = MeterProvider([reader], shutdown_on_exit=False)
    if order == "after":
        importlib.import_module(module)
    anthropic_otel.instrument(tracer_provider=provider, meter_provider=meter_provider, sdk_only=sdk_only)
    assert order == "after" or "litellm" not in sys.modules
    with Simulator() as sim:
        sim.play(*play)
        providers: dict[str, Any] = {"tracer_provider": provider, "meter_provider": meter_provider}
        got = app(sim.base_url, functools.partial(anthropic_otel.instrument_http_client, **providers))
        parents = [request.header("traceparent") for request in sim.requests]
    told = {
        "sdk": importlib.util.find_spec("anthropic") is not None,
        "warnings": warnings.texts,
        "got": got,
        "sent": [parent.split("-")[2] if parent else None for parent in parents],
        "ids": [f"{span.context.span_id:016x}" for span in exporter.get_finished_spans()],
        "spans": [chosen(span.attributes, SPAN_ATTRIBUTES) for span in exporter.get_finished_spans()],
        "measured": [chosen(point.attributes, METRIC_ATTRIBUTES) for point in durations(reader)],
    }
    print(json.dumps(told))


def chosen(attributes: Any, names: tuple[str, ...]) -> list[Any]:
    """The values of some attributes, `None` for one that is missing."""
    return [attributes.get(name) for name in names]


def durations(reader: InMemoryMetricReader) -> list[Any]:
    """The points of the histogram of attempts."""
    data = reader.get_metrics_data()
    metrics = [metric for r in (data.resource_metrics if data else ()) for s in r.scope_metrics for metric in s.metrics]
    return [p for m in metrics if m.name == "anthropic.client.attempt.duration" for p in m.data.data_points]


if __name__ == "__main__":
    main(*sys.argv[1:3], sdk_only="sdk_only" in sys.argv[3:])
