"""Message batches from their creation to their results, and lists in pages, as the real SDK uses them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import pytest

from anthropic_otel.simulator import ErrorEvent, Limits, Simulator
from support import stacks

MESSAGE: dict[str, Any] = {
    "model": "claude-sonnet-5-5",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Say something."}],
}
NOW = 1_800_000_000.0


def _batches(client: anthropic.Anthropic) -> Any:
    """Older SDKs have them as a beta only."""
    return client.messages.batches if hasattr(client.messages, "batches") else client.beta.messages.batches


def _asked(*custom_ids: str, **params: Any) -> list[dict[str, Any]]:
    return [{"custom_id": custom_id, "params": MESSAGE | params} for custom_id in custom_ids]


@pytest.fixture
def client(sim: Simulator) -> Iterator[anthropic.Anthropic]:
    """A client of the simulator that does not retry."""
    with anthropic.Anthropic(base_url=sim.base_url, api_key="none", max_retries=0) as each:
        yield each


@pytest.fixture
def batches(client: anthropic.Anthropic) -> Any:
    return _batches(client)


def _counts(batch: Any) -> dict[str, int]:
    return {name: count for name, count in batch.request_counts.to_dict().items() if count}


def test_a_batch_is_in_progress_until_it_is_polled(batches: Any) -> None:
    """It has no results before it has ended, which the first poll finds."""
    batch = batches.create(requests=_asked("a", "b"))
    assert (batch.processing_status, batch.results_url, batch.ended_at) == ("in_progress", None, None)
    assert _counts(batch) == {"processing": 2}
    with pytest.raises(anthropic.NotFoundError):
        batches._client.get(f"/v1/messages/batches/{batch.id}/results", cast_to=object)
    polled = batches.retrieve(batch.id)
    assert (polled.id, polled.processing_status, _counts(polled)) == (batch.id, "ended", {"succeeded": 2})
    assert polled.results_url.endswith(f"/v1/messages/batches/{batch.id}/results")


def test_the_results_are_those_of_each_request_in_another_order(batches: Any) -> None:
    """A request that the API does not take is an error among the results, and fails no other."""
    asked = [*_asked("whole"), *_asked("short", max_tokens=3), *_asked("wrong", messages=[])]
    batch = batches.create(requests=asked)
    results = list(batches.results(batch.id))
    assert [each.custom_id for each in results] == ["wrong", "short", "whole"]
    wrong, short, whole = (each.result for each in results)
    assert (wrong.type, wrong.error.error.type) == ("errored", "invalid_request_error")
    assert wrong.error.error.message == "messages: at least one message is required"
    assert (short.type, short.message.stop_reason) == ("succeeded", "max_tokens")
    assert (whole.message.usage.output_tokens, whole.message.usage.service_tier) == (12, "batch")
    assert _counts(batches.retrieve(batch.id)) == {"succeeded": 2, "errored": 1}
    again = list(batches.results(batch.id))
    assert [each.to_dict() for each in again] == [each.to_dict() for each in results]


def test_a_request_that_asks_for_a_stream_gets_no_stream(batches: Any) -> None:
    """Results are whole messages."""
    batch = batches.create(requests=_asked("a", stream=True))
    [result] = batches.results(batch.id)
    assert result.result.message.type == "message"


def test_a_batch_that_is_canceled_has_done_nothing(batches: Any) -> None:
    """It is canceling until it is polled. One that has ended cannot be canceled."""
    batch = batches.create(requests=_asked("a", "b"))
    canceling = batches.cancel(batch.id)
    assert (canceling.processing_status, _counts(canceling)) == ("canceling", {"processing": 2})
    assert canceling.cancel_initiated_at is not None
    assert batches.cancel(batch.id).cancel_initiated_at == canceling.cancel_initiated_at
    assert _counts(batches.retrieve(batch.id)) == {"canceled": 2}
    assert {each.result.type for each in batches.results(batch.id)} == {"canceled"}
    with pytest.raises(anthropic.BadRequestError):
        batches.cancel(batch.id)


def test_a_batch_that_is_deleted_is_gone(batches: Any) -> None:
    """Only one that has ended can be deleted."""
    batch = batches.create(requests=_asked("a"))
    with pytest.raises(anthropic.BadRequestError):
        batches.delete(batch.id)
    batches.retrieve(batch.id)
    assert batches.delete(batch.id).to_dict() == {"id": batch.id, "type": "message_batch_deleted"}
    missing: list[Callable[[str], Any]] = [batches.retrieve, batches.cancel, batches.delete, batches.results]
    for use in missing:
        with pytest.raises(anthropic.NotFoundError):
            use(batch.id)
    assert list(batches.list()) == []


def test_a_batch_that_nobody_polls_for_a_day_expires() -> None:
    """By the simulator's clock, which also dates it."""
    now = [NOW]
    with (
        Simulator(clock=lambda: now[0]) as sim,
        anthropic.Anthropic(base_url=sim.base_url, api_key="none", max_retries=0) as client,
    ):
        batches = _batches(client)
        batch = batches.create(requests=_asked("a"))
        assert (batch.created_at.timestamp(), batch.expires_at.timestamp()) == (NOW, NOW + 86_400)
        now[0] += 86_400
        ended = batches.retrieve(batch.id)
        assert (_counts(ended), ended.ended_at.timestamp()) == ({"expired": 1}, now[0])
        now[0] = 253_402_300_799.0
        assert batches.create(requests=_asked("a")).expires_at.year == 9999


