"""The boundary of a call: `request` of the SDK's clients, sync and async, of every platform.

The rule: `request` is replaced on the class that defines it, so that clients that exist already are seen too, and what
is wrapped returns and raises exactly what it did. The HTTP client of an SDK client is instrumented at its first call.

What is private in the SDK is looked up here and in `invocations`, each with what is left when it is gone.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from contextvars import Token
from typing import Any, Final

from anthropic_otel._adapters import spliced
from anthropic_otel._adapters.invocations import Invocations
from anthropic_otel._core.call import Call
from anthropic_otel._core.finalizer import deferred, drain
from anthropic_otel._core.guard import report
from anthropic_otel._core.runtime import Runtime, current_call

RuntimeOf = Callable[[Any], Runtime | None]
"""Which runtime learns of the calls of an SDK client; `None` for one that is not instrumented."""


class Patch:
    """Our `request` on one class of the SDK. Undone, it is gone, or does nothing below what was put on top of it."""

    def __init__(self, cls: type[Any], make: MakeRequest, runtime_of: RuntimeOf, invocations: Invocations) -> None:
        self._cls: Final = cls
        self._original: Final = cls.__dict__["request"]
        self._runtime_of: Final = runtime_of
        self._invocations: Final = invocations
        self._active = True
        self._request: Final = make(self._original, self)
        cls.request = self._request

    def undo(self) -> None:
        """Restores the class, unless another library has put its own `request` on top of ours since."""
        self._active = False
        if self._cls.__dict__.get("request") is self._request:
            self._cls.request = self._original

    def begin(self, client: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call | None:
        """The call that `request` was just entered for, `None` when nobody is to learn of it. Never raises."""
        # Guarded in place, as everything here that runs at each call: a guard is a function more.
        try:
            runtime = self._runtime_of(client) if self._active else None
            if runtime is None or not runtime.watches():
                return None
            options = args[1] if len(args) > 1 else kwargs.get("options")
            return runtime.begin_call(self._invocations.of(client, options, bool(kwargs.get("stream", False))))
        except Exception as error:
            report("Patch.begin", error)
            return None


MakeRequest = Callable[[Callable[..., Any], Patch], Callable[..., Any]]


def patch(sdk: Any, runtime_of: RuntimeOf) -> list[Patch]:
    """Wraps `request` of the SDK module's clients; an empty list, if the SDK's inside is unknown."""
    invocations = Invocations(getattr(sdk, "__version__", ""))
    return [
        Patch(cls, _async_request if asynchronous else _sync_request, runtime_of, invocations)
        for cls, asynchronous in _definers(sdk).items()
    ]


def _definers(sdk: Any) -> dict[type[Any], bool]:
    """The classes that define `request`, and whether it is asynchronous: the SDK's private base clients.

    And a client class that another library has given a `request` of its own, which may go round that of the base.
    """
    names = [name for name in dir(sdk) if name.startswith(("Anthropic", "AsyncAnthropic"))]
    return {
        cls: name.startswith("Async")
        for name in names
        for cls in (_definer(getattr(sdk, name, None)),)
        if cls is not None
    }


def _definer(client_class: Any) -> type[Any] | None:
    for cls in getattr(client_class, "__mro__", ()):
        if "request" in cls.__dict__:
            return cls  # type: ignore[no-any-return]
    return None


def http_client_of(client: Any) -> Any:
    """The HTTP client of an SDK client, `None` where the SDK keeps it elsewhere than we know."""
    return getattr(client, "_client", None)


# -- the wrappers ------------------------------------------------------------------------------------------------------


def _sync_request(original: Callable[..., Any], patch: Patch) -> Callable[..., Any]:
    @functools.wraps(original)
    def request(self: Any, *args: Any, **kwargs: Any) -> Any:
        call = patch.begin(self, args, kwargs)
        if call is None:
            return original(self, *args, **kwargs)
        token = None
        try:
            # All of it may be interrupted, and must leave nothing current.
            token = current_call.set(call)
            result = original(self, *args, **kwargs)
            spliced.follow(self, call, result)
            _end(call, token)
        except BaseException as error:
            _end(call, token, error)
            raise
        return result

    return request


def _async_request(original: Callable[..., Any], patch: Patch) -> Callable[..., Any]:
    @functools.wraps(original)
    async def request(self: Any, *args: Any, **kwargs: Any) -> Any:
        call = patch.begin(self, args, kwargs)
        if call is None:
            return await original(self, *args, **kwargs)
        token = None
        try:
            # All of it may be interrupted, and must leave nothing current.
            token = current_call.set(call)
            result = await original(self, *args, **kwargs)
            spliced.follow(self, call, result)
            _end(call, token)
        except BaseException as error:
            _end(call, token, error)
            raise
        return result

    return request


def _end(call: Call, token: Token[Call | None] | None, error: BaseException | None = None) -> None:
    # A coroutine may be closed in another context than it ran in: nothing of ours is current there. And an interrupt
    # may come between the end and its being known, which makes for a second one.
    if token is not None:
        try:
            current_call.reset(token)
        except (ValueError, RuntimeError):
            token = None
    call.returned(error)
    if deferred:
        drain()
