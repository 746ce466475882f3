"""What the library changes today, as strict expected failures of the probes that see it.

Rule: an entry says in one sentence what is wrong. Whoever mends it deletes its line, as a strict expected failure that
passes fails the suite.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pytest

from e2e.unchanged.world import Door
from support.stacks import Stack


def _reached(stack: Stack, door: Door) -> bool:
    """The HTTP client is instrumented: it was named, or the SDK has made a call with it."""
    return door.live and (stack.of_sdk or door.names)


def _reached_async(stack: Stack, door: Door) -> bool:
    return _reached(stack, door) and stack.asynchronous


def _every_request(stack: Stack, door: Door) -> bool:
    """Each request of the HTTP client is an attempt, with or without the SDK."""
    return door.name == "instrument_http_client(client)"


def _process(stack: Stack, door: Door) -> bool:
    """The process is instrumented, and no client by name."""
    return door.live and stack.of_sdk and not door.names


def _without_sdk(stack: Stack, door: Door) -> bool:
    """The process is instrumented, and the app sends its requests without the SDK."""
    return door.live and not stack.of_sdk and not door.names


@dataclass(frozen=True)
class Pending:
    """Why a probe fails, and on which stacks behind which doors."""

    why: str
    where: Callable[[Stack, Door], bool]


_ON_THE_INSTANCE: Final = "`send` is an object in the `__dict__` of the HTTP client, and no bound method of its class"
_WEAK: Final = "the `send` on the HTTP client holds that client weakly, and breaks when it is gone"
_MOCK: Final = "`unittest.mock` takes the `send` on the HTTP client for a plain object, not for a method"
_REQUEST: Final = "`anthropic_otel.attempt` and `trace` stay in the extensions of a request that was sent"
_BODY: Final = "`response.extensions` has a name of the library's, and `response.stream` public names of its own"
_DECODED: Final = "a compressed response has functions in its `__dict__` in place of `iter_bytes` and `aiter_bytes`"

PENDING: Final[dict[str, Pending]] = {
    "http_client": Pending(_ON_THE_INSTANCE, _reached),
    "send_method": Pending(_ON_THE_INSTANCE, _reached),
    "send_without_a_request": Pending(_ON_THE_INSTANCE, _reached),
    "send_coroutine": Pending(_ON_THE_INSTANCE, _reached_async),
    "serialized_http_client": Pending(_ON_THE_INSTANCE, _reached),
    "subclass_with_super": Pending(_ON_THE_INSTANCE, _reached),
    "subclass_without_super": Pending(_ON_THE_INSTANCE, _reached),
    "copied_http_client": Pending(_WEAK, _reached),
    "kept_send": Pending(_WEAK, _reached),
    "client_with_a_send_of_its_own": Pending("a call puts the library's `send` in place of the app's own", _process),
    "sent_request": Pending(_REQUEST, _every_request),
    "request_of_a_stream": Pending(_REQUEST, _every_request),
    "request_of_a_call": Pending(_REQUEST, _reached),
    "request_with_extensions": Pending(_REQUEST, _every_request),
    "request_sent_twice": Pending(_REQUEST, _every_request),
    "request_that_failed": Pending(_REQUEST, _every_request),
    "redirected_request": Pending(_REQUEST, _reached),
    "stream_response": Pending(_BODY, _reached),
    "closed_unread": Pending(_BODY, _reached),
    "compressed_response": Pending(_DECODED, _reached),
    "compressed_closed_unread": Pending(_DECODED, _reached),
    "send_mocked_on_the_client": Pending(_MOCK, _reached_async),
    "send_mocked_on_the_class": Pending("the library looks up `send` of the class as a function, not a mock", _reached),
    "send_spied_on_the_client": Pending(_MOCK, _reached),
    "send_with_a_spec_on_the_class": Pending(_ON_THE_INSTANCE, _reached),
    "specified_client": Pending(_MOCK, _reached),
    "door": Pending("a request without the SDK is no attempt where the process is instrumented", _without_sdk),
}
"""By the name of the probe."""


def marks(name: str, stack: Stack, door: Door) -> tuple[pytest.MarkDecorator, ...]:
    """The marks of a test that has the probe look behind the door: a strict xfail if that is pending, else none."""
    pending = PENDING.get(name)
    if pending is None or not pending.where(stack, door):
        return ()
    return (pytest.mark.xfail(strict=True, reason=pending.why),)
