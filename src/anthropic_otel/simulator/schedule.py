"""Decides which action the next request gets: the queue of `play` first, then the random mix.

Rule: the same queue, weights and seed give the same actions in the same order.
"""

from __future__ import annotations

import math
import random
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from typing import TypeAlias, get_args

from anthropic_otel.simulator import checks
from anthropic_otel.simulator.actions import ExchangeAction, Reply
from anthropic_otel.simulator.addresses import Address, Detour, Handshake, Proxy, Tls
from anthropic_otel.simulator.catalogue import fault
from anthropic_otel.simulator.faults import Fault

Playable: TypeAlias = Fault | ExchangeAction | str
"""What `play` and `mix` accept: a fault, the name of one, or an action such as `Reply(503, "api_error")`."""

_OK = Reply()


def playable(item: Playable) -> ExchangeAction:
    """Returns the action that `item` stands for: a fault's name, a fault, or an action.

    Raises `KeyError` for a name that is not in the catalogue, `ValueError` for a fault that needs an address of its
    own, and `TypeError` for anything else, such as an `AddressAction`.
    """
    if isinstance(item, str):
        item = fault(item)
    if not isinstance(item, (Fault, *get_args(ExchangeAction))):
        raise TypeError(f"expected the name of a fault, such as 'http_529', a Fault or an action, not {item!r}")
    if not isinstance(item, Fault):
        return item
    if isinstance(item.action, Address | Tls | Handshake | Proxy | Detour):
        raise ValueError(f"{item.name} strikes before there is a request: use endpoint({item.name!r})")
    return item.action


class Schedule:
    """A queue of actions, and a weighted random choice for when the queue is empty. Thread-safe.

    At first the queue is empty and the choice is always an ordinary reply.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queue: deque[ExchangeAction] = deque()
        self._choices: tuple[ExchangeAction, ...] = (_OK,)
        self._weights: tuple[float, ...] = (1.0,)
        self._random = random.Random(0)

    def play(self, items: Iterable[Playable]) -> None:
        """Appends actions to the queue. Raises what `playable` raises, and then queues nothing."""
        actions = [playable(item) for item in items]
        with self._lock:
            self._queue.extend(actions)

    def mix(self, weights: Mapping[str | Fault, float], seed: int) -> None:
        """Replaces the weighted choice. The weights are relative and need not add up to 1.

        Each item counts, also if several have equal actions. `seed` starts its random numbers. Raises `ValueError` for
        a weight that is negative or not finite, if none is above 0, or if their sum is not finite; `TypeError` for
        weights that are no mapping, a weight that is no number or a seed that is no `int`; and what `playable` raises.
        After an error the choice stays as it was.
        """
        if not isinstance(weights, Mapping):
            raise TypeError(f"a mix must be weights by fault, such as {{'http_529': 0.1}}, not {weights!r}")
        choices = tuple(playable(item) for item in weights)
        values = tuple(float(checks.number(f"the weight of {item}", weight)) for item, weight in weights.items())
        if not 0 < sum(values) < math.inf:
            raise ValueError("a mix must have a weight above 0, and a finite sum of weights")
        chance = random.Random(checks.whole("seed", seed))
        with self._lock:
            self._choices, self._weights, self._random = choices, values, chance

    def clear(self) -> None:
        """Empties the queue, and makes the choice an ordinary reply for every request."""
        with self._lock:
            self._queue.clear()
            self._choices, self._weights = (_OK,), (1.0,)

    def next(self) -> ExchangeAction:
        """Removes and returns the first action of the queue; if there is none, chooses an action by the weights."""
        with self._lock:
            if self._queue:
                return self._queue.popleft()
            if len(self._choices) == 1:
                return self._choices[0]
            return self._random.choices(self._choices, self._weights)[0]
