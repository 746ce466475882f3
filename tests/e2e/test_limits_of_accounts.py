"""Rate limits and models of an app, from what a server tells to what is collected.

Rule: the app is the real SDK, and all that a test says is which headers the server sends.
"""

from __future__ import annotations

from contextlib import suppress

import anthropic
import pytest

from anthropic_otel._core import instruments, semconv
from anthropic_otel.simulator import Reply, Simulator
from support.apps import MODEL, request_of
from support.telemetry import Point, Telemetry

PREFIX = "anthropic-ratelimit-requests"


def create(sim: Simulator, *headers: tuple[str, str], model: str = MODEL, status: int = 200) -> None:
    """One call that is answered with those headers."""
    error = None if status == 200 else "not_found_error"
    sim.play(Reply(status, error, headers=headers))
    with (
        anthropic.Anthropic(base_url=sim.base_url, api_key="none", max_retries=0) as client,
        suppress(anthropic.APIStatusError),
    ):
        client.messages.create(**{**request_of(), "model": model})


def requests(telemetry: Telemetry, metric: instruments.Metric) -> list[Point]:
    return [point for point in telemetry.points(metric) if point.attributes[semconv.RATELIMIT_KIND] == "requests"]


def test_a_bucket_that_was_low_for_a_moment_is_seen(sim: Simulator, recorded: Telemetry) -> None:
    """Though its reset has passed, and it was full again before anybody looked."""
    recorded.instrument()
    limit, past = (f"{PREFIX}-limit", "50"), (f"{PREFIX}-reset", "2020-01-01T00:00:00Z")
    for left in ("49", "0", "48"):
        create(sim, limit, (f"{PREFIX}-remaining", left), past)
    assert [point.sum for point in requests(recorded, instruments.RATELIMIT_REMAINING)] == [0]
    assert [point.sum for point in requests(recorded, instruments.RATELIMIT_LIMIT)] == [50]


def test_two_accounts_in_one_process_are_two_series(sim: Simulator, recorded: Telemetry) -> None:
    """Each with its organization and its workspace."""
    recorded.instrument()
    for name, limit in (("a", "50"), ("b", "4000")):
        ids = (("anthropic-organization-id", f"org-{name}"), ("anthropic-workspace-id", f"ws-{name}"))
        create(sim, (f"{PREFIX}-limit", limit), *ids)
    found = {
        (point.attributes[semconv.ORGANIZATION_ID], point.attributes[semconv.WORKSPACE_ID]): point.sum
        for point in requests(recorded, instruments.RATELIMIT_LIMIT)
    }
    assert found == {("org-a", "ws-a"): 50, ("org-b", "ws-b"): 4000}


def test_a_window_of_a_subscription_is_told_as_utilization(sim: Simulator, recorded: Telemetry) -> None:
    """Beside whatever other limits there are."""
    recorded.instrument()
    create(sim, ("anthropic-ratelimit-unified-5h-utilization", "0.93"))
    [point] = recorded.points(instruments.RATELIMIT_UTILIZATION)
    assert (point.attributes[semconv.RATELIMIT_KIND], point.sum) == ("unified_5h", 0.93)


def test_limits_age_by_the_servers_clock(sim: Simulator, recorded: Telemetry) -> None:
    """A server whose clock is years behind this machine's tells when a limit is whole again all the same."""
    recorded.instrument()
    dated = (("date", "Wed, 01 Jan 2020 00:00:00 GMT"), (f"{PREFIX}-reset", "2020-01-01T01:00:00Z"))
    create(sim, (f"{PREFIX}-limit", "50"), (f"{PREFIX}-remaining", "10"), *dated)
    for _ in range(2):
        # Within an hour it has not grown by one in fifty seconds' time.
        assert [point.sum for point in requests(recorded, instruments.RATELIMIT_REMAINING)] == [10]


@pytest.mark.any_model
def test_models_that_are_rejected_do_not_hide_one_that_answers(sim: Simulator, recorded: Telemetry) -> None:
    """However many an app has mistyped."""
    recorded.instrument()
    for number in range(30):
        create(sim, model=f"mistyped-{number}", status=404)
    create(sim, model="arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/real")
    models = {point.attributes[semconv.GEN_AI_REQUEST_MODEL] for point in recorded.points(instruments.CALL_DURATION)}
    assert len(models) == 27
    assert {"real", "mistyped-0", "_OTHER"} <= models
