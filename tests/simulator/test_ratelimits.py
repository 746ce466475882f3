"""The simulated rate limits are the API's: buckets that refill all the time, told as recorded responses tell them."""

from __future__ import annotations

import csv
import itertools
import math
from collections.abc import Callable, Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final

import anthropic
import pytest

from anthropic_otel.simulator import Limits, Reply, Simulator
from anthropic_otel.simulator.limits import Cost
from anthropic_otel.simulator.ratelimits import RateLimits

MESSAGE: Final[dict[str, Any]] = {
    "model": "claude-sonnet-5-5",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Say something."}],
}
NOON: Final = 1_800_000_000.0
LATENCY: Final = 12
"""The seconds between a request and its headers that recorded responses took at most."""


def _recorded() -> list[dict[str, dict[str, str]]]:
    """The rows of each response, by kind."""
    lines = (Path(__file__).parent / "recorded_ratelimits.csv").read_text("utf-8").splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    grouped = itertools.groupby(rows, key=lambda row: row["response"])
    return [{row["kind"]: row for row in group} for _, group in grouped]


RECORDED: Final = _recorded()


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limited(clock: Clock) -> Iterator[Callable[[Limits], anthropic.Anthropic]]:
    """Makes a client, without retries, of a simulator with those limits."""
    opened: list[Any] = []

    def make(limits: Limits) -> anthropic.Anthropic:
        simulator = Simulator(limits=limits, clock=clock).start()
        client = anthropic.Anthropic(base_url=simulator.base_url, api_key="none", max_retries=0)
        opened.extend((client.close, simulator.stop))
        return client

    yield make
    for close in opened:
        close()


def _headers(client: anthropic.Anthropic, **more: Any) -> dict[str, str]:
    """The headers of the response to one message."""
    return dict(client.messages.with_raw_response.create(**MESSAGE | more).headers)


def _refused(client: anthropic.Anthropic, **more: Any) -> anthropic.RateLimitError:
    with pytest.raises(anthropic.RateLimitError) as raised:
        client.messages.create(**MESSAGE | more)
    return raised.value


def _ahead(headers: dict[str, str], kind: str) -> float:
    """By how many seconds the reset is after the response's date."""
    reset = datetime.fromisoformat(headers[f"anthropic-{kind}-reset"].replace("Z", "+00:00"))
    return (reset - parsedate_to_datetime(headers["date"])).total_seconds()


# -- as recorded -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", RECORDED, ids=lambda rows: next(iter(rows.values()))["response"])
def test_headers_are_those_of_a_recorded_response(rows: dict[str, dict[str, str]]) -> None:
    """An account that has used as much is told the same limits, remainders and, but for the latency, resets."""
    clock = Clock()

    def number(kind: str, what: str) -> int:
        return int(rows[kind][what])

    limits = Limits(
        requests=number("requests", "limit") if "requests" in rows else None,
        input_tokens=number("input-tokens", "limit"),
        output_tokens=number("output-tokens", "limit"),
    )
    used = {kind: number(kind, "limit") - number(kind, "remaining") for kind in rows}
    account = RateLimits(limits, clock)
    for _ in range(used.get("requests", 1) - 1):
        account.spend(Cost())
    headers = dict(account.spend(Cost(used["input-tokens"], used["output-tokens"])))
    told = {name.rsplit("-", 1)[0].removeprefix("anthropic-ratelimit-") for name in headers}
    assert told == set(rows)
    for kind, row in rows.items():
        assert headers[f"anthropic-ratelimit-{kind}-limit"] == row["limit"]
        assert headers[f"anthropic-ratelimit-{kind}-remaining"] == row["remaining"]
        reset = datetime.fromisoformat(headers[f"anthropic-ratelimit-{kind}-reset"].replace("Z", "+00:00"))
        ahead = reset.timestamp() - NOON
        assert ahead - LATENCY <= int(row["reset_minus_date_s"]) <= ahead + 1


def test_the_recorded_responses_show_what_they_are_taken_for() -> None:
    """A healthy reset is now or past, requests may be missing, and `tokens` has the sum and the earlier reset."""
    ahead = [max(int(row["reset_minus_date_s"]) for row in rows.values()) for rows in RECORDED]
    assert sum(seconds <= 0 for seconds in ahead) == len(RECORDED) - 3
    assert sum("requests" not in rows for rows in RECORDED) == 9
    for rows in RECORDED:
        both = (rows["input-tokens"], rows["output-tokens"])
        for what in ("limit", "remaining"):
            assert int(rows["tokens"][what]) == sum(int(row[what]) for row in both)
        assert int(rows["tokens"]["reset_minus_date_s"]) == min(int(row["reset_minus_date_s"]) for row in both)


# -- what they tell ----------------------------------------------------------------------------------------------------


