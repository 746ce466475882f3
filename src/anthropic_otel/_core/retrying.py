"""Decides whether the SDK retries after a failed attempt, and why not.

Rule: the functions here read an attempt and change nothing of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from anthropic_otel._core.headers import RawHeaders, should_retry
from anthropic_otel._core.semconv import AttemptOutcome, RetryStop

if TYPE_CHECKING:
    from anthropic_otel._core.attempt_state import AttemptState


def headers_for_sdk(attempt: AttemptState) -> RawHeaders | None:
    """Returns the headers of an attempt's response by which the SDK decides on a retry: those of any but a 2xx.

    `None` without such a response. Also `None` if the send has raised an `Exception` and so ended the attempt: the SDK
    knows nothing of a response then, even if its headers had come.
    """
    raised = attempt.exception_type is not None and attempt.reading is None
    return attempt.response.error_headers if attempt.response is not None and not raised else None


def is_retryable(attempt: AttemptState) -> bool:
    """Returns whether the attempt has ended with a failure for which the SDK retries, if it has a retry left.

    - An `Exception` of the send is one, whatever status had come, unless the SDK raises it as it is (`_NOT_RETRIED`),
      as for missing credentials.

    If the send has returned a response:

    - A 401 of a first attempt within which the SDK may fetch credentials is one: it fetches new ones once.
    - Any other status than 2xx is by `headers.should_retry`, also if reading its body failed.
    - A 2xx is none: it failed while its body was read, or is no answer.
    """
    if attempt.outcome is not AttemptOutcome.FAILED:
        return False
    raised = attempt.exception_type
    if raised is not None and attempt.reading is None:
        return not (raised.startswith("anthropic.") and raised.rpartition(".")[2] in _NOT_RETRIED)
    if attempt.status == 401 and attempt.retry is None and attempt.request.fetches_credentials:
        return True
    told = headers_for_sdk(attempt)
    return attempt.status is not None and told is not None and should_retry(attempt.status, told)


_NOT_RETRIED: Final = frozenset(
    {"AnthropicError", "CredentialsError", "IdentityTokenFileError", "WorkloadIdentityError"}
)
"""The SDK raises these as they are. Any other exception of a send it wraps in one of its own, for which it retries."""


def stop_reason(attempt: AttemptState) -> RetryStop | None:
    """Returns why the SDK does not retry after `attempt`, which has failed.

    `None` if it does by its rules and has a retry left, if it is not known how often it may retry (`retries_left`), and
    without a call.
    """
    # Without a call there is no retry.
    if attempt.retries_left is None:
        return None
    if is_retryable(attempt):
        return RetryStop.EXHAUSTED if attempt.retries_left == 0 else None
    told = attempt.response.error_headers if attempt.response is not None else None
    if attempt.response is not None and attempt.response.is_success:
        return RetryStop.STREAM_STARTED if attempt.reading is not None else RetryStop.NOT_RETRYABLE
    forbidden = told is not None and told.get(b"x-should-retry") == b"false"
    return RetryStop.X_SHOULD_RETRY if forbidden else RetryStop.NOT_RETRYABLE
