"""The gauges of the API's rate limits, of an app whose headers are those that the real API sends.

Rule: an app sees only what the account's limits make of its requests; a test says which limits the account has.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import anthropic
import pytest

from anthropic_otel._core import instruments
from anthropic_otel.simulator import Endpoint, Limits, Reply, Simulator
from support.apps import MODEL, SdkApp, request_of
from support.driver import Driver
from support.stacks import SDK_STACKS, Stack
from support.telemetry import Point, Telemetry

KIND: Final = "anthropic.client.ratelimit.kind"
FAR: Final = "2100-01-01T00:00:00Z"
SHARED: Final = {"requests", "tokens", "input_tokens", "output_tokens"}


@pytest.fixture(params=SDK_STACKS, ids=lambda stack: stack.name)
def stack(request: pytest.FixtureRequest) -> Stack:
    found: Stack = request.param
    return found


@contextmanager
def app_at(stack: Stack, telemetry: Telemetry, limits: Limits | None = None) -> Iterator[tuple[SdkApp, Simulator]]:
    """An instrumented app, and the simulator of an account with those limits."""
    with Simulator(limits=limits) as sim, Driver(asynchronous=stack.asynchronous) as driver:
        telemetry.instrument()
        app = SdkApp(stack, Endpoint(sim.base_url), driver, telemetry, max_retries=0)
        try:
            yield app, sim
        finally:
            app.close()


def kinds(telemetry: Telemetry, metric: instruments.Metric) -> dict[str, Point]:
    """The points of a gauge by kind."""
    return {str(point.attributes[KIND]): point for point in telemetry.points(metric)}


def test_a_healthy_account_has_its_limits_on_gauges(stack: Stack, recorded: Telemetry) -> None:
    """Resets that are now or in the past do not take the limits off: every kind is there, for the model."""
    with app_at(stack, recorded) as (app, _):
        app.create()
        for metric in (instruments.RATELIMIT_LIMIT, instruments.RATELIMIT_REMAINING):
            points = kinds(recorded, metric)
            assert set(points) == SHARED
            assert {point.attributes["gen_ai.request.model"] for point in points.values()} == {MODEL}
        assert kinds(recorded, instruments.RATELIMIT_LIMIT)["input_tokens"].sum == 400_000


@pytest.mark.parametrize("name", ["http_400", "http_529", "stream_overloaded", "ok_gzip"])
def test_every_response_of_the_api_tells_of_limits(name: str, stack: Stack, recorded: Telemetry) -> None:
    """A refusal and a stream that breaks have the headers too."""
    with app_at(stack, recorded) as (app, sim):
        sim.play(name)
        with suppress(anthropic.APIError):
            app.meet(stream=name.startswith("stream"))
        assert set(kinds(recorded, instruments.RATELIMIT_LIMIT)) == SHARED


def test_limits_are_reported_without_one_on_requests(stack: Stack, recorded: Telemetry) -> None:
    """Any header of rate limits is the mark: many accounts are told of no limit on requests."""
    with app_at(stack, recorded, Limits(requests=None)) as (app, sim):
        sim.play(Reply(headers=(("anthropic-ratelimit-tokens-reset", FAR),)))
        app.create()
        assert "tokens" in kinds(recorded, instruments.RATELIMIT_LIMIT)


def test_remaining_is_the_lowest_since_the_last_collection(stack: Stack, recorded: Telemetry) -> None:
    """A bucket that was nearly empty for a moment shows, though it was full again before anybody looked."""
    name = "anthropic-ratelimit-requests"
    with app_at(stack, recorded) as (app, sim):
        for left in ("4000", "3", "3900"):
            sim.play(Reply(headers=((f"{name}-remaining", left), (f"{name}-reset", FAR))))
            app.create()
        assert kinds(recorded, instruments.RATELIMIT_REMAINING)["requests"].sum == 3


def test_priority_and_fast_capacity_are_kinds(stack: Stack, recorded: Telemetry) -> None:
    """Their headers make kinds of their own beside the shared ones."""
    with app_at(stack, recorded, Limits(priority=(10_000, 8_000), fast=(2_000, 1_000))) as (app, _):
        app.create(model="claude-opus-5-5", extra_body={"speed": "fast"})
        own = {f"{tier}_{kind}_tokens" for tier in ("priority", "fast") for kind in ("input", "output")}
        assert own <= set(kinds(recorded, instruments.RATELIMIT_LIMIT))


def test_a_subscriptions_windows_are_told_as_utilization(stack: Stack, recorded: Telemetry) -> None:
    """An account on a subscription has the used share of five hours and of seven days, and no other limits."""
    with app_at(stack, recorded, Limits(unified=(100, 1_000))) as (app, _):
        app.create()
        assert "anthropic.client.ratelimit.utilization" in recorded.metric_names


def test_two_accounts_have_limits_of_their_own(sim: Simulator, recorded: Telemetry) -> None:
    """Two API keys of two organizations in one process are two series, each with its organization."""
    recorded.instrument()
    prefix = "anthropic-ratelimit-requests"
    for organization, limit in (("org-a", "50"), ("org-b", "4000")):
        headers = ((f"{prefix}-limit", limit), (f"{prefix}-reset", FAR), ("anthropic-organization-id", organization))
        sim.play(Reply(headers=headers))
        with anthropic.Anthropic(base_url=sim.base_url, api_key=f"key-of-{organization}") as client:
            client.messages.create(**request_of())
    points = [point for point in recorded.points(instruments.RATELIMIT_LIMIT) if point.attributes[KIND] == "requests"]
    found: dict[Any, float] = {point.attributes.get("anthropic.organization.id"): point.sum for point in points}
    assert found == {"org-a": 50, "org-b": 4000}


def test_limits_age_by_the_servers_clock(sim: Simulator, recorded: Telemetry) -> None:
    """A machine whose clock is a day ahead of the server's still reports what is left."""
    recorded.instrument()
    prefix = "anthropic-ratelimit-requests"
    dated = (("date", "Wed, 01 Jan 2020 00:00:00 GMT"), (f"{prefix}-reset", "2020-01-01T00:00:40Z"))
    sim.play(Reply(headers=((f"{prefix}-limit", "50"), (f"{prefix}-remaining", "10"), *dated)))
    with anthropic.Anthropic(base_url=sim.base_url, api_key="none") as client:
        client.messages.create(**request_of())
    [point] = [
        point for point in recorded.points(instruments.RATELIMIT_REMAINING) if point.attributes[KIND] == "requests"
    ]
    assert 10 <= point.sum < 50
