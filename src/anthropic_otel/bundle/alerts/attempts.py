"""The alerts on attempts: one for each cause that has its own remedy, and those on headroom and slow streams.

Rule: they are tickets, because an attempt that fails may be retried, and no user has noticed yet.
"""

from __future__ import annotations

from anthropic_otel._core import instruments, semconv
from anthropic_otel._core.semconv import CallOutcome
from anthropic_otel.bundle.alerts.model import PER_JOB, About, Alert, Urgency, share
from anthropic_otel.bundle.conditions import Share
from anthropic_otel.bundle.growth import (
    ATTEMPTS,
    CALLS,
    CAUSE,
    FAILED,
    GAPS,
    KIND,
    MODEL,
    OVERLOADED,
    RATE_LIMITED,
    STREAMS,
    TIMEOUT,
    TIMEOUTS,
    WORK,
    RuleQueries,
    with_timeout,
)
from anthropic_otel.bundle.promql import JOB, any_of, grouped, none_of, total

JOB_WORK = (JOB, WORK)


def _floored(e: RuleQueries, condition: Share, bad: str, every: str, join: str = "") -> str:
    """Returns the condition that `bad` is more than `condition.ratio` of `every`, with a floor; both count attempts.

    The floor keeps one call with all its retries from firing. First, there must be at least as many bad attempts as
    `condition.at_least` calls make that use up their retries. Second, at least `condition.at_least` calls of the same
    job and work must have recovered or failed in the window; a series that has not grown is 0 calls. The second does
    not apply where Prometheus has no series of such calls, as of an HTTP client without the SDK. `join` is as in
    `share`.
    """
    attempts = condition.at_least * (e.settings.max_retries + 1)
    touched = any_of(semconv.CALL_OUTCOME, CallOutcome.RECOVERED.value, *FAILED)
    calls = total(JOB_WORK, e.grown(CALLS, condition.window, touched))
    few = f"{calls} < {condition.at_least:g}"
    return f"{share(bad, every, condition.ratio, attempts, join)}\nunless on ({', '.join(JOB_WORK)})\n{few}"


def timeouts(e: RuleQueries) -> Alert:
    a = e.settings.alerts.AnthropicTimeouts
    found = with_timeout(e.grown(ATTEMPTS, a.window, any_of(semconv.ERROR_TYPE, *TIMEOUTS)))
    return Alert(
        "AnthropicTimeouts",
        _floored(e, a, total((*JOB_WORK, TIMEOUT), found), total(JOB_WORK, e.grown(ATTEMPTS, a.window)), join=PER_JOB),
        a.hold,
        a.keep,
        Urgency.TICKET,
        About.NETWORK,
        "attempts",
        "{{ $labels.job }}: {{ $value | humanizePercentage }} of the attempts time out ({{ $labels.timeout }})",
        f"In the last {a.window}. "
        "{{ $labels.timeout }} says where: connect and tls (no connection), write (sending), read (no response yet), "
        "in_stream (the body stopped), pool (no free connection in the app itself), server (the API gave up).",
    )


def overloaded(e: RuleQueries) -> Alert:
    a = e.settings.alerts.AnthropicOverloaded
    by = (*JOB_WORK, MODEL)
    bad = total(by, e.grown(ATTEMPTS, a.window, any_of(semconv.ERROR_TYPE, *OVERLOADED)))
    return Alert(
        "AnthropicOverloaded",
        _floored(e, a, bad, total(by, e.grown(ATTEMPTS, a.window))),
        a.hold,
        a.keep,
        Urgency.TICKET,
        About.OVERLOAD,
        "limits",
        f"{{{{ $labels.job }}}}: the API is overloaded for {{{{ $labels.{MODEL} }}}}",
        f"{{{{ $value | humanizePercentage }}}} of the attempts of the last {a.window} ended with 529, or with "
        "overloaded_error inside the stream. "
        "It is not your rate limit, and not your fault.",
    )


