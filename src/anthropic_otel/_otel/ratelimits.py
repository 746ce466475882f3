"""The API's rate limits as gauges.

Rule: what is left of a limit is reported as the lowest value that a response told since the last collection. The last
value would not do: a bucket refills all the time, and may be full at each collection although it turns requests away.

OpenTelemetry does not say which reader collects, so a reader is known by its thread. A new thread gets the lowest value
of the last minute. If no response came since the last collection, the value grows as the API said: it is full after
`reset` minus `Date`, which are both by the server's clock. Nothing is reported that is older than ten minutes.

On the app's path the headers are queued. Every twentieth response processes the queue: it takes what is left from the
headers of twenty, for each owner together. Everything else in the headers is read at collection. For four kinds that is
160 bytecodes a response; one by one it was 680.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from operator import itemgetter
from threading import get_ident
from typing import Final, NamedTuple

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from anthropic_otel._core import headers as h
from anthropic_otel._core import semconv
from anthropic_otel._core.guard import report
from anthropic_otel._core.headers import RateLimitNames, RawHeaders
from anthropic_otel._core.semconv import OTHER
from anthropic_otel._otel.attributes import Capped, Values
from anthropic_otel._otel.forks import measuring

MAX_ACCOUNTS: Final = 20
"""How many organizations are told apart, and how many workspaces."""
MAX_KINDS: Final = 24
MAX_SETS: Final = 500
_FRESH: Final = 600.0
_MINUTE: Final = 60.0
_MOST_UNREAD: Final = 20
_MOST_LOWS: Final = 16
_MOST_READERS: Final = 8
_MAX_LENGTH: Final = 128
_LONGEST_NUMBER: Final = 18
_NAMES: Final = semconv.RATELIMIT_LIMIT.attributes

Unread = tuple[float, str | None, RawHeaders, tuple[RateLimitNames, ...]]
"""When a response came, for which model, its headers, and which of them tell of limits."""

_Answer = tuple[int, float, RawHeaders]
"""The number of the response, counted from 1, when it came, and its headers."""


class Told(NamedTuple):
    """What one response told of one limit: its number, counted from 1, when it came, and what was left of how much."""

    number: int
    at: float
    left: int
    limit: bytes | None
    reset: bytes | None
    date: bytes | None

    def level(self, now: float) -> float:
        """What must be left by now, if nothing has been used since."""
        limit, until = h.count(self.limit), h.until_full(self.reset, self.date)
        if limit is None or until is None or limit <= self.left:
            return self.left
        passed = now - self.at
        return limit if passed >= until else self.left + (limit - self.left) * passed / until


class Limit:
    """One rate limit. `lows` are what was left of it, oldest first. Each is lower than all that came later."""

    __slots__ = ("at", "attributes", "limit", "lows", "utilization")

    def __init__(self, attributes: dict[str, str]) -> None:
        self.attributes: Final = attributes
        self.at = 0.0
        self.limit: bytes | None = None
        self.utilization: bytes | None = None
        self.lows: list[Told] = []

    def take(self, answers: list[_Answer], names: RateLimitNames) -> None:
        """Takes what responses told of it, the last one last."""
        _, self.at, last = answers[-1]
        self.limit, self.utilization = last.get(names.limit), last.get(names.utilization)
        # Mostly the last one has the least, and nothing that came before counts any more.
        if names.remaining in last and _ends_with_least(answers, names.remaining):
            answers = answers[-1:]
        lows = self.lows
        for number, at, headers in answers:
            left = h.count(headers.get(names.remaining))
            if left is None:
                continue
            while lows and lows[-1].left >= left:
                lows.pop()
            lows.append(
                Told(number, at, left, headers.get(names.limit), headers.get(names.reset), headers.get(b"date"))
            )
            if len(lows) > _MOST_LOWS:
                # Merges the oldest two: the lower value, with the number and the time of the later one.
                first, second = lows[:2]
                lows[:2] = [first._replace(number=second.number, at=second.at)]

    def left(self, is_new: Callable[[Told], bool], now: float) -> int | None:
        """What is left of the limit, for one reader: the lowest value that is new to it.

        If none is new, an estimate: as much as must be left by now. `None` if nothing was told in the last ten minutes.
        `is_new` tells whether the reader has not collected a value yet.
        """
        lows = [low for low in self.lows if now - low.at < _FRESH]
        new = next(filter(is_new, lows), None)
        if new is not None:
            return new.left
        return int(min(low.level(now) for low in lows)) if lows else None


def _ends_with_least(answers: list[_Answer], name: bytes) -> bool:
    """Whether all say a number under that name, and the last one is the least of them."""
    try:
        told = [*map(itemgetter(name), [*map(_HEADERS, answers)])]
    except KeyError:
        # One told of this limit in another way.
        return False
    if not all(map(bytes.isdigit, told)) or max(map(len, told)) > _LONGEST_NUMBER:
        return False
    return int(told[-1]) <= min(map(int, told))


_HEADERS: Final = itemgetter(2)


class RateLimits:
    """What the API said of its limits in the last ten minutes, by kind, model, organization and workspace. Bounded."""

    def __init__(
        self, meter: Meter, model: Callable[[str | None], str | None], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._model: Final = model
        """What a metric says of a model."""
        self._now: Final = now
        self._unread: Final[deque[Unread]] = deque(maxlen=10 * _MOST_UNREAD)
        self._reading: Final = threading.Lock()
        self._number = 0
        self._kind: Final = Capped(MAX_KINDS)
        self._organization: Final = Capped(MAX_ACCOUNTS)
        self._workspace: Final = Capped(MAX_ACCOUNTS)
        self._by_owner: dict[tuple[str, str | None, bytes | None, bytes | None], Limit] = {}
        """By kind, model, and organization and workspace as the headers say them."""
        self._limits: dict[Values, Limit] = {}
        """By the values of their attributes."""
        self._readers: dict[int, int] = {}
        """By thread: the number of the last response that its reader has collected."""
        # Kept here: nobody else refers to those of Logfire, which are proxies.
        self.instruments: Final = [
            meter.create_observable_gauge(metric.name, [_safe(observe)], metric.unit, metric.description)
            for metric, observe in (
                (semconv.RATELIMIT_LIMIT, self._observed_limits),
                (semconv.RATELIMIT_REMAINING, self._observed_remaining),
                (semconv.RATELIMIT_UTILIZATION, self._observed_utilization),
            )
        ]

    def told(self, model: str | None, headers: RawHeaders, names: tuple[RateLimitNames, ...]) -> None:
        """Queues the headers of a response. `names` are those of the limits that they tell of."""
        self._unread.append((self._now(), model, headers, names))
        if len(self._unread) >= _MOST_UNREAD:
            self._read()

    def _read(self) -> None:
        """Processes the queue, unless another thread is doing that."""
        thread = get_ident()
        measuring[thread] = None
        try:
            if self._reading.acquire(blocking=False):
                try:
                    self._take([self._unread.popleft() for _ in range(len(self._unread))])
                finally:
                    self._reading.release()
        finally:
            measuring.pop(thread, None)

    def _take(self, unread: list[Unread]) -> None:
        """Takes what those responses told, for each owner together."""
        of: dict[tuple[tuple[RateLimitNames, ...], str | None, bytes | None, bytes | None], list[_Answer]] = {}
        for at, model, headers, names in unread:
            self._number += 1
            organization, workspace = headers.get(b"anthropic-organization-id"), headers.get(b"anthropic-workspace-id")
            of.setdefault((names, model, organization, workspace), []).append((self._number, at, headers))
        for (names, model, organization, workspace), answers in of.items():
            for each in names:
                owner = (each.kind, model, organization, workspace)
                limit = self._by_owner.get(owner) or self._limit(*owner)
                if limit is not None:
                    limit.take(answers, each)

    def _limit(self, kind: str, model: str | None, organization: bytes | None, workspace: bytes | None) -> Limit | None:
        """The limit of an owner that was not met before; `None` for one more kind than there may be."""
        if self._kind(kind) == OTHER:
            return None
        label = self._model(model)
        values: Values = (kind, label, self._bounded(organization, self._organization))
        values = (*values, self._bounded(workspace, self._workspace))
        if values not in self._limits and len(self._limits) >= MAX_SETS:
            values = (kind, OTHER, None, None)
        attributes = {name: str(value) for name, value in zip(_NAMES, values, strict=True) if value is not None}
        limit = self._limits.setdefault(values, Limit(attributes))
        # Not kept under `_OTHER`: a model may be answered for later, and has a label of its own then.
        if (
            label != OTHER
            and len(self._by_owner) < MAX_SETS
            and max(len(organization or b""), len(workspace or b"")) <= _MAX_LENGTH
        ):
            self._by_owner[kind, model, organization, workspace] = limit
        return limit

    def _bounded(self, value: bytes | None, capped: Capped) -> str | None:
        found = h.identifier(value)
        return capped(found) if found is not None else None

    # -- for a reader that collects ------------------------------------------------------------------------------------

    def _observed_limits(self) -> Iterator[Observation]:
        for limit in self._fresh():
            amount = h.count(limit.limit)
            if amount is not None:
                yield Observation(amount, limit.attributes)

    def _observed_remaining(self) -> Iterator[Observation]:
        fresh, now = self._fresh(), self._now()
        is_new = self._new_to_reader(now)
        for limit in fresh:
            left = limit.left(is_new, now)
            if left is not None:
                yield Observation(left, limit.attributes)

    def _observed_utilization(self) -> Iterator[Observation]:
        for limit in self._fresh():
            used = h.share(limit.utilization)
            if used is not None:
                yield Observation(used, limit.attributes)

    def _fresh(self) -> list[Limit]:
        self._read()
        now = self._now()
        return [limit for limit in list(self._limits.values()) if now - limit.at < _FRESH]

    def _new_to_reader(self, now: float) -> Callable[[Told], bool]:
        """Returns a test: has this thread's reader not collected a value yet? From now on it has collected all."""
        reader = threading.get_ident()
        seen = self._readers.get(reader)
        if seen is None and len(self._readers) >= _MOST_READERS:
            self._readers.clear()
        self._readers[reader] = self._number
        if seen is None:
            return lambda told: told.at > now - _MINUTE
        return lambda told: told.number > seen


def _safe(observe: Callable[[], Iterator[Observation]]) -> Callable[[CallbackOptions], Iterator[Observation]]:
    def observed(_: CallbackOptions) -> Iterator[Observation]:
        try:
            yield from list(observe())
        except Exception as error:
            report("RateLimits", error)

    return observed
