"""What the tests of the OpenTelemetry side share: calls and attempts as the adapters make them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.call import Call
from anthropic_otel._core.ending import End
from anthropic_otel._core.invocation import Invocation
from anthropic_otel._core.reading import Reading
from anthropic_otel._core.recorder import Recorder
from anthropic_otel._core.request import RequestFacts
from anthropic_otel._core.runtime import Runtime
from anthropic_otel._core.send import Send
from anthropic_otel._core.target import Target
from core.notes import FACTS, ManualClock


class Scene:
    """What happens, as the adapters tell the core, and the core tells `recorder`."""

    def __init__(self, recorder: Recorder, clock: ManualClock) -> None:
        self.recorder = recorder
        self.clock = clock
        self.runtime = Runtime(recorder, clock=clock)
        self._sends: dict[Attempt, Send] = {}

    def call(self, **invocation: Any) -> Call:
        """A call of `messages.create` that is about to run."""
        fields = {"operation": "messages.create", "model": "claude-opus-4-5", "max_retries": 2, **invocation}
        return self.runtime.begin_call(Invocation(**fields))

    def attempt(
        self,
        call: Call | None = None,
        request: RequestFacts = FACTS,
        size: int | None = None,
        *,
        target: Target | None = None,
    ) -> Attempt:
        """The first attempt of a send, which is about to begin: of `request`, or of nothing but a `target`."""
        request = request if target is None else RequestFacts(target)
        send = Send(call or self.runtime.lone_attempts(0), request, size)
        self._sends[send.attempt] = send
        return send.attempt

    def answer(
        self,
        attempt: Attempt,
        status: int = 200,
        seconds: float = 1.0,
        headers: Mapping[bytes, bytes] | None = None,
        body: bytes | None = None,
    ) -> Attempt:
        """The server answers after `seconds`, and the SDK reads the body at once."""
        self._respond(attempt, status, seconds, headers or {}, body)
        attempt.end(End.READ)
        return attempt

    def stream(
        self, attempt: Attempt, seconds: float = 1.0, content_type: bytes | None = b"text/event-stream"
    ) -> Reading:
        """The server answers after `seconds`, and the app is about to read the body."""
        headers = {} if content_type is None else {b"content-type": content_type}
        self._respond(attempt, 200, seconds, headers, None)
        return attempt.begin_body()

    def chunk(self, reading: Reading, chunk: bytes, seconds: float = 0.0) -> None:
        """The app waits for a chunk, which comes after `seconds`."""
        reading.asked_at = reading.clock_now()
        self.clock.pass_seconds(seconds)
        reading.on_chunk(chunk)

    def _respond(
        self, attempt: Attempt, status: int, seconds: float, headers: Mapping[bytes, bytes], body: bytes | None
    ) -> None:
        self.clock.pass_seconds(seconds)
        assert self._sends.pop(attempt).responded(status, headers, "1.1", ("192.0.2.1", 443), body) is attempt

    def fail(self, attempt: Attempt, error: BaseException, seconds: float = 1.0) -> Attempt:
        """The send raises `error` after `seconds`."""
        self.clock.pass_seconds(seconds)
        self._sends.pop(attempt).failed(error)
        return attempt
