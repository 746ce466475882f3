"""Rate limits by the minute: token buckets that refill continuously, and the headers that report them.

Rule: nothing here has a clock; `now` is an argument, in seconds since the epoch.

The headers follow recorded responses of the API:

- `reset` is when a bucket is *full* again, rounded down to a second, as seen when the request arrives. `Date` is taken
  when the response leaves, so in a healthy service `reset` is now or in the past.
- `remaining` of tokens is rounded to thousands, so a request may be refused although some are left.
- `anthropic-ratelimit-tokens-*` has the sums of the limits and remainders of input and output tokens, and the earlier
  `reset`. It is sent only if both are limited.
- An account without one of the limits gets no headers about it.
"""

from __future__ import annotations

import math
import time
from typing import Final

from anthropic_otel.simulator.actions import Headers
from anthropic_otel.simulator.limits import Cost, ExceededLimit, Limits

_MINUTE: Final = 60.0


class Bucket:
    """A token bucket that holds at most `limit`, refills at `limit` a minute, and starts full.

    Every method first refills it up to `now` and remembers `now`, as `level` does.
    """

    def __init__(self, limit: int, now: float) -> None:
        self.limit: Final = limit
        self._level = float(limit)
        self._at = now

    def level(self, now: float) -> float:
        """Returns what the bucket holds at `now`, having refilled since the `now` before, and remembers `now`.

        A clock that is set back adds nothing. From there on it refills the bucket anew, also for seconds that it has
        shown before: else a bucket would stay empty for as long as the clock was set back.
        """
        self._level = min(self.limit, self._level + max(0.0, now - self._at) * self.limit / _MINUTE)
        self._at = now
        return self._level

    def take(self, amount: int, now: float) -> None:
        """Takes `amount` from the bucket, or all that it holds if that is less."""
        self._level = max(0.0, self.level(now) - amount)

    def lacks(self, amount: int, now: float) -> bool:
        """Returns whether the bucket holds less than `amount`.

        A lack of up to 0.000001 is ignored, as levels are floats.
        """
        return self.level(now) < amount - 1e-6

    def seconds_to(self, amount: float, now: float) -> float:
        """Returns the seconds until the bucket holds `amount`; 0 if it does.

        If it never can, returns the seconds until it is full. A bucket with limit 0 always returns 60.
        """
        missing = min(amount, self.limit) - self.level(now)
        return max(0.0, missing) * _MINUTE / self.limit if self.limit else _MINUTE

    def full_at(self, now: float) -> int:
        """Returns the epoch second, rounded down, in which the bucket is full again.

        That is `now` if it is full, or if its limit is 0.
        """
        return int(now + self.seconds_to(self.limit, now)) if self.limit else int(now)


_HeaderValues = tuple[int, int, int]
"""The values of the headers about one limit: the limit, what remains of it, and the epoch second in which it is full.
"""


class Buckets:
    """The per-minute limits of an account: requests, input and output tokens, and priority and fast capacity."""

    def __init__(self, limits: Limits, now: float) -> None:
        self._requests = _bucket(limits.requests, now)
        self._shared = (_bucket(limits.input_tokens, now), _bucket(limits.output_tokens, now))
        self._priority = _pair(limits.priority, now)
        self._fast = _pair(limits.fast, now)

    def exceeded(self, cost: Cost, now: float) -> ExceededLimit | None:
        """Returns the limit that has no room for the request and takes longest to have it; `None` if all have room.

        Takes nothing. Checks the limit on requests and the shared limits on tokens. A fast request is checked against
        fast capacity instead of the latter, if the account has any. Priority capacity is not checked.
        """
        wanted = [(self._requests, 1, "requests")]
        wanted += zip(self._tokens(cost), (cost.input, cost.output), ("input tokens", "output tokens"), strict=True)
        lacking = [
            ExceededLimit(_words(bucket, kind), bucket.seconds_to(amount, now))
            for bucket, amount, kind in wanted
            if bucket is not None and bucket.lacks(amount, now)
        ]
        return max(lacking, key=lambda each: each.retry_after, default=None)

    def take(self, cost: Cost, now: float) -> None:
        """Takes one request, and the tokens of `cost` from the capacity that they count against; at most what is left.

        Fast requests use fast capacity instead of the shared one, if the account has any, and never priority capacity.
        Other priority requests use both the priority and the shared capacity.
        """
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
        """Returns the `limit`, `remaining` and `reset` headers about each limit that the account has. Takes nothing.

        If it has both shared limits on tokens, there are headers about their sum too. Headers about priority capacity
        are left out unless `cost.priority`, and those about fast capacity unless `cost.fast`.
        """
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


def _thousands(bucket: Bucket, now: float) -> _HeaderValues:
    return bucket.limit, min(bucket.limit, round(bucket.level(now) / 1000) * 1000), bucket.full_at(now)


def _both(prefix: str, buckets: tuple[Bucket | None, Bucket | None], now: float) -> Headers:
    headers: Headers = ()
    for kind, bucket in zip(("input-tokens", "output-tokens"), buckets, strict=True):
        if bucket is not None:
            headers += _three(f"{prefix}-{kind}", _thousands(bucket, now))
    return headers


def _three(kind: str, values: _HeaderValues) -> Headers:
    limit, left, at = values
    reset = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
    prefix = f"anthropic-{kind}"
    return ((f"{prefix}-limit", str(limit)), (f"{prefix}-remaining", str(left)), (f"{prefix}-reset", reset))
