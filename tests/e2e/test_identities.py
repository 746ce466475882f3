"""The identities of the schema, by a clock that stands still but where a call or an attempt cuts it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from anthropic_otel.simulator import Endpoint, Simulator
from anthropic_otel.testing import Call, capture
from support.apps import SdkApp
from support.driver import Driver
from support.stacks import SDK_STACKS, Stack

pytestmark = pytest.mark.usefixtures("waits")
STORIES = {
    "an answer": ("ok",),
    "a recovery": ("http_529", "connection_reset", "ok"),
    "a refusal": ("http_400",),
    "an outage": ("http_503", "server_disconnected", "http_529"),
    "a body that fails": ("body_cut", "ok"),
}


@pytest.fixture(params=SDK_STACKS, ids=lambda stack: stack.name)
def app(request: pytest.FixtureRequest, sim: Simulator) -> Iterator[SdkApp]:
    """An app on each stack that the SDK takes."""
    stack: Stack = request.param
    with Driver(asynchronous=stack.asynchronous) as driver:
        app = SdkApp(stack, Endpoint(sim.base_url), driver)
        yield app
        app.close()


def _check(call: Call, attempts: int) -> None:
    assert len(call.attempts) == attempts == call.retries + 1
    assert call.duration == sum(attempt.duration for attempt in call.attempts) + call.backoff
    # The clock ticks once at each start and each end: every gap around and between the attempts is one second.
    assert call.backoff == attempts + 1
    for before, after in zip(call.attempts, call.attempts[1:], strict=False):
        assert after.started == before.started + before.duration + (after.retry_delay or 0)
        assert after.retry_delay == 1
        assert after.retry_reason == before.error_type


@pytest.mark.parametrize("story", STORIES)
def test_a_call_is_its_attempts_and_its_backoff(story: str, app: SdkApp, sim: Simulator) -> None:
    """Nothing of a call's time is lost, and none is counted twice."""
    sim.play(*STORIES[story])
    with capture() as captured:
        try:
            app.create()
        except Exception:
            assert "ok" not in STORIES[story]
        [call] = captured.calls
    _check(call, len(STORIES[story]))
    assert captured.in_flight == 0


def test_what_is_under_way_is_counted(app: SdkApp) -> None:
    """started = ended + in flight, at every moment."""
    with capture() as captured:
        streams = [app.create(stream=True) for _ in range(3)]
        assert (captured.started, captured.in_flight, len(captured.attempts)) == (3, 3, 0)
        app.driver.read(streams[0])
        assert (captured.started, captured.in_flight, len(captured.attempts)) == (3, 2, 1)
        for stream in streams:
            app.driver(stream.close())
        assert (captured.started, captured.in_flight, len(captured.attempts)) == (3, 0, 3)
        assert sorted(call.outcome for call in captured.calls) == ["abandoned", "abandoned", "succeeded"]
