"""The one place that every attempt goes through: `send` of the HTTP client, sync and async, of httpx and httpx2.

The rule: `send` is replaced on the instance, by an object that holds the client weakly and looks up the class's `send`
at every use, so that what other libraries patch keeps working. What the app gets back, and what is raised, are the same
objects; a failure of ours is never seen by the SDK, which would take it for a failed attempt and send again.
"""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable
from typing import Any, Final

from anthropic_otel._adapters import http_body
from anthropic_otel._core import headers as h
from anthropic_otel._core.attempt import Attempt, End
from anthropic_otel._core.guard import report
from anthropic_otel._core.runtime import Runtime, current_call
from anthropic_otel._core.target import target_of
from anthropic_otel._core.timeline import peer_of, version_of

ATTEMPT: Final = "anthropic_otel.attempt"
"""The request extension that says that a request is part of an attempt already."""

_RETRY_COUNT: Final = "x-stainless-retry-count"


class Send:
    """Our `send` on one HTTP client: `before` is what the instance had there, `None` for what its class has.

    `calls_only` leaves out what is not part of an SDK call, as other parts of the app may share the client.
    """

    def __init__(self, client: Any, runtime: Runtime, *, calls_only: bool) -> None:
        self.runtime: Final = runtime
        self.before: Final[Callable[..., Any] | None] = client.__dict__.get("send")
        self.calls_only: Final = calls_only
        self._client: Final = weakref.ref(client)

    def inner(self) -> Callable[..., Any]:
        """The `send` below ours. The client is alive, as it is being called."""
        if self.before is not None:
            return self.before
        client: Any = self._client()
        send: Callable[..., Any] = type(client).send.__get__(client)
        return send


