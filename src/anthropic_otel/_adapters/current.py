"""The call whose SDK method is running, and the calls that are running on a client.

Rule: a call is current only in the context of its method, or while a stream of its middleware produces a chunk.
"""

from __future__ import annotations

import weakref
from contextvars import ContextVar
from typing import Any, Final

from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.call import Call


class RunningCall:
    """A call, and the HTTP client that it sends by, known by its `id`: the method keeps the client alive.

    `phases` is whether to listen to the transport's events in its sends.
    """

    __slots__ = ("_http_client_id", "_opened", "call", "phases")

    def __init__(self, call: Call, http_client: Any, *, phases: bool) -> None:
        self.call: Final = call
        self.phases: Final = phases
        self._http_client_id: Final = id(http_client)
        self._opened: list[tuple[weakref.ref[Any], Attempt]] = []

    def sends_by(self, http_client: Any) -> bool:
        """Whether `http_client` is the call's own."""
        return self._http_client_id == id(http_client)

    def opened(self, response: Any, attempt: Attempt) -> None:
        """Notes that a send of this call has returned `response`, whose body is open."""
        self._opened.append((weakref.ref(response), attempt))

    def attempt_of(self, response: Any) -> Attempt | None:
        """The attempt of a response whose body was open, `None` if it is none of this call's."""
        return next((attempt for ref, attempt in self._opened if ref() is response), None)

    def finished(self) -> None:
        """The method has finished. A task that it has left behind may keep this object, but nothing else by it."""
        self._opened.clear()


current_call: Final[ContextVar[RunningCall | None]] = ContextVar("anthropic_otel_call", default=None)
"""The call that is running in this thread or task."""

_running: Final[dict[int, list[RunningCall]]] = {}
"""The calls whose method is running, by the `id` of their HTTP client."""


def add(running: RunningCall, http_client: Any) -> None:
    """Notes a call whose method starts to run."""
    _running.setdefault(id(http_client), []).append(running)


def discard(running: RunningCall) -> None:
    """Notes that the method of a call has finished. Ignored the second time."""
    http_client_id = running._http_client_id
    calls = _running.get(http_client_id)
    if calls is not None and running in calls:
        calls.remove(running)
        if not calls:
            _running.pop(http_client_id, None)


def only_call_on(http_client: Any) -> RunningCall | None:
    """The call that is running on an HTTP client, `None` if there is none or more than one."""
    calls = _running.get(id(http_client), ())
    return calls[0] if len(calls) == 1 else None
