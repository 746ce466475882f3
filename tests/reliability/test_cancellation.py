"""Cancelled at every await, interrupted at every line: the app sees its own exception, and each attempt ends once."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import logging
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import anthropic
import anyio
import pytest
from opentelemetry import trace

from anthropic_otel._adapters.current import current_call
from anthropic_otel._adapters.sending import current_sending
from anthropic_otel._core.instruments import ATTEMPT_DURATION, ATTEMPT_STARTED, CALL_DURATION
from anthropic_otel._core.semconv import ATTEMPT_OUTCOME
from reliability import interrupting
from reliability.interrupting import (
    ALONE,
    Interrupt,
    Lines,
    SoftTimeLimit,
    Transport,
    apart,
    cancelled_at,
    interrupted_at,
)
from reliability.sdk_http import httpx
from support import identities
from support.apps import request_of
from support.telemetry import LOGGER, Telemetry
from support.waiting import collect_garbage

Program = Callable[[Any], Awaitable[Any]]


async def whole(client: Any) -> Any:
    """A retry, and an answer."""
    return (await client.messages.create(**request_of())).content[0].text


async def stream(client: Any) -> Any:
    """A retry, and a stream that is read."""
    return [event.type async for event in await client.messages.create(**request_of(stream=True))]


async def helper(client: Any) -> Any:
    """A retry, and the SDK's stream helper."""
    async with client.messages.stream(**request_of()) as events:
        return [text async for text in events.text_stream]


async def broken_off(client: Any) -> Any:
    """A stream that the app leaves in the middle, and closes."""
    events = await client.messages.create(**request_of(stream=True))
    async for event in events:
        if event.type == "content_block_delta":
            break
    await events.close()
    return "left"


PROGRAMS = pytest.mark.parametrize(
    "program",
    [whole, stream, pytest.param(helper, marks=pytest.mark.slow), pytest.param(broken_off, marks=pytest.mark.slow)],
    ids=lambda program: program.__name__,
)


def cancelled(program: Program, point: int) -> tuple[Any, int, Transport]:
    """What a task sees that is cancelled in its `point`th await, how often it waited, and its transport."""
    transport = Transport(529, 200)

    async def task() -> tuple[Any, int]:
        client = interrupting.client(transport, asynchronous=True)
        try:
            result, waits = await cancelled_at(point, program(client))  # type: ignore[arg-type]
        except asyncio.CancelledError as error:
            if sys.version_info >= (3, 11):
                asyncio.current_task().uncancel()  # type: ignore[union-attr]
            result, waits = type(error).__name__, 0
        await client.close()
        return result, waits

    async def main() -> tuple[Any, int]:
        found = await asyncio.create_task(task())
        collect_garbage()
        await asyncio.sleep(0)
        assert current_call.get() is None
        assert not trace.get_current_span().get_span_context().is_valid
        return found

    return *asyncio.run(main()), transport


