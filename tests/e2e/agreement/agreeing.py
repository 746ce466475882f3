"""Holds what the observers of one call said against each other, and against the table.

Rule: a check says in a sentence what contradicts what. It takes nothing from the catalogue's expectations.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from anthropic_otel._core.semconv import CallOutcome
from e2e.agreement.excuses import EXCUSES, Check
from e2e.agreement.meeting import RETRIES, Observed
from e2e.agreement.observers import Attempt, ServerSaw
from e2e.agreement.table import RETRIED, TABLE, App, Error, Log, Row, Server, Span


def contradictions(seen: Observed) -> list[str]:
    """Every contradiction that no exception allows, as a sentence that begins with the name of its check."""
    return [
        f"{check.name}: {found.text}"
        for check, function in _CHECKS.items()
        for found in function(seen)
        if not any(check in excuse.checks and excuse.applies(seen, found.attempt) for excuse in EXCUSES)
    ]


class Found(NamedTuple):
    """A contradiction, and the attempt that it is about: the last one, if it is about the call."""

    text: str
    attempt: Attempt | None


def _last(seen: Observed) -> Attempt | None:
    return seen.attempts[-1] if seen.attempts else None


# -- the table ---------------------------------------------------------------------------------------------------------


def _end_is_in_the_table(seen: Observed) -> Iterator[Found]:
    if not seen.attempts:
        yield Found(f"the app saw {seen.app.word.name}, and there is no attempt", _last(seen))
        return
    server, last = _by_attempt(seen)[-1], seen.attempts[-1]
    if not any(_fits(row, seen, server, last) for row in TABLE):
        call = seen.measured_calls[0].outcome.value if seen.measured_calls else "-"
        span = seen.call_spans[0].status.name if seen.call_spans else "-"
        words = (
            seen.app.word.name,
            server.name,
            last.outcome.value,
            last.error.name,
            call,
            span,
            _level(seen, last).name,
        )
        yield Found(f"no row has {' / '.join(words)} ({last.error_type})", _last(seen))


def _fits(row: Row, seen: Observed, server: Server, last: Attempt) -> bool:
    return (
        row.app is seen.app.word
        and server in row.server
        and last.outcome is row.last
        and last.error in row.error
        and (not row.only or last.error_type in row.only)
        and all(call.outcome in row.call for call in seen.measured_calls)
        and all(span.status in row.span for span in seen.call_spans)
        and _level(seen, last) is row.log
    )


def _earlier_attempts_are_in_the_table(seen: Observed) -> Iterator[Found]:
    for server, attempt in list(zip(_by_attempt(seen), seen.attempts, strict=True))[:-1]:
        log = _level(seen, attempt)
        if log is Log.WARNING and not seen.with_calls:
            log = Log.INFO  # without its call, no attempt is known to be retried
        if not any(
            server in row.server
            and attempt.outcome is row.outcome
            and attempt.error in row.error
            and (not row.only or attempt.error_type in row.only)
            and log is row.log
            for row in RETRIED
        ):
            words = (server.name, attempt.outcome.value, attempt.error.name, log.name)
            yield Found(
                f"no row has {' / '.join(words)} ({attempt.error_type}) for an attempt that was retried", attempt
            )


def _level(seen: Observed, attempt: Attempt) -> Log:
    """The level of the attempt's record."""
    found = [each.level for each in seen.records if each.resend_count == attempt.resend_count]
    return found[0] if found else Log.NONE


# -- the server --------------------------------------------------------------------------------------------------------


def _by_attempt(seen: Observed) -> list[Server]:
    """The server's word for each attempt."""
    return [Server.UNREACHED if met is None else met.word for met in _met(seen)]


def _met(seen: Observed) -> list[ServerSaw | None]:
    """What the server saw of each attempt; by the count on the wire where it saw fewer than there were."""
    if len(seen.server) >= len(seen.attempts):
        return [*seen.server[: len(seen.attempts)]]
    by_count = {met.retry: met for met in seen.server}
    return [by_count.get(attempt.resend_count) for attempt in seen.attempts]


