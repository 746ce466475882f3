"""Answers: what the API says to a request, before it becomes bytes.

Rule: an answer is a frozen value, and `Answer` is a closed union; `responses.py` turns one into a response.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from anthropic_otel.simulator.actions import Headers
from anthropic_otel.simulator.limits import ONE_REQUEST, Cost
from anthropic_otel.simulator.wire import Json, Wire


@dataclass(frozen=True, slots=True)
class Whole:
    """An answer with that status that is the JSON object `value`, or the bytes `body` if these are given.

    `cost` is what the request takes from the rate limits. `headers` are sent in place of any of the same name.
    `caches` is the key of the prompt that the request caches, empty for none. `change` makes all other changes of the
    request when it is called, by `Api.admitted`; `None` if there are none.
    """

    value: Json
    status: int = 200
    cost: Cost = ONE_REQUEST
    headers: Headers = ()
    caches: bytes = b""
    change: Callable[[], None] | None = None
    body: bytes | None = None


@dataclass(frozen=True, slots=True)
class Streamed:
    """An answer that is a stream of events, which `wire` encodes.

    `events(pings)` yields the events, with `pings` `ping` events before each delta. `cost` is what the request takes
    from the rate limits. `caches` and `change` are as in `Whole`.
    """

    events: Callable[[int], Iterator[Json]]
    wire: Wire
    cost: Cost
    caches: bytes = b""
    change: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """An answer that is an error of the API, with that status, error type and message.

    `headers` are sent in place of any of the same name. `cost` is what the request takes from the rate limits; `None`
    takes nothing, not even a request. `code` is the `error_code` in its `details`; `None` for none.
    `details` are the other fields in them, as pairs.
    """

    status: int
    error_type: str
    message: str
    headers: Headers = ()
    cost: Cost | None = ONE_REQUEST
    code: str | None = None
    details: tuple[tuple[str, Any], ...] = ()


Answer: TypeAlias = Whole | Streamed | Refused
