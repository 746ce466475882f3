"""Patches the HTTP libraries and the SDK, as far as they are imported: once each, and undoes it.

Rule: a function that a mock stands in for, or that another copy of this library has patched, is left alone. If it is a
`send`, `request` or `_build_request`, it is looked at again later. A patch that is lost (`Patch.lost`), as another
library or a mock has taken it away, is made again.
"""

from __future__ import annotations

import functools
import inspect
import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from anthropic_otel._adapters import client_copies, http_send, models, raw_replies
from anthropic_otel._adapters import sdk as sdk_calls
from anthropic_otel._adapters.invocations import Invocations, version_numbers
from anthropic_otel._adapters.patches import (
    Patch,
    another_copy_was_met,
    imported,
    is_mocked,
    is_patched_by_another_copy,
    patchable,
    patches_of_earlier_copies,
    warn_of_lost_patch,
)
from anthropic_otel._adapters.wiring import Wiring
from anthropic_otel._core.changing import changing
from anthropic_otel._core.guard import guarded, log

LIBRARIES: Final = ("httpx", "httpx2")


class _Patches:
    """The base class of `SendPatches` and `CallPatches`. The patched functions ask `wiring` which runtime records."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring: Final = wiring
        self._patches: list[Patch] = []

    @property
    def _any_is_lost(self) -> bool:
        return any(patch.lost for patch in self._patches)

    def undo(self) -> None:
        """Undoes every patch, and forgets what was patched."""
        # Last first: a class is restored to what it was before its first patch.
        while self._patches:
            self._patches.pop().undo()


class SendPatches(_Patches):
    """The patches of `send` on the classes of the HTTP clients. Thread-safe."""

    def __init__(self, wiring: Wiring) -> None:
        super().__init__(wiring)
        self._met: dict[weakref.ref[type[Any]], list[tuple[type[Any], object]]] = {}
        """Each class that `meet` has patched, or of which it has left nothing out, with its `_sends_of` as last seen.

        A class is kept by a weak reference: an app may make many. One that was patched lives until `undo`.
        """

    def patch_libraries(self) -> None:
        """Calls `meet` with `Client` and `AsyncClient` of every HTTP library that is imported. Imports nothing.

        If any patch of `send` is lost (`Patch.lost`), undoes all patches of `send` before. Other classes than these are
        patched again when `meet` or `meet_client` is next called for them.
        """
        if self._any_is_lost:
            self.undo()
        for cls in _http_classes():
            self.meet(cls)

    @property
    def are_left_to_another_copy(self) -> bool:
        """Whether `is_patched_by_another_copy` for `send` of `Client` or `AsyncClient` of any HTTP library."""
        return any(is_patched_by_another_copy(cls, "send") for cls in _http_classes())

    @guarded(None)
    def undo_earlier_copies(self) -> None:
        """Calls `uninstrument` of the copies of this package that a reloader had imported before this one.

        Only of copies that have an active patch of `send` on `Client` or `AsyncClient` of an HTTP library.
        """
        for cls in _http_classes():
            for patch in patches_of_earlier_copies(cls, "send"):
                patch.owner.uninstrument()

    def meet(self, cls: type[Any]) -> None:
        """Patches each class in the `__mro__` of `cls`, a client's class, that defines `send` itself, once.

        A class is left out if its `send` is a mock (`is_mocked`), which may be there temporarily, or is patched by
        another copy of this library. If any class is left out, the next call with `cls` tries again, unless `cls`
        itself was patched. Else a further call with `cls` does nothing until `undo`.
        """
        with changing():
            if weakref.ref(cls) in self._met:
                return
            asynchronous = is_async(cls)
            for definer in cls.__mro__:
                if patchable(definer, "send") and weakref.ref(definer) not in self._met:
                    wrap = http_send.async_send if asynchronous else http_send.sync_send
                    self._patches.append(Patch(definer, "send", functools.partial(wrap, self._wiring), self._wiring))
                    self._met[weakref.ref(definer)] = _sends_of(definer)
            # What another copy leaves to this one later is patched then, as what a mock is in the place of.
            left = any(is_mocked(each, "send") or is_patched_by_another_copy(each, "send") for each in cls.__mro__)
            if not left:
                self._met[weakref.ref(cls, self._forget)] = _sends_of(cls)

    def _forget(self, cls: weakref.ref[type[Any]]) -> None:
        self._met.pop(cls, None)

    def meet_client(self, http_client: Any) -> None:
        """Calls `meet` with the class of `http_client`; does nothing if that is no client of httpx or httpx2.

        If its class was met before, and it or a base has another `send` by now, looks whether any patch is `lost`. If
        one is, warns the first time in a process, and patches this class and those of the libraries again.
        """
        # Called for every call of the SDK.
        sends = self._met.get(weakref.ref(type(http_client)))
        if sends is None:
            if is_client(http_client):
                self.meet(type(http_client))
            return
        for definer, send in sends:
            if definer.__dict__.get("send") is not send:
                self._look_again(type(http_client))
                return

    def _look_again(self, cls: type[Any]) -> None:
        with changing():
            if self._any_is_lost:
                warn_of_lost_patch()
                self.patch_libraries()
                self.meet(cls)
            else:
                self._met[weakref.ref(cls, self._forget)] = _sends_of(cls)

    def undo(self) -> None:
        with changing():
            super().undo()
            self._met.clear()


def _http_classes() -> list[type[Any]]:
    """Returns `Client` and `AsyncClient` of every HTTP library that is imported, if they are classes.

    An object that stands in for a library may raise. Then neither class of that library is returned, and the error is
    reported.
    """
    return [cls for library in LIBRARIES for cls in _classes_of(library)]


@guarded(())
def _classes_of(library: str) -> Sequence[type[Any]]:
    found = (getattr(imported(library), name, None) for name in ("Client", "AsyncClient"))
    # Not a mock, which a test has put there temporarily.
    return [cls for cls in found if isinstance(cls, type)]


def _sends_of(cls: type[Any]) -> list[tuple[type[Any], object]]:
    """Returns each class in the `__mro__` of `cls` that defines `send` itself, with what that is now."""
    return [(definer, definer.__dict__["send"]) for definer in cls.__mro__ if "send" in definer.__dict__]


def is_client(http_client: object) -> bool:
    """Returns whether `http_client` is an instance of `Client` or `AsyncClient` of httpx or httpx2.

    Found by the names of classes and packages, so that those of any imported copy count.
    """
    return any(
        cls.__name__ in ("Client", "AsyncClient") and cls.__module__.partition(".")[0] in LIBRARIES
        for cls in type(http_client).__mro__
    )


def is_async(cls: type[Any]) -> bool:
    """Returns whether a client's class is asynchronous.

    It is if its name or that of a base is `AsyncClient`, or if its `send` is a coroutine function.
    """
    return any(base.__name__ == "AsyncClient" for base in cls.__mro__) or inspect.iscoroutinefunction(
        getattr(cls, "send", None)
    )


class CallPatches(_Patches):
    """The patches of the SDK.

    They are on `request` and `_build_request` of its clients, on `parse` of its raw responses and `__init__` of its
    `APIRequest`, and of some clients on `copy` and `with_options` (`client_copies`). Each method is to be called within
    a `with changing():` block.
    """

    def __init__(self, wiring: Wiring) -> None:
        super().__init__(wiring)
        self._sdk: object = None
        """The SDK module that was patched last, `None` if none is."""
        self._mocked = False
        """What `_has_mocks` returned when the SDK was last patched."""

    def patch_library(self) -> None:
        """Patches the SDK if it is imported, once. Imports nothing.

        A later call patches the SDK again in three cases: when the SDK was last patched, a mock was in the place of one
        of its functions (`_has_mocks`); a patch of the SDK is lost (`Patch.lost`); or nothing is patched, and a patch
        of another copy of this library was ever found (`another_copy_was_met`). If the SDK was imported anew, the new
        module is patched too. Warns if no SDK client can be patched, unless such a patch was ever found.
        """
        sdk = imported("anthropic")
        if sdk is None:
            # The app may use the Messages API without the SDK.
            return
        if self._sdk is sdk:
            left = not self._patches and another_copy_was_met()
            if not (left or self._mocked or self._any_is_lost):
                return
            self.undo()
        # A reloader may have imported the SDK anew. Clients of both copies may be in use.
        self._sdk, self._mocked = sdk, _has_mocks(sdk)
        found = False
        for patch in self._patch(sdk):
            # One by one: if the next cannot be put on, this one can be undone.
            self._patches.append(patch)
            found = True
        if not found and not another_copy_was_met():
            log.warning("This version of the Anthropic SDK is not known: its attempts are recorded, its calls are not")

    def look_again(self) -> None:
        """Patches the SDK again if any patch of the SDK is lost. Warns of lost patches only once in a process."""
        if self._any_is_lost:
            warn_of_lost_patch()
            self.patch_library()

    def _patch(self, sdk: Any) -> Iterator[Patch]:
        """Patches what can be patched of the SDK module `sdk`. Yields each patch when it is made.

        If no client has a `request` that can be patched, patches nothing.
        """
        version = getattr(sdk, "__version__", "")
        invocations = Invocations(version)
        clients = _clients(sdk)
        definers = _definers(clients)
        for cls, asynchronous in definers.items():
            wrap = sdk_calls.async_request if asynchronous else sdk_calls.sync_request
            yield Patch(cls, "request", functools.partial(wrap, self._wiring, invocations))
        if definers:
            builders = {
                cls for client in clients.values() for cls in client.__mro__ if patchable(cls, "_build_request")
            }
            for cls in builders:
                yield Patch(cls, "_build_request", models.wrap_build_request)
            request = getattr(sdk, "APIRequest", None)
            if isinstance(request, type) and patchable(request, "__init__"):
                # What a middleware gets.
                yield Patch(request, "__init__", models.wrap_api_request)
            yield from raw_replies.patch(sdk)
            yield from client_copies.patch(set(clients.values()), version_numbers(version), self._wiring)

    def undo(self) -> None:
        super().undo()
        self._sdk = None


def _has_mocks(sdk: Any) -> bool:
    """Returns whether a mock, as of `is_mocked`, stands in for `request` or `_build_request` of a client in `sdk`.

    `sdk` is the SDK's module.
    """
    classes = {cls for client in _clients(sdk).values() for cls in client.__mro__}
    return any(is_mocked(cls, name) for cls in classes for name in ("request", "_build_request"))


def _clients(sdk: Any) -> dict[str, type[Any]]:
    """Returns the classes of the SDK module `sdk` whose names begin with `Anthropic` or `AsyncAnthropic`, by name.

    These are the client classes, and a few others such as `AnthropicError`.
    """
    found = {name: getattr(sdk, name, None) for name in dir(sdk) if name.startswith(("Anthropic", "AsyncAnthropic"))}
    return {name: client for name, client in found.items() if isinstance(client, type)}


def _definers(clients: Mapping[str, type[Any]]) -> dict[type[Any], bool]:
    """Returns the class that defines `request` for each of the `clients`, with whether that client is asynchronous.

    That is the first class in the client's `__mro__` whose `request` can be patched: one of the SDK's private base
    clients, or a client class that another library gave a `request` of its own. A client without one is left out.
    `clients` are by their names: those of asynchronous ones begin with `Async`.
    """
    definers = {}
    for name, client in clients.items():
        definer = next((cls for cls in client.__mro__ if patchable(cls, "request")), None)
        if definer is not None:
            definers[definer] = name.startswith("Async")
    return definers