@pytest.mark.slow
@PROGRAMS
@pytest.mark.usefixtures("waits")
def test_a_task_can_be_cancelled_in_every_await(program: Program, recorded: Telemetry) -> None:
    """At each point the app sees what it would have seen, after as many awaits, and what was under way ends once."""
    _, waits, _ = cancelled(program, 0)
    points = range(1, waits + 1)
    plain = [cancelled(program, point) for point in points]
    recorded.instrument()
    sent = 0
    for point, (plain_result, plain_waits, plain_transport) in zip(points, plain, strict=True):
        result, waited, transport = cancelled(program, point)
        assert (result, waited) == (plain_result, plain_waits)
        assert (len(transport.requests), transport.open) == (len(plain_transport.requests), plain_transport.open)
        # Cancelled in the first await of the transport, an attempt has begun that no server knows of.
        sent += len(transport.requests)
        identities.check_every_attempt_ended_once(recorded, 0)
        assert sum(each.count for each in recorded.points(CALL_DURATION)) == point
        assert sent <= len(recorded.attempts) <= sent + point
    outcomes = {span.attributes[ATTEMPT_OUTCOME] for span in recorded.attempts if span.attributes}
    assert outcomes >= {"cancelled", "failed"}
    assert waits > 5
    assert cancelled(program, 0)[1] == waits


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("scope", ["wait_for", "move_on_after", "fail_after"])
@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "stream"])
def test_a_timeout_scope_is_a_cancellation(
    scope: str, streaming: bool, recorded: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`wait_for` and anyio's scopes end the attempt as cancelled, and the app gets what the scope raises."""
    recorded.instrument()
    transport = Transport(200)

    async def hang(_: Any = None) -> Any:
        # The loop's clock jumps past the deadline, here and nowhere else.
        loop: Any = asyncio.get_running_loop()
        real = loop.time
        loop.time = lambda: real() + 1_000
        await asyncio.sleep(1_000)

    async def call(client: Any) -> Any:
        if not streaming:
            monkeypatch.setattr(transport, "handle_async_request", hang)
            return await client.messages.create(**request_of())
        async for _ in await client.messages.create(**request_of(stream=True)):
            await hang()
        return None

    async def main() -> Any:
        async with interrupting.client(transport, asynchronous=True) as client:
            if scope == "wait_for":
                return await asyncio.wait_for(call(client), 500)
            if scope == "fail_after":
                with anyio.fail_after(500):
                    return await call(client)
            with anyio.move_on_after(500) as moved:
                await call(client)
            assert moved.cancelled_caught
            return None

    if scope == "move_on_after":
        asyncio.run(main())
    else:
        # Two classes on Python 3.10, and one since.
        with pytest.raises(asyncio.TimeoutError if scope == "wait_for" else TimeoutError):
            asyncio.run(main())
    collect_garbage()
    [attempt] = recorded.attempts
    # A stream is left by the app, between two chunks: it is not cancelled while it waits for the server.
    assert (attempt.attributes or {})[ATTEMPT_OUTCOME] == ("abandoned" if streaming else "cancelled")
    identities.check(recorded, calls=1)


# -- interrupts --------------------------------------------------------------------------------------------------------

TRACED = pytest.mark.parametrize("options", [{}, ALONE], ids=["sdk-span", "our-span"])
ENTERING = frozenset({"begin_call", "begin", "_begin", "__enter__", "__init__", "_attach", "request", "send"})
"""Where the library enters a call: for a few lines its span is current, and nobody knows yet that it has to go."""

ENDING = frozenset(
    {"_close", "end", "finish", "attempt_ended", "_target", "exemplar", "with_span", "add", "record", "guard"}
)
"""Where an attempt ends, which it does once: interrupted there, its end is not measured."""


def interrupted(point: int, client: Any) -> tuple[str, Lines]:
    """What an app sees that is interrupted before a line of the library, and which lines it ran."""
    with interrupted_at(point) as lines:
        try:
            events = [event.type for event in client.messages.create(**request_of(stream=True))]
            return events[-1], lines
        except Interrupt:
            return "interrupted", lines


def check_interrupts(options: dict[str, Any], recorded: Telemetry, stride: int) -> None:
    """Interrupts a retried stream at every `stride`th line, each time in a context of its own."""
    recorded.instrument()

    def once(point: int) -> tuple[str, Lines, bool]:
        transport.restart()
        seen, lines = interrupted(point, client)
        return seen, lines, current_call.get() is None and not trace.get_current_span().get_span_context().is_valid

    transport = Transport(529, 200)
    client = interrupting.client(transport, **options)
    once(0)
    _, lines, _ = once(0)
    assert lines.count > 300
    lost = 0
    for point in range(1, lines.count + 1, stride):
        seen, ran, clean = contextvars.copy_context().run(apart, once, point)
        # An interrupt in a finalizer is printed by Python, and the app goes on. Without a function there was none: some
        # lines run at every twentieth response only.
        assert seen == "interrupted" or ran.function in ("", "ended", "finalize"), (point, ran.function)
        assert clean or ran.function in ENTERING, (point, ran.function)
        # In `__call__` there is a line between the start and what is there to end it.
        lost += ran.function in ENDING | {"__call__"}
    collect_garbage()
    started = sum(point.sum for point in recorded.points(ATTEMPT_STARTED))
    assert started - sum(point.count for point in recorded.points(ATTEMPT_DURATION)) <= lost
    recorded.clear()
    assert once(0)[0] == "message_stop"
    assert len(recorded.attempts) == 2


@TRACED
@pytest.mark.usefixtures("waits")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_in_the_library_is_the_apps(options: dict[str, Any], recorded: Telemetry) -> None:
    """It is raised, nothing stays current, and the next call is recorded as if nothing had been."""
    check_interrupts(options, recorded, stride=29)


@TRACED
@pytest.mark.slow
@pytest.mark.usefixtures("waits")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_at_any_line_is_the_apps(options: dict[str, Any], recorded: Telemetry) -> None:
    """The same, at every line of the library that a retried stream runs."""
    check_interrupts(options, recorded, stride=1)


LOOKING = frozenset({"_look_at_failure", "_variable_of_client", "broken_response", "_leave", "was_redirected"})
"""Where a failed send is looked at."""


def _unended(recorded: Telemetry) -> float:
    """How many attempts have started and not ended."""
    started = sum(point.sum for point in recorded.points(ATTEMPT_STARTED))
    return started - sum(point.count for point in recorded.points(ATTEMPT_DURATION))


class Unreachable(Transport):
    """Connects to no server."""

    def __init__(self) -> None:
        super().__init__(200)

    def handle_request(self, request: Any) -> Any:
        raise httpx.ConnectError(f"no {request.url.host}")


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("stride", [31, pytest.param(1, marks=pytest.mark.slow)])
def test_an_interrupt_while_a_failed_send_is_looked_at_ends_the_attempt(recorded: Telemetry, stride: int) -> None:
    """What the exception says is read before the attempt ends, which takes most of its lines."""
    recorded.instrument()
    client = interrupting.client(Unreachable(), max_retries=0, **ALONE)

    def once(point: int) -> Lines:
        with interrupted_at(point) as lines, suppress(Interrupt, anthropic.APIConnectionError):
            client.messages.create(**request_of())
        return lines

    once(0)
    looked_at, unended = 0, 0.0
    for point in range(1, once(0).count + 1, stride):
        before = _unended(recorded)
        ran = contextvars.copy_context().run(apart, once, point)
        if ran.function in LOOKING:
            looked_at += 1
            unended += _unended(recorded) - before
    assert looked_at > 0
    assert unended == 0


class Interrupting(logging.Handler):
    """The handler of an app that is interrupted while it writes the first line of a failed attempt."""

    def emit(self, record: logging.LogRecord) -> None:
        logging.getLogger(record.name).removeHandler(self)
        raise Interrupt


@TRACED
@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("statuses", [(401,), (529, 529), (529, 200)], ids=["failed", "exhausted", "retried"])
def test_an_interrupt_while_a_line_is_logged_ends_the_call(
    statuses: tuple[int, ...], options: dict[str, Any], recorded: Telemetry
) -> None:
    """To write a line takes longer than all else at the end of a failed call, so an interrupt mostly comes there."""
    recorded.instrument()
    client = interrupting.client(Transport(*statuses), **options)
    logger = logging.getLogger(f"{LOGGER}.attempt")
    logger.addHandler(handler := Interrupting(logging.INFO if statuses[-1] == 200 else logging.WARNING))
    try:
        with pytest.raises(Interrupt):
            client.messages.create(**request_of())
    finally:
        logger.removeHandler(handler)
    assert _unended(recorded) == 0
    assert sum(point.count for point in recorded.points(CALL_DURATION)) == 1
    assert len(recorded.calls) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_while_a_send_begins_leaves_the_request_as_it_was(recorded: Telemetry) -> None:
    """Without our `trace` function, by which the request and its client would stay alive, and in no current send."""
    recorded.instrument()
    seen = set()
    with httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200))) as client:

        def send(point: int) -> tuple[str, bool]:
            request = client.build_request("GET", "http://api.test", headers={"anthropic-version": "2023-06-01"})
            with interrupted_at(point) as lines, suppress(Interrupt):
                client.send(request)
            return lines.function, "trace" not in request.extensions and current_sending.get() is None

        # What is kept from one request to the next is known from here on.
        send(0)
        for point in itertools.count(1):
            function, clean = contextvars.copy_context().run(apart, send, point)
            if not function:
                break
            if function in ("_listen", "set_headers"):
                seen.add(function)
                assert clean, (point, function)
    assert seen == {"_listen", "set_headers"}
    assert sys.exc_info() == (None, None, None)


