"""What the API says to a request, before it becomes bytes: a JSON object, a stream of events, or an error.

Rule: an answer is a frozen value, and `Answer` is a closed union; `responses.py` turns it into a response.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from anthropic_otel.simulator.actions import Headers
from anthropic_otel.simulator.limits import ONE_REQUEST, Cost
from anthropic_otel.simulator.wire import Json, Wire


@dataclass(frozen=True, slots=True)
class Whole:
    """An answer that is one JSON object. `cost` is what the request takes of the rate limits."""

    value: Json
    status: int = 200
    cost: Cost = ONE_REQUEST
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Streamed:
    """An answer that is a stream of events. `events` takes how many pings come before each delta."""

    events: Callable[[int], Iterator[Json]]
    wire: Wire
    cost: Cost


@dataclass(frozen=True, slots=True)
class Refused:
    """An answer that is an error of the API. A `cost` of `None` takes nothing, not even a request."""

    status: int
    error_type: str
    message: str
    headers: Headers = ()
    cost: Cost | None = ONE_REQUEST


Answer: TypeAlias = Whole | Streamed | Refused
