"""The tokens of every kind of reply, equal to what the server has sent, on the real SDK.

The catalogue has those of every failure: `test_catalogue.py`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import anthropic
import pydantic
import pytest

from anthropic_otel._core import instruments
from anthropic_otel.simulator import Chunks, Cut, Ending, Endpoint, ErrorEvent, Point, Reply, Simulator
from anthropic_otel.testing import Usage, capture
from support import usage
from support.apps import MODEL, SdkApp, instrumented_app, request_of
from support.driver import Driver
from support.stacks import SDK_STACKS, Stack
from support.streams import MESSAGE, sse
from support.telemetry import Telemetry
from support.versions import HAS_MIDDLEWARE

CACHED = [{"type": "text", "text": "A long system prompt. " * 50, "cache_control": {"type": "ephemeral"}}]
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "cached": {"system": CACHED},
    "thinking": {"extra_body": {"thinking": {"type": "adaptive"}, "max_tokens": 2048}},
    "web search": {"extra_body": {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}},
    "compaction": {
        "extra_body": {"context_management": {"edits": [{"type": "compact_20260112"}]}},
        "extra_headers": {"anthropic-beta": "compact-2026-01-12"},
    },
    "advisor": {
        "extra_body": {"tools": [{"type": "advisor_20260301", "name": "advisor", "model": "claude-advisor-1"}]},
        "extra_headers": {"anthropic-beta": "advisor-tool-2026-03-01"},
    },
}
ADVISED = {"input_tokens": 400, "output_tokens": 150}
"""What the simulator's advisor takes."""
Ways = dict[str, Callable[[SdkApp, dict[str, Any]], None]]


def _create(app: SdkApp, options: dict[str, Any]) -> None:
    app.create(**options)


def _stream(app: SdkApp, options: dict[str, Any]) -> None:
    app.events(**options)


def _beta(app: SdkApp, options: dict[str, Any]) -> None:
    app.driver(app.client.beta.messages.create(**request_of(**options)))


def _parsed(app: SdkApp, options: dict[str, Any]) -> None:
    """As the app parses it, twice. Nothing has been counted before."""
    raw = app.driver(app.client.messages.with_raw_response.create(**request_of(**options)))
    for _ in range(2):
        reply = raw.parse()
        if hasattr(reply, "__await__"):
            app.driver(reply)


WAYS: Ways = {"create": _create, "stream": _stream, "beta": _beta, "raw response": _parsed}


@pytest.fixture(params=SDK_STACKS, ids=lambda stack: stack.name)
def stack(request: pytest.FixtureRequest) -> Stack:
    """Each stack that the SDK takes."""
    found: Stack = request.param
    return found


@pytest.fixture
def app(stack: Stack, sim: Simulator, recorded: Telemetry) -> Iterator[SdkApp]:
    """An instrumented app on that stack."""
    with instrumented_app(stack, sim.base_url, recorded) as app:
        yield app


@pytest.mark.parametrize("way", WAYS)
def test_what_is_counted_is_what_was_sent(way: str, app: SdkApp, sim: Simulator, recorded: Telemetry) -> None:
    """Of each kind of reply, first written to the cache and then read from it, however the app takes it."""
    with capture() as captured:
        for kind in (*KINDS, "cached"):
            WAYS[way](app, KINDS[kind])
    sent = usage.sent(sim.served)
    assert all(sent[metric.name] for metric in instruments.USAGE)
    assert usage.told(recorded, gen_ai_request_model=MODEL) == sent
    advised = Counter(
        {instruments.USAGE_INPUT.name: ADVISED["input_tokens"], instruments.USAGE_OUTPUT.name: ADVISED["output_tokens"]}
    )
    assert usage.told(recorded, gen_ai_request_model="claude-advisor-1") == advised
    assert Counter(dict(zip((m.name for m in instruments.USAGE), _all(captured.calls), strict=True))) == sent + advised


def _all(calls: list[Any]) -> tuple[int, ...]:
    total = sum((call.usage for call in calls), Usage())
    cached = (total.cache_read_input_tokens, total.cache_write_input_tokens)
    return (total.input_tokens, total.output_tokens, *cached, total.reasoning_output_tokens)


WRITES = {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 30}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_reply_with_half_of_its_fields_is_counted_by_these(
    stream: bool, app: SdkApp, sim: Simulator, recorded: Telemetry
) -> None:
    """Cache writes by their time to live alone, and an event whose counts are none."""
    told = {"input_tokens": 10, "output_tokens": 1 if stream else 50, "cache_creation": WRITES}
    message = {**MESSAGE, "usage": told}
    garbled = {"input_tokens": "many", "cache_creation_input_tokens": -1, "output_tokens": 50}
    delta = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": garbled}
    events = ({"type": "message_start", "message": message}, delta, {"type": "message_stop"})
    sim.play(
        Chunks(tuple(sse(str(event["type"]), event) for event in events))
        if stream
        else Reply(body=json.dumps(message).encode())
    )
    app.meet(stream=stream)
    assert usage.told(recorded) == Counter(
        {instruments.USAGE_INPUT.name: 240, instruments.USAGE_OUTPUT.name: 50, instruments.USAGE_CACHE_WRITE.name: 230}
    )


def test_a_raw_response_that_is_not_parsed_is_not_read(app: SdkApp, recorded: Telemetry) -> None:
    """Its usage is in a body that the app has, and the library does not look into."""
    app.driver(app.client.messages.with_raw_response.create(**request_of()))
    assert not usage.told(recorded)


class Refusing(pydantic.BaseModel):
    """A model of the app's that takes no reply."""

    city: str

    @pydantic.field_validator("city")
    @classmethod
    def refuse(cls, city: str) -> str:
        raise ValueError(f"no {city}")


