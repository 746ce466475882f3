"""The seam between what happens and what is made of it.

The rule: the core tells an `Observer` what happens and knows nothing of OpenTelemetry; an observer reads the call and
the attempt that it is handed and changes neither, but for the slot `observed`, which is its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from anthropic_otel._core.attempt import Attempt
    from anthropic_otel._core.call import Call
    from anthropic_otel._core.headers import RawHeaders

NO_HEADERS: Mapping[str, str] = {}


class Observer(Protocol):
    """Learns of calls and attempts as they happen. No method raises."""

    def watches(self) -> bool:
        """Whether to tell of a call or attempt that is about to start. Asked in the app's own context."""
        ...

    def call_started(self, call: Call) -> None:
        """In the app's context, before anything of the call has run."""
        ...

    def call_returned(self, call: Call) -> None:
        """In the app's context, when the SDK method returns or raises. The body may be unread."""
        ...

    def call_ended(self, call: Call) -> None:
        """Once, after its last attempt has ended and the SDK method has returned. In any context."""
        ...

    def attempt_started(self, attempt: Attempt) -> Mapping[str, str]:
        """In the app's context, just before the send. Returns the trace context headers for the request."""
        ...

    def attempt_sent(self, attempt: Attempt) -> None:
        """In the app's context, when the send has returned or raised."""
        ...

    def limits_told(self, attempt: Attempt, headers: RawHeaders) -> None:
        """When a response has come whose headers tell of rate limits. They are the observer's to keep."""
        ...

    def attempt_ended(self, attempt: Attempt) -> None:
        """Once, when the body has ended. In any context."""
        ...

    def attempt_settled(self, attempt: Attempt, *, fatal: bool) -> None:
        """Once for a failed attempt: a further attempt follows it, or, if `fatal`, the call fails with it."""
        ...
