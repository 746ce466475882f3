"""Counts that are read when somebody collects."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from opentelemetry.metrics import CallbackOptions

from anthropic_otel._core import semconv
from anthropic_otel._otel import attributes
from anthropic_otel._otel.attributes import MAX_SETS, AttributeSets
from anthropic_otel._otel.counts import Count, Counts

NAMES = (semconv.OPERATION_NAME, semconv.GEN_AI_REQUEST_MODEL)


def observed(counts: Counts) -> dict[tuple[Any, ...], float]:
    found = list(counts.observe(CallbackOptions()))
    assert len({tuple((each.attributes or {}).items()) for each in found}) == len(found)
    return {tuple((each.attributes or {}).values()): each.value for each in found}


def test_each_set_of_attributes_has_a_count() -> None:
    """What does not apply is left out. Reading counts nothing."""
    counts = Counts(AttributeSets(NAMES))
    for facts in (("create", "a"), ("create", None), ("create", "a")):
        counts.add(facts)
    assert observed(counts) == {("create", "a"): 2, ("create",): 1}
    assert observed(counts) == {("create", "a"): 2, ("create",): 1}


def test_values_of_the_same_set_share_a_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound of the sets, and however many values there are."""
    monkeypatch.setattr(attributes, "MAX_SETS", 1)
    counts = Counts(AttributeSets(NAMES))
    for number in range(MAX_SETS + 10):
        counts.add(("create", f"model-{number}"))
    assert observed(counts) == {("create", "model-0"): 1, ("create", "_OTHER"): MAX_SETS + 9}
    assert len(counts._by_values) == MAX_SETS


def test_a_read_counts_nothing() -> None:
    """However often somebody reads."""
    count = Count()
    for expected in (1, 2, 3):
        next(count.added)
        assert [count.read(), count.read()] == [expected, expected]


def test_no_count_is_lost_between_threads() -> None:
    """Without a lock, which a signal handler or the garbage collector might wait for."""
    counts = Counts(AttributeSets(NAMES))
    start = threading.Barrier(4)

    def count() -> None:
        start.wait()
        for number in range(5_000):
            counts.add(("create", f"model-{number % 3}"))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(observed(counts).values()) == 20_000


def test_a_failure_while_collecting_is_held_back(caplog: pytest.LogCaptureFixture) -> None:
    """An exception would reach the app's reader, and take other metrics with it."""
    counts = Counts(AttributeSets(NAMES))
    counts._by_set[()] = None  # type: ignore[assignment]
    assert observed(counts) == {}
    assert [record.name for record in caplog.records] == ["anthropic_otel"]
