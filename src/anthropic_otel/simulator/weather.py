"""Which action the next request gets: what was ordered for it, else what the weather brings.

Rule: the same orders, weights and seed bring the same actions in the same order.
"""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from typing import TypeAlias, get_args

from anthropic_otel.simulator import checks
from anthropic_otel.simulator.actions import Address, Detour, ExchangeAction, Handshake, Proxy, Reply, Tls
from anthropic_otel.simulator.catalogue import fault
from anthropic_otel.simulator.faults import Fault

Playable: TypeAlias = Fault | ExchangeAction | str
"""What a request on the plain listener can be given: a fault, the name of one, or an action such as `Reply(503)`."""

_OK = Reply()


def playable(item: Playable) -> ExchangeAction:
    """Return the action.

    Raises `KeyError` for an unknown name, `ValueError` for a fault that needs its own address, `TypeError` for what is
    neither a name, nor a fault, nor an action.
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


class Weather:
    """A queue of actions, and a weighted choice for when it is empty. Any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queue: deque[ExchangeAction] = deque()
        self._choices: tuple[ExchangeAction, ...] = (_OK,)
        self._weights: tuple[float, ...] = (1.0,)
        self._random = random.Random(0)

    def play(self, items: Iterable[Playable]) -> None:
        """Add what the next requests get, in that order."""
        actions = [playable(item) for item in items]
        with self._lock:
            self._queue.extend(actions)

    def mix(self, weights: Mapping[str | Fault, float], seed: int) -> None:
        """Set the choice. The weights need not add up to 1.

        Raises `ValueError` for a weight that is negative or has no end, or if there is nothing to choose, `TypeError`
        for what is no number.
        """
        if not isinstance(weights, Mapping):
            raise TypeError(f"a mix must be weights by fault, such as {{'http_529': 0.1}}, not {weights!r}")
        choices = {playable(item): checks.number(f"the weight of {item}", weight) for item, weight in weights.items()}
        if not sum(choices.values()) > 0:
            raise ValueError("a mix must have a weight above 0")
        with self._lock:
            self._choices, self._weights = tuple(choices), tuple(choices.values())
            self._random = random.Random(checks.whole("seed", seed))

    def clear(self) -> None:
        """Forget what was ordered and the choice: from now on every request gets an ordinary reply."""
        with self._lock:
            self._queue.clear()
            self._choices, self._weights = (_OK,), (1.0,)

    def next(self) -> ExchangeAction:
        """Return what the request that has just come gets."""
        with self._lock:
            if self._queue:
                return self._queue.popleft()
            if len(self._choices) == 1:
                return self._choices[0]
            return self._random.choices(self._choices, self._weights)[0]
