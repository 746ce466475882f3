"""What a capture gives to tests: calls and attempts as plain values.

Rule: a value has the words of the schema, its times are in seconds, and it refers to nothing live.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from anthropic_otel._core.finalizer import drain


@dataclass(frozen=True)
class Attempt:
    """One HTTP attempt that has ended. Times are in seconds; `started` counts from the beginning of the capture.

    The words are those of the schema: `error_type`, `outcome`, `cause`, `phase`, `retry_source`. `call` is the id of
    its call, `None` without one. `resend_count` is 0 on a first attempt.
    """

    id: int
    call: int | None
    operation: str
    method: str
    url_template: str | None
    server_address: str
    resend_count: int
    started: float
    duration: float
    outcome: str
    status: int | None = None
    request_id: str | None = None
    error_type: str | None = None
    cause: str | None = None
    phase: str | None = None
    errno: str | None = None
    exception_type: str | None = None
    retry_delay: float | None = None
    retry_reason: str | None = None
    retry_source: str | None = None
    connection_reused: bool | None = None
    stream_complete: bool | None = None
    model: str | None = None
    api_error_type: str | None = None
    api_error_code: str | None = None
    proxy_address: str | None = None
    retry_stop_reason: str | None = None


@dataclass(frozen=True)
class Call:
    """One call of an SDK method that has ended, with its attempts in the order in which they started.

    `backoff` is the time, in seconds, in which no attempt was under way: between two of them, but also before the first
    and after the last. An attempt's `retry_delay` is what was waited for that one. `retries` counts the attempts that
    followed a failed one; a fallback or a hedge is none. `cause` and `api_error_code` are those of the attempt that the
    call failed with.
    """

    id: int
    operation: str | None
    model: str | None
    stream: bool
    started: float
    duration: float
    backoff: float
    outcome: str
    error_type: str | None
    attempts: tuple[Attempt, ...]
    retries: int = 0
    cause: str | None = None
    api_error_code: str | None = None


@dataclass
class Captured:
    """What happened since the capture began. `attempts` and `calls` have ended; `in_flight` have not."""

    ended_calls: list[Call] = field(default_factory=list, repr=False)
    ended_attempts: list[Attempt] = field(default_factory=list, repr=False)
    started_ids: list[int] = field(default_factory=list, repr=False)

    @property
    def started(self) -> int:
        """How many attempts have started."""
        return len(self.started_ids)

    @property
    def in_flight(self) -> int:
        """How many attempts have started and not ended."""
        drain()
        return self.started - len(self.ended_attempts)

    @property
    def calls(self) -> list[Call]:
        """The calls that have ended, in the order in which they started."""
        drain()
        return sorted(self.ended_calls, key=lambda call: call.id)

    @property
    def attempts(self) -> list[Attempt]:
        """The attempts that have ended, in the order in which they started."""
        drain()
        return sorted(self.ended_attempts, key=lambda attempt: attempt.id)
