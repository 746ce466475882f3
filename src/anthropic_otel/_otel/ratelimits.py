"""Reports the API's rate limits as gauges.

Rule: what is left of a limit is reported as the lowest value in any response since the last collection. The last value
would be misleading: a bucket refills all the time, and may be full at each collection although it turns requests away.

OpenTelemetry does not say which reader collects, so readers are told apart by their threads. For a new thread the
responses of the last minute count. If no response came since the last collection, the value grows as the API said: it
is full after `reset` minus `Date`, which are both by the server's clock. Values older than ten minutes are not
reported, and the used share of a subscription's window no longer than until its reset: what is used of the next is not
known.

On the app's path the headers are queued. A response that finds nineteen or more in the queue processes it: it
parses the remaining amounts of all, for each owner together. Limits, shares and resets are parsed at collection, which
processes the queue too. For four kinds that takes 23,000 instructions a response; one by one it would take 98,000.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from threading import get_ident
from typing import Final

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from anthropic_otel._core import instruments
from anthropic_otel._core.guard import guarded
from anthropic_otel._core.headers import RateLimitNames, RawHeaders, count, identifier
from anthropic_otel._core.semconv import OTHER
from anthropic_otel._otel.attributes import CardinalityLimit, Values
from anthropic_otel._otel.limit import FRESH, Answer, Limit, Report
from anthropic_otel._otel.queues import Queue

MAX_ACCOUNTS: Final = 20
"""The cardinality limit of organizations, and that of workspaces."""
MAX_KINDS: Final = 24
MAX_SETS: Final = 500
_MINUTE: Final = 60.0
_MOST_UNREAD: Final = 20
_LOST: Final = 10 * _MOST_UNREAD
_MOST_READERS: Final = 8
_MAX_LENGTH: Final = 128
_NAMES: Final = instruments.RATELIMIT_LIMIT.attributes

Unread = tuple[float, str | None, RawHeaders, tuple[RateLimitNames, ...]]
"""A queued response: when it came, in seconds of the clock, its request's model, its headers, the limits in these."""


