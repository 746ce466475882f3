"""Rate limits by the minute, as the API has them: token buckets that refill all the time, and their headers.

Rule: times are what the caller says they are; nothing here has a clock.

What the headers say is what recorded responses of the API say:

- `reset` is when a bucket is *full* again, rounded down to a second, as seen when the request arrives. `Date` is taken
  when the response leaves, so in a healthy service `reset` is now or in the past.
- Of tokens, `remaining` is rounded to thousands. A request may be turned away while some are left.
- The kind `tokens` has the sum of both limits and remainders, and the earlier `reset`.
- An account without a limit on requests is told of none.
"""

from __future__ import annotations

import math
import time
from typing import Final

from anthropic_otel.simulator.actions import Headers
from anthropic_otel.simulator.limits import Cost, Limits, TurnedAway

_MINUTE: Final = 60.0


class Bucket:
    """Holds `limit` and refills at `limit` a minute."""

    def __init__(self, limit: int, now: float) -> None:
        self.limit: Final = limit
        self._level = float(limit)
        self._at = now

    def level(self, now: float) -> float:
        """Return what it holds. A clock that is set back adds nothing."""
        self._level = min(self.limit, self._level + max(0.0, now - self._at) * self.limit / _MINUTE)
        self._at = now
        return self._level

    def take(self, amount: int, now: float) -> None:
        """Take so much, or all that there is."""
        self._level = max(0.0, self.level(now) - amount)

    def lacks(self, amount: int, now: float) -> bool:
        """Return whether it holds less. A millionth counts as nothing, as levels are sums of fractions."""
        return self.level(now) < amount - 1e-6

    def seconds_to(self, amount: float, now: float) -> float:
        """Return how long it takes to hold so much; for more than it can hold, how long until it is full."""
        missing = min(amount, self.limit) - self.level(now)
        return max(0.0, missing) * _MINUTE / self.limit if self.limit else _MINUTE

    def full_at(self, now: float) -> int:
        """Return the second in which it is full again."""
        return int(now + self.seconds_to(self.limit, now)) if self.limit else int(now)


_Told = tuple[int, int, int]
"""A limit, what is left of it, and when it is whole again."""


class Buckets:
    """Requests, input tokens and output tokens, each by the minute; and capacity of its own for some requests."""

    def __init__(self, limits: Limits, now: float) -> None:
        self._requests = _bucket(limits.requests, now)
        self._shared = (_bucket(limits.input_tokens, now), _bucket(limits.output_tokens, now))
        self._priority = _pair(limits.priority, now)
        self._fast = _pair(limits.fast, now)

    def turned_away(self, cost: Cost, now: float) -> TurnedAway | None:
        """Return the limit that has room last, or `None`."""
        wanted = [(self._requests, 1, "requests")]
        wanted += zip(self._tokens(cost), (cost.input, cost.output), ("input tokens", "output tokens"), strict=True)
        lacking = [
            TurnedAway(_words(bucket, kind), bucket.seconds_to(amount, now))
            for bucket, amount, kind in wanted
            if bucket is not None and bucket.lacks(amount, now)
        ]
        return max(lacking, key=lambda each: each.retry_after, default=None)

    def take(self, cost: Cost, now: float) -> None:
        """Take a request, and its tokens from the capacity that they belong to."""
        amounts = (cost.input, cost.output)
        for pair in (self._tokens(cost), self._priority if cost.priority and not cost.fast else (None, None)):
            for bucket, amount in zip(pair, amounts, strict=True):
                if bucket is not None:
                    bucket.take(amount, now)
        if self._requests is not None:
            self._requests.take(1, now)

    def _tokens(self, cost: Cost) -> tuple[Bucket | None, Bucket | None]:
        return self._fast if cost.fast and self._fast != (None, None) else self._shared

    def headers(self, cost: Cost, now: float) -> Headers:
        """Return three headers of each kind that the account has."""
        shared = [_thousands(bucket, now) for bucket in self._shared if bucket is not None]
        headers: Headers = ()
        if self._requests is not None:
            requests = self._requests
            headers += _three(
                "ratelimit-requests", (requests.limit, math.floor(requests.level(now) + 1e-6), requests.full_at(now))
            )
        if len(shared) == len(self._shared):
            (limit, left, at), (other_limit, other_left, other_at) = shared
            headers += _three("ratelimit-tokens", (limit + other_limit, left + other_left, min(at, other_at)))
        headers += _both("ratelimit", self._shared, now)
        if cost.priority:
            headers += _both("priority", self._priority, now)
        return headers + (_both("fast", self._fast, now) if cost.fast else ())


def _bucket(limit: int | None, now: float) -> Bucket | None:
    return None if limit is None else Bucket(limit, now)


def _pair(limits: tuple[int, int] | None, now: float) -> tuple[Bucket | None, Bucket | None]:
    return (None, None) if limits is None else (Bucket(limits[0], now), Bucket(limits[1], now))


def _words(bucket: Bucket, kind: str) -> str:
    return (
        f"This request would exceed your organization's rate limit of {bucket.limit:,} {kind} per minute. "
        "Please reduce the prompt length or the maximum tokens requested, or try again later."
    )


def _thousands(bucket: Bucket, now: float) -> _Told:
    return bucket.limit, min(bucket.limit, round(bucket.level(now) / 1000) * 1000), bucket.full_at(now)


def _both(prefix: str, buckets: tuple[Bucket | None, Bucket | None], now: float) -> Headers:
    headers: Headers = ()
    for kind, bucket in zip(("input-tokens", "output-tokens"), buckets, strict=True):
        if bucket is not None:
            headers += _three(f"{prefix}-{kind}", _thousands(bucket, now))
    return headers


def _three(kind: str, told: _Told) -> Headers:
    limit, left, at = told
    reset = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
    prefix = f"anthropic-{kind}"
    return ((f"{prefix}-limit", str(limit)), (f"{prefix}-remaining", str(left)), (f"{prefix}-reset", reset))
