"""The boundary of a call: `request` of the SDK's clients, sync and async, of every platform.

The rule: `request` is replaced on the class that defines it, so that clients that exist already are seen too, and what
is wrapped returns and raises exactly what it did. The HTTP client of an SDK client is instrumented at its first call.

What is private in the SDK is looked up here and nowhere else, each with what is left when it is gone.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import Token
from typing import Any, Final

from anthropic_otel._adapters import spliced
from anthropic_otel._core.call import Call, Invocation
from anthropic_otel._core.finalizer import drain
from anthropic_otel._core.guard import guarded
from anthropic_otel._core.operations import UNKNOWN, operation_of
from anthropic_otel._core.runtime import Runtime, current_call

RuntimeOf = Callable[[Any], Runtime | None]
"""Which runtime learns of the calls of an SDK client; `None` for one that is not instrumented."""

_SPAN_PREFIX: Final = "anthropic."
_UNCAPPED_RETRY_AFTER: Final = (1, 6)
_CAPPED_RETRY_AFTER_SECONDS: Final = 60.0


class Patch:
    """Our `request` on one class of the SDK. Undone, it is gone, or does nothing below what was put on top of it."""

    def __init__(self, cls: type[Any], make: MakeRequest, runtime_of: RuntimeOf, longest_retry_after: float) -> None:
        self._cls: Final = cls
        self._original: Final = cls.__dict__["request"]
        self._runtime_of: Final = runtime_of
        self._longest: Final = longest_retry_after
        self._active = True
        self._request: Final = make(self._original, self)
        cls.request = self._request

    def undo(self) -> None:
        """Restores the class, unless another library has put its own `request` on top of ours since."""
        self._active = False
        if self._cls.__dict__.get("request") is self._request:
            self._cls.request = self._original

    @guarded(None)
    def begin(self, client: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Call | None:
        """The call that `request` was just entered for, `None` when nobody is to learn of it. Never raises."""
        runtime = self._runtime_of(client) if self._active else None
        if runtime is None or not runtime.active:
            return None
        options = args[1] if len(args) > 1 else kwargs.get("options")
        return runtime.begin_call(_invocation(client, options, bool(kwargs.get("stream", False)), self._longest))


MakeRequest = Callable[[Callable[..., Any], Patch], Callable[..., Any]]


def patch(sdk: Any, runtime_of: RuntimeOf) -> list[Patch]:
    """Wraps `request` of the SDK module's clients; an empty list, if the SDK's inside is unknown."""
    longest = _longest_retry_after(getattr(sdk, "__version__", ""))
    return [
        Patch(cls, make, runtime_of, longest)
        for name, make in (("Anthropic", _sync_request), ("AsyncAnthropic", _async_request))
        if (cls := _definer(getattr(sdk, name, None))) is not None
    ]


def _definer(client_class: Any) -> type[Any] | None:
    """The class of the SDK that defines `request` for a client class: its private base client."""
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
        token = current_call.set(call)
        try:
            result = original(self, *args, **kwargs)
        except BaseException as error:
            _end(call, token, error)
            raise
        spliced.follow(self, call, result)
        _end(call, token)
        return result

    return request


def _async_request(original: Callable[..., Any], patch: Patch) -> Callable[..., Any]:
    @functools.wraps(original)
    async def request(self: Any, *args: Any, **kwargs: Any) -> Any:
        call = patch.begin(self, args, kwargs)
        if call is None:
            return await original(self, *args, **kwargs)
        token = current_call.set(call)
        try:
            result = await original(self, *args, **kwargs)
        except BaseException as error:
            _end(call, token, error)
            raise
        spliced.follow(self, call, result)
        _end(call, token)
        return result

    return request


def _end(call: Call, token: Token[Call | None], error: BaseException | None = None) -> None:
    # A coroutine may be closed in another context than it ran in. Nothing of ours is current there.
    with suppress(ValueError):
        current_call.reset(token)
    call.returned(error)
    drain()


# -- what may be recorded of it ----------------------------------------------------------------------------------------


def _invocation(client: Any, options: Any, stream: bool, longest: float) -> Invocation:
    base_url = getattr(client, "base_url", None)
    traced, propagates = _tracing_of(client)
    span_name = getattr(options, "span_name", None)
    return Invocation(
        operation=span_name.removeprefix(_SPAN_PREFIX) if span_name else _operation(options),
        model=_model(options),
        stream=stream,
        address=getattr(base_url, "host", None),
        port=_port(base_url),
        max_retries=_max_retries(client, options),
        # The SDK makes no span for a request that none of its own methods made.
        traced_by_sdk=traced and bool(span_name),
        propagates=propagates,
        longest_retry_after=longest,
    )


def _operation(options: Any) -> str | None:
    """The operation that the SDK method asks for, also where the platform sends it to another URL."""
    method, url = getattr(options, "method", None), getattr(options, "url", None)
    if not isinstance(method, str) or not isinstance(url, str):
        return None
    operation = operation_of(method, url.partition("?")[0])
    return operation.name if operation is not UNKNOWN else None


def _model(options: Any) -> str | None:
    body = getattr(options, "json_data", None)
    model = body.get("model") if isinstance(body, Mapping) else None
    return model if isinstance(model, str) else None


def _port(base_url: Any) -> int | None:
    if base_url is None:
        return None
    port: int | None = base_url.port
    return port if port is not None else 80 if base_url.scheme == "http" else 443


def _max_retries(client: Any, options: Any) -> int | None:
    most = getattr(client, "max_retries", None)
    own = getattr(options, "max_retries", None)
    most = own if isinstance(own, int) else most
    return most if isinstance(most, int) else None


def _tracing_of(client: Any) -> tuple[bool, bool]:
    """Whether the SDK traces the client's calls itself, and whether it may send trace context."""
    options = getattr(client, "open_telemetry", None)
    if not isinstance(options, Mapping):
        return False, True
    traces = options.get("traces")
    return bool(isinstance(traces, Mapping) and traces.get("enabled")), options.get("propagation") is not False


def _longest_retry_after(version: str) -> float:
    """Up to 1.5 the SDK ignores a `retry-after` of more than a minute."""
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    return float("inf") if numbers >= _UNCAPPED_RETRY_AFTER else _CAPPED_RETRY_AFTER_SECONDS
