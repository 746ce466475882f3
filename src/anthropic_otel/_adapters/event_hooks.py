"""Event hooks for those who build their own HTTP client and want nothing patched.

The rule: one hook serves sync and async clients. A sync client calls it and ignores what it returns; an async one
awaits that, and by being awaited the hook knows which kind of `trace` function the transport takes.

What hooks cannot see: a failure without an event of the transport, as of a pool that is full or of a custom transport.
Such an attempt ends when its request is dropped, as `_OTHER`. Each hop of a redirect is an attempt of its own, and with
a transport that retries to connect by itself the first failure to connect ends the attempt.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Mapping
from typing import Any, Final

from anthropic_otel._adapters import http_client
from anthropic_otel._core.attempt import Attempt, End
from anthropic_otel._core.finalizer import finalize, process
from anthropic_otel._core.guard import guarded
from anthropic_otel._core.runtime import Runtime

HOOKED: Final = "anthropic_otel.hooked"
"""The request extension that holds the attempt between the hooks."""


class Done:
    """What a hook returns. Awaiting it waits for nothing; `awaited` is called first."""

    __slots__ = ("_awaited",)

    def __init__(self, awaited: Callable[[], None] | None = None) -> None:
        self._awaited = awaited

    def __await__(self) -> Generator[None, None, None]:
        if self._awaited is not None:
            self._awaited()
        yield from ()


class Hooked:
    """An attempt between its request hook and its response hook. Dropped with its request, it ends the attempt."""

    __slots__ = ("attempt", "process", "theirs")

    def __init__(self, attempt: Attempt, theirs: Callable[..., Any] | None) -> None:
        self.attempt = attempt
        self.process = process()
        self.theirs = theirs

    @guarded(None)
    def trace(self, name: str, info: Mapping[str, Any]) -> None:
        """Takes an event of the transport, and from one that tells of a failure the end of the attempt."""
        self.attempt.timeline.trace(name, info)
        error = info.get("exception") if name.endswith(".failed") else None
        if isinstance(error, BaseException) and not _is_kept(name, error):
            self.attempt.end(End.RAISED, error)

    async def atrace(self, name: str, info: Mapping[str, Any]) -> None:
        self.trace(name, info)

    def __del__(self) -> None:
        if self.attempt.status is None and not self.attempt.ended:
            finalize(functools.partial(self.attempt.end, End.LOST), self.process)


def _is_kept(event: str, error: BaseException) -> bool:
    """Whether the transport goes on: after a request that could not be sent whole it looks for a response."""
    return "send_request_" in event and type(error).__name__ == "WriteError"


class Hooks:
    """The two hooks of a runtime, as `request` and `response`."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime: Final = runtime

    def request(self, request: Any) -> Done:
        """Begins an attempt. Never raises: a hook that raised would make the SDK send the request again."""
        return Done(self._begin(request))

    @guarded(None)
    def _begin(self, request: Any) -> Callable[[], None] | None:
        theirs = _forget_last_hop(request)
        attempt = http_client.begin(self._runtime, request, calls_only=False)
        if attempt is None:
            return None
        # A hook is left before the send: nothing may stay current.
        attempt.observer.attempt_sent(attempt)
        hooked = Hooked(attempt, theirs)
        request.extensions = {**request.extensions, HOOKED: hooked}
        http_client.listen(request, hooked.trace, theirs, asynchronous=False)
        return lambda: http_client.listen(request, hooked.atrace, theirs, asynchronous=True)

    def response(self, response: Any) -> Done:
        """Takes the response of the attempt, and follows its body."""
        self._respond(response)
        return Done()

    @guarded(None)
    def _respond(self, response: Any) -> None:
        hooked = response.request.extensions.get(HOOKED)
        if isinstance(hooked, Hooked):
            http_client.received(hooked.attempt, response)


def _forget_last_hop(request: Any) -> Any:
    """The app's own `trace` function. A redirected request brings along what we have put on the one before it."""
    hooked = request.extensions.get(HOOKED)
    if not isinstance(hooked, Hooked):
        return request.extensions.get("trace")
    ours = (HOOKED, http_client.ATTEMPT, "trace")
    request.extensions = {name: value for name, value in request.extensions.items() if name not in ours}
    return hooked.theirs
