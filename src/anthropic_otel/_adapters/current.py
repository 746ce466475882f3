"""Keeps the call whose SDK method is running in this context, and the running calls of each HTTP client.

Rule: a call is made current only in the context of its method, and while a stream of its middleware produces a chunk. A
task that is started there has it as its current call for its whole life.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Sequence
from contextvars import ContextVar, Token
from typing import Any, Final

from anthropic_otel._adapters.messages import headers_of
from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.call import Call
from anthropic_otel._core.guard import guarded
from anthropic_otel._core.headers import identifier
from anthropic_otel._core.runtime import Runtime
from anthropic_otel._core.usage import NONE, Usage, of_reply

_Noted = tuple[Callable[[], Any], Attempt, bool]
"""A function that returns a response while it is alive, the attempt that has returned it, and whether it is open."""


class RunningCall:
    """A call whose SDK method runs. It is the current call of this context from when it is made until `leave`.

    - `call`: the facts of the call.
    - `http_client_id`: the `id` of `http_client`, the client that the method sends by, which the method keeps alive.
    - `runtime`: the runtime that records it. `phases`: whether to read the transport's trace events in its sends.
    - `has_middleware`: whether a middleware of the SDK may send and parse as often as it likes.
    - `cast_to`: what the SDK is to parse the response into.
    - `model_kept_by`: the `id` of the SDK client whose method runs, if all requests that this builds are known to ask
      for the call's model; else 0.
    - `key`: the SDK's idempotency key of all its requests. `None` for a call without a middleware, before that is
      called, and if the requests have none, as those of a GET.
    """

    __slots__ = (
        "_noted",
        "_parsed",
        "_token",
        "call",
        "cast_to",
        "has_middleware",
        "http_client_id",
        "key",
        "model_kept_by",
        "phases",
        "runtime",
    )

    def __init__(
        self,
        call: Call,
        http_client: Any,
        runtime: Runtime,
        has_middleware: bool = False,
        cast_to: Any = None,
        model_kept_by: int = 0,
    ) -> None:
        self.call: Final = call
        self.runtime: Final = runtime
        self.phases: Final = runtime.phases
        self.has_middleware: Final = has_middleware
        self.cast_to: Final = cast_to
        self.model_kept_by: Final = model_kept_by
        self.key: str | None = None
        self._parsed: list[tuple[Callable[[], Any], Attempt | None, tuple[Usage, ...]]] = []
        self.http_client_id: Final = id(http_client)
        self._noted: list[_Noted] = []
        self._token: Token[RunningCall | None] | None = None
        _running.add(self)
        self._token = current_call.set(self)

    def leave(self) -> None:
        """Makes the call no longer current here, nor running. To be called when the method has finished.

        Has no effect a second time.
        """
        # In this order: after an interrupt in between it is reset twice, which is harmless, and not never.
        if self._token is not None:
            try:
                current_call.reset(self._token)
            except (ValueError, RuntimeError):
                # A coroutine may be closed in another context than it ran in: nothing of ours is current there.
                self._token = None
            self._token = None
        _running.discard(self)

    def forget(self) -> None:
        """Forgets all responses and replies that were noted.

        A background task may keep this object alive, but not them.
        """
        self._noted.clear()
        self._parsed.clear()

    @property
    def finished(self) -> bool:
        """Whether `leave` was called. The call may still be the current one of a task that the method started."""
        return self._token is None

    def sends_by(self, http_client: Any) -> bool:
        """Returns whether `http_client` has the `id` of the one that the call's method sends by.

        While the method runs it is that client then; later its `id` may be that of another.
        """
        return self.http_client_id == id(http_client)

    def note(self, response: Any, attempt: Attempt, *, is_open: bool) -> None:
        """Notes that `attempt` has returned `response`. In a call without a middleware, only open ones are to be noted.

        One is open if it has a body that the app may read: one that was not read yet, or a stream in memory. Keeps only
        a weak reference to `response`. One that allows none is not found again.
        """
        self._noted.append((_reference_to(response), attempt, is_open))

    def attempt_of(self, response: Any) -> Attempt | None:
        """Returns the attempt that was noted for this very response, if that was open; else `None`."""
        return _noted_for(response, self._noted, only_open=True)

    def attempt_of_result(self, result: Any) -> Attempt | None:
        """Returns the attempt that `result` is from, if that is the HTTP library's response or its text.

        Of a call with a middleware that is the one that has returned this very response, in memory or not, or the one
        from which this very text was parsed. Of any other it is the one that has returned this very response with a
        body that the app may read; for a text the last such one, as where only the app's own body asks for a stream.
        `None` without such an attempt.
        """
        if type(result) is not str:
            return _noted_for(result, self._noted, only_open=False)
        if self.has_middleware:
            return next((attempt for ref, attempt, _ in self._parsed if ref() is result), None)
        return self._noted[-1][1] if self._noted else None

    def answer_in(self, response: Any) -> Attempt | None:
        """Returns the attempt that was noted for this very response object.

        For any other response, such as one that a middleware has made, returns a noted attempt with the request id in
        its headers. `None` without such an attempt, and for `None`.
        """
        attempt = _noted_for(response, self._noted, only_open=False)
        if attempt is not None:
            return attempt
        request_id = _request_id_of(response)
        return next((one for _, one, _ in self._noted if one.request_id == request_id), None) if request_id else None

    def is_from_before(self, response: Any) -> bool:
        """Returns whether `response` has a request id, and no attempt of the call has that: a cache had kept it."""
        return _request_id_of(response) is not None and self.answer_in(response) is None

    def parsed(self, response: Any, reply: Any) -> None:
        """Notes `reply`, which a middleware or the SDK has parsed from `response`, for `count_parsed`.

        Its tokens are noted too if `response` is from an attempt that asked for a message (`answer_in`), and not if
        `response` is from before (`is_from_before`). Does nothing for any other `response`. Keeps only a weak reference
        to `reply`, or a text itself until `forget`.
        """
        attempt = self.answer_in(response)
        if attempt is not None and attempt.is_message:
            self._parsed.append((_reference_to(reply), attempt, of_reply(reply)))
        elif self.is_from_before(response):
            self._parsed.append((_reference_to(reply), None, NONE))

    @guarded(False)
    def count_parsed(self, result: Any) -> bool:
        """Counts the tokens that `parsed` has noted, each for its attempt.

        Returns whether `result`, which the method returned, is one of the replies that it has noted. `False` for
        `None`, for a reply other than a text that allows no weak references, and on a failure.
        """
        for _, attempt, tokens in self._parsed:
            if attempt is not None:
                attempt.take_usage(tokens)
        return result is not None and any(ref() is result for ref, _, _ in self._parsed)


def _reference_to(noted: Any) -> Callable[[], Any]:
    """Returns a function that returns `noted` while it is alive; always `None` for one without weak references.

    A text, which has none, is kept alive by the function.
    """
    if type(noted) is str:
        return lambda: noted
    try:
        return weakref.ref(noted)
    except TypeError:
        return lambda: None


@guarded(None)
def _request_id_of(response: Any) -> str | None:
    known = response is not None and hasattr(response, "headers")
    return identifier(headers_of(response).get(b"request-id")) if known else None


def _noted_for(response: Any, notes: Sequence[_Noted], *, only_open: bool) -> Attempt | None:
    """Returns the first attempt in `notes` with this very response, `None` without one, and for `None`."""
    if response is None:
        # The reference to a response that is gone returns `None` too.
        return None
    found = (attempt for ref, attempt, is_open in notes if ref() is response and (is_open or not only_open))
    return next(found, None)


current_call: Final[ContextVar[RunningCall | None]] = ContextVar("anthropic_otel_call", default=None)
"""The call that is current in this thread or task, `None` without one. Its method may have finished."""

_running: Final[set[RunningCall]] = set()
"""The calls whose method is running."""


if hasattr(os, "register_at_fork"):
    # The calls of a parent's other threads never finish in its child.
    os.register_at_fork(after_in_child=_running.clear)


def only_call_on(http_client: Any, key: str | None = None) -> RunningCall | None:
    """Returns the running call in any thread that sends by `http_client` and has the idempotency key `key`.

    If no call has that key, it is the one whose key is not known. If `key` is `None`, the calls' keys do not count.
    `None` if there is no such call, or more than one. A forked child knows none from before the fork.
    """
    calls = [running for running in list(_running) if running.sends_by(http_client)]
    if key is not None:
        calls = [each for each in calls if each.key == key] or [each for each in calls if each.key is None]
    return calls[0] if len(calls) == 1 else None