def refused(app: SdkApp, surface: str, **options: Any) -> None:
    """Asks for a structured output, which `Refusing` refuses, as a reply or as a raw response that is parsed twice."""
    messages = app.client.beta.messages if surface == "beta" else app.client.messages
    if not hasattr(messages, "parse"):
        pytest.skip("this SDK makes no structured output there")

    request = {**request_of(**options), "output_format": Refusing}
    if surface == "raw response":
        response = app.driver(messages.parse(**request, extra_headers={"x-stainless-raw-response": "raw"}))
        for _ in range(2):
            with pytest.raises(pydantic.ValidationError):
                app.driver(response.parse())
    else:
        with pytest.raises(pydantic.ValidationError):
            app.driver(messages.parse(**request))


@pytest.mark.filterwarnings("ignore:The 'output_format' parameter is deprecated:DeprecationWarning")
@pytest.mark.parametrize("surface", ["messages", "beta", "raw response"])
def test_a_reply_that_the_apps_model_refuses_is_counted_once(
    surface: str, app: SdkApp, sim: Simulator, recorded: Telemetry
) -> None:
    """It came whole, and is billed. The SDK raises what the app's model has raised, and returns no reply."""
    with capture() as captured:
        refused(app, surface, system=CACHED)
        refused(app, surface, system=CACHED)
    sent = usage.sent(sim.served)
    assert sent[instruments.USAGE_CACHE_READ.name] > 0
    assert usage.told(recorded, gen_ai_request_model=MODEL) == sent
    assert [attempt.outcome for attempt in captured.attempts] == ["completed", "completed"]


@pytest.mark.skipif(not HAS_MIDDLEWARE, reason="this SDK has no middlewares")
def test_a_reply_that_the_apps_model_refuses_is_counted_once_behind_a_middleware(
    stack: Stack, sim: Simulator, recorded: Telemetry
) -> None:
    """The middleware has passed it on, and the SDK parses it after that."""

    def passing(request: Any, call_next: Any) -> Any:
        return call_next(request)

    async def async_passing(request: Any, call_next: Any) -> Any:
        return await call_next(request)

    with Driver(asynchronous=stack.asynchronous) as driver:
        recorded.instrument()
        middleware = async_passing if stack.asynchronous else passing
        app = SdkApp(stack, Endpoint(sim.base_url), driver, recorded, middleware=[middleware])
        refused(app, "messages")
        app.close()
    assert usage.told(recorded, gen_ai_request_model=MODEL) == usage.sent(sim.served)


def test_a_retry_counts_once(app: SdkApp, sim: Simulator, recorded: Telemetry, waits: None) -> None:
    """The attempt that failed has used nothing that anybody told of."""
    sim.play("http_529", "body_cut", "ok")
    app.create()
    assert usage.told(recorded) == usage.sent(sim.served[-1:])
    assert usage.told(recorded, attempt_outcome="failed") == Counter()


@pytest.mark.parametrize(
    "fault", [Cut(Point.BODY, Ending.RESET, after=6), ErrorEvent("overloaded_error", "no", after=6)]
)
def test_a_broken_stream_counts_what_was_told(
    fault: Cut | ErrorEvent, stack: Stack, app: SdkApp, sim: Simulator, recorded: Telemetry
) -> None:
    """A lower bound: the input, and the output so far. It is told apart by the outcome of the attempt."""
    sim.play(fault)
    seen = 0
    with capture() as captured:
        stream = app.create(stream=True, system=CACHED)
        with suppress(Exception):
            while True:
                app.driver.next(stream)
                seen += 1
        app.driver(stream.close())  # SDKs before 0.107 leave it open after an error event
    [attempt] = captured.attempts
    if not seen:
        # aiohttp may leave out what came in one read with the failure.
        assert (stack.aiohttp, usage.told(recorded)) == (True, Counter())
        return
    assert usage.told(recorded, attempt_outcome="failed") == +usage.sent(sim.served)
    assert attempt.usage is not None
    assert attempt.usage.cache_write_input_tokens > 100
    assert attempt.usage.output_tokens == 1


def test_a_stream_that_the_app_leaves_counts_what_was_told(app: SdkApp, sim: Simulator, recorded: Telemetry) -> None:
    """Under `abandoned`."""
    sim.play(Cut(Point.BODY, Ending.STALL, after=1))
    stream = app.create(stream=True, system=CACHED)
    app.driver.next(stream)
    app.driver(stream.close())
    told = usage.told(recorded, attempt_outcome="abandoned")
    assert told[instruments.USAGE_OUTPUT.name] == 1
    assert told[instruments.USAGE_INPUT.name] > told[instruments.USAGE_CACHE_WRITE.name] > 100


def test_the_helper_of_streams_counts_once(sim: Simulator, recorded: Telemetry) -> None:
    """It adds the events up to a message that has the usage once more."""
    recorded.instrument()
    with anthropic.Anthropic(base_url=sim.base_url, api_key="none") as client:
        with client.messages.stream(**request_of()) as stream:
            stream.get_final_message()
        with client.messages.with_streaming_response.create(**request_of()) as response:
            response.parse()
    assert usage.told(recorded) == +usage.sent(sim.served)


def test_usage_can_be_turned_off(sim: Simulator, recorded: Telemetry) -> None:
    """Attempts and calls are measured as before."""
    recorded.instrument(usage=False)
    with anthropic.Anthropic(base_url=sim.base_url, api_key="none") as client:
        client.messages.create(**request_of())
    assert not recorded.metric_names & {metric.name for metric in instruments.USAGE}
    assert instruments.CALL_DURATION.name in recorded.metric_names
