"""Begins attempts of a call whose requests are sent by another HTTP client than the call's.

A middleware of the call may fall back to another SDK client, whose own calls are not recorded, as where that client was
not instrumented. Its requests belong to the call then.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from anthropic_otel._adapters import models
from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.call import Call
from anthropic_otel._core.request import RequestFacts
from anthropic_otel._core.target import provider_of


class AttemptsElsewhere:
    """An `AttemptSource` for `request`, a request of `call` by another HTTP client than the call's.

    Each attempt has an invocation of its own: that of `call`, with the provider of the attempt's URL, and with what
    `models.stream_of` tells of `request`, if that is known.
    """

    __slots__ = ("_call", "_stream")

    def __init__(self, call: Call, request: Any) -> None:
        self._call: Final = call
        self._stream: Final = models.stream_of(request)

    def begin_attempt(self, request: RequestFacts, size: int | None = None, *, by_transport: bool = False) -> Attempt:
        attempt = self._call.begin_attempt(request, size, by_transport=by_transport)
        invocation = self._call.invocation
        stream = invocation.stream if self._stream is None else self._stream
        attempt.invocation = replace(invocation, provider=provider_of(request.target), stream=stream)
        return attempt

    def send_finished(self) -> None:
        self._call.send_finished()

    def received_whole(self, attempt: Attempt) -> None:
        self._call.received_whole(attempt)
