"""One log record per failed attempt.

The rule: a record says no more than the attempt's span does, under the same names, and only the request id and the
fixed words of the schema are in its text. The library installs no handler but a `NullHandler`.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from anthropic_otel._core import semconv
from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.recorder import AfterFailure
from anthropic_otel._otel import spans

log: Final = logging.getLogger("anthropic_otel.attempt")
logging.getLogger("anthropic_otel").addHandler(logging.NullHandler())


def has_handler() -> bool:
    """Whether a record of ours comes to a handler that does something with it."""
    logger: logging.Logger | None = log
    while logger is not None:
        if any(not isinstance(handler, logging.NullHandler) for handler in logger.handlers):
            return True
        logger = logger.parent if logger.propagate else None
    return False


def attempt_failed(attempt: Attempt, after: AfterFailure) -> None:
    """Logs a failed attempt: WARNING when the call fails with it, else INFO."""
    level = logging.WARNING if after is AfterFailure.CALL_FAILED else logging.INFO
    if not log.isEnabledFor(level):
        return
    log.log(
        level,
        "Attempt %d of %s failed with %s after %.3f s%s, request id %s",
        attempt.resend_count + 1,
        attempt.operation,
        attempt.error_type,
        attempt.duration / 1e9,
        ", is retried" if after is AfterFailure.RETRIED else "",
        attempt.request_id or "none",
        extra=_fields(attempt),
    )


def _fields(attempt: Attempt) -> dict[str, Any]:
    return {semconv.HTTP_REQUEST_RESEND_COUNT: attempt.resend_count, **spans.facts(attempt)}
