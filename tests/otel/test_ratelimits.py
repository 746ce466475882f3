"""The API's rate limits as gauges."""

from __future__ import annotations

import csv
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from anthropic_otel._core import instruments, semconv
from anthropic_otel._core.headers import RateLimitNames, rate_limit_names
from anthropic_otel._otel.limit import Answer, Limit
from anthropic_otel._otel.ratelimits import MAX_ACCOUNTS, MAX_KINDS, MAX_SETS, RateLimits

DATE: Final = b"Tue, 14 Nov 2023 22:13:20 GMT"
RECORDED: Final = Path(__file__).with_name("recorded_ratelimits.csv")
T = TypeVar("T")


def headers(kind: str = "ratelimit-requests", seconds: int | None = 30, **parts: bytes) -> dict[bytes, bytes]:
    """The headers of one kind, whose reset is so many seconds after the response's date."""
    told = {f"anthropic-{kind}-{part}".encode(): value for part, value in parts.items()}
    if seconds is not None:
        told |= {f"anthropic-{kind}-reset".encode(): f"2023-11-14T22:13:{20 + seconds:02}Z".encode(), b"date": DATE}
    return told


class Gauges:
    """The gauges, collected at a time that a test sets, by a reader or by another."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.reader = InMemoryMetricReader()
        self.other = InMemoryMetricReader()
        provider = MeterProvider([self.reader, self.other], shutdown_on_exit=False)
        self.limits = RateLimits(provider.get_meter("t"), lambda model: model, lambda: self.now)

    def saw(self, left: int, model: str | None = "a", limit: int = 100, seconds: int | None = 30) -> None:
        told = headers(seconds=seconds, limit=str(limit).encode(), remaining=str(left).encode())
        self.received(model, told)

    def received(self, model: str | None, told: dict[bytes, bytes]) -> None:
        self.limits.received(model, told, rate_limit_names(told))

    def read(
        self, metric: instruments.Metric, reader: InMemoryMetricReader | None = None
    ) -> dict[tuple[Any, ...], Any]:
        data: Any = (reader or self.reader).get_metrics_data()
        found = data.resource_metrics[0].scope_metrics[0].metrics if data else []
        return {
            tuple(sorted(point.attributes.items())): point.value
            for each in found
            if each.name == metric.name
            for point in each.data.data_points
        }

    def left(self, reader: InMemoryMetricReader | None = None) -> Any:
        """What is left of the only limit that there is."""
        [value] = self.read(instruments.RATELIMIT_REMAINING, reader).values()
        return value


@pytest.fixture
def gauges() -> Gauges:
    return Gauges()


def of(kind: str, model: str | None = "a", **others: str) -> tuple[Any, ...]:
    attributes = {semconv.RATELIMIT_KIND: kind, **({semconv.GEN_AI_REQUEST_MODEL: model} if model else {})}
    return tuple(sorted({**attributes, **others}.items()))


def elsewhere(work: Callable[[], T]) -> T:
    """What `work` returns in a thread of its own."""
    found: list[T] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]


# -- what is told ------------------------------------------------------------------------------------------------------


def test_kinds_are_taken_from_the_names(gauges: Gauges) -> None:
    """Whatever the API calls them, and whichever of them an account has."""
    kinds = {
        "ratelimit-tokens": "tokens",
        "ratelimit-input-tokens": "input_tokens",
        "priority-input-tokens": "priority_input_tokens",
        "fast-output-tokens": "fast_output_tokens",
        "ratelimit-web-searches": "web_searches",
    }
    gauges.received("a", {name: value for kind in kinds for name, value in headers(kind, limit=b"9").items()})
    assert gauges.read(instruments.RATELIMIT_LIMIT) == {of(kind): 9 for kind in kinds.values()}
    assert gauges.read(instruments.RATELIMIT_REMAINING) == {}


def test_a_window_of_a_subscription_has_a_utilization(gauges: Gauges) -> None:
    """Beside it are words and times, which are no limits."""
    prefix = b"anthropic-ratelimit-unified-"
    told = {b"status": b"allowed", b"reset": b"1700000000", b"5h-status": b"allowed", b"5h-reset": b"1700000000"}
    told |= {b"5h-utilization": b"0.25", b"7d-utilization": b"1.02", b"fallback-percentage": b"0.5"}
    # Those of one model's week have its name in theirs.
    told |= {b"7d_sonnet-utilization": b"0.75", b"7d_sonnet-reset": b"1700000000"}
    gauges.received("a", {prefix + name: value for name, value in told.items()})
    assert gauges.read(instruments.RATELIMIT_UTILIZATION) == {
        of("unified_5h"): 0.25,
        of("unified_7d"): 1.02,
        of("unified_7d_sonnet"): 0.75,
    }
    assert gauges.read(instruments.RATELIMIT_LIMIT) == gauges.read(instruments.RATELIMIT_REMAINING) == {}


def test_the_utilization_of_a_window_that_is_over_is_not_observed(gauges: Gauges) -> None:
    """An app that waits for the reset sends nothing. What the next window has used is not known until a response."""
    prefix = b"anthropic-ratelimit-unified-"
    told = {b"5h-utilization": b"1.0", b"5h-reset": b"1700000030"}
    told |= {b"7d-utilization": b"0.5", b"7d-reset": b"1699999999"}
    gauges.received("a", {b"date": DATE, **{prefix + name: value for name, value in told.items()}})
    gauges.now += 29
    assert gauges.read(instruments.RATELIMIT_UTILIZATION) == {of("unified_5h"): 1.0, of("unified_7d"): 0.5}
    gauges.now += 1
    assert gauges.read(instruments.RATELIMIT_UTILIZATION) == {of("unified_7d"): 0.5}
    told = {b"5h-utilization": b"0.01", b"5h-reset": b"1700018030"}
    gauges.received("a", {b"date": DATE, **{prefix + name: value for name, value in told.items()}})
    assert gauges.read(instruments.RATELIMIT_UTILIZATION) == {of("unified_5h"): 0.01, of("unified_7d"): 0.5}


def test_two_accounts_and_two_workspaces_have_limits_of_their_own(gauges: Gauges) -> None:
    """Two API keys in one process do not overwrite each other."""
    for organization, workspace, limit in ((b"o1", b"w1", b"1"), (b"o1", b"w2", b"2"), (b"o2", None, b"3")):
        told = {**headers(limit=limit), b"anthropic-organization-id": organization}
        gauges.received("a", {**told, **({b"anthropic-workspace-id": workspace} if workspace else {})})
    assert gauges.read(instruments.RATELIMIT_LIMIT) == {
        of("requests", **{semconv.ORGANIZATION_ID: "o1", semconv.WORKSPACE_ID: "w1"}): 1,
        of("requests", **{semconv.ORGANIZATION_ID: "o1", semconv.WORKSPACE_ID: "w2"}): 2,
        of("requests", **{semconv.ORGANIZATION_ID: "o2"}): 3,
    }


def test_another_model_has_limits_of_its_own(gauges: Gauges) -> None:
    """And so has a call without one."""
    for model, left in (("a", 8), ("b", 5), (None, 3)):
        gauges.saw(left, model)
    assert gauges.read(instruments.RATELIMIT_REMAINING) == {
        of("requests", "a"): 8,
        of("requests", "b"): 5,
        of("requests", None): 3,
    }


def test_every_recorded_response_is_understood(gauges: Gauges) -> None:
    """Of each response of the API all limits are on the gauges, as it told them, past resets or not."""
    responses: dict[str, list[dict[str, str]]] = {}
    with RECORDED.open(newline="") as file:
        for row in csv.DictReader(line for line in file if not line.startswith("#")):
            responses.setdefault(row["response"], []).append(row)
    for number, rows in responses.items():
        told: dict[bytes, bytes] = {b"date": DATE}
        for row in rows:
            prefix = f"anthropic-ratelimit-{row['kind']}-"
            told |= {(prefix + part).encode(): row[part].encode() for part in ("limit", "remaining") if row[part]}
            reset = 1_700_000_000 + int(row["reset_minus_date_s"] or 0)
            told[(prefix + "reset").encode()] = str(reset).encode()
        gauges.received(f"model-{number}", told)
        # What is left first: a collection later it may have grown.
        for metric, part in ((instruments.RATELIMIT_REMAINING, "remaining"), (instruments.RATELIMIT_LIMIT, "limit")):
            found = {key: value for key, value in gauges.read(metric).items() if f"model-{number}" in str(key)}
            expected = {(row["kind"].replace("-", "_")): int(row[part]) for row in rows if row[part]}
            assert found == {of(kind, f"model-{number}"): value for kind, value in expected.items()}
        gauges.now += 601
    assert len(responses) >= 40


# -- what is left ------------------------------------------------------------------------------------------------------


def test_what_is_left_is_the_lowest_since_the_last_collection(gauges: Gauges) -> None:
    """A bucket that was empty for a moment is full again when somebody looks."""
    for left in (90, 3, 95, 40, 99):
        gauges.saw(left)
    assert gauges.left() == 3
    gauges.saw(70)
    gauges.saw(80)
    assert gauges.left() == 70


def test_each_reader_is_told_of_the_lowest_since_it_looked_last(gauges: Gauges) -> None:
    """A reader is known by its thread."""
    release, looked = threading.Semaphore(0), threading.Semaphore(0)
    seen: list[int] = []

    def other() -> None:
        for _ in range(2):
            release.acquire()
            seen.append(gauges.left(gauges.other))
            looked.release()

    thread = threading.Thread(target=other)
    thread.start()
    release.release()
    gauges.saw(90)
    looked.acquire()
    assert gauges.left() == 90
    gauges.saw(7)
    assert gauges.left() == 7
    gauges.saw(60)
    assert gauges.left() == 60
    release.release()
    looked.acquire()
    thread.join()
    assert seen[1] == 7


def test_a_reader_with_a_new_thread_each_time_is_told_of_the_last_minute(gauges: Gauges) -> None:
    """As a scrape is: nothing is lost, if it comes every minute."""
    gauges.saw(1)
    gauges.now += 61
    gauges.saw(5)
    gauges.now += 59
    gauges.saw(9)
    assert elsewhere(gauges.left) == 5


def test_a_reader_is_told_of_the_last_minute_once_many_threads_have_read(gauges: Gauges) -> None:
    """Only some readers are remembered. One that was forgotten is told of more than is new to it, and of no less."""
    gauges.saw(3)
    assert gauges.left() == 3
    gauges.saw(7)
    together, reading = threading.Barrier(9), threading.Lock()

    def left(_: int) -> Any:
        # No thread ends before the last has begun, so that each has an id of its own.
        together.wait()
        with reading:
            return gauges.left()

    with ThreadPoolExecutor(9) as threads:
        assert list(threads.map(left, range(9))) == [3] * 9
    assert gauges.left() == 3


def test_what_is_left_grows_where_no_response_came(gauges: Gauges) -> None:
    """Towards the limit, in the time that the API named, and no further."""
    gauges.saw(40, seconds=30)
    seen = []
    for _ in range(4):
        seen.append(gauges.left())
        gauges.now += 15
    assert seen == [40, 70, 100, 100]


def test_what_was_low_when_another_reader_looked_is_low_still(gauges: Gauges) -> None:
    """It has grown only by the time that has passed since it was told."""
    gauges.saw(10, seconds=30)
    gauges.saw(99, seconds=0)
    assert (gauges.left(), gauges.left(gauges.other)) == (10, 10)
    gauges.now += 15
    assert gauges.left() == 55


@pytest.mark.parametrize("reset", [b"tomorrow", b"", b"9" * 65])
def test_without_a_time_nothing_grows(gauges: Gauges, reset: bytes) -> None:
    """A malformed reset counts as absent, and does not hide the limit."""
    told = headers(seconds=None, limit=b"10", remaining=b"4")
    gauges.received("a", {**told, b"anthropic-ratelimit-requests-reset": reset, b"date": DATE})
    assert gauges.left() == 4
    gauges.now += 599
    assert gauges.left() == 4


def test_nothing_is_known_after_ten_minutes(gauges: Gauges) -> None:
    """Until the next response."""
    gauges.saw(4)
    gauges.now += 599
    assert set(gauges.read(instruments.RATELIMIT_LIMIT).values()) == {100}
    gauges.now += 1
    assert gauges.read(instruments.RATELIMIT_LIMIT) == gauges.read(instruments.RATELIMIT_REMAINING) == {}
    gauges.saw(50)
    assert gauges.left() == 50


def test_no_low_is_lost_however_many_responses_come(gauges: Gauges) -> None:
    """Of more lows than are kept, each counts as long as the next higher one."""
    for left in range(1, 500):
        gauges.saw(left, limit=1_000)
    [limit] = gauges.limits._limits.values()
    assert len(limit.lows) <= 16
    assert gauges.left() == 1


def test_no_low_is_lost_between_threads(gauges: Gauges) -> None:
    """Whoever reads the headers of many responses: of no more than may be queued while the one that reads waits."""
    start = threading.Barrier(4)

    def respond(first: int) -> None:
        start.wait()
        for left in range(first, 200, 4):
            gauges.saw(200 - left, limit=5_000)

    threads = [threading.Thread(target=respond, args=(first,)) for first in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert gauges.left() == 1


def test_no_low_is_lost_that_comes_while_a_reader_collects(gauges: Gauges, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread is in the middle of reading the headers: the reader is told of them when it looks again."""
    gauges.saw(90)
    assert gauges.left() == 90
    gauges.saw(3)
    gauges.saw(80)
    take = Limit.take

    def late(limit: Limit, answers: list[Answer], names: RateLimitNames) -> None:
        monkeypatch.undo()
        gauges.left()
        take(limit, answers, names)

    monkeypatch.setattr(Limit, "take", late)
    gauges.limits._unread.process()
    gauges.now += 10
    assert gauges.left() == 3