def test_a_healthy_service_resets_now_or_in_the_past(clock: Clock) -> None:
    """A request takes a few thousandths of a large bucket: it is full again before the response is dated."""
    with Simulator(clock=clock) as sim, anthropic.Anthropic(base_url=sim.base_url, api_key="none") as client:
        headers = _headers(client)
    assert headers["anthropic-ratelimit-requests-remaining"] == "3999"
    assert headers["anthropic-ratelimit-tokens-remaining"] == headers["anthropic-ratelimit-tokens-limit"] == "480000"
    assert {_ahead(headers, f"ratelimit-{kind}") for kind in ("requests", "tokens", "input-tokens")} == {0}


def test_a_bucket_refills_all_the_time(clock: Clock) -> None:
    """Twelve seconds bring back one of five requests; the reset is when all are back."""
    account = RateLimits(Limits(requests=5), clock)
    for _ in range(3):
        headers = dict(account.spend(Cost()))
    assert headers["anthropic-ratelimit-requests-remaining"] == "2"
    assert headers["anthropic-ratelimit-requests-reset"] == "2027-01-15T08:00:36Z"
    clock.now += 12
    headers = dict(account.spend(None))
    assert headers["anthropic-ratelimit-requests-remaining"] == "3"
    assert headers["anthropic-ratelimit-requests-reset"] == "2027-01-15T08:00:36Z"


def test_tokens_are_told_in_thousands(clock: Clock) -> None:
    """The remainder is the nearest thousand, of one kind as of their sum."""
    headers = dict(RateLimits(Limits(), clock).spend(Cost(input=1_499, output=1_501)))
    left = {kind: headers[f"anthropic-ratelimit-{kind}-remaining"] for kind in ("input-tokens", "output-tokens")}
    assert left == {"input-tokens": "399000", "output-tokens": "78000"}
    assert headers["anthropic-ratelimit-tokens-remaining"] == "477000"


def test_a_limit_that_an_account_does_not_have_is_not_told(limited: Callable[[Limits], anthropic.Anthropic]) -> None:
    """Without a limit on requests the response has the tokens' headers only."""
    headers = _headers(limited(Limits(requests=None)))
    told = {name for name in headers if "ratelimit" in name}
    assert len(told) == 9
    assert not any("requests" in name for name in told)


def test_capacity_of_its_own_is_told_apart(limited: Callable[[Limits], anthropic.Anthropic]) -> None:
    """Priority Tier is told unless the request declines it; fast mode only to a request that asks for it."""
    client = limited(Limits(priority=(10_000, 8_000), fast=(2_000, 1_000)))
    headers = _headers(client)
    assert headers["anthropic-priority-input-tokens-limit"] == "10000"
    assert headers["anthropic-priority-output-tokens-remaining"] == "8000"
    assert not any("fast" in name for name in headers)
    assert not any("priority" in name for name in _headers(client, service_tier="standard_only"))
    fast = _headers(client, model="claude-opus-5-5", extra_body={"speed": "fast"})
    assert fast["anthropic-fast-input-tokens-limit"] == "2000"
    assert fast["anthropic-fast-output-tokens-reset"] == "2027-01-15T08:00:00Z"


def test_a_subscription_is_told_its_windows_only(
    limited: Callable[[Limits], anthropic.Anthropic], clock: Clock
) -> None:
    """The share of each window that is used, its end in seconds since the epoch, and which one is nearest to it."""
    client = limited(Limits(unified=(100, 1_000)))
    headers = {name: value for name, value in _headers(client).items() if "ratelimit" in name}
    prefix = "anthropic-ratelimit-unified-"
    assert all(name.startswith(prefix) for name in headers)
    assert headers[f"{prefix}status"] == headers[f"{prefix}5h-status"] == "allowed"
    assert 0 < float(headers[f"{prefix}7d-utilization"]) < float(headers[f"{prefix}5h-utilization"]) < 1
    assert headers[f"{prefix}representative-claim"] == "five_hour"
    assert headers[f"{prefix}reset"] == headers[f"{prefix}5h-reset"] == str(int(clock.now) + 5 * 3600)


# -- who is turned away ------------------------------------------------------------------------------------------------


def test_limits_that_are_not_given_turn_nobody_away(clock: Clock) -> None:
    """By default the headers count down to nothing, and every request passes."""
    account = RateLimits(None, clock)
    for _ in range(4_100):
        headers = dict(account.spend(Cost()))
    assert headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert account.exceeded(Cost()) is None


def test_an_empty_bucket_turns_away_until_there_is_room(
    limited: Callable[[Limits], anthropic.Anthropic], clock: Clock
) -> None:
    """The third of two requests a minute gets a 429 that says 30 s, and passes 30 s later, not a second earlier."""
    client = limited(Limits(requests=2))
    for _ in range(2):
        client.messages.create(**MESSAGE)
    error = _refused(client)
    assert error.type == "rate_limit_error"
    assert "2 requests per minute" in error.message
    assert error.response.headers["retry-after"] == "30"
    assert error.response.headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert error.request_id
    clock.now += 29
    assert _refused(client).response.headers["retry-after"] == "1"
    clock.now += 1
    client.messages.create(**MESSAGE)