def _every_request_is_an_attempt(seen: Observed) -> Iterator[Found]:
    if len(seen.server) > len(seen.attempts):
        yield Found(
            f"{len(seen.server)} requests came to the server, and there are {len(seen.attempts)} attempts", _last(seen)
        )


def _counts_are_those_on_the_wire(seen: Observed) -> Iterator[Found]:
    for met, attempt in zip(_met(seen), seen.attempts, strict=True):
        if met is not None and met.retry is not None and met.retry != attempt.resend_count:
            yield Found(f"retry {met.retry} on the wire is resend_count {attempt.resend_count}", attempt)


def _the_status_is_what_the_server_sent(seen: Observed) -> Iterator[Found]:
    for met, attempt in zip(_met(seen), seen.attempts, strict=True):
        sent = met.status if met is not None else None
        if attempt.status != sent and not (met is not None and met.word is Server.RAW):
            yield Found(f"the server sent {sent}, attempt {attempt.resend_count} has status {attempt.status}", attempt)


def _the_request_id_is_what_the_server_sent(seen: Observed) -> Iterator[Found]:
    for met, attempt in zip(_met(seen), seen.attempts, strict=True):
        sent = met.request_id if met is not None else None
        if attempt.request_id != sent and not (met is not None and met.word is Server.RAW):
            yield Found(
                f"the server sent request id {sent}, attempt {attempt.resend_count} has {attempt.request_id}", attempt
            )


def _the_app_has_the_same_ids(seen: Observed) -> Iterator[Found]:
    for name in ("status", "request_id"):
        app, last = getattr(seen.app, name), getattr(seen.attempts[-1], name, None) if seen.attempts else None
        if app is not None and app != last:
            yield Found(f"the app has {name} {app}, the last attempt {last}", _last(seen))


# -- the library with itself -------------------------------------------------------------------------------------------


def _attempts_end_once(seen: Observed) -> Iterator[Found]:
    if not seen.started == len(seen.attempts) == seen.measured.total():
        yield Found(
            f"{seen.started} attempts started, {len(seen.attempts)} spans, {seen.measured.total()} measured",
            _last(seen),
        )


def _attempts_are_measured(seen: Observed) -> Iterator[Found]:
    spans = Counter((each.outcome.value, each.error_type, each.cause, each.status) for each in seen.attempts)
    if spans != seen.measured:
        yield Found(f"the spans have {dict(spans)}, the metric {dict(seen.measured)}", _last(seen))


def _capture_has_the_attempts(seen: Observed) -> Iterator[Found]:
    if not seen.with_capture:
        return
    if seen.in_flight:
        yield Found(f"{seen.in_flight} attempts are in flight when the app is done", _last(seen))
    if seen.captured != seen.attempts:
        yield Found(f"the spans have {seen.attempts}, capture() has {seen.captured}", _last(seen))


def _capture_has_the_call(seen: Observed) -> Iterator[Found]:
    if seen.with_capture and seen.captured_calls != seen.measured_calls:
        yield Found(f"call.duration has {seen.measured_calls}, capture() has {seen.captured_calls}", _last(seen))


# -- the call ----------------------------------------------------------------------------------------------------------


def _one_call(seen: Observed) -> Iterator[Found]:
    calls, spans = len(seen.measured_calls), len(seen.call_spans)
    if seen.with_calls and not calls == spans == 1:
        yield Found(f"the app made one call; {calls} are measured, {spans} have a span", _last(seen))
    if not seen.with_calls and calls:
        yield Found(f"no call can be seen here, and {calls} are measured", _last(seen))
    if any(call.attempts != len(seen.attempts) for call in seen.measured_calls):
        yield Found(f"the retries of {seen.measured_calls} are not those of {len(seen.attempts)} attempts", _last(seen))


