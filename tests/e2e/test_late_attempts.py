"""Requests that work left behind by a call sends when the call has ended."""

from __future__ import annotations

import contextvars
import gc
import logging
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.trace import Span, SpanProcessor

from anthropic_otel._core import instruments, semconv
from anthropic_otel.simulator import Endpoint, Simulator
from support import identities
from support.apps import API_KEY, BareApp, SdkApp, request_of
from support.driver import Driver
from support.stacks import SDK_STACKS, Stack, http_client
from support.telemetry import Telemetry
from support.versions import RESPONSES_ARE_CYCLES
from support.waiting import collect_garbage

pytestmark = pytest.mark.usefixtures("waits")


class _LiveSpans(SpanProcessor):
    """Refers weakly to every span that has started."""

    def __init__(self) -> None:
        self.started: list[weakref.ref[Span]] = []

    def on_start(self, span: Span, parent_context: Any = None) -> None:
        self.started.append(weakref.ref(span))


class _Left:
    """An app in which each call leaves a copy of its context behind, as a task that it has started would."""

    def __init__(self, app: SdkApp) -> None:
        self.app = app
        self.context = contextvars.Context()
        hook = self._akeep if app.driver.asynchronous else self._keep
        app.http.event_hooks = {"request": [hook]}

    def _keep(self, request: Any) -> None:
        self.context = contextvars.copy_context()

    async def _akeep(self, request: Any) -> None:
        self._keep(request)

    def send(self) -> Any:
        """Sends a request within the call that has ended."""
        # The context of this send has the late attempt's own span in it.
        self.app.http.event_hooks = {}
        return self.context.run(self.app.send)


@pytest.fixture(params=[stack for stack in SDK_STACKS if not stack.aiohttp], ids=lambda stack: stack.name)
def stack(request: pytest.FixtureRequest) -> Stack:
    """A stack that the SDK uses by itself."""
    stack: Stack = request.param
    return stack


@pytest.fixture
def left(stack: Stack, sim: Simulator, recorded: Telemetry) -> Iterator[_Left]:
    """An instrumented app."""
    recorded.instrument()
    with Driver(asynchronous=stack.asynchronous) as driver:
        app = SdkApp(stack, Endpoint(sim.base_url), driver, recorded)
        yield _Left(app)
        app.close()


def test_a_late_failure_is_final_and_changes_no_call(left: _Left, sim: Simulator, recorded: Telemetry) -> None:
    """A failed attempt after its call's end is logged as final, and the call is counted once, as it ended."""
    left.app.create()
    sim.play("http_529")
    assert left.send().status_code == 529
    statuses = [(span.attributes or {})[semconv.HTTP_RESPONSE_STATUS_CODE] for span in recorded.attempts]
    assert statuses == [200, 529]
    [duration] = recorded.points(instruments.CALL_DURATION)
    assert (duration.count, duration.attributes[semconv.CALL_OUTCOME]) == (1, "succeeded")
    assert [record.levelno for record in recorded.logs] == [logging.WARNING]


def test_what_a_task_sends_by_another_client_after_the_call_is_no_part_of_it(
    left: _Left, sim: Simulator, recorded: Telemetry
) -> None:
    """A worker that a hook has started reaches the API without the SDK: its requests are recorded, without a call."""
    left.app.create()
    other = type(left.app.http)()
    body, headers = request_of(), {"anthropic-version": "2023-06-01", "x-api-key": API_KEY}
    request = other.build_request("POST", f"{sim.base_url}/v1/messages", json=body, headers=headers)
    left.app.http.event_hooks = {}
    left.context.run(lambda: left.app.driver(other.send(request)))
    assert len(sim.requests) == len(recorded.attempts) == 2
    identities.check_every_attempt_ended_once(recorded, 0)
    [duration] = recorded.points(instruments.CALL_DURATION)
    assert duration.count == 1
    left.app.driver.close(other)


def test_event_hooks_record_what_a_task_sends_after_the_call(
    left: _Left, stack: Stack, sim: Simulator, recorded: Telemetry
) -> None:
    """A worker that a hook has started has a client of its own with `event_hooks()`: each request is an attempt."""
    left.app.create()
    endpoint = Endpoint(sim.base_url)
    client = http_client(stack, endpoint, event_hooks=recorded.event_hooks())
    own = BareApp(stack, endpoint, left.app.driver, http=client)
    sim.play("http_529")
    assert [left.context.run(own.send).status_code for _ in range(2)] == [529, 200]
    own.close()
    statuses = [(span.attributes or {})[semconv.HTTP_RESPONSE_STATUS_CODE] for span in recorded.attempts]
    assert statuses == [200, 529, 200]
    identities.check_every_attempt_ended_once(recorded, 0)


def test_a_late_attempt_is_not_kept_by_its_call(left: _Left, recorded: Telemetry) -> None:
    """The span of a late attempt is freed with its response, without the garbage collector."""
    spans = _LiveSpans()
    recorded.tracer_provider.add_span_processor(spans)
    left.app.create()
    left.send()
    assert len(spans.started) >= 2
    collect_garbage()
    spans.started.clear()
    gc.disable()
    try:
        answer = left.send()
        if RESPONSES_ARE_CYCLES:
            answer.stream = None
        del answer
        left.app.driver.idle()
        [late] = spans.started
        assert late() is None
    finally:
        gc.enable()