def test_a_prompt_that_is_turned_away_is_not_cached(
    limited: Callable[[Limits], anthropic.Anthropic], clock: Clock
) -> None:
    """The API has not read it: the request that passes writes the cache, and the next one reads it."""
    client = limited(Limits(requests=1))
    marked: dict[str, Any] = {
        "system": [{"type": "text", "text": "rules " * 100, "cache_control": {"type": "ephemeral"}}]
    }
    client.messages.create(**MESSAGE)
    _refused(client, **marked)
    written = []
    for _ in range(2):
        clock.now += 60
        usage = client.messages.create(**MESSAGE, **marked).usage
        written.append((bool(usage.cache_creation_input_tokens), bool(usage.cache_read_input_tokens)))
    assert written == [(True, False), (False, True)]


def test_a_request_may_be_turned_away_while_something_is_left(
    limited: Callable[[Limits], anthropic.Anthropic],
) -> None:
    """A prompt that is larger than what is left gets a 429 whose remainder is not 0."""
    client = limited(Limits(input_tokens=10_000))
    client.messages.create(**MESSAGE | {"messages": [{"role": "user", "content": "x" * 20_000}]})
    error = _refused(client, messages=[{"role": "user", "content": "x" * 28_000}])
    assert "10,000 input tokens per minute" in error.message
    assert error.response.headers["anthropic-ratelimit-input-tokens-remaining"] == "5000"
    assert 1 <= int(error.response.headers["retry-after"]) <= 60
    client.messages.create(**MESSAGE)


def test_retry_after_is_enough(clock: Clock) -> None:
    """Whoever waits for as long as the limit that has room last asks for, passes."""
    account = RateLimits(Limits(requests=7, input_tokens=9_000, output_tokens=3_000), clock)
    for cost in (Cost(3_000, 100), Cost(1_000, 1_900), Cost(2_500, 900), Cost(4_000, 10)) * 5:
        while (reason := account.exceeded(cost)) is not None:
            clock.now += math.ceil(reason.retry_after)
            assert account.exceeded(cost) is None
        account.spend(cost)


def test_a_request_that_no_bucket_can_hold_never_passes(clock: Clock) -> None:
    """It is told to wait until the bucket is full, and is turned away again."""
    account = RateLimits(Limits(input_tokens=1_000, fast=(0, 0)), clock)
    assert account.exceeded(Cost(input=2_000)) is not None
    clock.now += 3_600
    assert account.exceeded(Cost(input=2_000)) is not None
    assert account.exceeded(Cost(input=1, fast=True)) is not None
    assert account.exceeded(Cost(input=1)) is None


def test_a_subscription_that_is_used_up_is_turned_away_to_the_windows_end(
    limited: Callable[[Limits], anthropic.Anthropic], clock: Clock
) -> None:
    """The 429 names the window that is used up, and `retry-after` leads to its end."""
    client = limited(Limits(unified=(10, 1_000)))
    client.messages.create(**MESSAGE)
    clock.now += 600
    headers = _refused(client).response.headers
    assert (
        headers["anthropic-ratelimit-unified-5h-status"] == headers["anthropic-ratelimit-unified-status"] == "rejected"
    )
    assert headers["retry-after"] == str(5 * 3600 - 600)
    clock.now += 5 * 3600 - 600
    client.messages.create(**MESSAGE)


def test_the_sdk_waits_as_long_as_it_is_told(
    limited: Callable[[Limits], anthropic.Anthropic], clock: Clock, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A retry that comes when `retry-after` is over passes."""
    client = limited(Limits(requests=6)).with_options(max_retries=1)
    for _ in range(6):
        client.messages.create(**MESSAGE)
    monkeypatch.setattr("support.backoff.time.sleep", lambda _: setattr(clock, "now", clock.now + waits[-1]))
    client.messages.create(**MESSAGE)
    assert waits == [10.0]


def test_a_clock_that_is_set_back_gives_nothing(clock: Clock) -> None:
    """Time that goes backwards refills no bucket, and breaks none."""
    account = RateLimits(Limits(requests=1), clock)
    account.spend(Cost())
    clock.now -= 3_600
    assert account.exceeded(Cost()) is not None
    clock.now += 60
    assert account.exceeded(Cost()) is None


def test_a_success_may_have_a_retry_after(sim: Simulator) -> None:
    """Recorded responses of status 200 have one; a reply of one's own can, and keeps the rest of the API's headers."""
    sim.play(Reply(headers=(("retry-after", "59"),)))
    with anthropic.Anthropic(base_url=sim.base_url, api_key="none", max_retries=0) as client:
        headers = _headers(client)
    assert headers["retry-after"] == "59"
    assert headers["anthropic-ratelimit-requests-limit"] == "4000"
