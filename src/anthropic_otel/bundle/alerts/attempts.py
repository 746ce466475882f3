"""The alerts on attempts: one for each cause that has its own cure.

Rule: they are tickets. An attempt that fails is not yet a user who is hurt.
"""

from __future__ import annotations

from anthropic_otel._core import semconv as s
from anthropic_otel.bundle.alerts.model import PER_JOB, TICKET, Alert, share
from anthropic_otel.bundle.growth import (
    ATTEMPTS,
    CAUSE,
    KIND,
    MODEL,
    OVERLOADED,
    RATE_LIMITED,
    STREAMS,
    TIMEOUT,
    TIMEOUTS,
    Ledger,
    placed,
)
from anthropic_otel.bundle.promql import JOB, any_of, grouped, none_of, total


def timeouts(e: Ledger) -> Alert:
    a = e.settings.alerts.AnthropicTimeouts
    found = placed(e.grown(ATTEMPTS, a.window, any_of(s.ERROR_TYPE, *TIMEOUTS)))
    return Alert(
        "AnthropicTimeouts",
        share(total((JOB, TIMEOUT), found), total((JOB,), e.grown(ATTEMPTS, a.window)), a.ratio, a.at_least, PER_JOB),
        a.hold,
        TICKET,
        "attempts",
        "{{ $labels.job }}: {{ $value | humanizePercentage }} of the attempts time out ({{ $labels.timeout }})",
        "{{ $labels.timeout }} says where: connect and tls (no connection), write (sending), read (no response yet), "
        "in_stream (the body stopped), pool (no free connection in the app itself), server (the API gave up).",
    )


def overloaded(e: Ledger) -> Alert:
    a = e.settings.alerts.AnthropicOverloaded
    bad = total((JOB, MODEL), e.grown(ATTEMPTS, a.window, any_of(s.ERROR_TYPE, *OVERLOADED)))
    return Alert(
        "AnthropicOverloaded",
        share(bad, total((JOB, MODEL), e.grown(ATTEMPTS, a.window)), a.ratio, a.at_least),
        a.hold,
        TICKET,
        "limits",
        f"{{{{ $labels.job }}}}: the API is overloaded for {{{{ $labels.{MODEL} }}}}",
        "{{ $value | humanizePercentage }} of the attempts end with 529, or with overloaded_error inside the stream. "
        "It is not your rate limit, and not your fault.",
    )


def rate_limited(e: Ledger) -> Alert:
    a = e.settings.alerts.AnthropicRateLimited
    bad = total((JOB, MODEL), e.grown(ATTEMPTS, a.window, any_of(s.ERROR_TYPE, *RATE_LIMITED)))
    return Alert(
        "AnthropicRateLimited",
        share(bad, total((JOB, MODEL), e.grown(ATTEMPTS, a.window)), a.ratio, a.at_least),
        a.hold,
        TICKET,
        "limits",
        f"{{{{ $labels.job }}}}: rate limited on {{{{ $labels.{MODEL} }}}}",
        "{{ $value | humanizePercentage }} of the attempts end with 429: your organization asks for more than its "
        "limit.",
    )


def connections(e: Ledger) -> Alert:
    a = e.settings.alerts.AnthropicConnectionFailures
    bad = total((JOB, CAUSE), e.grown(ATTEMPTS, a.window, none_of(s.NETWORK_CAUSE, ".*_timeout")))
    return Alert(
        "AnthropicConnectionFailures",
        share(bad, total((JOB,), e.grown(ATTEMPTS, a.window)), a.ratio, a.at_least, PER_JOB),
        a.hold,
        TICKET,
        "attempts",
        f"{{{{ $labels.job }}}}: connections fail: {{{{ $labels.{CAUSE} }}}}",
        "{{ $value | humanizePercentage }} of the attempts are lost to the network between the app and the API.",
    )


def headroom(e: Ledger) -> Alert:
    a = e.settings.alerts.AnthropicLowHeadroom
    # The lows: a limit refills all the time, and is low for a moment only.
    left = f"min_over_time({e.select(s.RATELIMIT_REMAINING)}[{a.window}])\n/\n{e.select(s.RATELIMIT_LIMIT)}"
    return Alert(
        "AnthropicLowHeadroom",
        f"min by ({JOB}, {MODEL}, {KIND}) {grouped(left)} < {a.remaining:g}",
        a.hold,
        TICKET,
        "limits",
        f"{{{{ $labels.job }}}}: {{{{ $value | humanizePercentage }}}} left of the {{{{ $labels.{KIND} }}}} limit",
        f"Soon {{{{ $labels.{MODEL} }}}} will answer 429. The limit is your organization's: other services use it too.",
    )


def first_chunk(e: Ledger) -> Alert:
    a = e.settings.alerts.AnthropicSlowFirstChunk
    slow = grouped(e.longer(STREAMS, a.window, a.longer_than, (JOB, MODEL)))
    return Alert(
        "AnthropicSlowFirstChunk",
        share(slow, total((JOB, MODEL), e.grown(STREAMS, a.window)), a.ratio, a.at_least),
        a.hold,
        TICKET,
        "attempts",
        f"{{{{ $labels.job }}}}: {{{{ $labels.{MODEL} }}}} is slow to begin its streams",
        f"{{{{ $value | humanizePercentage }}}} of the streams waited longer than {a.longer_than:g} s for the first "
        "chunk, in one attempt and without retries.",
    )