def test_an_sdk_pages_through_the_batches_from_the_latest_on(batches: Any) -> None:
    """Forwards and backwards, in pages of any size, each batch comes once."""
    made = [batches.create(requests=_asked("a")).id for _ in range(7)][::-1]
    for size in (1, 2, 3, 7, 20):
        assert [batch.id for batch in batches.list(limit=size)] == made
    assert [batch.id for batch in batches.list(limit=2, after_id=made[2])] == made[3:]
    before = batches.list(limit=2, before_id=made[5])
    assert [batch.id for batch in before.data] == made[3:5]
    assert (before.has_more, before.first_id, before.last_id) == (True, made[3], made[4])
    assert sorted(batch.id for batch in before) == sorted(made[:5])
    first = batches.list(limit=4)
    assert (first.has_more, first.first_id, first.last_id) == (True, made[0], made[3])
    assert batches.retrieve(made[0]).processing_status == "ended"
    assert {batch.processing_status for batch in batches.list()} == {"ended", "in_progress"}


def test_an_sdk_pages_through_the_models(client: anthropic.Anthropic) -> None:
    """In pages of one, too."""
    whole = [model.id for model in client.models.list(limit=1000)]
    assert len(set(whole)) == len(whole) > 1
    assert [model.id for model in client.models.list(limit=1)] == whole
    assert [model.id for model in client.models.list(after_id=whole[0])] == whole[1:]


def test_without_a_batch_the_only_page_is_empty(batches: Any) -> None:
    """It names no id, and has no other page after it."""
    page = batches.list()
    assert (page.data, page.has_more, page.first_id, page.last_id) == ([], False, None, None)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"limit": 0}, "limit: Input should be greater than or equal to 1"),
        ({"limit": 1001}, "limit: Input should be less than or equal to 1000"),
        ({"limit": "x"}, "limit: Input should be a valid integer, unable to parse string as an integer"),
        ({"after_id": "msgbatch_none"}, "after_id: "),
        ({"before_id": "msgbatch_none"}, "before_id: "),
    ],
)
def test_a_page_that_there_is_not_is_refused(batches: Any, query: dict[str, Any], said: str) -> None:
    """A wrong size and an unknown place get a 400."""
    with pytest.raises(anthropic.BadRequestError) as raised:
        batches.list(extra_query=query)
    assert raised.value.response.json()["error"]["message"].startswith(said)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "requests: Field required"),
        ({"requests": 5}, "requests: Input should be a valid array"),
        ({"requests": []}, "requests: List should have at least 1 item after validation, not 0"),
        ({"requests": [5]}, "requests.0: Input should be an object"),
        ({"requests": _asked("a"), "model": "claude-opus-5"}, "model: Extra inputs are not permitted"),
        ({"requests": [{"params": MESSAGE}]}, "requests.0.custom_id: Field required"),
        ({"requests": [*_asked("a"), {"custom_id": "b"}]}, "requests.1.params: Field required"),
        ({"requests": [{"custom_id": "b", "params": 5}]}, "requests.0.params: Input should be an object"),
        ({"requests": _asked("a:b")}, "requests.0.custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'"),
        ({"requests": _asked("a" * 65)}, "requests.0.custom_id: String should match pattern"),
        ({"requests": _asked("a", "b", "a")}, "requests.2.custom_id: "),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_a_batch_that_cannot_be_is_refused(client: anthropic.Anthropic, body: dict[str, Any], said: str) -> None:
    """Ids with a colon are what people have met; the parameters of a request are not looked at before it runs."""
    with pytest.raises(anthropic.BadRequestError) as raised:
        client.post("/v1/messages/batches", body=body, cast_to=object)
    assert raised.value.response.json()["error"]["message"].startswith(said)


