"""Keeps the call whose SDK method is running in this context, and all calls that are running in the process.

Rule: a call is made current only in the context of its method, and while a stream of its middleware produces a chunk. A
task that is started there keeps it as its current call, also after the method has finished.
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
"""What `RunningCall.note` notes: a function that returns the response while it is alive, the attempt, and `is_open`."""


class RunningCall:
    """A call whose SDK method runs. Creating it makes it the current call of this context, until `leave`.

    - `call`: the facts of the call.
    - `http_client_id`: the `id` of the HTTP client that the method sends by. The client lives as long as the method
      runs.
    - `runtime`: the runtime that records the call.
    - `phases`: whether to read the transport's trace events in the sends of the call.
    - `has_middleware`: whether the SDK client has a middleware, which may send and parse as often as it likes.
    - `cast_to`: what the SDK is to parse the response into.
    - `model_kept_by`: the `id` of the SDK client whose method runs, if all requests that this SDK client builds are
      known to ask for the call's model; else 0.
    - `key`: the idempotency key that the SDK gives to all requests of the call. `models.wrap_api_request` sets it
      before the first middleware is called. It stays `None` for a call without a middleware, and for one to which the
      SDK gives no key, such as a GET.
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
        """Makes the call no longer current in this context, nor running. To be called when the method has finished.

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
        """Notes that `attempt` has returned `response`, which the HTTP library made. Keeps only a weak reference to it.

        `is_open` is whether it has a body that the app may read: one that was not read yet, or an event stream in
        memory. In a call without a middleware only such ones may be noted. One that allows no weak references is not
        found again.
        """
        self._noted.append((_reference_to(response), attempt, is_open))

    def attempt_of(self, response: Any) -> Attempt | None:
        """Returns the attempt that was noted for this very response with `is_open`; else `None`."""
        return _noted_for(response, self._noted, only_open=True)

    def attempt_of_result(self, result: Any) -> Attempt | None:
        """Returns the attempt that `result`, which the method has returned, is from.

        - For a response of the HTTP library: the attempt that `note` has noted for this very object.
        - For a text in a call with a middleware: the attempt that `parsed` has noted for this very text.
        - For a text in a call without a middleware: the attempt of the last `note`. The method may return an event
          stream in memory as a text.

        `None` without such an attempt, and for any other `result`.
        """
        if type(result) is not str:
            return _noted_for(result, self._noted, only_open=False)
        if self.has_middleware:
            return next((attempt for ref, attempt, _ in self._parsed if ref() is result), None)
        return self._noted[-1][1] if self._noted else None

    def answer_in(self, response: Any) -> Attempt | None:
        """Returns the attempt that was noted for this very response object, open or not.

        For any other response, such as one that a middleware has made, returns the first noted attempt that has the
        same request id as the response's headers. `None` without such an attempt, and for `None`.
        """
        attempt = _noted_for(response, self._noted, only_open=False)
        if attempt is not None:
            return attempt
        request_id = _request_id_of(response)
        return next((one for _, one, _ in self._noted if one.request_id == request_id), None) if request_id else None

    def is_from_before(self, response: Any) -> bool:
        """Returns whether `response` is of an earlier call, as one that a middleware has out of a cache.

        It is if it has a request id, and `answer_in` finds no attempt of this call for it.
        """
        return _request_id_of(response) is not None and self.answer_in(response) is None

    def parsed(self, response: Any, reply: Any) -> None:
        """Adds `reply`, which a middleware or the SDK has parsed from `response`, to those that `count_parsed` counts.

        If `response` is of an attempt of this call that asked for a message (`answer_in`), adds that attempt and the
        tokens of `reply` too. If `response` is of an earlier call (`is_from_before`), adds `reply` alone. Adds nothing
        for any other `response`. Keeps only a weak reference to `reply`, but a text itself until `forget`.
        """
        attempt = self.answer_in(response)
        if attempt is not None and attempt.is_message:
            self._parsed.append((_reference_to(reply), attempt, of_reply(reply)))
        elif self.is_from_before(response):
            self._parsed.append((_reference_to(reply), None, NONE))

    @guarded(False)
    def count_parsed(self, result: Any) -> bool:
        """Counts the tokens that `parsed` has noted, each for its attempt (`Attempt.take_usage`).

        Returns whether `result`, which the method returned, is one of the replies that `parsed` has noted. `False` for
        `None`, for a reply other than a text that allows no weak references, and on a failure.
        """
        for _, attempt, tokens in self._parsed:
            if attempt is not None:
                attempt.take_usage(tokens)
        return result is not None and any(ref() is result for ref, _, _ in self._parsed)


def _reference_to(noted: Any) -> Callable[[], Any]:
    """Returns a function that returns `noted` while that is alive, and then `None`.

    The function keeps a text alive. For any other object that allows no weak references it always returns `None`.
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
    """Returns the first attempt in `notes` with this very response, with `only_open` the first whose note is open.

    `None` without one, and if `response` is `None`.
    """
    if response is None:
        # The reference to a response that is gone returns `None` too.
        return None
    found = (attempt for ref, attempt, is_open in notes if ref() is response and (is_open or not only_open))
    return next(found, None)


current_call: Final[ContextVar[RunningCall | None]] = ContextVar("anthropic_otel_call", default=None)
"""The call that is current in this thread or task, `None` without one. Its method may have finished."""

_running: Final[set[RunningCall]] = set()
"""The calls whose method is running, in any thread. A forked child has none from before the fork."""


if hasattr(os, "register_at_fork"):
    # The calls of a parent's other threads never finish in its child.
    os.register_at_fork(after_in_child=_running.clear)


def only_call_on(http_client: Any, key: str | None) -> RunningCall | None:
    """Returns the running call, in any thread, that sends a request with the idempotency key `key` by `http_client`.

    Looks at the running calls that send by `http_client`. If `key` is not `None`, looks only at those with this key, or
    if no call has this key, at those whose own `key` is `None`. Returns `None` if there is no such call, or more than
    one. A forked child knows no calls from before the fork.
    """
    calls = [running for running in list(_running) if running.sends_by(http_client)]
    if key is not None:
        calls = [each for each in calls if each.key == key] or [each for each in calls if each.key is None]
    return calls[0] if len(calls) == 1 else None
