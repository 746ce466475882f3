"""Streams, in every way in which the SDK lets an app read them: read, failed, closed early, left, and never read."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import pytest
from opentelemetry.trace import StatusCode

from anthropic_otel._core import instruments, semconv
from anthropic_otel.simulator import Simulator
from support import identities
from support.apps import SdkApp, instrumented_app, request_of
from support.driver import Driver
from support.marks import BREAKS_CONNECTIONS
from support.stacks import SDK_STACKS, Stack, each_of
from support.telemetry import Telemetry
from support.versions import CLOSES_FAILED_STREAMS, HAS_TOOL_RUNNER
from support.waiting import collect_garbage

pytestmark = [*BREAKS_CONNECTIONS]

Way = Callable[[SdkApp], Iterator[Any]]
"""A way to read a stream: yields its events, and closes what it has opened when it is left."""


def _each(driver: Driver, events: Any) -> Iterator[Any]:
    iterator = iter(events) if hasattr(events, "__iter__") else events.__aiter__()
    while True:
        try:
            event = driver.next(iterator)
        except (StopIteration, StopAsyncIteration):
            return
        yield event


def _managed(driver: Driver, manager: Any, events_of: Callable[[Any], Any] = lambda stream: stream) -> Iterator[Any]:
    """What a stream has that is entered and left by a `with` statement."""
    stream = driver.enter(manager)
    try:
        yield from _each(driver, events_of(stream))
    except BaseException as error:
        driver.leave(manager, None if isinstance(error, GeneratorExit) else error)
        raise
    driver.leave(manager)


def created(app: SdkApp) -> Iterator[Any]:
    """`messages.create(stream=True)` in a `with` statement."""
    return _managed(app.driver, app.create(stream=True))


def helped(app: SdkApp) -> Iterator[Any]:
    """`messages.stream()`, which collects the message."""
    return _managed(app.driver, app.client.messages.stream(**request_of()))


def raw(app: SdkApp) -> Iterator[Any]:
    """`with_raw_response`, parsed."""
    response = app.driver(app.client.messages.with_raw_response.create(**request_of(stream=True)))
    return _managed(app.driver, app.driver(response.parse()))


def streaming_response(app: SdkApp) -> Iterator[Any]:
    """`with_streaming_response`, parsed."""
    manager = app.client.messages.with_streaming_response.create(**request_of(stream=True))
    return _managed(app.driver, manager, lambda response: app.driver(response.parse()))


def streaming_lines(app: SdkApp) -> Iterator[Any]:
    """`with_streaming_response`, line by line: the SDK parses nothing."""
    manager = app.client.messages.with_streaming_response.create(**request_of(stream=True))
    return _managed(app.driver, manager, lambda response: response.iter_lines())


def beta(app: SdkApp) -> Iterator[Any]:
    """The beta surface's `messages.create(stream=True)`."""
    return _managed(app.driver, app.driver(app.client.beta.messages.create(**request_of(stream=True))))


WAYS = (created, helped, raw, streaming_response, streaming_lines, beta)
PARSING = (created, helped, raw, streaming_response, beta)


stack = each_of(SDK_STACKS)


@pytest.fixture
def app(stack: Stack, sim: Simulator, recorded: Telemetry) -> Iterator[SdkApp]:
    """An instrumented app, with a client that is older than the instrumentation."""
    with instrumented_app(stack, sim.base_url, recorded) as app:
        yield app


def ways(*them: Way) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("way", them, ids=lambda way: way.__name__)


def check_one(telemetry: Telemetry, outcome: str, call: str, error_type: str | None = None) -> dict[str, Any]:
    """One attempt and one call that ended like this, with all that must hold. The attempt's attributes."""
    [span] = telemetry.attempts
    attributes = dict(span.attributes or {})
    assert attributes[semconv.ATTEMPT_OUTCOME] == outcome
    assert attributes.get(semconv.ERROR_TYPE) == error_type
    assert span.status.status_code is (StatusCode.ERROR if error_type else StatusCode.UNSET)
    [point] = telemetry.points(instruments.CALL_DURATION)
    assert point.attributes[semconv.CALL_OUTCOME] == call
    identities.check(telemetry, calls=1)
    return attributes


