"""Wires the layers together: which clients are seen, by which runtime, and how all of it is undone.

The rule: one patch of the SDK's classes serves the whole process and single clients alike; what differs is only who is
looked up for a client. Everything here is idempotent and undoable.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from anthropic_otel._adapters import http_client, sdk
from anthropic_otel._core.guard import log
from anthropic_otel._core.runtime import Runtime

MakeRuntime = Callable[[], Runtime]
"""Makes the runtime that is needed only where something is not instrumented already."""


class Instrumentation:
    """What is instrumented in this process."""

    def __init__(self) -> None:
        self.process: Runtime | None = None
        self._patches: list[sdk.Patch] = []
        self._told = False
        # By `id`: a client class may define equality, and then has no hash.
        self._http_clients: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()

    def instrument_process(self, make: MakeRuntime) -> None:
        """All clients, those that exist and those to come. Without effect if that is so already."""
        if self.process is None and self._patch():
            self.process = make()

    def instrument_client(self, client: Any, make: MakeRuntime) -> None:
        """One SDK client, and those that `with_options` makes of it, as they share its HTTP client.

        Raises `TypeError` for an object that is no SDK client.
        """
        connection = sdk.http_client_of(client)
        if connection is None:
            raise TypeError(f"Expected a client of the Anthropic SDK, got {type(client).__name__}")
        # Where calls cannot be seen, what goes through the client's own HTTP client still can.
        self._add_once(connection, make, calls_only=self._patch())

    def instrument_http_client(self, client: Any, make: MakeRuntime) -> None:
        """Every request of one HTTP client. Raises `TypeError` for what is none."""
        self._add_once(client, make, calls_only=False)

    def uninstrument(self) -> None:
        """Takes everything off again. What another library has wrapped since becomes a pass-through."""
        if self.process is not None:
            self.process.active = False
            self.process = None
        for client in list(self._http_clients.values()):
            runtime = http_client.runtime_of(client)
            if runtime is not None:
                runtime.active = False
            http_client.uninstrument(client)
        self._http_clients = weakref.WeakValueDictionary()
        for patch in self._patches:
            patch.undo()
        self._patches = []

    def uninstrument_process(self) -> None:
        """Takes it off the process, and leaves the clients that were named one by one."""
        runtime, self.process = self.process, None
        if runtime is None:
            return
        runtime.active = False
        for client in list(self._http_clients.values()):
            if http_client.runtime_of(client) is runtime:
                http_client.uninstrument(client)
                self._http_clients.pop(id(client), None)
        if not self._http_clients:
            self.uninstrument()

    def uninstrument_client(self, client: Any) -> None:
        """Takes it off one SDK client or HTTP client that was named to `instrument`."""
        target = client if callable(getattr(client, "send", None)) else sdk.http_client_of(client)
        if target is not None:
            http_client.uninstrument(target)
            self._http_clients.pop(id(target), None)

    def runtimes(self) -> list[Runtime]:
        """Everybody who learns of calls or attempts now."""
        of_clients = (http_client.runtime_of(client) for client in self._http_clients.values())
        found = {id(runtime): runtime for runtime in (self.process, *of_clients) if runtime is not None}
        return list(found.values())

    def runtime_of(self, client: Any) -> Runtime | None:
        """Who learns of the calls of an SDK client. Instruments its HTTP client if the process is instrumented."""
        connection = sdk.http_client_of(client)
        runtime = http_client.runtime_of(connection)
        if runtime is not None and runtime.active:
            return runtime
        if self.process is not None:
            self._reach(connection, self.process)
        return self.process

    def _reach(self, connection: Any, runtime: Runtime) -> None:
        """Instruments an HTTP client at its first call. Without one where we know it, there are calls only."""
        if http_client.is_client(connection):
            self._add(connection, runtime, calls_only=True)
        elif not self._told:
            self._told = True
            log.warning("This version of the Anthropic SDK is not known: its calls are recorded, its attempts are not")

    def _add_once(self, client: Any, make: MakeRuntime, *, calls_only: bool) -> None:
        runtime = http_client.runtime_of(client)
        if runtime is None or not runtime.active or runtime is self.process:
            self._add(client, make(), calls_only=calls_only)

    def _add(self, client: Any, runtime: Runtime, *, calls_only: bool) -> None:
        if http_client.instrument(client, runtime, calls_only=calls_only):
            self._http_clients[id(client)] = client

    def _patch(self) -> bool:
        module = _sdk_module()
        if module is None:
            return False
        self._patches = self._patches or sdk.patch(module, self.runtime_of)
        if not self._patches:
            log.warning(
                "This version of the Anthropic SDK is not known: calls are not recorded. "
                "anthropic_otel.instrument_http_client(client) records the attempts of one HTTP client"
            )
        return bool(self._patches)


INSTRUMENTATION: Final = Instrumentation()


def _sdk_module() -> ModuleType | None:
    try:
        import anthropic
    except ImportError:
        log.warning("The Anthropic SDK cannot be imported: there is nothing to instrument")
        return None
    return anthropic