def test_responses_that_tell_different_things_of_a_limit_hide_nothing(gauges: Gauges) -> None:
    """One says the limit alone, the next what is left of it: both are read, and those that came with them."""
    gauges.saw(7)
    gauges.received("a", headers(limit=b"9"))
    gauges.received("a", headers(remaining=b"5"))
    gauges.saw(8, "b")
    assert gauges.read(instruments.RATELIMIT_REMAINING) == {of("requests", "a"): 5, of("requests", "b"): 8}


def test_the_limit_is_that_of_the_last_response_whatever_headers_came_before(gauges: Gauges) -> None:
    """A refusal has other headers than the answers around it, which are read together."""
    for told in ({}, {b"retry-after": b"1"}, {}):
        gauges.now += 1
        gauges.received("a", headers(limit=str(int(gauges.now)).encode()) | told)
    assert gauges.read(instruments.RATELIMIT_LIMIT) == {of("requests"): int(gauges.now)}


# -- what a server makes up --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [b"-1", b"many", b"nan", b"9" * 19, b"\xff"])
def test_a_malformed_number_is_not_observed(gauges: Gauges, value: bytes) -> None:
    """The other one of its kind is."""
    gauges.received("a", headers(limit=value, remaining=b"3", utilization=value))
    assert gauges.read(instruments.RATELIMIT_LIMIT) == gauges.read(instruments.RATELIMIT_UTILIZATION) == {}
    assert gauges.read(instruments.RATELIMIT_REMAINING) == {of("requests"): 3}