@ways(*WAYS)
def test_a_stream_that_is_read_is_completed(way: Way, app: SdkApp, recorded: Telemetry) -> None:
    """Whichever way it is read, its attempt lasts to its end and has its times."""
    events = list(way(app))
    assert len(events) > 10
    attributes = check_one(recorded, "completed", "succeeded")
    assert attributes[semconv.STREAM_COMPLETE] is True
    [span] = recorded.attempts
    first, gap = attributes[semconv.STREAM_TIME_TO_FIRST_CHUNK], attributes[semconv.STREAM_MAX_GAP]
    assert 0 < first <= identities.duration(span) / 1e9
    assert gap > 0
    assert not recorded.logs


@ways(*PARSING)
def test_an_error_event_is_a_failed_attempt(way: Way, app: SdkApp, sim: Simulator, recorded: Telemetry) -> None:
    """The stream began with 200, and the attempt has the API's word."""
    sim.play("stream_overloaded")
    with pytest.raises(anthropic.APIStatusError):
        list(way(app))
    collect_garbage()
    attributes = check_one(recorded, "failed", "failed", "overloaded_error")
    assert attributes[semconv.HTTP_RESPONSE_STATUS_CODE] == 200
    assert len(recorded.logs) == 1


@ways(*WAYS)
def test_a_read_failure_is_the_apps_and_the_attempts(
    way: Way, app: SdkApp, sim: Simulator, recorded: Telemetry
) -> None:
    """The app gets the HTTP library's own exception, which nobody retries."""
    sim.play("stream_reset")
    with pytest.raises(Exception, match=r".*") as raised:
        list(way(app))
    assert type(raised.value).__module__.partition(".")[0] in ("httpx", "httpx2", "aiohttp")
    attributes = check_one(recorded, "failed", "failed", "connection_reset")
    assert attributes[semconv.NETWORK_PHASE] == "receive"
    assert len(sim.requests) == 1


@ways(*WAYS)
def test_a_stream_that_is_closed_early_is_abandoned(way: Way, app: SdkApp, sim: Simulator, recorded: Telemetry) -> None:
    """An app that has seen enough has not failed."""
    sim.play("stream_timeout")
    events: Any = way(app)
    next(events)
    events.close()
    attributes = check_one(recorded, "abandoned", "abandoned")
    assert attributes[semconv.STREAM_COMPLETE] is False
    assert not recorded.logs


@ways(*WAYS)
def test_an_exception_of_the_apps_within_its_stream_is_not_the_attempts(
    way: Way, app: SdkApp, sim: Simulator, recorded: Telemetry
) -> None:
    """The app fails over an event; the server did nothing wrong."""
    sim.play("stream_timeout")
    events: Any = way(app)
    next(events)
    with pytest.raises(ZeroDivisionError):
        events.throw(ZeroDivisionError())
    check_one(recorded, "abandoned", "abandoned")


def test_an_undecodable_event_is_not_of_another_stream(app: SdkApp, sim: Simulator, recorded: Telemetry) -> None:
    """An app that reads a second stream while the first is open leaves both at the same exception."""
    if not CLOSES_FAILED_STREAMS:
        pytest.skip("this SDK does not close the stream that it cannot decode")
    sim.play("ok_segmented", "stream_invalid_json_64k_in_packets")
    outer: Any = created(app)
    next(outer)
    with pytest.raises(ValueError, match="Unterminated string") as caught:
        app.driver.read(app.create(stream=True))
    with pytest.raises(ValueError, match="Unterminated string"):
        outer.throw(caught.value)
    left, failed = sorted(recorded.attempts, key=lambda span: span.start_time or 0)
    assert dict(left.attributes or {})[semconv.ATTEMPT_OUTCOME] == "abandoned"
    assert dict(failed.attributes or {})[semconv.ERROR_TYPE] == "invalid_event"


