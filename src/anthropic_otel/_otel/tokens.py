"""Counts the tokens that attempts used, and reports them at collection as the counters of the GenAI conventions.

Rule: the app's path appends to a queue, for which it takes no lock, makes no measurement and never waits. The queue is
processed at collection; and by the app's thread that finds it a hundred entries long, unless another thread does that.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import Final, Protocol

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from anthropic_otel._core import instruments, semconv
from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.guard import guarded
from anthropic_otel._core.target import provider_of
from anthropic_otel._core.usage import Usage
from anthropic_otel._otel.attributes import (
    MAX_LENGTH,
    MAX_SETS,
    AttributeSets,
    AttributeValue,
    CardinalityLimit,
    Names,
    Values,
)
from anthropic_otel._otel.queues import Queue

MAX_PORTS: Final = 20
MAX_PROVIDERS: Final = 5
_CHAT: Final = "chat"
_MODALITY: Final = "unknown"
_MOST_UNREAD: Final = 100
_LOST: Final = 100 * _MOST_UNREAD
"""With so many entries in the queue and no thread in it, the last one was interrupted while it held the lock."""
_PATIENCE: Final = 1.0
"""The seconds that a collection waits for an app's thread that processes the queue. That takes some 100 µs."""

Key = tuple[str, str, int, str | None, str]
"""Provider, host, port, model and outcome of an attempt, before cardinality limits. None is over 255 characters."""


class ModelLabel(Protocol):
    """A function that returns the value of the model attribute on metrics, within the cardinality limit.

    It returns `None` for no model. `answered` is whether the request at hand is known to have got a 2xx.
    """

    def __call__(self, model: str | None, *, answered: bool = False) -> str | None: ...


class Tokens:
    """The five token counters of one meter. Kept alive by its instruments. Thread-safe.

    `model` and `address` return the attribute values of a model and a host within the cardinality limits.
    """

    def __init__(self, meter: Meter, model: ModelLabel, address: Names) -> None:
        self._model: Final = model
        self._address: Final = address
        self._port: Final = CardinalityLimit(MAX_PORTS)
        self._provider: Final = CardinalityLimit(MAX_PROVIDERS)
        self._sets: Final = AttributeSets(instruments.USAGE_INPUT.attributes)
        self._unread: Final[Queue[tuple[Key, Usage]]] = Queue(self._count, _LOST)
        self._by_key: dict[Key, list[int]] = {}
        self._by_set: dict[tuple[tuple[str, AttributeValue], ...], list[int]] = {}
        # The callbacks are methods of this object, so that the instruments keep it alive.
        self._counters: Final = [
            meter.create_observable_counter(
                metric.name, [functools.partial(self._observe, index)], metric.unit, metric.description
            )
            for index, metric in enumerate(instruments.USAGE)
        ]

    def add(self, attempt: Attempt, usage: Usage) -> None:
        """Queues `usage`, tokens of `attempt`, which has ended, to be counted. Does not keep `attempt` alive.

        They are counted under the model of `usage`, an advisor's, or without one under that of the request. Processes
        the queue if it is at least 100 long then, unless another thread does that already.
        """
        target, unread = attempt.request.target, self._unread
        ended = attempt.ending.outcome
        outcome = ended.value if ended is not None else semconv.OTHER
        provider = attempt.invocation.provider if attempt.invocation is not None else provider_of(target)
        model = usage.model or attempt.model
        if model is not None and len(model) > MAX_LENGTH:
            model = semconv.OTHER
        unread.append(((provider, target.address, target.port, model, outcome), usage))
        if len(unread) >= _MOST_UNREAD:
            unread.process()

    # -- at collection, or in the app's thread that processes the queue ------------------------------------------------

    @guarded(())
    def _observe(self, index: int, _: CallbackOptions) -> Sequence[Observation]:
        self._unread.process(_PATIENCE)
        return [Observation(counts[index], dict(pairs)) for pairs, counts in list(self._by_set.items())]

    def _count(self) -> None:
        while self._unread:
            key, usage = self._unread.popleft()
            counts = self._by_key.get(key) or self._begin(key, usage)
            # `map` ends with the five counts: the model, which is the last in `usage`, is left out.
            counts[:] = map(operator.add, counts, usage)

    def _begin(self, key: Key, usage: Usage) -> list[int]:
        provider, address, port, model, outcome = key
        answered = any(usage.counts)
        values: Values = (
            _CHAT,
            self._provider(provider),
            _MODALITY,
            self._model(model, answered=answered),
            self._address(address, answered=answered) if address else semconv.OTHER,
            port if self._port(str(port)) != semconv.OTHER else None,
            outcome,
        )
        counts = self._by_set.setdefault(tuple(self._sets.of(values).items()), [0] * len(instruments.USAGE))
        if len(self._by_key) < MAX_SETS and answered:
            self._by_key[key] = counts
        return counts
