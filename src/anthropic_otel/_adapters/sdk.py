"""Records calls: wraps `request` of the SDK's clients, sync and async, of every platform.

Rule: what is wrapped returns and raises exactly what it did before. What is private in an SDK client is read here and
in `invocations`, with a default for an SDK without it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from anthropic_otel._adapters import message_threads, middleware_stream, raw_replies
from anthropic_otel._adapters.current import RunningCall
from anthropic_otel._adapters.invocations import Invocations
from anthropic_otel._adapters.models import asks_for_stream, model_may_be_elsewhere
from anthropic_otel._adapters.patches import Function, Patch
from anthropic_otel._adapters.wiring import Wiring
from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.finalizer import deferred, drain
from anthropic_otel._core.guard import guarded, report
from anthropic_otel._core.held_body import HeldBody


def http_client_of(client: Any) -> Any:
    """Returns the HTTP client of an SDK client, `None` for an object without one."""
    return getattr(client, "_client", None)


def sync_request(wiring: Wiring, invocations: Invocations, original: Function, patch: Patch) -> Function:
    """Returns the wrapper of a sync SDK client's `request`, which records the call.

    `wiring` knows the runtime of a call, `invocations` makes what is recorded of its arguments. The wrapper does
    nothing but call `original` if `patch` is not active, or if the call is not to be, or cannot be, recorded.
    """

    @functools.wraps(original)
    def request(self: Any, *args: Any, **kwargs: Any) -> Any:
        running = _begin(wiring, invocations, self, args, kwargs) if patch.active else None
        if running is None:
            return original(self, *args, **kwargs)
        # Not by `with`, which takes 2,000 instructions more.
        try:
            return running.returned(original(self, *args, **kwargs))
        except BaseException as error:
            running.raised(error)
            raise

    return request


def async_request(wiring: Wiring, invocations: Invocations, original: Function, patch: Patch) -> Function:
    """Returns the wrapper of an async SDK client's `request`, which does the same as that of `sync_request`."""

    @functools.wraps(original)
    async def request(self: Any, *args: Any, **kwargs: Any) -> Any:
        running = _begin(wiring, invocations, self, args, kwargs) if patch.active else None
        if running is None:
            return await original(self, *args, **kwargs)
        try:
            return running.returned(await original(self, *args, **kwargs))
        except BaseException as error:
            running.raised(error)
            raise

    return request


def _begin(
    wiring: Wiring, invocations: Invocations, client: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> _Running | None:
    """Begins to record a call, with the arguments of the SDK client's `request`.

    Returns an object whose `returned` or `raised` the wrapper must call at the end (`_Running`). `None` if the call is
    not to be recorded, and on a failure. Raises only what interrupts it; a call that had begun has ended then.
    """
    # Guarded in place, as it runs at every call.
    try:
        http_client = getattr(client, "_client", None)
        runtime = wiring.runtime_of_calls(http_client)
        if runtime is None:
            return None
        options = args[1] if len(args) > 1 else kwargs.get("options")
        invocation = invocations.of(client, options, bool(kwargs.get("stream", False)))
        if not runtime.enabled(invocation.sdk_tracer_provider):
            return None
        has_middleware = invocation.has_middleware
        keeps_model = invocation.model is not None and not (
            has_middleware or invocation.own_requests or model_may_be_elsewhere(options)
        )
        if keeps_model:
            model_kept_by = id(client)
        else:
            model_kept_by = 0
            if not invocation.stream and asks_for_stream(options):
                # By `extra_body`.
                invocation = invocations.of(client, options, True)
        cast_to = args[0] if args else kwargs.get("cast_to")
        call = runtime.begin_call(invocation)
        try:
            return _Running(call, http_client, runtime, has_middleware, cast_to, model_kept_by)
        except BaseException as interrupt:
            call.method_raised(interrupt)
            raise
    except Exception as error:
        report("_begin", error)
        return None


class _Running(RunningCall):
    """The run of a recorded SDK method. The wrapper calls `returned` with the method's result at the end.

    If the method raises, or `returned` is interrupted, the wrapper calls `raised`. Both record this, and then have the
    ends recorded that finalizers have queued. No method raises an error of its own.
    """

    __slots__ = ()

    def returned(self, result: Any) -> Any:
        """Records that the method has returned `result`, which it returns.

        Makes the call no longer current. Ends the attempts that waited for the SDK to parse their body, counts the
        tokens of parsed replies, and forgets what was noted of the call's responses. Has `raw_replies` remember a raw
        response that the app may still parse. The call ends now, or as soon as no body of it is open any more.
        """
        self.leave()
        call, has_notes = self.call, self._noted or self.has_middleware
        call.replied(result, type(result) is str and self._asked_for_no_text())
        body = self._body_of(result) if has_notes else None
        counted, source = False, body if body is not None else call.attempts.completed
        if self.has_middleware:
            counted = self.count_parsed(result)
            source = self._answer_in(result, source)
        raw_replies.expect(result, source, is_open=body is not None)
        call.method_returned(result, body, counted)
        if has_notes:
            self.forget()
        if deferred:
            drain()
        return result

    def raised(self, error: BaseException) -> None:
        """Records that the method has raised `error`. It may be called after an interrupted `returned`.

        Makes the call no longer current. Ends the attempts that waited for the SDK to parse their body, counts the
        tokens of replies that a middleware has parsed, and forgets what was noted of the call's responses. The call
        ends now, or as soon as no body of it is open any more.
        """
        is_sent_again = False
        try:
            self.leave()
            is_sent_again = message_threads.sends_again(error)
        finally:
            # Also after an interrupt: a call that does not end is missing in every count.
            self.call.method_raised(error, is_sent_again=is_sent_again)
        if self.has_middleware:
            self.count_parsed(None)
        self.forget()
        if deferred:
            drain()

    @guarded(None)
    def _answer_in(self, result: Any, otherwise: Attempt | HeldBody | None) -> Attempt | HeldBody | None:
        """Returns the attempt whose response the raw response `result` has (`answer_in`).

        `None` if that response is from before this call (`is_from_before`), so that no attempt is counted for it, and
        on a failure. Returns `otherwise` if the response has neither an attempt nor a request id, and for a `result`
        that is no raw response.
        """
        response = getattr(result, "http_response", None)
        return self.answer_in(response) or (None if self.is_from_before(response) else otherwise)

    @guarded(False)
    def _asked_for_no_text(self) -> bool:
        """Returns whether the SDK was to parse the response into a class other than `str` and `object`.

        Then a text that the SDK returns is a body that it did not parse: with a content type other than JSON, it may
        return the body as it is.
        """
        return isinstance(self.cast_to, type) and self.cast_to not in (str, object)

    @guarded(None)
    def _body_of(self, result: Any) -> Attempt | HeldBody | None:
        """Returns the attempt whose body the app may read by `result`, `None` without one.

        That is an attempt noted for an open response that `result` has, else what `attempt_of_result` returns. If there
        is none, and `result` has an open response that a middleware has made, wraps the body of that and returns the
        held body. `None` on a failure too.
        """
        response = getattr(result, "response", None) or getattr(result, "http_response", None)
        attempt = self.attempt_of(response) or self.attempt_of_result(result)
        if attempt is not None or response is None or not self.has_middleware:
            return attempt
        return middleware_stream.follow(self, response)
