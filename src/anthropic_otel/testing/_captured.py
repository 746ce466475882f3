"""Defines the values that a test reads from a capture: calls, attempts and token counts.

Rule: a value has the words of the schema, its times are in seconds, and it keeps no object of the app alive.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, field, replace

from anthropic_otel._core.finalizer import drain


@dataclass(frozen=True)
class Usage:
    """The tokens that one attempt used, or all attempts of a call. Add two with `+`. 0 is for what was not reported.

    Counted as in the metrics: `input_tokens` includes cache reads and writes, `output_tokens` includes reasoning, and
    both include what the API itself used for the reply, to compact the conversation or to ask an advisor model.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_write_input_tokens: int = 0
    reasoning_output_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(*map(operator.add, astuple(self), astuple(other)))


@dataclass(frozen=True)
class Attempt:
    """One HTTP attempt that has ended. Times are in seconds; `started` counts from the beginning of the capture.

    - `id`: counts from 1 in the order of the starts. `call`: the id of its call, `None` without one.
    - `duration`: from its start to its end, which is that of its body if there is one.
    - `resend_count`: how many attempts of its call came before it. Without a call: the number in the SDK's header of
      retries, plus how many attempts of the same send came before it.
    - `method`: as it was sent. `model`: the model that it asked for, `None` if not known.
    - `retry_delay`: the backoff before it, by the clock of the capture; `None` if there was none or it is not known,
      and without a call.
    - `phase`: the phase in which its `cause` failed it; `None` without a cause.
    - `stream_complete`: whether a message stream got to its end event without an error; `None` if there was no such
      stream, or its events could not be seen.
    - `usage`: `None` as long as no tokens are known. Those of a reply in memory are known once the SDK has parsed it.
    - All others: what the span attribute says that the name is short for (`docs/telemetry.md`); `None` where that is
      not known, or there is no such thing.
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

    - `id`: counts from 1 in the order of the starts. `started`: in seconds since the beginning of the capture.
    - `operation`: such as `messages.create`; `None` if neither the SDK nor an attempt names it.
    - `model`: the model that the method was called with, `None` without one.
    - `stream`: whether an event stream was asked for.
    - `duration`: in seconds, to the end of the method or of the last body, whichever came last.
    - `backoff`: the seconds of `duration` in which no attempt was under way, also before the first and after the last.
    - `outcome`, `error_type`: the words of the call metrics; `error_type` is `None` if the call did not fail, or its
      error is not known.
    - `attempts`: those that had ended when the call ended.
    - `retries`: how many attempts were sent after the attempt before had failed, by the SDK, a middleware or a
      transport. Any other further attempt, such as a hedge, does not count.
    - `cause`, `api_error_code`: those of the attempt that the call failed with, else `None`.
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
        """The sum of the tokens of all `attempts`, failed ones too; `None` if no attempt has any."""
        found = [attempt.usage for attempt in self.attempts if attempt.usage is not None]
        return sum(found, Usage()) if found else None


@dataclass
class Captured:
    """What a capture has found so far. Read `calls`, `attempts`, `started` and `in_flight`, at any time.

    The fields are for the capture, which fills them: `ended_calls` and `ended_attempts` in the order of the ends,
    without usage, `started_ids` with the ids of attempts in the order of the starts, and `used` with pairs of an
    attempt's id and more tokens that it used, in the order in which they became known.
    """

    ended_calls: list[Call] = field(default_factory=list, repr=False)
    ended_attempts: list[Attempt] = field(default_factory=list, repr=False)
    started_ids: list[int] = field(default_factory=list, repr=False)
    used: list[tuple[int, Usage]] = field(default_factory=list, repr=False)

    @property
    def started(self) -> int:
        """How many attempts have started."""
        return len(self.started_ids)

    @property
    def in_flight(self) -> int:
        """How many attempts have started and not ended.

        First ends the attempts and calls whose response the app has dropped unread, if their end was put off.
        """
        drain()
        return self.started - len(self.ended_attempts)

    @property
    def calls(self) -> list[Call]:
        """A new list of the calls that have ended, in the order in which they started.

        First ends the attempts and calls whose response the app has dropped unread, if their end was put off.
        """
        drain()
        calls = (replace(call, attempts=tuple(self._with_usage(call.attempts))) for call in self.ended_calls)
        return sorted(calls, key=lambda call: call.id)

    @property
    def attempts(self) -> list[Attempt]:
        """A new list of the attempts that have ended, those without a call too, in the order in which they started.

        First ends the attempts and calls whose response the app has dropped unread, if their end was put off.
        """
        drain()
        return sorted(self._with_usage(self.ended_attempts), key=lambda attempt: attempt.id)

    def _with_usage(self, attempts: Iterable[Attempt]) -> Iterator[Attempt]:
        used: dict[int, Usage] = {}
        for number, usage in self.used:
            used[number] = used.get(number, Usage()) + usage
        return (replace(attempt, usage=used.get(attempt.id)) for attempt in attempts)
