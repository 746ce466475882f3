"""Records calls: patches `request` of the SDK's base clients, sync and async, of every platform.

Rule: what is wrapped returns and raises exactly what it did before. What is private in the SDK is looked up here and in
`invocations`, each with a fallback for an SDK without it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Protocol

from anthropic_otel._adapters import middleware_stream, models, raw_replies
from anthropic_otel._adapters.current import RunningCall
from anthropic_otel._adapters.invocations import Invocations
from anthropic_otel._adapters.patches import (
    Function,
    Patch,
    another_copy_was_met,
    imported,
    is_mocked,
    patchable,
    warn_of_lost_patch,
)
from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.finalizer import deferred, drain
from anthropic_otel._core.guard import guarded, log, report
from anthropic_otel._core.held_body import HeldBody
from anthropic_otel._core.runtime import Runtime


class Calls(Protocol):
    """Knows which runtime records the calls of which client."""

    def runtime_of_calls(self, http_client: Any) -> Runtime | None:
        """Returns the runtime for SDK calls that are sent by `http_client`, `None` if they are not to be recorded.

        Called at each call. May patch the client's class, if that has a `send` of its own.
        """
        ...


class CallPatches:
    """The patches of the SDK's clients: `request`, `_build_request`, and `parse` of their raw responses.

    `calls` chooses the runtime of a call.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls: Final = calls
        self._patches: list[Patch] = []
        self._sdk: object = None
        """The SDK module that was patched last, `None` if none is."""
        self._mocked = False
        """Whether mocks were in the place of functions of the SDK when it was patched."""

    def patch_library(self) -> None:
        """Patches the SDK if it is imported, once. Imports nothing. Warns if no client of it can be patched.

        It is patched again if a mock was in the place of what is patched, or has taken a patch away, or if it was left
        to another copy of this library.
        """
        sdk = imported("anthropic")
        if sdk is None:
            # The app may use the Messages API without the SDK.
            return
        if self._sdk is sdk:
            left = not self._patches and another_copy_was_met()
            if not (left or self._mocked or any(patch.lost for patch in self._patches)):
                return
            self.undo()
        # A reloader may have imported the SDK anew. Clients of both copies may be in use.
        self._sdk, self._mocked = sdk, _has_mocks(sdk)
        found = self._patch(sdk)
        self._patches += found
        if not found and not another_copy_was_met():
            log.warning("This version of the Anthropic SDK is not known: its attempts are recorded, its calls are not")

    def look_again(self) -> None:
        """Patches the SDK again if another library has taken a patch away."""
        if any(patch.lost for patch in self._patches):
            warn_of_lost_patch()
            self.patch_library()

    def _patch(self, sdk: Any) -> list[Patch]:
        """Patches the clients of the SDK module `sdk`. Returns the patches.

        Empty, and nothing is patched, if no client has a `request` that can be patched.
        """
        invocations = Invocations(getattr(sdk, "__version__", ""))
        clients = _clients(sdk)
        patches = []
        for cls, asynchronous in _definers(clients).items():
            wrap = _async_request if asynchronous else _sync_request
            patches.append(Patch(cls, "request", functools.partial(wrap, self._calls, invocations)))
        if patches:
            builders = {
                cls for client in clients.values() for cls in client.__mro__ if patchable(cls, "_build_request")
            }
            patches.extend(Patch(cls, "_build_request", models.wrap_build_request) for cls in builders)
            patches.extend(raw_replies.patch(sdk))
        return patches

    def undo(self) -> None:
        """Undoes every patch, and forgets which module was patched."""
        while self._patches:
            self._patches.pop().undo()
        self._sdk = None


def _has_mocks(sdk: Any) -> bool:
    """Returns whether a mock stands in the place of what is patched of the clients, so that it is left out."""
    classes = {cls for client in _clients(sdk).values() for cls in client.__mro__}
    return any(is_mocked(cls, name) for cls in classes for name in ("request", "_build_request"))


def _clients(sdk: Any) -> dict[str, type[Any]]:
    """Returns the client classes of the SDK module `sdk` by their names."""
    found = {name: getattr(sdk, name, None) for name in dir(sdk) if name.startswith(("Anthropic", "AsyncAnthropic"))}
    return {name: client for name, client in found.items() if isinstance(client, type)}


def _definers(clients: Mapping[str, type[Any]]) -> dict[type[Any], bool]:
    """Returns the classes that define `request` for the `clients`, each with whether it is asynchronous.

    These are the SDK's private base clients, and any client class that another library gave a `request` of its own.
    """
    definers = {}
    for name, client in clients.items():
        definer = next((cls for cls in client.__mro__ if patchable(cls, "request")), None)
        if definer is not None:
            definers[definer] = name.startswith("Async")
    return definers


def http_client_of(client: Any) -> Any:
    """Returns the HTTP client of an SDK client, `None` for an object without one."""
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


def _begin(
    calls: Calls, invocations: Invocations, client: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> _Running | None:
    """Begins to record a call, with the arguments of the SDK client's `request`. Returns the context manager for it.

    `None` if the call is not to be recorded. Raises only what interrupts it; the call has ended then.
    """
    # Guarded in place, as it runs at every call.
    try:
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
            has_middleware = bool(getattr(client, "middleware", None))
            return _Running(call, http_client, runtime.phases, has_middleware, cast_to)
        except BaseException as interrupt:
            call.method_raised(interrupt)
            raise
    except Exception as error:
        report("_begin", error)
        return None


class _Running(RunningCall):
    """A context manager around the run of a recorded SDK method: an exception ends the method. No method raises."""

    __slots__ = ()

    def __enter__(self) -> None:
        return None

    def returned(self, result: Any) -> Any:
        """Records that the method has returned `result`, and follows its body if that is open. Returns `result`."""
        self.leave()
        call, has_notes = self.call, self._opened or self.has_middleware
        call.replied(result, is_text=type(result) is str and self._asked_for_no_text())
        body = self._body_of(result) if has_notes else None
        counted, source = False, body if body is not None else call.attempts.completed
        if self.has_middleware:
            counted = self._count_parsed(result)
            source = self.answer_in(getattr(result, "http_response", None)) or source
        raw_replies.expect(result, source)
        call.method_returned(result, body, counted=counted)
        if has_notes:
            self.forget()
        return result

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            self.leave()
            self.call.method_raised(error)
            if self.has_middleware:
                self._count_parsed(None)
            self.forget()
        if deferred:
            drain()

    @guarded(False)
    def _count_parsed(self, result: Any) -> bool:
        return self.count_parsed(result)

    def _asked_for_no_text(self) -> bool:
        """Returns whether the SDK was to parse the response into another type than text.

        It returns the text all the same if the content type does not say JSON and the text is no JSON.
        """
        return isinstance(self.cast_to, type) and self.cast_to not in (str, object)

    @guarded(None)
    def _body_of(self, result: Any) -> Attempt | HeldBody | None:
        """Returns the attempt, or the held body, whose body the app reads by `result`; `None` if that has none open."""
        response = getattr(result, "response", None) or getattr(result, "http_response", None)
        attempt = self.attempt_of(response)
        if attempt is not None or response is None or not self.has_middleware:
            return attempt
        return middleware_stream.follow(self, response)