class RateLimits:
    """The gauges of the API's rate limits, by kind, model, organization and workspace. Kept alive by its instruments.

    `model` returns the attribute value of a model within its cardinality limit. `now` returns monotonic seconds. Any
    thread may call `received`.
    """

    def __init__(
        self, meter: Meter, model: Callable[[str | None], str | None], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._model: Final = model
        self._now: Final = now
        self._unread: Final[Queue[Unread]] = Queue(self._take, _LOST, maxlen=_LOST)
        self._number = 0
        self._kind: Final = CardinalityLimit(MAX_KINDS)
        self._organization: Final = CardinalityLimit(MAX_ACCOUNTS)
        self._workspace: Final = CardinalityLimit(MAX_ACCOUNTS)
        self._by_owner: dict[tuple[str, str | None, bytes | None, bytes | None], Limit] = {}
        """The limits by kind, model, organization and workspace; the last two are undecoded headers."""
        self._limits: dict[Values, Limit] = {}
        """The limits by the values of their attributes."""
        self._readers: dict[int, int] = {}
        """The number of the last response that was collected, by the id of the thread that collected."""
        # Kept here: Logfire's are proxies, to which nothing else refers.
        self.instruments: Final = [
            meter.create_observable_gauge(metric.name, [observe], metric.unit, metric.description)
            for metric, observe in (
                (instruments.RATELIMIT_LIMIT, self._observe_limits),
                (instruments.RATELIMIT_REMAINING, self._observe_remaining),
                (instruments.RATELIMIT_UTILIZATION, self._observe_utilization),
            )
        ]

    def received(self, model: str | None, headers: RawHeaders, names: tuple[RateLimitNames, ...]) -> None:
        """Queues the headers of a response to a request for `model`, `None` if not known. Waits for no other thread.

        `names` are those of the rate limits in them. If twenty or more are queued then, it processes the queue, unless
        another thread does that already. Of more than 200 in the queue the oldest are dropped.
        """
        self._unread.append((self._now(), model, headers, names))
        if len(self._unread) >= _MOST_UNREAD:
            self._unread.process()

    def _queued(self) -> list[Unread]:
        """Empties the queue, and returns what was in it, oldest first."""
        unread: list[Unread] = []
        try:
            for _ in range(len(self._unread)):
                unread.append(self._unread.popleft())
        except IndexError:
            # Another thread was faster: its lock was replaced just as it had got that.
            return unread
        return unread

    def _take(self) -> None:
        """Empties the queue, and updates the limits from the responses in it. Makes limits that are missing.

        Responses with the same organization, workspace, model and header names are taken together, oldest first. Of
        each response, leaves out the kinds of limits for which `_limit` returns `None`.
        """
        unread = self._queued()
        # By the identity of the names, which responses share: to hash them takes 1,200 instructions more.
        of: dict[tuple[int, str | None, bytes | None, bytes | None], tuple[tuple[RateLimitNames, ...], list[Answer]]]
        of = {}
        for number, (at, model, headers, names) in enumerate(unread, self._number + 1):
            organization, workspace = headers.get(b"anthropic-organization-id"), headers.get(b"anthropic-workspace-id")
            who = id(names), model, organization, workspace
            of.setdefault(who, (names, []))[1].append((number, at, headers))
        for (_, model, organization, workspace), (names, answers) in of.items():
            for each in names:
                owner = (each.kind, model, organization, workspace)
                limit = self._by_owner.get(owner) or self._limit(*owner)
                if limit is not None:
                    limit.take(answers, each)
        # Last: a reader that collects meanwhile has not seen all of these.
        self._number += len(unread)

    def _limit(self, kind: str, model: str | None, organization: bytes | None, workspace: bytes | None) -> Limit | None:
        """Returns the limit of a kind, model and owner, made if needed; `None` for a kind beyond the cardinality limit.

        `organization` and `workspace`, the owner, are undecoded headers. Models and owners whose attribute values are
        the same share a limit. Beyond 500 limits, a kind has one more for all further models and owners.
        """
        if self._kind(kind) == OTHER:
            return None
        label = self._model(model)
        values: Values = (kind, label, self._bounded(organization, self._organization))
        values = (*values, self._bounded(workspace, self._workspace))
        if values not in self._limits and len(self._limits) >= MAX_SETS:
            values = (kind, OTHER, None, None)
        attributes = {name: str(value) for name, value in zip(_NAMES, values, strict=True) if value is not None}
        limit = self._limits.setdefault(values, Limit(attributes))
        # Not kept under `_OTHER`: a model that gets a 2xx later has a label of its own then.
        if (
            label != OTHER
            and len(self._by_owner) < MAX_SETS
            and max(len(organization or b""), len(workspace or b"")) <= _MAX_LENGTH
        ):
            self._by_owner[kind, model, organization, workspace] = limit
        return limit

    def _bounded(self, value: bytes | None, limit: CardinalityLimit) -> str | None:
        found = identifier(value)
        return limit(found) if found is not None else None

    # -- at collection -------------------------------------------------------------------------------------------------

    @guarded(())
    def _observe_limits(self, _: CallbackOptions) -> Sequence[Observation]:
        return _observations((limit, count(limit.limit)) for limit in self._fresh())

    @guarded(())
    def _observe_remaining(self, _: CallbackOptions) -> Sequence[Observation]:
        fresh, now = self._fresh(), self._now()
        is_new = self._new_to_reader(now)
        return _observations((limit, limit.left(is_new, now)) for limit in fresh)

    @guarded(())
    def _observe_utilization(self, _: CallbackOptions) -> Sequence[Observation]:
        fresh, now = self._fresh(), self._now()
        return _observations((limit, limit.used(now)) for limit in fresh)

    def _fresh(self) -> list[Limit]:
        self._unread.process()
        now = self._now()
        return [limit for limit in list(self._limits.values()) if now - limit.at < FRESH]

    def _new_to_reader(self, now: float) -> Callable[[Report], bool]:
        """Returns a function for `Limit.left`, which returns whether this thread has not collected a report yet.

        For a thread that has never collected, it returns whether the report is of the last minute. Marks all reports so
        far as collected by this thread. Eight threads are remembered: the next one makes it forget these.
        """
        reader = get_ident()
        seen = self._readers.get(reader)
        if seen is None and len(self._readers) >= _MOST_READERS:
            self._readers.clear()
        self._readers[reader] = self._number
        if seen is None:
            return lambda report: report.at > now - _MINUTE
        return lambda report: report.number > seen


def _observations(found: Iterable[tuple[Limit, float | None]]) -> list[Observation]:
    return [Observation(amount, limit.attributes) for limit, amount in found if amount is not None]