def test_a_stream_that_is_never_read_ends_when_it_is_closed(app: SdkApp, recorded: Telemetry) -> None:
    """Nobody has asked for a chunk, so there is no time of a first one."""
    stream = app.create(stream=True)
    identities.check(recorded, in_flight=1, calls=0)
    app.driver(stream.close())
    attributes = check_one(recorded, "abandoned", "abandoned")
    assert semconv.STREAM_TIME_TO_FIRST_CHUNK not in attributes


@pytest.mark.parametrize("begun", [False, True], ids=["never read", "half read"])
def test_a_stream_that_is_dropped_ends_with_it(begun: bool, app: SdkApp, sim: Simulator, recorded: Telemetry) -> None:
    """No code of the SDK's or of the HTTP library's runs then: the attempt ends all the same."""
    sim.play("stream_timeout")
    stream: Any = app.create(stream=True)
    if begun:
        app.driver.next(iter(stream) if not app.driver.asynchronous else stream.__aiter__())
    del stream
    collect_garbage()
    app.driver.idle()
    check_one(recorded, "abandoned", "abandoned")


def test_a_stream_in_a_reference_cycle_ends_with_the_garbage(app: SdkApp, recorded: Telemetry) -> None:
    """The garbage collector finds it at some time."""
    gc.disable()
    try:
        holder: dict[str, Any] = {"stream": app.create(stream=True)}
        holder["itself"] = holder
        del holder
        assert not recorded.attempts
    finally:
        gc.enable()
    collect_garbage()
    check_one(recorded, "abandoned", "abandoned")


def test_reading_on_after_the_end_changes_nothing(app: SdkApp, recorded: Telemetry) -> None:
    """An end is told once, whatever the app does with the stream afterwards."""
    stream = app.create(stream=True)
    app.driver.read(stream)
    app.driver.read(stream)
    app.driver(stream.close())
    check_one(recorded, "completed", "succeeded")


def test_the_time_that_the_app_holds_the_stream_is_not_the_servers(
    app: SdkApp, sim: Simulator, recorded: Telemetry
) -> None:
    """A slow reader has consumer time, and no longer gap for it."""
    events: Any = created(app)
    next(events)
    time.sleep(0.1)
    list(events)
    attributes = check_one(recorded, "completed", "succeeded")
    assert attributes[semconv.STREAM_CONSUMER_TIME] >= 0.1
    [span] = recorded.attempts
    assert (
        attributes[semconv.STREAM_CONSUMER_TIME] + attributes[semconv.STREAM_MAX_GAP] <= identities.duration(span) / 1e9
    )


@pytest.mark.skipif(not HAS_TOOL_RUNNER, reason="this SDK has no tool runner")
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_each_turn_of_the_tool_runner_is_a_call(stream: bool, app: SdkApp, recorded: Telemetry) -> None:
    """The runner makes a call, uses the tool, and makes another call."""
    beta_tool: Any = anthropic.beta_async_tool if app.driver.asynchronous else anthropic.beta_tool

    if app.driver.asynchronous:

        async def look() -> str:
            """Looks."""
            return "seen"
    else:

        def look() -> str:  # type: ignore[misc]
            """Looks."""
            return "seen"

    runner = app.client.beta.messages.tool_runner(**request_of(tools=[beta_tool(look)], stream=stream))
    for turn in _each(app.driver, runner):
        if stream:
            app.driver.read(turn)
    outcomes = [(span.attributes or {})[semconv.ATTEMPT_OUTCOME] for span in recorded.attempts]
    assert outcomes == ["completed", "completed"]
    assert len({span.parent.span_id for span in recorded.attempts if span.parent}) == 2
    identities.check(recorded, calls=2)


def test_a_failed_stream_ends_before_the_app_forgets_the_error(
    stack: Stack, app: SdkApp, sim: Simulator, recorded: Telemetry
) -> None:
    """Also where the SDK leaves it open, unless aiohttp joins the event with those before it into one chunk."""
    if stack.aiohttp and not CLOSES_FAILED_STREAMS:
        pytest.skip("this SDK leaves a stream open that failed, and aiohttp joins chunks")
    sim.play("stream_overloaded")
    with pytest.raises(anthropic.APIStatusError) as raised:
        app.events()
    assert raised.value is not None
    check_one(recorded, "failed", "failed", "overloaded_error")
