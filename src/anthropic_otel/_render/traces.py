"""Defines a call and its attempts as plain values for drawing, and makes them of finished spans.

Rule: `traces_of` reads nothing but finished spans: those of the attempts, and the call's, which another instrumentation
may have made. So what is shown is what was emitted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from anthropic_otel._core import semconv
from anthropic_otel._core.semconv import PHASES_BEFORE_BODY, AttemptOutcome, CallOutcome

_RETRYABLE: Final = frozenset({408, 409, 429})
_NANOSECONDS: Final = 1e9


class Span(Protocol):
    """The part that is read of a finished span, such as the OpenTelemetry SDK's `ReadableSpan`.

    Times are in nanoseconds since the epoch. `context` and `parent` are span contexts; `parent` is `None` for a root.
    """

    @property
    def name(self) -> str: ...
    @property
    def start_time(self) -> int | None: ...
    @property
    def end_time(self) -> int | None: ...
    @property
    def attributes(self) -> Mapping[str, Any] | None: ...
    @property
    def context(self) -> Any: ...
    @property
    def parent(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Attempt:
    """One HTTP attempt. A field is `None` if it does not apply or is not known.

    - `start`, `end`, `headers_at`: when the attempt began, ended, and had received the response's headers, in seconds
      from the call's start.
    - `outcome`: a value of `AttemptOutcome`; `error_type`: `None` if the attempt did not fail.
    - `status`: of the response; `request_id`: the API's id of it.
    - `phase`, `errno`: of a failure of the network: a value of `Phase`, and a name such as `ECONNRESET`.
    - `first_chunk`: seconds from the attempt's start to the first chunk of a stream.
    - `complete`: whether a stream had its end event.
    - `backoff`: seconds of the backoff before the attempt; `reason`: the failure that led to it; `source`: what decided
      its length, a value of `RetrySource`.
    """

    start: float
    end: float
    outcome: str
    status: int | None = None
    error_type: str | None = None
    request_id: str | None = None
    phase: str | None = None
    errno: str | None = None
    headers_at: float | None = None
    first_chunk: float | None = None
    complete: bool | None = None
    backoff: float | None = None
    reason: str | None = None
    source: str | None = None

    @property
    def details(self) -> tuple[str, ...]:
        """The attempt's details, without outcome, start and end, as texts such as `phase wait`, most important first.

        These are, as far as they are known, the phase, the errno, `no message_stop` for a stream that failed without
        it, the request id, a failure's status if its error type is not that status, and the time of the first chunk.
        """
        other_than_status = self.error_type is not None and self.error_type != str(self.status)
        return (
            *((f"phase {self.phase}",) if self.phase else ()),
            *((self.errno,) if self.errno else ()),
            *(("no message_stop",) if self.error_type == semconv.NetworkCause.INCOMPLETE_STREAM.value else ()),
            *((self.request_id,) if self.request_id else ()),
            *((f"status {self.status}",) if other_than_status and self.status else ()),
            *((f"first chunk after {self.first_chunk:.2f} s",) if self.first_chunk is not None else ()),
        )


@dataclass(frozen=True, slots=True)
class Trace:
    """One call and its attempts, ordered by their start. An empty text means unknown or none.

    - `name`: of the call's span or operation; `duration`: in seconds; `trace_id`: 32 hexadecimal digits.
    - `seen`: the failure as the app saw it, such as an exception's text.
    - `stated`: the call's outcome, a value of `CallOutcome`; if empty, `outcome` is derived from the attempts.
    """

    name: str
    duration: float
    attempts: tuple[Attempt, ...]
    model: str = ""
    trace_id: str = ""
    seen: str = ""
    stated: str = ""

    @property
    def outcome(self) -> str:
        """The call's outcome: `stated`; if that is empty, derived from the attempts, of which there must be one.

        If the last attempt completed: `recovered` if an earlier one failed, else `succeeded`. If it neither completed
        nor failed: its own outcome. If it failed: `exhausted` if it was not the first and is retryable (without a
        status, or with 408, 409, 429 or one from 500 on), else `failed`.
        """
        if self.stated:
            return self.stated
        last = self.attempts[-1]
        if last.outcome != AttemptOutcome.FAILED.value:
            failed = any(each.outcome == AttemptOutcome.FAILED.value for each in self.attempts)
            completed = last.outcome == AttemptOutcome.COMPLETED.value
            answered = CallOutcome.RECOVERED if failed else CallOutcome.SUCCEEDED
            return str(answered.value) if completed else last.outcome
        retryable = last.status is None or last.status in _RETRYABLE or last.status >= 500
        used_up = retryable and len(self.attempts) > 1
        return str((CallOutcome.EXHAUSTED if used_up else CallOutcome.FAILED).value)

    @property
    def answered(self) -> bool:
        """Whether `outcome` is `succeeded` or `recovered`."""
        return self.outcome in (CallOutcome.SUCCEEDED.value, CallOutcome.RECOVERED.value)

    @property
    def backoff(self) -> float:
        """The sum of the backoffs before all attempts, in seconds; 0 without any."""
        return sum(each.backoff or 0.0 for each in self.attempts)

    @property
    def error_types(self) -> tuple[str | None, ...]:
        """The error type of each attempt, in order; `None` for one that did not fail."""
        return tuple(each.error_type for each in self.attempts)

    def seen_as(self, text: str) -> Trace:
        """Returns a copy whose `seen` is `text`."""
        return replace(self, seen=text)


def traces_of(spans: Iterable[Span]) -> list[Trace]:
    """Returns a trace for each call with an attempt among finished spans, in the order in which the calls began.

    A span with the attribute of an attempt's outcome is an attempt, and its parent is its call. An attempt is left out
    if it has no parent, or if that is an attempt or not among `spans`.
    """
    calls: dict[tuple[int, int], Span] = {}
    attempts: dict[tuple[int, int], list[Span]] = defaultdict(list)
    for span in spans:
        if semconv.ATTEMPT_OUTCOME not in (span.attributes or {}):
            calls[span.context.trace_id, span.context.span_id] = span
        elif span.parent is not None:
            attempts[span.context.trace_id, span.parent.span_id].append(span)
    found = [(calls[key], children) for key, children in attempts.items() if key in calls]
    return [_trace(call, children) for call, children in sorted(found, key=lambda pair: pair[0].start_time or 0)]


def _trace(call: Span, children: Sequence[Span]) -> Trace:
    began = call.start_time or 0
    return Trace(
        name=call.name,
        duration=((call.end_time or began) - began) / _NANOSECONDS,
        attempts=tuple(_attempt(child, began) for child in sorted(children, key=lambda span: span.start_time or 0)),
        model=str((call.attributes or {}).get(semconv.GEN_AI_REQUEST_MODEL, "")),
        trace_id=f"{call.context.trace_id:032x}",
    )


def _attempt(span: Span, began: int) -> Attempt:
    of = (span.attributes or {}).get
    start = ((span.start_time or began) - began) / _NANOSECONDS
    status = of(semconv.HTTP_RESPONSE_STATUS_CODE)
    waited = sum(of(phase.attribute) or 0.0 for phase in PHASES_BEFORE_BODY)
    return Attempt(
        start=start,
        end=((span.end_time or began) - began) / _NANOSECONDS,
        outcome=str(of(semconv.ATTEMPT_OUTCOME)),
        status=status,
        error_type=of(semconv.ERROR_TYPE),
        request_id=of(semconv.REQUEST_ID),
        phase=of(semconv.NETWORK_PHASE),
        errno=of(semconv.NETWORK_ERRNO),
        headers_at=start + waited if status is not None and waited else None,
        first_chunk=of(semconv.STREAM_TIME_TO_FIRST_CHUNK),
        complete=of(semconv.STREAM_COMPLETE),
        backoff=of(semconv.RETRY_DELAY),
        reason=of(semconv.RETRY_REASON),
        source=of(semconv.RETRY_SOURCE),
    )
