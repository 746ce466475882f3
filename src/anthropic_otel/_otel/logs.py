"""Logs one record per failed attempt, and one per call that failed although no attempt failed with it.

Rule: the fields of an attempt's record are the attributes of its span and its resend count, those of a call's record
have the schema's names too. Beside fixed text, a message has only words of the schema, the API's error type and code,
ids, the name of an errno, the class of an exception, and the operation, host, port, proxy, numbers and times. The
library gives the logger no handler but a `NullHandler`.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from anthropic_otel._core import semconv
from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.call import Call
from anthropic_otel._core.call_ending import OwnFailure
from anthropic_otel._core.recorder import AfterFailure
from anthropic_otel._otel import spans

log: Final = logging.getLogger("anthropic_otel.attempt")
# An app without logging configuration prints no attempt. The library's own warnings are to reach stderr.
log.addHandler(logging.NullHandler())


def has_handler() -> bool:
    """Returns whether the logger of attempts, or a parent that it propagates to, has a handler but a `NullHandler`."""
    logger: logging.Logger | None = log
    while logger is not None:
        if any(not isinstance(handler, logging.NullHandler) for handler in logger.handlers):
            return True
        logger = logger.parent if logger.propagate else None
    return False


def attempt_failed(attempt: Attempt, after: AfterFailure, waited: int | None) -> None:
    """Logs a failed attempt: as WARNING if `after` is `CALL_FAILED`, else as INFO. The fields are in `extra`.

    `after` is what followed it. `waited` is the backoff before the next attempt in nanoseconds, `None` if no attempt
    followed.
    """
    level = logging.WARNING if after is AfterFailure.CALL_FAILED else logging.INFO
    if log.isEnabledFor(level):
        fields = {semconv.HTTP_REQUEST_RESEND_COUNT: attempt.resend_count, **spans.facts(attempt)}
        log.log(level, "%s", _sentence(attempt, after, waited), extra=fields)


def call_failed(call: Call, failure: OwnFailure) -> None:
    """Logs as WARNING a call that failed although no attempt failed with it. The fields are in `extra`.

    `failure` is the `own_failure` of its ending.
    """
    if not log.isEnabledFor(logging.WARNING):
        return
    operation, error_type = call.operation or "request", call.ending.error_type
    error = f"{error_type} ({failure.exception_type})" if failure.exception_type else str(error_type)
    attempts = "though its last attempt did not fail" if call.attempts.count else "before any attempt"
    if failure.before_retry:
        attempts = f"before attempt {call.attempts.count} was retried"
    parts = (
        f"{operation} failed after {call.duration / _SECOND:.3f} s: {error}",
        attempts,
        *((_host(call.address, call.port),) if call.address is not None else ()),
        f"request id {failure.request_id or 'none'}",
        f"see: anthropic-otel why {error_type}",
    )
    log.warning("%s", ", ".join(parts), extra=_fields_of_call(call, failure))


def _fields_of_call(call: Call, failure: OwnFailure) -> dict[str, Any]:
    ending = call.ending
    fields = {
        semconv.OPERATION_NAME: call.operation,
        semconv.GEN_AI_REQUEST_MODEL: call.invocation.model,
        semconv.SERVER_ADDRESS: call.address,
        semconv.SERVER_PORT: call.port,
        semconv.CALL_OUTCOME: ending.outcome.value if ending.outcome is not None else None,
        semconv.ERROR_TYPE: ending.error_type,
        semconv.EXCEPTION_TYPE: failure.exception_type,
        semconv.REQUEST_ID: failure.request_id,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _sentence(attempt: Attempt, after: AfterFailure, waited: int | None) -> str:
    """Returns the message of the record, in one line: operation, attempt number, duration, error, retry, host, ids.

    If `after` is `CALL_FAILED`, the command that explains the error follows. The arguments are those of
    `attempt_failed`.
    """
    number = attempt.resend_count + 1
    left = attempt.retries_left
    # Where something else than the SDK sends again, nobody knows how many attempts there will be.
    known = left is not None and (left > 0 or waited is None)
    of = f" of {number + left}" if left is not None and known else ""
    seconds = attempt.duration / _SECOND
    parts = [f"{attempt.operation} attempt {number}{of} failed after {seconds:.3f} s: {_error(attempt)}"]
    if waited is not None:
        parts.append(f"retried after {waited / _SECOND:.3f} s")
    elif attempt.retry_stop is not None and after is AfterFailure.CALL_FAILED:
        parts.append(f"not retried ({attempt.retry_stop.value})")
    parts.append(_where(attempt))
    parts.append(f"request id {attempt.request_id or 'none'}")
    response_id = attempt.response.response_id if attempt.response is not None else None
    if response_id is not None:
        parts.append(f"response id {response_id}")
    if after is AfterFailure.CALL_FAILED:
        parts.append(f"see: anthropic-otel why {_word(attempt)}")
    return ", ".join(parts)


def _word(attempt: Attempt) -> str | None:
    """Returns the argument for `anthropic-otel why`: the API's error code if that has a page, else the error type."""
    code = attempt.api_error.code if attempt.api_error is not None else None
    return code if code in CODES_WITH_A_PAGE else attempt.error_type


def _error(attempt: Attempt) -> str:
    """Returns the error type, followed in parentheses by what is known beside it, if anything is.

    If the attempt has a network cause (`NetworkCause`), that is the errno's name, if there is one, and the phase. Else
    it is the API's error type and code, without those that are not known or are the error type.
    """
    beside: list[str] = []
    if attempt.cause is not None:
        beside += [word for word in (attempt.cause.errno, f"phase {attempt.timeline.phase.value}") if word]
    elif attempt.api_error is not None:
        told = (attempt.api_error.type, attempt.api_error.code)
        beside += [word for word in told if word and word not in (attempt.error_type, semconv.OTHER)]
    return f"{attempt.error_type} ({', '.join(beside)})" if beside else str(attempt.error_type)


def _where(attempt: Attempt) -> str:
    if attempt.cause is not None and attempt.timeline.phase is semconv.Phase.AUTH:
        # They were wanted of another host, which is not known. This one was not asked.
        return f"credentials for {_host(attempt.request.target.address, attempt.request.target.port)}"
    proxy = f" by proxy {attempt.request.proxy}" if attempt.request.proxy is not None else ""
    return f"{_host(attempt.request.target.address, attempt.request.target.port)}{proxy}"


def _host(address: str | None, port: int | None) -> str:
    """Returns host and port as a URL has them: an IPv6 address in brackets. What is not known is the word `None`."""
    return f"[{address}]:{port}" if address is not None and ":" in address else f"{address}:{port}"


_SECOND: Final = 1e9

CODES_WITH_A_PAGE: Final = frozenset(
    {
        "claude_code_key_creator_not_member",
        "claude_code_version_too_old",
        "cmek_context_unavailable",
        "cmek_key_disabled",
        "cmek_key_network_blocked",
        "cmek_key_unreachable",
        "contract_spend_limit_reached",
        "enforced_spend_limit_reached",
        "linked_organization_billing_unavailable",
        "linked_organization_spend_limit_reached",
        "organization_on_hold",
        "organization_type_not_supported",
        "parent_organization_required",
        "ramp_limit_exceeded",
        "sandbox_egress_restricted",
        "workspace_human_review_disabled",
    }
)
"""The API's error codes that have a page of their own in `anthropic-otel why`."""