class SyncSend(Send):
    """`send` of `httpx.Client` and `httpx2.Client`."""

    def __call__(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        inner = self.inner()
        attempt = begin(self.runtime, request, calls_only=self.calls_only)
        if attempt is None:
            return inner(request, *args, **kwargs)
        ours = attempt.timeline.trace if self.runtime.phases else None
        try:
            listen(request, ours, request.extensions.get("trace"), asynchronous=False)
            response = inner(request, *args, **kwargs)
            received(attempt, response)
        except BaseException as error:
            # Of ours nothing raises but an interrupt, which ends the attempt too.
            failed(attempt, error)
            raise
        return response


class AsyncSend(Send):
    """`send` of `httpx.AsyncClient` and `httpx2.AsyncClient`."""

    async def __call__(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        inner = self.inner()
        attempt = begin(self.runtime, request, calls_only=self.calls_only)
        if attempt is None:
            return await inner(request, *args, **kwargs)
        ours = attempt.timeline.atrace if self.runtime.phases else None
        try:
            listen(request, ours, request.extensions.get("trace"), asynchronous=True)
            response = await inner(request, *args, **kwargs)
            received(attempt, response)
        except BaseException as error:
            # Of ours nothing raises but an interrupt, which ends the attempt too.
            failed(attempt, error)
            raise
        return response


def instrument(client: Any, runtime: Runtime, *, calls_only: bool) -> bool:
    """Makes the attempts of an HTTP client known to `runtime`. Returns whether they were not before.

    Raises `TypeError` for an object that has no `send`.
    """
    if runtime_of(client) is runtime:
        return False
    if not is_client(client):
        raise TypeError(f"Expected an httpx or httpx2 client, got {type(client).__name__}")
    uninstrument(client)
    asynchronous = inspect.iscoroutinefunction(type(client).send)
    client.send = (AsyncSend if asynchronous else SyncSend)(client, runtime, calls_only=calls_only)
    return True


def uninstrument(client: Any) -> None:
    """Takes our `send` off an HTTP client, unless another library has put its own on top of it since."""
    send = client.__dict__.get("send")
    if not isinstance(send, Send):
        return
    if send.before is None:
        del client.send
    else:
        client.send = send.before


def is_client(client: Any) -> bool:
    """Whether `client` is what can be instrumented: an object with a `send` of its class and attributes of its own."""
    return callable(getattr(type(client), "send", None)) and hasattr(client, "__dict__")


def runtime_of(client: Any) -> Runtime | None:
    """The runtime that learns of this HTTP client's attempts, `None` without one."""
    send = getattr(client, "__dict__", {}).get("send")
    return send.runtime if isinstance(send, Send) else None


# -- before the send ---------------------------------------------------------------------------------------------------


def begin(runtime: Runtime, request: Any, *, calls_only: bool) -> Attempt | None:
    """The attempt that a request is, about to be sent; `None` for a request that is none of ours. Never raises."""
    # Guarded in place, as everything here that runs at each attempt: a guard is a function more.
    try:
        call = current_call.get()
        if not runtime.active or (call is None and calls_only) or ATTEMPT in request.extensions:
            return None
        url = request.url
        path = url.raw_path.partition(b"?")[0].decode("ascii")
        target = target_of(request.method, url.scheme, url.host, url.port, path)
        # Who has begun to suppress instrumentation within a call has made a span of the call, and means others.
        if call is None:
            attempt = runtime.begin_attempt(target, _resend_count(request)) if runtime.watches() else None
        else:
            # Also a client that the SDK shares with the app: what that sends within a call goes elsewhere.
            of_call = target.address == call.invocation.address or _RETRY_COUNT in request.headers
            attempt = call.begin_attempt(target) if of_call else None
    except Exception as error:
        report("begin", error)
        return None
    if attempt is not None:
        try:
            # No signature covers these headers: signing is done by now.
            for name, value in attempt.observer.attempt_started(attempt).items():
                request.headers[name] = value
        except Exception as error:
            report("propagate", error)
        except BaseException as interrupt:
            failed(attempt, interrupt)
            raise
    return attempt


def _resend_count(request: Any) -> int:
    value = request.headers.get(_RETRY_COUNT, "")
    return int(value) if value.isdecimal() and len(value) < 6 else 0


Trace = Callable[..., Any]
"""A function for the `trace` extension of a transport; for an async one, a coroutine function."""


def listen(request: Any, ours: Trace | None, theirs: Trace | None, *, asynchronous: bool) -> None:
    """Has the transport tell `ours` of its events, and the app's own `trace` function, `theirs`, as before."""
    try:
        # A new mapping, as the app may use its own for more than one request.
        extensions = {**request.extensions, ATTEMPT: True}
        if ours is not None:
            both = _both_async if asynchronous else _both
            extensions["trace"] = ours if theirs is None else both(ours, theirs)
        request.extensions = extensions
    except Exception as error:
        report("listen", error)


def _both(ours: Trace, theirs: Trace) -> Trace:
    def trace(name: str, info: Any) -> Any:
        ours(name, info)
        return theirs(name, info)

    return trace


def _both_async(ours: Trace, theirs: Trace) -> Trace:
    async def trace(name: str, info: Any) -> None:
        await ours(name, info)
        await theirs(name, info)

    return trace


# -- after it ----------------------------------------------------------------------------------------------------------


def failed(attempt: Attempt, error: BaseException) -> None:
    """The send has raised. Never raises."""
    attempt.observer.attempt_sent(attempt)
    attempt.end(End.RAISED, error)


def received(attempt: Attempt, response: Any) -> None:
    """The send has returned. Never raises."""
    attempt.observer.attempt_sent(attempt)
    observed = False
    try:
        headers, extensions = h.by_name(response.headers.raw), response.extensions
        version, stream = extensions.get("http_version"), extensions.get("network_stream")
        attempt.responded(
            response.status_code,
            headers,
            version_of(version) if isinstance(version, bytes) else None,
            # A connection that existed before has told of no event.
            peer_of(stream) if attempt.timeline.peer is None and stream is not None else None,
        )
        observed = not response.is_closed and http_body.observe(response, attempt, headers)
    except Exception as error:
        report("received", error)
    if not observed:
        attempt.end(End.READ)