@pytest.mark.parametrize("name", ["a-b-c-d-e-limit", "x" * 60 + "-limit", "UPPER-limit", "é-limit", "-limit", "limit"])
def test_a_name_that_is_no_kind_is_left_out(gauges: Gauges, name: str) -> None:
    """It is neither a label nor kept."""
    gauges.received("a", {f"anthropic-ratelimit-{name}".encode(): b"3"})
    assert gauges.read(instruments.RATELIMIT_LIMIT) == {}


def test_kinds_and_accounts_are_bounded(gauges: Gauges) -> None:
    """A server may make up as many as it likes."""
    for number in range(300):
        told = {**headers(f"ratelimit-k{number}", limit=b"1"), b"anthropic-organization-id": f"o{number}".encode()}
        gauges.received("a", {**told, **headers(limit=b"2")})
    points = [dict(key) for key in gauges.read(instruments.RATELIMIT_LIMIT)]
    assert len({point[semconv.RATELIMIT_KIND] for point in points}) == MAX_KINDS
    assert len({point[semconv.ORGANIZATION_ID] for point in points}) == MAX_ACCOUNTS + 1
    for number in range(2 * MAX_SETS):
        gauges.saw(1, f"m{number}")
    assert len(gauges.read(instruments.RATELIMIT_LIMIT)) <= MAX_SETS + MAX_KINDS


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_reports_on_though_a_thread_of_its_parent_was_reading(gauges: Gauges) -> None:
    """Its copy of the lock is held by nobody who could release it."""
    gauges.saw(50)
    assert gauges.left() == 50
    with gauges.limits._unread._lock:
        child = os.fork()
        if not child:
            ended = 1
            try:
                gauges.saw(7)
                ended = int(gauges.left() != 7)
            finally:
                os._exit(ended)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_lock_that_an_interrupt_has_left_is_given_up(gauges: Gauges) -> None:
    """Once the queue is full, and from then on what comes is reported."""
    gauges.limits._unread._lock.acquire()
    for left in range(300, 99, -1):
        gauges.saw(left, limit=1_000)
    assert gauges.left() == 100


def test_a_full_queue_waits_for_the_thread_that_reads(gauges: Gauges, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many responses come meanwhile: two threads at once would take a response out of the other's hands."""
    take, readers = Limit.take, list[int]()

    def respond() -> None:
        for left in range(500, 200, -1):
            gauges.saw(left, limit=1_000)

    def slow(limit: Limit, answers: list[Answer], names: RateLimitNames) -> None:
        readers.append(threading.get_ident())
        if len(readers) == 1:
            elsewhere(respond)
        take(limit, answers, names)

    monkeypatch.setattr(Limit, "take", slow)
    gauges.saw(700, limit=1_000)
    gauges.limits._unread.process()
    assert readers == [threading.get_ident()]
    assert gauges.left() == 201


def test_a_failure_while_collecting_is_held_back(gauges: Gauges, caplog: pytest.LogCaptureFixture) -> None:
    """An exception would reach the app's reader, and take other metrics with it."""
    gauges.received("a", {b"anthropic-ratelimit-requests-limit": 7})  # type: ignore[dict-item]
    assert gauges.read(instruments.RATELIMIT_LIMIT) == {}
    assert {record.name for record in caplog.records} == {"anthropic_otel"}
