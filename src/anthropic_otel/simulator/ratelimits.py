"""The rate limits of the simulated account: whether a request may pass, and what its response tells of them.

Rule: everything follows from the clock that is given and the order of the requests. Nothing sleeps.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

from anthropic_otel.simulator.actions import Headers
from anthropic_otel.simulator.buckets import Buckets
from anthropic_otel.simulator.limits import ONE_REQUEST, Cost, Limits, TurnedAway
from anthropic_otel.simulator.plan import Plan


class Allowance(Protocol):
    """One scheme of limits: buckets by the minute, or the windows of a subscription."""

    def turned_away(self, cost: Cost, now: float) -> TurnedAway | None:
        """Return the limit that the request would exceed, or `None`."""

    def take(self, cost: Cost, now: float) -> None:
        """Take what the request costs, down to nothing."""

    def headers(self, cost: Cost, now: float) -> Headers:
        """Return the headers of a response to such a request."""


class RateLimits:
    """The limits of the simulated account. They are enforced if they were given, else only told."""

    def __init__(self, limits: Limits | None = None, clock: Callable[[], float] = time.time) -> None:
        self.clock: Final = clock
        self._enforced = limits is not None
        limits = limits or Limits()
        now = clock()
        self._allowance: Allowance = Plan(limits.unified, now) if limits.unified else Buckets(limits, now)

    def turned_away(self, cost: Cost) -> TurnedAway | None:
        """Return the limit that the request would exceed, or `None` if it may pass."""
        return self._allowance.turned_away(cost, self.clock()) if self._enforced else None

    def spend(self, cost: Cost | None) -> Headers:
        """Take what a request costs (`None`: it was turned away) and return the headers that tell what is left."""
        now = self.clock()
        if cost is not None:
            self._allowance.take(cost, now)
        return self._allowance.headers(cost or ONE_REQUEST, now)
