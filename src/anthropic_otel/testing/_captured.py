"""What a capture gives to tests: calls and attempts as plain values.

Rule: a value has the words of the schema, its times are in seconds, and it refers to nothing live.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from anthropic_otel._core.finalizer import drain


@dataclass(frozen=True)
class Usage:
    """The tokens that an attempt, or a call with all of its attempts, used, as far as the API told.

    By the arithmetic of the metrics: `input_tokens` has cache reads and writes in it, `output_tokens` has reasoning in
    it, and both have what a compaction and an advisor took.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_write_input_tokens: int = 0
    reasoning_output_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cache_read_input_tokens + other.cache_read_input_tokens,
            self.cache_write_input_tokens + other.cache_write_input_tokens,
            self.reasoning_output_tokens + other.reasoning_output_tokens,
        )


@dataclass(frozen=True)
class Attempt:
    """One HTTP attempt that has ended. Times are in seconds; `started` counts from the beginning of the capture.

    The words are those of the schema: `error_type`, `outcome`, `cause`, `phase`, `retry_source`. `call` is the id of
    its call, `None` without one. `resend_count` is 0 on a first attempt. `usage` is `None` where the API told none, or
    where a reply has not been parsed.
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
    usage: Usage | None = None


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

    @property
    def usage(self) -> Usage | None:
        """The tokens of all its attempts, `None` if no attempt has any."""
        found = [attempt.usage for attempt in self.attempts if attempt.usage is not None]
        return sum(found, Usage()) if found else None


@dataclass
class Captured:
    """What happened since the capture began. `attempts` and `calls` have ended; `in_flight` have not."""

    ended_calls: list[Call] = field(default_factory=list, repr=False)
    ended_attempts: list[Attempt] = field(default_factory=list, repr=False)
    started_ids: list[int] = field(default_factory=list, repr=False)
    used: list[tuple[int, Usage]] = field(default_factory=list, repr=False)
    """Tokens by the ids of their attempts, as they got known: of a reply when it was parsed."""

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
        calls = (replace(call, attempts=tuple(self._with_usage(call.attempts))) for call in self.ended_calls)
        return sorted(calls, key=lambda call: call.id)

    @property
    def attempts(self) -> list[Attempt]:
        """The attempts that have ended, in the order in which they started."""
        drain()
        return sorted(self._with_usage(self.ended_attempts), key=lambda attempt: attempt.id)

    def _with_usage(self, attempts: Iterable[Attempt]) -> Iterator[Attempt]:
        used: dict[int, Usage] = {}
        for number, usage in self.used:
            used[number] = used.get(number, Usage()) + usage
        return (replace(attempt, usage=used.get(attempt.id)) for attempt in attempts)
