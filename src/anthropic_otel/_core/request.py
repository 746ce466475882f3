"""What is known of a request when it is sent, and of a retry when it starts."""

from __future__ import annotations

from typing import NamedTuple

from anthropic_otel._core.semconv import RetrySource
from anthropic_otel._core.target import Target


class RequestFacts(NamedTuple):
    """What is known of a request when it is sent.

    - `model`: the model that it asks for, `None` where it is unknown.
    - `stream`: whether the app has asked for an event stream, `None` where that is unknown.
    - `proxy`: host and port of the proxy that it goes through, `None` without one, or where that is unknown.
    - `size`: the bytes of its body, `None` if they are not known beforehand.
    - `fetches_credentials`: whether an auth flow of the SDK fetches credentials within the send.
    - `emits_events`: whether the transport below tells of its events.
    - `by_names`: whether the SDK goes by the names of a stream's events, and not by the types in their data.
    """

    target: Target
    model: str | None = None
    stream: bool | None = None
    proxy: str | None = None
    size: int | None = None
    fetches_credentials: bool = False
    emits_events: bool = False
    by_names: bool = False


class Retry:
    """Facts about a retry, known when it starts.

    `number` is 1 on the first retry. `delay` is the backoff that has just ended, in nanoseconds. `reason` is the
    `error.type` of the attempt before. `delay`, `reason` and `source` are `None` where the attempt before is unknown.
    """

    __slots__ = ("delay", "number", "reason", "source")

    def __init__(
        self, number: int, delay: int | None = None, reason: str | None = None, source: RetrySource | None = None
    ) -> None:
        self.number = number
        self.delay = delay
        self.reason = reason
        self.source = source