# -- what a signal handler of the app raises ---------------------------------------------------------------------------


def timed_out(point: int, client: Any) -> tuple[str, Lines]:
    """What an app sees whose signal handler raises before a line of the library, and which lines it ran."""
    with interrupted_at(point, interrupting.time_out) as lines:
        try:
            events = [event.type for event in client.messages.create(**request_of(stream=True))]
            return events[-1], lines
        except SoftTimeLimit:
            return "timed out", lines
        except anthropic.APIConnectionError as error:
            # The SDK takes every exception of its HTTP client for a failed connection.
            return "timed out" if isinstance(error.__cause__, SoftTimeLimit) else repr(error), lines


def check_time_limits(recorded: Telemetry, stride: int) -> None:
    """Raises from a signal handler at every `stride`th line of a stream, each time in a context of its own."""
    recorded.instrument()
    client = interrupting.client(Transport(200), max_retries=0)
    timed_out(0, client)
    _, lines = timed_out(0, client)
    assert lines.count > 200
    swallowed = []
    for point in range(1, lines.count + 1, stride):
        seen, ran = contextvars.copy_context().run(apart, timed_out, point, client)
        # Without a function the run had fewer lines, and nothing was raised.
        if seen != "timed out" and ran.function:
            swallowed.append(ran.function)
    assert swallowed == []
    recorded.clear()
    assert timed_out(0, client)[0] == "message_stop"
    assert len(recorded.attempts) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("stride", [23, pytest.param(1, marks=pytest.mark.slow)])
def test_a_time_limit_that_a_signal_sets_is_the_apps(stride: int, recorded: Telemetry) -> None:
    """An exception that the app's signal handler raises while our lines run is not held back as one of ours."""
    with interrupting.handling_time_outs():
        check_time_limits(recorded, stride)
