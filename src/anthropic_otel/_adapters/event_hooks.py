"""Event hooks for those who build their own HTTP client and want nothing patched.

Rule: one hook serves sync and async clients. A sync client calls it and ignores what it returns; an async one awaits
that, and by being awaited the hook knows which kind of `trace` function the transport takes.

What hooks cannot see: a failure without an event of the transport, as of a pool that is full or of a custom transport.
Such an attempt ends when its request is dropped, as `_OTHER`. Too many redirects are the status of the last one. With a
transport that retries to connect by itself the first failure to connect ends the attempt.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Mapping
from typing import Any, Final

from anthropic_otel._adapters import http_body, messages, models, sending
from anthropic_otel._adapters.trace_functions import chained
from anthropic_otel._core.ending import End
from anthropic_otel._core.finalizer import finalize, fork_generation
from anthropic_otel._core.guard import guarded
from anthropic_otel._core.request import RequestFacts
from anthropic_otel._core.runtime import Runtime
from anthropic_otel._core.send import Send

HOOKED: Final = "anthropic_otel.hooked"
"""The request extension that holds the attempt between the hooks."""


class Awaitable0:
    """What a hook returns. Awaiting it waits for nothing; `awaited` is called first."""

    __slots__ = ("_awaited",)

    def __init__(self, awaited: Callable[[], None] | None = None) -> None:
        self._awaited = awaited

    def __await__(self) -> Generator[None, None, None]:
        if self._awaited is not None:
            self._awaited()
        yield from ()


class HookedAttempt:
    """An attempt between its request hook and its response hook. Dropped with its request, it ends the attempt."""

    __slots__ = ("_created_in", "app_trace", "redirected_at", "send")

    def __init__(self, send: Send, app_trace: Callable[..., Any] | None) -> None:
        self.send = send
        self.app_trace = app_trace
        self.redirected_at: int | None = None
        """When a redirect came that may still be followed; `None` if none did, or the next hop has begun."""
        self._created_in = fork_generation()

    @guarded(None)
    def trace(self, name: str, info: Mapping[str, Any]) -> None:
        """Takes an event of the transport. An event of a failure ends the attempt."""
        attempt = self.send.attempt
        attempt.trace(name, info)
        error = info.get("exception") if name.endswith(".failed") else None
        # An app that leaves a stream early ends it by closing the body, and not by this.
        if isinstance(error, BaseException) and not isinstance(error, GeneratorExit) and not _is_kept(name, error):
            self.send.failed(error)

    async def atrace(self, name: str, info: Mapping[str, Any]) -> None:
        self.trace(name, info)

    def __del__(self) -> None:
        attempt = self.send.attempt
        if attempt.ended:
            return
        if self.redirected_at is not None:
            finalize(functools.partial(attempt.end, End.READ, self.redirected_at), self._created_in)
        elif attempt.status is None:
            finalize(self.send.lost, self._created_in)


def _is_kept(event: str, error: BaseException) -> bool:
    """Whether the transport goes on: after a request that could not be sent whole it looks for a response."""
    return "send_request_" in event and type(error).__name__ == "WriteError"


class Hooks:
    """The two hooks of a runtime, as `request` and `response`."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime: Final = runtime

    def request(self, request: Any) -> Awaitable0:
        """Begins an attempt. Never raises: a hook that raised would make the SDK send the request again."""
        return Awaitable0(self._begin(request))

    @guarded(None)
    def _begin(self, request: Any) -> Callable[[], None] | None:
        hooked = request.extensions.get(HOOKED)
        if isinstance(hooked, HookedAttempt) and hooked.redirected_at is not None:
            # The next hop. It has brought along the attempt and its trace function.
            hooked.redirected_at = None
            hooked.send.attempt.begin_hop()
            return None
        app_trace = _forget_last_attempt(request)
        if sending.is_recorded(request) or not self._runtime.enabled():
            return None
        source = self._runtime.lone_attempts(messages.retry_count_of(request))
        facts = RequestFacts(
            messages.target_of_request(request),
            models.model_of(request, None),
            models.stream_of(request),
            size=messages.size_of(request),
        )
        send = Send(source, facts)
        sending.propagate(request, send.attempt.recorder.headers)
        # A hook is left before the send: nothing may stay current.
        send.attempt.recorder.send_finished(None)
        hooked = HookedAttempt(send, app_trace)
        request.extensions = {**request.extensions, HOOKED: hooked}
        _listen(request, hooked.trace, app_trace, asynchronous=False)
        return lambda: _listen(request, hooked.atrace, app_trace, asynchronous=True)

    def response(self, response: Any) -> Awaitable0:
        """Takes the response of the attempt, and follows its body."""
        self._respond(response)
        return Awaitable0()

    @guarded(None)
    def _respond(self, response: Any) -> None:
        hooked = response.request.extensions.get(HOOKED)
        if not isinstance(hooked, HookedAttempt):
            return
        if response.has_redirect_location:
            attempt = hooked.send.attempt
            hooked.send.responded(response.status_code, messages.headers_of(response))
            hooked.redirected_at = attempt.timeline.clock.now()
        else:
            http_body.received(hooked.send, response)


def _listen(request: Any, ours: Callable[..., Any], theirs: Callable[..., Any] | None, *, asynchronous: bool) -> None:
    trace = ours if theirs is None else chained(ours, theirs, asynchronous=asynchronous)
    request.extensions = {**request.extensions, "trace": trace}


def _forget_last_attempt(request: Any) -> Any:
    """The app's own `trace` function, without what an attempt before has left on the request."""
    hooked = request.extensions.get(HOOKED)
    if not isinstance(hooked, HookedAttempt):
        return request.extensions.get("trace")
    request.extensions = {name: value for name, value in request.extensions.items() if name not in (HOOKED, "trace")}
    return hooked.app_trace
