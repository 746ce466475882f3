"""The call whose SDK method is running, and the calls that are running on a client.

Rule: a call is current only in the context of its method, or while a stream of its middleware produces a chunk.
"""

from __future__ import annotations

import weakref
from contextvars import ContextVar, Token
from typing import Any, Final

from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.call import Call


class RunningCall:
    """A call whose SDK method runs, and the HTTP client that it sends by, known by its `id`: the method keeps it alive.

    From when it is made until `leave` it is the current one. `phases` is whether to listen to the transport's events in
    its sends.
    """

    __slots__ = ("_http_client_id", "_opened", "_token", "call", "phases")

    def __init__(self, call: Call, http_client: Any, *, phases: bool) -> None:
        self.call: Final = call
        self.phases: Final = phases
        self._http_client_id: Final = id(http_client)
        self._opened: list[tuple[weakref.ref[Any], Attempt]] = []
        self._token: Token[RunningCall | None] | None = None
        _running.setdefault(self._http_client_id, []).append(self)
        self._token = current_call.set(self)

    def leave(self) -> None:
        """The method has finished: the call is not current any more. Without effect the second time."""
        # In this order: after an interrupt in between it is reset twice, which is harmless, and not never.
        if self._token is not None:
            try:
                current_call.reset(self._token)
            except (ValueError, RuntimeError):
                # A coroutine may be closed in another context than it ran in: nothing of ours is current there.
                self._token = None
            self._token = None
        calls = _running.get(self._http_client_id, [])
        if self in calls:
            calls.remove(self)
            if not calls:
                _running.pop(self._http_client_id, None)

    def forget(self) -> None:
        """Forgets the responses. A background task of the call may keep this object alive, but not them."""
        self._opened.clear()

    @property
    def finished(self) -> bool:
        """Whether the method has finished. A task that was started within it has the call for its own all the same."""
        return self._token is None

    def sends_by(self, http_client: Any) -> bool:
        """Whether `http_client` is the call's own."""
        return self._http_client_id == id(http_client)

    @property
    def has_opened(self) -> bool:
        """Whether a send of this call has returned a body that the app may read yet."""
        return bool(self._opened)

    def opened(self, response: Any, attempt: Attempt) -> None:
        """Notes that a send of this call has returned `response`, whose body is open, or a stream in memory."""
        self._opened.append((weakref.ref(response), attempt))

    def attempt_of(self, response: Any) -> Attempt | None:
        """The attempt of a response whose body was open, `None` if it is none of this call's."""
        return next((attempt for ref, attempt in self._opened if ref() is response), None)


current_call: Final[ContextVar[RunningCall | None]] = ContextVar("anthropic_otel_call", default=None)
"""The call that is running in this thread or task."""

_running: Final[dict[int, list[RunningCall]]] = {}
"""The calls whose method is running, by the `id` of their HTTP client."""


def only_call_on(http_client: Any) -> RunningCall | None:
    """The call that is running on an HTTP client, `None` if there is none or more than one."""
    calls = _running.get(id(http_client), [])
    return calls[0] if len(calls) == 1 else None
