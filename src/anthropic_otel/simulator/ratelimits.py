"""The rate limits of the simulated account: whether a request is admitted, and the headers of its response.

Rule: everything depends on the given clock and the order of the requests. Nothing sleeps.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

from anthropic_otel.simulator import checks
from anthropic_otel.simulator.actions import Headers
from anthropic_otel.simulator.buckets import Buckets
from anthropic_otel.simulator.limits import ONE_REQUEST, Cost, ExceededLimit, Limits
from anthropic_otel.simulator.plan import Plan


class Allowance(Protocol):
    """A scheme of limits: `Buckets`, which refill by the minute, or a `Plan`, the windows of a subscription."""

    def exceeded(self, cost: Cost, now: float) -> ExceededLimit | None:
        """Returns the limit that has no room for a request of that cost, or `None` if it is admitted. Takes nothing.

        If several have none, that is the one that takes longest to have it.
        """

    def take(self, cost: Cost, now: float) -> None:
        """Takes what a request costs, without a check whether there is room for it."""

    def headers(self, cost: Cost, now: float) -> Headers:
        """Returns the rate-limit headers of a response to a request of that cost. Takes nothing."""


class ClockError(Exception):
    """Raised when the clock of a running simulator raises, or returns no time; `str()` says so.

    What the clock raises while the simulator starts is raised unchanged.
    """


class RateLimits:
    """The limits of the simulated account.

    `limits` are enforced and reported. `None` reports the limits of `Limits()` in headers and enforces none, so that no
    request is refused. `clock` returns seconds since the epoch. Raises what `clock` raises, and `TypeError` or
    `ValueError` if what it returns now is no time. If it fails later, methods that read it raise `ClockError`.
    """

    def __init__(self, limits: Limits | None = None, clock: Callable[[], float] = time.time) -> None:
        self._clock: Final = clock
        self._enforced = limits is not None
        limits = limits or Limits()
        now = checks.time("the clock's time", clock())
        self._allowance: Allowance = Plan(limits.unified, now) if limits.unified else Buckets(limits, now)

    def clock(self) -> float:
        """Returns the time in seconds since the epoch. Raises `ClockError` if the clock fails."""
        try:
            return checks.time("the clock's time", self._clock())
        except Exception as error:
            raise ClockError(f"The simulator's clock failed: {type(error).__name__}: {error}") from error

    def exceeded(self, cost: Cost) -> ExceededLimit | None:
        """Returns the limit that has no room for the request now, or `None` if it is admitted. Takes nothing.

        If several have none, that is the one that takes longest to have it. Always `None` if no limits are enforced.
        """
        return self._allowance.exceeded(cost, self.clock()) if self._enforced else None

    def spend(self, cost: Cost | None) -> Headers:
        """Takes what a request costs, also if no limits are enforced, and returns the rate-limit headers after that.

        `cost` `None` takes nothing, and returns the headers for an ordinary request.
        """
        now = self.clock()
        if cost is not None:
            self._allowance.take(cost, now)
        return self._allowance.headers(cost or ONE_REQUEST, now)
