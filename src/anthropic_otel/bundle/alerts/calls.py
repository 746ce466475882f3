"""The alerts on calls: what users feel, and what retries cost them.

Rule: only these page, and only on calls that got no answer.
"""

from __future__ import annotations

from anthropic_otel._core import semconv as s
from anthropic_otel.bundle.alerts.model import PAGE, TICKET, Alert, either
from anthropic_otel.bundle.growth import ANSWERED, BACKOFFS, CALLS, FAILED, RETRIES, SOURCE, Ledger
from anthropic_otel.bundle.promql import JOB, any_of, grouped, total
from anthropic_otel.bundle.settings import BurnWindow


def _burn(e: Ledger, pair: BurnWindow) -> str:
    slo = e.settings.slo
    limit = round(pair.burn_rate * slo.budget, 6)

    def failed(window: str) -> str:
        return total((JOB,), e.grown(CALLS, window, any_of(s.CALL_OUTCOME, *FAILED)))

    def burns(window: str) -> str:
        every = total((JOB,), e.grown(CALLS, window, any_of(s.CALL_OUTCOME, *ANSWERED, *FAILED)))
        return f"{failed(window)}\n/\n{every}\n> {limit:g}"

    return grouped(f"{burns(pair.long)}\nand\n{burns(pair.short)}\nand\n{failed(pair.long)} >= {slo.at_least:g}")


def burn_fast(e: Ledger) -> Alert:
    slo = e.settings.slo
    return Alert(
        "AnthropicErrorBudgetBurnFast",
        either(_burn(e, pair) for pair in slo.page),
        slo.hold,
        PAGE,
        "overview",
        "{{ $labels.job }}: {{ $value | humanizePercentage }} of the Claude calls fail",
        f"At this rate the error budget of {slo.window} ({100 - slo.objective:g} % of the calls) is gone within days. "
        "These are calls that gave the app no answer, after all retries.",
    )


def burn_slow(e: Ledger) -> Alert:
    slo = e.settings.slo
    return Alert(
        "AnthropicErrorBudgetBurnSlow",
        either(_burn(e, pair) for pair in slo.ticket),
        slo.hold,
        TICKET,
        "overview",
        "{{ $labels.job }}: {{ $value | humanizePercentage }} of the Claude calls fail, for long",
        f"Nobody need get up, but the error budget of {slo.window} ({100 - slo.objective:g} % of the calls) will not "
        "last.",
    )


def all_failing(e: Ledger) -> Alert:
    a = e.settings.alerts.AnthropicAllCallsFailing
    failed = total((JOB,), e.grown(CALLS, a.window, any_of(s.CALL_OUTCOME, *FAILED)))
    answered = total((JOB,), e.grown(CALLS, a.window, any_of(s.CALL_OUTCOME, *ANSWERED)))
    return Alert(
        "AnthropicAllCallsFailing",
        f"{failed} >= {a.at_least:g}\nunless\n{answered} > 0",
        a.hold,
        PAGE,
        "overview",
        "{{ $labels.job }}: no Claude call has got an answer",
        'All of the {{ $value | printf "%.0f" }} calls that ended in the last '
        + a.window
        + " failed, after all retries.",
    )


def amplification(e: Ledger) -> Alert:
    a = e.settings.alerts.AnthropicRetryAmplification
    retries = total((JOB,), e.grown(RETRIES, a.window))
    calls = total((JOB,), e.grown(CALLS, a.window))
    return Alert(
        "AnthropicRetryAmplification",
        f"1 + (\n  {retries}\n  /\n  {calls}\n) > {a.attempts_per_call:g}\nand\n{calls} >= {a.at_least:g}",
        a.hold,
        TICKET,
        "attempts",
        '{{ $labels.job }}: {{ $value | printf "%.1f" }} attempts per Claude call',
        "Retries multiply the load on the API and the time that users wait. Find what they retry.",
    )


def backoff(e: Ledger) -> Alert:
    a = e.settings.alerts.AnthropicLongBackoff
    long = e.longer(BACKOFFS, a.window, a.longer_than, (JOB, SOURCE))
    return Alert(
        "AnthropicLongBackoff",
        f"({long}) >= {a.at_least:g}",
        a.hold,
        TICKET,
        "limits",
        f"{{{{ $labels.job }}}}: retries wait longer than {a.longer_than:g} s",
        f'{{{{ $value | printf "%.0f" }}}} backoffs in {a.window} were longer than {a.longer_than:g} s '
        f"(set by: {{{{ $labels.{SOURCE} }}}}). A user waited through each of them.",
    )
