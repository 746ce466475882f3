"""Defines the interface by which the adapters ask which runtime records what, and report what they have found."""

from __future__ import annotations

from typing import Any, Protocol

from anthropic_otel._adapters.marks import Clients
from anthropic_otel._core.runtime import Runtime


class Wiring(Protocol):
    """The interface of what knows which runtime records the calls and the sends of which client.

    - `process`: the runtime of the whole process, `None` if only single clients are recorded, or nothing.
    - `clients`: weak references to the HTTP clients that were given a `marks.Mark`, which says how a client is
      recorded. Some may not have it any more.
    """

    process: Runtime | None
    clients: Clients

    def runtime_of_calls(self, http_client: Any) -> Runtime | None:
        """Returns the runtime for SDK calls that are sent by `http_client`, `None` if they are not to be recorded.

        Called at each call. May patch the class of `http_client`, if that has a `send` of its own.
        """
        ...

    def missed_call(self) -> None:
        """Called when a request of the SDK is sent that is to be recorded and belongs to no running call."""
        ...

    def copied(self, http_client: Any, copy: Any) -> None:
        """Called when an SDK client was copied by a method that may give the copy an HTTP client of its own.

        Has the copy recorded as the original is. `http_client` is the HTTP client of the original, `copy` that of the
        copy. They may be the same.
        """
        ...

    def uninstrument(self) -> None:
        """Undoes what the app has instrumented. Recorders that have joined, as that of a test's capture, go on.

        A later copy of this package calls it when the app uninstruments that copy.
        """
        ...
