"""One of the API's rate limits: what responses have said of it, and what is left and used of it by now.

Rule: of a response only the remainder is parsed when it is taken. The other headers are kept undecoded until a
collection asks for their values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from anthropic_otel._core.headers import RateLimitNames, RawHeaders, count, share, until_full

FRESH: Final = 600.0
"""How many seconds a report counts."""
_MOST_LOWS: Final = 16

Answer = tuple[int, float, RawHeaders]
"""The number of a response, counted from 1, when it came in seconds of the clock of `RateLimits`, and its headers."""


class Report(NamedTuple):
    """One response's report of one rate limit. `Limit.take` may merge two of them into one.

    - `number`: the number of the response, counted from 1.
    - `at`: when it came, in seconds of the clock of `RateLimits`.
    - `left`: what remained of the limit.
    - `limit`, `reset`, `date`: the undecoded headers with the limit, with the time when it is full again, and with the
      server's time; `None` for an absent one.
    """

    number: int
    at: float
    left: int
    limit: bytes | None
    reset: bytes | None
    date: bytes | None

    def level(self, now: float) -> float:
        """Returns what remains at the time `now` if nothing was used since: it grows evenly to the limit until `reset`.

        It is `left` if the limit, the reset or the date is absent or not valid, or if the limit is not above `left`.
        `now` is of the clock of `at`.
        """
        limit, until = count(self.limit), until_full(self.reset, self.date)
        if limit is None or until is None or limit <= self.left:
            return self.left
        passed = now - self.at
        return limit if passed >= until else self.left + (limit - self.left) * passed / until


class Limit:
    """One rate limit, with the `attributes` that its gauges have.

    - `at`: when the last response with it came, in seconds of the clock of `RateLimits`; 0 before the first `take`.
    - `limit`, `utilization`, `reset`, `date`: the undecoded headers of that response, `None` for an absent one.
    - `lows`: reports of what remained, those with the lowest remainders first. A report is left out once another with
      no higher remainder was taken after it.
    """

    __slots__ = ("at", "attributes", "date", "limit", "lows", "reset", "utilization")

    def __init__(self, attributes: dict[str, str]) -> None:
        self.attributes: Final = attributes
        self.at = 0.0
        self.limit: bytes | None = None
        self.utilization: bytes | None = None
        self.reset: bytes | None = None
        self.date: bytes | None = None
        self.lows: list[Report] = []

    def take(self, answers: list[Answer], names: RateLimitNames) -> None:
        """Updates the limit from responses that have its headers, oldest first. `answers` is not empty.

        `names` are the names of its headers. Adds to `lows` each remainder that is a number and lower than all later
        ones in `answers`. Sets the other fields from the last response, unless a later one was taken before. Keeps 16
        reports at most. Beyond that the first two in `lows` become one: the first, but with the second's `number` and
        `at`.
        """
        _, at, last = answers[-1]
        # Responses with other header names, as those of a failure, are taken apart, and may be older.
        if at >= self.at:
            self.at, self.limit, self.utilization = at, last.get(names.limit), last.get(names.utilization)
            self.reset, self.date = last.get(names.reset), last.get(b"date")
        reports: list[Report] = []
        remaining, later = names.remaining, None
        for answer in reversed(answers):
            told = answer[2].get(remaining)
            if told == later:
                continue
            later, left = told, count(told)
            if left is not None and (not reports or left < reports[-1].left):
                number, at, headers = answer
                beside = headers.get(names.limit), headers.get(names.reset), headers.get(b"date")
                reports.append(Report(number, at, left, *beside))
        if not reports:
            return
        lows = [low for low in self.lows if low.left < reports[-1].left]
        lows += reversed(reports)
        while len(lows) > _MOST_LOWS:
            # Merges the oldest two: the lower value, with the number and the time of the later one.
            first, second = lows[:2]
            lows[:2] = [first._replace(number=second.number, at=second.at)]
        self.lows = lows

    def left(self, is_new: Callable[[Report], bool], now: float) -> int | None:
        """Returns what remains of the limit for one reader: the lowest value of the reports that are new to it.

        If no report is new, it is the lowest `level` of all reports at the time `now`, rounded down. Reports of more
        than ten minutes ago do not count; `None` without any other. `is_new` returns of a report whether the reader has
        not collected it yet.
        """
        lows = [low for low in self.lows if now - low.at < FRESH]
        new = next(filter(is_new, lows), None)
        if new is not None:
            return new.left
        return int(min(low.level(now) for low in lows)) if lows else None

    def used(self, now: float) -> float | None:
        """Returns the used share of the limit, 1 for all of it, by the response at `at`.

        `None` if that has no valid share, or if the limit was reset between `at` and `now` by what the response says. A
        reset time that was past already when the response came is ignored, and so is one without a valid date.
        """
        until = until_full(self.reset, self.date)
        over = until is not None and 0 < until <= now - self.at
        return None if over else share(self.utilization)
