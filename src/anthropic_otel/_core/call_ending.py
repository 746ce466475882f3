"""Decides how a call ended: by what the SDK method gave the app, not by the attempt that ended last.

    the method  │ the body that it returned │ outcome
    ────────────┼───────────────────────────┼─────────────────────────────────────────────────────────────────
    returned    │ completed, or none        │ succeeded; recovered if an attempt had failed before the one
                │                           │ that the reply is from was sent
    returned    │ failed                    │ failed; recovered if it is an attempt's and the SDK itself opens it again
    returned    │ cancelled, abandoned      │ the same word
    raised      │                           │ recovered if the SDK itself makes another call in its place; else
                │                           │ exhausted if the SDK had retried, no retry was left, and it retries
                │                           │ such a failure (`Attempts.exhausted`); else failed
    was stopped │                           │ cancelled

A reply in memory that is no answer to its operation counts as a failed body. A stream with an event that the SDK could
not decode is failed also if the SDK opens it again. The abandoned body of a middleware may count as the attempt that
failed last (`_deciding_body`).

Rule: the functions here read attempts and bodies and change nothing of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.attempts import Attempts
from anthropic_otel._core.cause import type_name
from anthropic_otel._core.errors import (
    CLIENT_TIMEOUT_ERROR,
    CONNECTION_ERROR,
    answer_of,
    asks_for_retry,
    body_error_type,
    call_error_type,
    is_of_backoff,
)
from anthropic_otel._core.event_json import ApiError
from anthropic_otel._core.held_body import HeldBody
from anthropic_otel._core.semconv import INVALID_EVENT, AttemptOutcome, CallOutcome, NetworkCause, RetryStop


class OwnFailure(NamedTuple):
    """What is logged of a failed call itself, as no attempt is reported as the one that it failed with.

    That is so, for example, if the app could not use an answer, or nothing was sent; if a middleware has passed on the
    failure of an attempt after which it had sent again; or if something has stopped the call before the SDK retried.

    - `exception_type`: the name of the class of the exception that the app got, `None` if it got none.
    - `request_id`: that of the failed attempt for which the exception was raised, or which was about to be retried. If
      there is no such attempt, that of the attempt that completed last. `None` if the attempt has none, or without any.
    - `before_retry`: whether the call was stopped when the SDK was about to retry.
    """

    exception_type: str | None
    request_id: str | None
    before_retry: bool = False


@dataclass(frozen=True, slots=True)
class CallEnding:
    """How a call ended.

    - `outcome`: `None` for a call that has not ended.
    - `error_type`: the `error.type` of a failed or exhausted call; `None` for any other, and if it is not known.
    - `cause`, `api_error`, `retry_stop`: those of the failed attempt that the call failed with, else `None`.
    - `own_failure`: set for a failed or exhausted call if no attempt is to be reported as the one that it failed with;
      else `None`. Mostly `cause` is `None` then. Both may be set if a middleware passed on the failure of an attempt
      that was reported as retried.
    """

    outcome: CallOutcome | None
    error_type: str | None = None
    cause: NetworkCause | None = None
    api_error: ApiError | None = None
    retry_stop: RetryStop | None = None
    own_failure: OwnFailure | None = None


class Raised:
    """What an SDK method raised: an `Exception`, or what stopped it (`is_failure` is `False`).

    - `is_sent_again`: whether the SDK itself makes another call in place of this one, so that the app sees nothing.

    The others are set by `classify`. Before, they are `None` or `False`:

    - `asks_for_retry`: whether the SDK retries for it, if it has a retry left.
    - `error_type`, `exception_type`: the call's `error.type`, and the name of the exception's class; `None` for what is
      no `Exception`.
    - `answer`: status and request id of the response that it was raised for, `None` without one.
    - `in_backoff`: whether it was raised while the SDK waited before a retry.
    """

    __slots__ = (
        "answer",
        "asks_for_retry",
        "error_type",
        "exception_type",
        "in_backoff",
        "is_failure",
        "is_sent_again",
    )

    def __init__(self, *, is_failure: bool, is_sent_again: bool = False) -> None:
        self.is_failure: Final = is_failure
        self.is_sent_again: Final = is_sent_again
        self.asks_for_retry = False
        self.error_type: str | None = None
        self.exception_type: str | None = None
        self.answer: tuple[int, str | None] | None = None
        self.in_backoff = False

    def classify(self, error: BaseException) -> None:
        """Sets the attributes that are described as set by it. `error` is what the method raised.

        The two types stay `None` if that is no `Exception`.
        """
        self.asks_for_retry, self.in_backoff = asks_for_retry(error), is_of_backoff(error)
        self.answer = answer_of(error)
        if isinstance(error, Exception):
            self.exception_type, self.error_type = type_name(error), call_error_type(error)

    def may_be_of(self, attempt: Attempt) -> bool:
        """Returns whether this may have been raised for `attempt`, which has failed.

        `False` if it was raised for a response with another status or request id, as that of a call of another client.
        Request ids are only compared if both are known. `False` too if it was raised for a failed connection or a
        timeout, although the attempt has a response and no exception.
        """
        if self.answer is None:
            is_answered = attempt.status is not None and attempt.exception_type is None
            return not (is_answered and self.error_type in (CONNECTION_ERROR, CLIENT_TIMEOUT_ERROR))
        status, request_id = self.answer
        return status == attempt.status and (
            None in (request_id, attempt.request_id) or request_id == attempt.request_id
        )


NOT_ENDED: Final = CallEnding(None)
_SUCCEEDED: Final = CallEnding(CallOutcome.SUCCEEDED)
_RECOVERED: Final = CallEnding(CallOutcome.RECOVERED)
_CANCELLED: Final = CallEnding(CallOutcome.CANCELLED)
_ABANDONED: Final = CallEnding(CallOutcome.ABANDONED)


def of_raised(raised: Raised, attempts: Attempts) -> CallEnding:
    """Returns the ending of a call whose method raised `raised`.

    It is cancelled for what is no `Exception`; else recovered if the SDK itself makes another call in its place; else
    exhausted (`Attempts.exhausted`) or failed.

    The rest is set for an exhausted or failed call only. `cause`, `api_error` and `retry_stop` are those of the attempt
    that `raised` is about: the attempt that failed last, or an earlier one with the same response. They are `None` if
    `raised` is about no attempt. `own_failure` is set if every failed attempt was retried, if no attempt had failed, or
    if `raised` came when the SDK was about to retry, in the backoff or otherwise (`_was_to_be_retried`).
    """
    if not raised.is_failure:
        return _CANCELLED
    if raised.is_sent_again:
        return _RECOVERED
    exhausted = attempts.exhausted(raised.asks_for_retry)
    outcome = CallOutcome.EXHAUSTED if exhausted else CallOutcome.FAILED
    by = attempts.last_unretried
    if by is not None and (raised.in_backoff or _was_to_be_retried(by, raised, attempts)):
        stopped = OwnFailure(raised.exception_type, by.request_id, before_retry=True)
        return CallEnding(outcome, raised.error_type, own_failure=stopped)
    if by is None or not raised.may_be_of(by):
        # A middleware may pass on the failure of an earlier attempt, or of a call of another client.
        earlier = attempts.failure_with(raised.answer) if raised.answer is not None else None
        if earlier is not None:
            # It was reported as retried. If none is left that was not, nothing says yet that the call failed.
            own = OwnFailure(raised.exception_type, earlier.request_id) if not attempts.undecided else None
            return _failed_with(earlier, outcome, raised.error_type, own)
        if by is not None:
            return CallEnding(outcome, raised.error_type)
    return _failed(outcome, raised.error_type, by, raised.exception_type, attempts)


def _was_to_be_retried(by: Attempt, raised: Raised, attempts: Attempts) -> bool:
    """Returns whether the SDK was about to retry after `by`, the attempt that failed last, and has not raised for it.

    What it does before a retry may raise: a time limit that a signal sets strikes in its backoff, or new credentials
    cannot be had. `False` if code of the app may have raised instead of a retry (`Invocation.only_sdk_raises`).
    """
    retries = by.retry_stop is None and by.retries_left is not None
    return retries and not raised.asks_for_retry and attempts.invocation.only_sdk_raises


def of_returned(returned: Attempt | HeldBody | None, attempts: Attempts) -> CallEnding:
    """Returns the ending of a call whose method returned: by the outcome of the body that it returned.

    `returned` is that body, or `None` for a reply in memory: completed, or failed if it is no answer to its operation.
    For a held body another may decide (`_deciding_body`).

    With a completed body the call is recovered if an attempt had failed before (`Attempts.had_failed_before`), else
    succeeded. With a failed one it is recovered if that is an attempt's, the SDK opens such a stream again
    (`Invocation.reopens`) and it had no event that could not be decoded; else failed.
    """
    if returned is None and attempts.completed is not None:
        # As nearly every one ends.
        return _RECOVERED if attempts.completed.after_failure else _SUCCEEDED
    body = attempts.spoiled_answer() if returned is None else _deciding_body(returned, attempts)
    answering = returned if isinstance(returned, Attempt) else None
    outcome = body.outcome if body is not None else AttemptOutcome.COMPLETED
    if outcome is AttemptOutcome.COMPLETED:
        return _RECOVERED if attempts.had_failed_before(answering) else _SUCCEEDED
    if outcome is AttemptOutcome.CANCELLED:
        return _CANCELLED
    if outcome is AttemptOutcome.ABANDONED:
        return _ABANDONED
    if attempts.invocation.reopens and isinstance(body, Attempt) and body.error_type != INVALID_EVENT:
        return _RECOVERED
    error_type = body_error_type(body) if isinstance(body, Attempt) else body.error_type if body is not None else None
    by = answering or attempts.last_unretried
    exception_type = returned.exception_type if isinstance(returned, HeldBody) else None
    return _failed(CallOutcome.FAILED, error_type, by, exception_type, attempts)


def _deciding_body(returned: Attempt | HeldBody, attempts: Attempts) -> Attempt | HeldBody:
    """Returns the body whose outcome is that of the call. `returned` is the body that the SDK method returned.

    It is `returned` itself. But for an abandoned held body it is `Attempts.last_unretried`, if there is one.
    """
    abandoned = isinstance(returned, HeldBody) and returned.outcome is AttemptOutcome.ABANDONED
    # The SDK closes a held body when it raises for an error event of the attempt that the body was being made of.
    return (attempts.last_unretried if abandoned else None) or returned


def _failed(
    outcome: CallOutcome, error_type: str | None, by: Attempt | None, exception_type: str | None, attempts: Attempts
) -> CallEnding:
    """Returns the ending of a failed call.

    It has `cause`, `api_error` and `retry_stop` of `by`, the attempt that the call failed with. If `by` is `None`, it
    has an `own_failure` instead: with `exception_type`, the name of the class of the exception that the app got, and
    with the request id of the one in `attempts` that completed last.
    """
    if by is not None:
        return _failed_with(by, outcome, error_type)
    answering = attempts.completed
    own = OwnFailure(exception_type, answering.request_id if answering is not None else None)
    return CallEnding(outcome, error_type, own_failure=own)


def _failed_with(
    by: Attempt, outcome: CallOutcome, error_type: str | None, own_failure: OwnFailure | None = None
) -> CallEnding:
    cause = by.cause.word if by.cause is not None else None
    return CallEnding(outcome, error_type, cause, by.api_error, by.retry_stop, own_failure)