def rate_limited(e: RuleQueries) -> Alert:
    a = e.settings.alerts.AnthropicRateLimited
    by = (*JOB_WORK, MODEL)
    bad = total(by, e.grown(ATTEMPTS, a.window, any_of(semconv.ERROR_TYPE, *RATE_LIMITED)))
    return Alert(
        "AnthropicRateLimited",
        _floored(e, a, bad, total(by, e.grown(ATTEMPTS, a.window))),
        a.hold,
        a.keep,
        Urgency.TICKET,
        About.RATE_LIMIT,
        "limits",
        f"{{{{ $labels.job }}}}: rate limited on {{{{ $labels.{MODEL} }}}}",
        f"{{{{ $value | humanizePercentage }}}} of the attempts of the last {a.window} ended with 429: your "
        "organization asks for more than its limit.",
    )


def connections(e: RuleQueries) -> Alert:
    a = e.settings.alerts.AnthropicConnectionFailures
    bad = total((*JOB_WORK, CAUSE), e.grown(ATTEMPTS, a.window, none_of(semconv.NETWORK_CAUSE, ".*_timeout")))
    return Alert(
        "AnthropicConnectionFailures",
        _floored(e, a, bad, total(JOB_WORK, e.grown(ATTEMPTS, a.window)), join=PER_JOB),
        a.hold,
        a.keep,
        Urgency.TICKET,
        About.NETWORK,
        "attempts",
        f"{{{{ $labels.job }}}}: connections fail: {{{{ $labels.{CAUSE} }}}}",
        f"{{{{ $value | humanizePercentage }}}} of the attempts of the last {a.window} were lost to the network "
        "between the app and the API.",
    )


def headroom(e: RuleQueries) -> Alert:
    a = e.settings.alerts.AnthropicLowHeadroom
    # The lowest values, as a limit refills all the time and is low for a moment only.
    lows = f"min_over_time({e.select(instruments.RATELIMIT_REMAINING)}[{a.window}])"
    left = f"{lows}\n/\n{e.select(instruments.RATELIMIT_LIMIT)}"
    return Alert(
        "AnthropicLowHeadroom",
        f"min by ({JOB}, {MODEL}, {KIND}) {grouped(left)} < {a.remaining:g}",
        a.hold,
        a.keep,
        Urgency.TICKET,
        About.RATE_LIMIT,
        "limits",
        f"{{{{ $labels.job }}}}: {{{{ $value | humanizePercentage }}}} left of the {{{{ $labels.{KIND} }}}} limit",
        f"Soon {{{{ $labels.{MODEL} }}}} will answer 429. The limit is your organization's: other services use it too.",
    )


def first_chunk(e: RuleQueries) -> Alert:
    a = e.settings.alerts.AnthropicSlowFirstChunk
    slow = grouped(e.longer(STREAMS, a.window, a.longer_than, (JOB, MODEL)))
    return Alert(
        "AnthropicSlowFirstChunk",
        share(slow, total((JOB, MODEL), e.grown(STREAMS, a.window)), a.ratio, a.at_least),
        a.hold,
        a.keep,
        Urgency.TICKET,
        About.STREAMS,
        "attempts",
        f"{{{{ $labels.job }}}}: {{{{ $labels.{MODEL} }}}} is slow to begin its streams",
        f"{{{{ $value | humanizePercentage }}}} of the streams of the last {a.window} waited longer than "
        f"{a.longer_than:g} s for the first chunk, in one attempt and without retries.",
    )


def stalls(e: RuleQueries) -> Alert:
    a = e.settings.alerts.AnthropicStreamStalls
    silent = grouped(e.longer(GAPS, a.window, a.longer_than, (JOB, MODEL)))
    return Alert(
        "AnthropicStreamStalls",
        share(silent, total((JOB, MODEL), e.grown(GAPS, a.window)), a.ratio, a.at_least),
        a.hold,
        a.keep,
        Urgency.TICKET,
        About.STREAMS,
        "attempts",
        f"{{{{ $labels.job }}}}: streams of {{{{ $labels.{MODEL} }}}} fall silent",
        f"{{{{ $value | humanizePercentage }}}} of the streams of the last {a.window} had a silence of more than "
        f"{a.longer_than:g} s between two chunks. Users see an answer that stops in the middle.",
    )