def test_results_have_no_error_event(batches: Any, sim: Simulator) -> None:
    """They are no event stream, so an error event ordered for them does nothing."""
    batch = batches.create(requests=_asked("a"))
    sim.play("ok", ErrorEvent("overloaded_error", "Overloaded"))
    assert [each.custom_id for each in batches.results(batch.id)] == ["a"]


@pytest.mark.parametrize(("fault", "prefix"), [("ok", ""), ("ok", "/anthropic"), ("ok_tls", "")])
def test_the_results_are_at_the_address_that_the_client_uses(sim: Simulator, fault: str, prefix: str) -> None:
    """Also with TLS, and behind the prefix of a platform that serves the API's own paths."""
    endpoint = sim.endpoint(fault)
    base_url = endpoint.base_url + prefix
    http_client = stacks.http_client(stacks.SDK_STACKS[0], endpoint)
    with anthropic.Anthropic(base_url=base_url, api_key="none", max_retries=0, http_client=http_client) as client:
        batches = _batches(client)
        batch = batches.create(requests=_asked("a"))
        assert batches.retrieve(batch.id).results_url == f"{base_url}/v1/messages/batches/{batch.id}/results"
        assert [each.custom_id for each in batches.results(batch.id)] == ["a"]


def test_a_rate_limit_that_turns_a_request_away_leaves_the_batches_as_they_are() -> None:
    """What got a 429 was not created, and not canceled."""
    now = [NOW]
    with (
        Simulator(clock=lambda: now[0], limits=Limits(requests=1)) as sim,
        anthropic.Anthropic(base_url=sim.base_url, api_key="none", max_retries=0) as client,
    ):
        batches = _batches(client)
        batch = batches.create(requests=_asked("a"))
        with pytest.raises(anthropic.RateLimitError):
            batches.create(requests=_asked("b"))
        with pytest.raises(anthropic.RateLimitError):
            batches.cancel(batch.id)
        now[0] += 60
        assert [(each.id, each.processing_status) for each in batches.list()] == [(batch.id, "in_progress")]


def test_the_oldest_batches_are_dropped() -> None:
    """As many are kept as have 256 MB, requests and results."""
    with (
        Simulator(record=False) as sim,
        anthropic.Anthropic(base_url=sim.base_url, api_key="none", max_retries=0, timeout=60) as client,
    ):
        batches = _batches(client)
        large = [{"role": "user", "content": "x" * 30_000_000}]
        made = [batches.create(requests=_asked("a", messages=large)).id for _ in range(10)][::-1]
        assert [batch.id for batch in batches.list()] == made[:8]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/v1/messages/batches/b"),
        ("GET", "/v1/messages/batches/b/cancel"),
        ("POST", "/v1/messages/batches/b/results"),
        ("POST", "/v1/models"),
        ("DELETE", "/v1/models/claude-sonnet-5-5"),
    ],
)
def test_a_method_that_a_path_does_not_have_is_refused(client: anthropic.Anthropic, method: str, path: str) -> None:
    """A wrong method gets a 405."""
    response = client._client.request(method, path, headers={"x-api-key": "k", "anthropic-version": "2023-06-01"})
    assert response.status_code == 405