def _the_outcome_counts_the_attempts(seen: Observed) -> Iterator[Found]:
    count = len(seen.attempts)
    may_be = _AT_ONCE if count == 1 else _AFTER_RETRIES if seen.app.word in _RAISED else _IN_THE_END
    for call in seen.measured_calls:
        if call.outcome not in may_be:
            yield Found(
                f"{call.outcome.value} after {count} attempts of {1 + RETRIES}, and the app saw {seen.app.word.name}",
                _last(seen),
            )


_RAISED = (App.REFUSED, App.UNANSWERED)
"""What the SDK raises from its own retries: the last of them was the last that it may make."""
_AFTER_RETRIES = (CallOutcome.EXHAUSTED,)
_AT_ONCE = (CallOutcome.SUCCEEDED, CallOutcome.FAILED, CallOutcome.ABANDONED)
_IN_THE_END = (CallOutcome.RECOVERED, CallOutcome.FAILED, CallOutcome.ABANDONED)


def _the_call_has_the_error_of_the_app(seen: Observed) -> Iterator[Found]:
    if seen.app.error_type is not None:
        for call in seen.measured_calls:
            if call.error_type != seen.app.error_type:
                yield Found(
                    f"the exception is {seen.app.error_type}, the call's metric has {call.error_type}", _last(seen)
                )


def _the_span_has_the_error_of_the_call(seen: Observed) -> Iterator[Found]:
    for call, span in zip(seen.measured_calls, seen.call_spans, strict=False):
        if call.error_type != span.error_type:
            yield Found(f"the call's span has {span.error_type}, its metric {call.error_type}", _last(seen))
        if (span.status is Span.ERROR) != (span.error_type is not None):
            yield Found(f"the call's span is {span.status.name} with error.type {span.error_type}", _last(seen))


# -- the log -----------------------------------------------------------------------------------------------------------


def _each_failure_has_a_record(seen: Observed) -> Iterator[Found]:
    failed = [each for each in seen.attempts if each.error is not Error.NONE]
    expected = [(each.resend_count, each.error_type, each.request_id) for each in failed]
    found = [(each.resend_count, each.error_type, each.request_id) for each in seen.records]
    if found != expected:
        yield Found(f"the failed attempts are {expected}, the records {found}", _last(seen))


def _a_warning_for_each_failed_call(seen: Observed) -> Iterator[Found]:
    warnings = sum(record.level is Log.WARNING for record in seen.records)
    failed = [call for call in seen.measured_calls if call.outcome in (CallOutcome.FAILED, CallOutcome.EXHAUSTED)]
    if seen.with_calls and warnings != len(failed):
        yield Found(f"{warnings} warnings, {len(failed)} failed calls", _last(seen))


_CHECKS = {
    Check.TABLE: _end_is_in_the_table,
    Check.RETRIED: _earlier_attempts_are_in_the_table,
    Check.REQUESTS: _every_request_is_an_attempt,
    Check.WIRE: _counts_are_those_on_the_wire,
    Check.STATUS: _the_status_is_what_the_server_sent,
    Check.REQUEST_ID: _the_request_id_is_what_the_server_sent,
    Check.APP_IDS: _the_app_has_the_same_ids,
    Check.ENDS: _attempts_end_once,
    Check.METRIC: _attempts_are_measured,
    Check.CAPTURE: _capture_has_the_attempts,
    Check.CAPTURED_CALL: _capture_has_the_call,
    Check.ONE_CALL: _one_call,
    Check.OUTCOME: _the_outcome_counts_the_attempts,
    Check.CALL_ERROR: _the_call_has_the_error_of_the_app,
    Check.SPAN_ERROR: _the_span_has_the_error_of_the_call,
    Check.RECORDS: _each_failure_has_a_record,
    Check.WARNING: _a_warning_for_each_failed_call,
}
