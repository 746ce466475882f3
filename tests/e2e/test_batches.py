"""A message batch from its creation to its results: what is recorded of the calls that it takes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from anthropic_otel import instrument, uninstrument
from anthropic_otel.simulator import Cut, Ending, Point, Reply, Simulator
from anthropic_otel.testing import Captured, capture
from support import stacks
from support.apps import MODEL
from support.driver import Driver


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def driver(request: pytest.FixtureRequest) -> Iterator[Driver]:
    with Driver(asynchronous=request.param) as made:
        yield made


@pytest.fixture
def captured() -> Iterator[Captured]:
    instrument()
    with capture() as telemetry:
        yield telemetry
    uninstrument()


@pytest.fixture
def batches(sim: Simulator, driver: Driver) -> Iterator[Any]:
    """The SDK's resource; older SDKs have it as a beta only."""
    client_class = anthropic.AsyncAnthropic if driver.asynchronous else anthropic.Anthropic
    client = client_class(base_url=sim.base_url, api_key="none", max_retries=0)
    yield client.messages.batches if hasattr(client.messages, "batches") else client.beta.messages.batches
    driver.close(client)


def _asked(*custom_ids: str, **params: Any) -> list[Any]:
    message = {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}
    return [{"custom_id": custom_id, "params": message | params} for custom_id in custom_ids]


def _told(captured: Captured) -> list[tuple[str, str, list[str | None]]]:
    calls = captured.calls
    return [(call.operation or "", call.outcome, [each.error_type for each in call.attempts]) for call in calls]


def _results(driver: Driver, batches: Any, name: str) -> list[Any]:
    results = driver(batches.results(name))
    found = driver.read(results)
    if hasattr(results, "close"):
        driver.close(results)
    return found


def test_every_call_of_a_batch_is_named_and_succeeds(driver: Driver, batches: Any, captured: Captured) -> None:
    """A request of the batch that failed is no failure of the call that fetches the results."""
    batch = driver(batches.create(requests=[*_asked("a", "b"), *_asked("c", messages=[])]))
    assert {each.result.type for each in _results(driver, batches, batch.id)} == {"succeeded", "errored"}
    names = ["create", "retrieve", "results"]
    if hasattr(batches, "delete"):  # not in older SDKs
        driver(batches.delete(batch.id))
        names.append("delete")
    assert _told(captured) == [(f"messages.batches.{name}", "succeeded", [None]) for name in names]


def test_a_batch_that_is_canceled_and_each_page_of_the_list_are_calls(
    driver: Driver, batches: Any, captured: Captured, sim: Simulator
) -> None:
    """A list that the SDK pages through is as many calls as the SDK fetches pages: older ones fetch one too many."""
    for _ in range(3):
        batch = driver(batches.create(requests=_asked("a")))
    driver(batches.cancel(batch.id))
    found = driver.read(batches.list(limit=2))
    assert [each.processing_status for each in found] == ["canceling", "in_progress", "in_progress"]
    pages = sum(request.method == "GET" for request in sim.requests)
    assert pages >= 2
    names = ["create", "create", "create", "cancel", *["list"] * pages]
    assert _told(captured) == [(f"messages.batches.{name}", "succeeded", [None]) for name in names]


def test_a_batch_that_is_not_there_is_a_failed_call(driver: Driver, batches: Any, captured: Captured) -> None:
    """The API's 404 is what the attempt and the call have failed by."""
    with pytest.raises(anthropic.NotFoundError):
        driver(batches.retrieve("msgbatch_none"))
    assert _told(captured) == [("messages.batches.retrieve", "failed", ["404"])]


@pytest.mark.parametrize(
    ("ending", "error_type"), [(Ending.RESET, "connection_reset"), (Ending.CLOSE, "incomplete_body")]
)
def test_results_that_break_off_fail_the_attempt(
    driver: Driver, batches: Any, captured: Captured, sim: Simulator, ending: Ending, error_type: str
) -> None:
    """The app has no more than the lines that came before."""
    batch = driver(batches.create(requests=_asked(*"abcdefgh")))
    sim.play("ok", Cut(Point.BODY, ending, after=3))
    results = driver(batches.results(batch.id))
    found: list[Any] = []
    with pytest.raises(stacks.SDK_STACKS[0].module.TransportError):
        driver.each(results, found.append)
    if hasattr(results, "close"):
        driver.close(results)
    # The SDK reads blocks of some size, and drops one that has not come as a whole.
    assert [each.custom_id for each in found] == ["h", "g", "f"][: len(found)]
    assert _told(captured)[-1] == ("messages.batches.results", "failed", [error_type])


def test_results_that_end_cleanly_within_a_line_are_no_answer(
    driver: Driver, batches: Any, captured: Captured, sim: Simulator
) -> None:
    """What is cut off can be told from results that are whole."""
    batch = driver(batches.create(requests=_asked("a", "b")))
    line = json.dumps({"custom_id": "a", "result": {"type": "canceled"}}).encode() + b"\n"
    sim.play("ok", Reply(body=line + line[:20], content_type="application/x-jsonl"))
    with pytest.raises(json.JSONDecodeError):
        _results(driver, batches, batch.id)
    assert _told(captured)[-1] == ("messages.batches.results", "failed", ["unexpected_content"])
