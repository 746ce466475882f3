"""Implements event hooks, for apps that build their own HTTP client and want nothing patched.

Rule: each hook serves sync and async clients. A sync client calls it and ignores the returned value. An async one
awaits that value; that of the request hook then puts an async `trace` function on the request.

Hooks do not see a failure without a trace event, as of a full pool, of a custom transport or of another hook. Such an
attempt ends when its request is dropped, with the `error.type` `_OTHER`; after a response it ends when the body is
closed. An attempt that fails by too many redirects has the status of the last redirect. If a transport sends or
connects again by itself after a failure, each time is an attempt of its own. So is each request of an auth flow.

The client is not passed to a hook. Its proxy, and whether it follows redirects, are read from its function that calls
the hooks; if another function calls them, they are not known.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator, Mapping
from typing import Any, Final

from anthropic_otel._adapters import callers, http_body, messages, models, sending, transports
from anthropic_otel._adapters.trace_functions import chained, sender_of
from anthropic_otel._core.ending import End
from anthropic_otel._core.failed_send import Broken, FailedSend
from anthropic_otel._core.finalizer import finalize, fork_generation
from anthropic_otel._core.guard import guarded
from anthropic_otel._core.headers import RawHeaders
from anthropic_otel._core.raw_response import version_of
from anthropic_otel._core.request import RequestFacts, shared_facts
from anthropic_otel._core.runtime import Runtime
from anthropic_otel._core.send import AttemptSource, Send
from anthropic_otel._core.timeline import starts_request

HOOKED: Final = "anthropic_otel.hooked"
"""The name of the request extension that holds the `HookedSend` of a request, from its request hook on."""


class Awaitable0:
    """The value that a hook returns. Awaiting it calls `awaited`, if that is given, and gives `None` at once."""

    __slots__ = ("_awaited",)

    def __init__(self, awaited: Callable[[], None] | None = None) -> None:
        self._awaited = awaited

    def __await__(self) -> Generator[None, None, None]:
        if self._awaited is not None:
            self._awaited()
        yield from ()


class HookedSend(Send):
    """A send from its request hook to the end of its body. Its request keeps it alive.

    It is garbage-collected with the request. If the attempt has not ended by then, this ends it: as read after a
    redirect that was not followed, as lost if no response came. After any other response the wrapper of its body ends
    the attempt. `app_trace` is the app's own `trace` function, `None` without one.
    """

    __slots__ = ("_created_in", "_redirect", "_watched", "app_trace")

    def __init__(
        self, source: AttemptSource, facts: RequestFacts, size: int | None, app_trace: Callable[..., Any] | None
    ) -> None:
        self.app_trace = app_trace
        self._redirect: tuple[RawHeaders, int] | None = None
        """The headers of a redirect that may still be followed, and when it came. `None` without one."""
        self._watched = False
        """Whether the wrapper of the body ends the attempt, or the attempt has ended as a stream in memory."""
        self._created_in = fork_generation()
        # Last: `__del__` also runs after an interrupted `__init__`.
        super().__init__(source, facts, size)

    @guarded(None)
    def trace(self, name: str, info: Mapping[str, Any]) -> None:
        """Handles a trace event of the transport, as `Send.trace` does. An event of a failure ends the attempt too.

        Three kinds do not: that of a stream which the app leaves early, that of a write after which the transport still
        waits for a response, and any after a response whose body's wrapper ends the attempt. If the transport sends
        again after the attempt has ended, another attempt begins. Raises no error of its own.
        """
        last = self.attempt
        if last.ended and starts_request(name):
            self.sends_again_after_end()
        super().trace(name, info)
        if self.attempt is not last:
            # No context of it must stay attached, as of the first one.
            self.attempt.recorder.send_finished(None)
        error = info.get("exception") if name.endswith(".failed") else None
        if self._watched or not isinstance(error, BaseException):
            # The body raises what the app gets to see of it.
            return
        if self._redirect is not None and name.endswith("receive_response_body.failed"):
            # It is not followed, so that its headers count.
            self.attempt.failed_send = FailedSend(Broken.HOP)
            self.attempt.recorder.send_finished(self._redirect[0])
        # If the app leaves a stream early, the closing of the body ends the attempt.
        if not isinstance(error, GeneratorExit) and not _transport_goes_on(name, error):
            self.failed(callers.raised_by_transport(error))

    def received(self, response: Any, *, followed: bool) -> None:
        """Records a response by `http_body.received`, so that its body ends the attempt; but not if it is `followed`.

        `followed` is whether it is a redirect that the client may follow. Such a one is noted on the attempt, which
        goes on; its body is left alone. The recorder gets its headers only once it is known not to be followed.
        """
        if not followed:
            self._watched = http_body.received(self, response)
            return
        attempt, headers = self.attempt, messages.headers_of(response)
        version = response.extensions.get("http_version")
        attempt.responded(response.status_code, headers, version_of(version) if isinstance(version, bytes) else None)
        # The headers of a redirect that is followed do not count, such as those of a rate limit.
        self._redirect = headers, attempt.timeline.clock.now()

    def begins_hop(self, request: Any) -> bool:
        """Begins the next hop of the attempt, by `request`, if the last response was a redirect that may be followed.

        Returns whether it was; `False` once the attempt has ended. To be called in the request hook.
        """
        # If the body of the redirect broke, the app itself sends the request once more.
        if self._redirect is None or self.attempt.ended:
            return False
        self._redirect = None
        self.attempt.begin_hop()
        self.went_through(_proxy_of(request))
        return True

    def _end_at_redirect(self, headers: RawHeaders, at: int) -> None:
        """Ends the attempt by `End.READ`, and the send, after a redirect that was not followed.

        So the attempt has failed with the redirect's status. `headers` are those of the redirect, and `at` is when it
        came, in nanoseconds of the attempt's clock.
        """
        self.attempt.recorder.send_finished(headers)
        self.attempt.end(End.READ, at)
        self.lost()

    def __del__(self) -> None:
        attempt = getattr(self, "attempt", None)
        if attempt is None or attempt.ended:
            return
        if self._redirect is not None:
            finalize(functools.partial(self._end_at_redirect, *self._redirect), self._created_in)
        elif attempt.status is None:
            finalize(self.lost, self._created_in)


def _proxy_of(request: Any) -> str | None:
    """Returns `host:port` of the proxy by which the client sends `request`, whose request hooks it is calling.

    `None` without a proxy, or if that is not known.
    """
    return transports.facts_of(callers.variable_of_client("self"), request.url).proxy


def _transport_goes_on(event: str, error: BaseException) -> bool:
    """Returns whether the transport goes on after `error`, the failure that the trace event `event` reports.

    It does after a `WriteError` while it sends the request: it does not raise that, but waits for a response.
    """
    return "send_request_" in event and type(error).__name__ == "WriteError"


class Hooks:
    """The two event hooks, `request` and `response`, that record attempts for `runtime`. Neither raises."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime: Final = runtime

    def request(self, request: Any) -> Awaitable0:
        """Begins an attempt, or the next hop of one after a redirect. For the `request` list of `event_hooks`.

        At the start of an attempt, adds the `HookedSend` and a `trace` function to the request's extensions, and trace
        context to its headers. What an earlier attempt added to the extensions is removed before. An async client must
        await the returned value.

        Begins no attempt within a send of this thread or task that is recorded because the app has instrumented the
        process or a client (`sending.is_recorded_for_app`), or if `Runtime.enabled` returns `False`.
        """
        return Awaitable0(self._begin(request))

    @guarded(None)
    def _begin(self, request: Any) -> Callable[[], None] | None:
        hooked = request.extensions.get(HOOKED)
        if isinstance(hooked, HookedSend) and hooked.begins_hop(request):
            # It has the extensions of the one before: the attempt and its trace function.
            return None
        app_trace = _forget_last_attempt(request)
        if sending.is_recorded_for_app() or not self._runtime.enabled():
            return None
        names = messages.names_of(request)
        source = self._runtime.lone_attempts(messages.retry_count_of(request, names))
        facts = shared_facts(
            messages.target_of_request(request),
            models.model_of(request),
            models.stream_of(request),
            _proxy_of(request),
        )
        hooked = HookedSend(source, facts, messages.size_of(request), app_trace)
        messages.set_headers(request, names, hooked.attempt.recorder.headers)
        # The hook returns before the send, so the attempt's context must not stay attached.
        hooked.attempt.recorder.send_finished(None)
        request.extensions = {**request.extensions, HOOKED: hooked}
        _listen(request, hooked.trace, app_trace, asynchronous=False)
        return lambda: _listen(request, hooked.atrace, app_trace, asynchronous=True)

    def response(self, response: Any) -> Awaitable0:
        """Records the response to a request that has an attempt. For the `response` list of `event_hooks`.

        Does so by `HookedSend.received`, as `followed` if it is a redirect and the client is not known to follow none.
        Does nothing if the request hook has begun no attempt. An async client must await the returned value.
        """
        self._respond(response)
        return Awaitable0()

    @guarded(None)
    def _respond(self, response: Any) -> None:
        hooked = response.request.extensions.get(HOOKED)
        if not isinstance(hooked, HookedSend):
            return
        redirect = response.has_redirect_location
        hooked.received(response, followed=redirect and callers.variable_of_client("follow_redirects") is not False)


def _listen(
    request: Any, our_trace: Callable[..., Any], app_trace: Callable[..., Any] | None, *, asynchronous: bool
) -> None:
    trace = our_trace if app_trace is None else chained(our_trace, app_trace, asynchronous=asynchronous)
    request.extensions = {**request.extensions, "trace": trace}


def _forget_last_attempt(request: Any) -> Any:
    """Removes the extensions that the hooks added to a request for an earlier attempt, and restores the app's `trace`.

    Returns the `trace` function that the request has then: the app's, or that of a patched `send`; `None` for neither.
    """
    extensions = request.extensions
    trace = extensions.get("trace")
    # Else it is the app's own, or that of a patched `send`.
    is_left = isinstance(last := sender_of(trace), HookedSend)
    if is_left:
        trace = last.app_trace
    if is_left or HOOKED in extensions:
        others = {name: value for name, value in extensions.items() if name not in (HOOKED, "trace")}
        request.extensions = others if trace is None else {**others, "trace": trace}
    return trace
