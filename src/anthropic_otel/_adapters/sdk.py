"""The seam of calls: `request` of the SDK's base clients, sync and async, of every platform.

Rule: what is wrapped returns and raises exactly what it did. What is private in the SDK is looked up here and in
`invocations`, each with what is left when it is gone.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Protocol

from anthropic_otel._adapters import middleware_stream, models, raw_replies
from anthropic_otel._adapters.current import RunningCall
from anthropic_otel._adapters.invocations import Invocations
from anthropic_otel._adapters.patches import Function, Patch, patchable
from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.ending import End
from anthropic_otel._core.finalizer import deferred, drain
from anthropic_otel._core.guard import guarded, report
from anthropic_otel._core.held_body import HeldBody
from anthropic_otel._core.runtime import Runtime


class Calls(Protocol):
    """Which runtime records the calls of which client."""

    def runtime_of_calls(self, http_client: Any) -> Runtime | None:
        """The runtime for calls that are sent by `http_client`, `None` for a client that is not instrumented.

        Called at each call, so that a class of HTTP clients that is met for the first time can be patched.
        """
        ...


def patch(sdk: Any, calls: Calls) -> list[Patch]:
    """Patches `request` of the SDK module's clients. An empty list, if the SDK's inside is unknown."""
    invocations = Invocations(getattr(sdk, "__version__", ""))
    clients = {
        name: client
        for name in dir(sdk)
        if name.startswith(("Anthropic", "AsyncAnthropic"))
        for client in (getattr(sdk, name, None),)
        if isinstance(client, type)
    }
    patches = []
    for cls, asynchronous in _definers(clients).items():
        wrap = _async_request if asynchronous else _sync_request
        patches.append(Patch(cls, "request", functools.partial(wrap, calls, invocations)))
    if patches:
        builders = {cls for client in clients.values() for cls in client.__mro__ if patchable(cls, "_build_request")}
        patches.extend(Patch(cls, "_build_request", models.wrap_build_request) for cls in builders)
        patches.extend(raw_replies.patch(sdk))
    return patches


def _definers(clients: Mapping[str, type[Any]]) -> dict[type[Any], bool]:
    """The classes that define `request`, and whether it is asynchronous: the SDK's private base clients.

    And a client class that another library has given a `request` of its own, which may go round that of the base.
    """
    definers = {}
    for name, client in clients.items():
        definer = next((cls for cls in client.__mro__ if patchable(cls, "request")), None)
        if definer is not None:
            definers[definer] = name.startswith("Async")
    return definers


def http_client_of(client: Any) -> Any:
    """The HTTP client of an SDK client, `None` where the SDK keeps it elsewhere than we know."""
    return getattr(client, "_client", None)


# -- the wrappers ------------------------------------------------------------------------------------------------------


def _sync_request(calls: Calls, invocations: Invocations, original: Function, patch: Patch) -> Function:
    @functools.wraps(original)
    def request(self: Any, *args: Any, **kwargs: Any) -> Any:
        running = _begin(calls, invocations, self, args, kwargs) if patch.active else None
        if running is None:
            return original(self, *args, **kwargs)
        with running:
            return running.returned(original(self, *args, **kwargs))

    return request


def _async_request(calls: Calls, invocations: Invocations, original: Function, patch: Patch) -> Function:
    @functools.wraps(original)
    async def request(self: Any, *args: Any, **kwargs: Any) -> Any:
        running = _begin(calls, invocations, self, args, kwargs) if patch.active else None
        if running is None:
            return await original(self, *args, **kwargs)
        with running:
            return running.returned(await original(self, *args, **kwargs))

    return request


@guarded(None)
def _begin(
    calls: Calls, invocations: Invocations, client: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> _Running | None:
    """Begins to record the call that `request` was just entered for. Returns `None` if it is not recorded."""
    http_client = getattr(client, "_client", None)
    runtime = calls.runtime_of_calls(http_client)
    if runtime is None:
        return None
    options = args[1] if len(args) > 1 else kwargs.get("options")
    invocation = invocations.of(client, options, bool(kwargs.get("stream", False)))
    if not runtime.enabled(invocation.sdk_tracer_provider):
        return None
    call = runtime.begin_call(invocation)
    try:
        cast_to = args[0] if args else kwargs.get("cast_to")
        return _Running(RunningCall(call, http_client, phases=runtime.phases), client, cast_to)
    except BaseException as interrupt:
        call.method_raised(interrupt)
        raise


class _Running:
    """The run of an SDK method that is recorded, as a context manager around it. No method raises."""

    __slots__ = ("_cast_to", "_client", "_running")

    def __init__(self, running: RunningCall, client: Any, cast_to: Any) -> None:
        self._running: Final = running
        self._client: Final = client
        self._cast_to: Final = cast_to

    def __enter__(self) -> None:
        return None

    def returned(self, result: Any) -> Any:
        """The method has returned `result`, which is returned as it is."""
        self._running.leave()
        self._running.call.parsed(End.UNPARSED if self._is_text_in_place_of(result) else End.READ)
        body = self._body_of(result)
        raw_replies.expect(result, body if body is not None else self._running.call.answered_by)
        self._running.call.method_returned(result, body)
        self._running.forget()
        return result

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            self._running.leave()
            self._running.call.method_raised(error)
            self._running.forget()
        if deferred:
            drain()

    def _is_text_in_place_of(self, result: Any) -> bool:
        """Whether the SDK has returned the body's text, as it does where no content type says JSON and it is none."""
        cast_to = self._cast_to
        return type(result) is str and isinstance(cast_to, type) and cast_to not in (str, object)

    def _body_of(self, result: Any) -> Attempt | HeldBody | None:
        """The body that the app gets with `result`, `None` for one that is in memory."""
        try:
            has_middleware = bool(getattr(self._client, "middleware", None))
            if not has_middleware and not self._running.has_opened:
                return None
            response = getattr(result, "response", None) or getattr(result, "http_response", None)
            attempt = self._running.attempt_of(response)
            if attempt is not None or response is None or not has_middleware:
                return attempt
            return middleware_stream.follow(self._running, response)
        except Exception as error:
            report("_Running._body_of", error)
            return None
