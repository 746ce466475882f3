"""The panel "Whose fault?": every failed attempt, grouped by who can do something about it.

Rule: each failed attempt is in exactly one bar. Errors that fit no other bar are in a bar of their own, so none is
missing.
"""

from __future__ import annotations

from anthropic_otel._core import instruments, semconv
from anthropic_otel._core.semconv import AttemptOutcome, NetworkCause
from anthropic_otel.bundle.growth import OVERLOADED, RATE_LIMITED
from anthropic_otel.bundle.panels import NO_FAILURES, Kind, Panel, Queries, Query
from anthropic_otel.bundle.promql import any_of, equal, none_of

_APP = (
    NetworkCause.POOL_TIMEOUT,
    NetworkCause.REQUEST_NOT_SENT,
    NetworkCause.EVENT_LOOP_CLOSED,
    NetworkCause.CLIENT_CLOSED,
    NetworkCause.APP_EXCEPTION,
)
_BETWEEN = (NetworkCause.TOO_MANY_REDIRECTS,)
_UNKNOWN = (NetworkCause.OTHER,)
NOBODY = "none of these"
FAULTS: dict[str, tuple[str, ...]] = {
    "Anthropic: overloaded": OVERLOADED,
    "Anthropic: errors": (
        "50.|51.|52[0-8]|5[3-9].|408",
        "api_error|timeout_error",
        "(internalServer|modelStreamError|modelTimeout|serviceUnavailable)Exception",
    ),
    "your rate limit": (*RATE_LIMITED, "throttlingException"),
    "your request": (
        "40[0-7]|409|41.|42[0-8]|4[3-9].",
        "(invalid_request|authentication|billing|permission|not_found|conflict)_error",
        "request_too_large|memory_.*|validationException",
    ),
    "the network": tuple(cause.value for cause in NetworkCause if cause not in {*_APP, *_BETWEEN, *_UNKNOWN}),
    "your app: not sent": tuple(cause.value for cause in _APP),
    "a base URL or a gateway": ("3..", semconv.UNEXPECTED_CONTENT, *(cause.value for cause in _BETWEEN)),
}
"""Regular expressions of `error.type`, by who can do something about such errors."""


def panel(q: Queries) -> Panel:
    """Returns the panel "Whose fault?": failed attempts in the time shown, in a bar for each entry of `FAULTS`.

    One more bar has those that fit no entry.
    """
    attempts = q.grown(instruments.ATTEMPT_DURATION)
    failed = equal(semconv.ATTEMPT_OUTCOME, AttemptOutcome.FAILED.value)
    bars = {name: any_of(semconv.ERROR_TYPE, *patterns) for name, patterns in FAULTS.items()}
    bars[NOBODY] = none_of(semconv.ERROR_TYPE, *(one for patterns in FAULTS.values() for one in patterns))
    return Panel(
        "Whose fault? Failed attempts",
        Kind.BARS,
        "short",
        "Failed attempts in the time shown, by who can do something about it; each is in one bar. One that fails is "
        "not yet a call that fails: most are retried. The longest bar is whom to ask first. None of these: an event "
        "that cannot be decoded, or an error that is not known here; its span has the exception.",
        tuple(
            Query(f"{q.grown(instruments.ATTEMPT_DURATION, failed, matcher)} or 0 * {attempts}", name)
            for name, matcher in bars.items()
        ),
        "attempts",
        nothing=NO_FAILURES,
        width=7,
        height=10,
        ink="red",
    )
