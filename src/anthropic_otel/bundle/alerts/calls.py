"""The alerts on the service level: how many calls get no answer, and what retries cost the others.

Rule: the service level counts calls that ask a model for an answer. Calls that manage, count, list or poll do not
change it. The alerts on retries and backoff count all calls.
"""

from __future__ import annotations

from anthropic_otel._core import semconv
from anthropic_otel.bundle.alerts.model import About, Alert, Urgency, either
from anthropic_otel.bundle.growth import (
    ANSWERED,
    BACKOFFS,
    CALLS,
    FAILED,
    RETRIES,
    SLO_CALLS,
    SOURCE,
    WORK,
    RuleQueries,
)
from anthropic_otel.bundle.promql import JOB, any_of, grouped, total
from anthropic_otel.bundle.settings import BurnWindow


def _burn(e: RuleQueries, pair: BurnWindow) -> str:
    """Returns the condition, by job, that the error budget burns faster than the pair's rate in both of its windows.

    Both windows must also have their floor of failed calls, and Prometheus must have samples of the job's calls from
    the older half of the long window, even if there were none then. The value is the share of failed calls in the short
    window, which a reader takes for the present.
    """
    slo = e.settings.slo
    limit = round(pair.burn_rate * slo.budget, 6)

    def failed(window: str) -> str:
        return total((JOB,), e.grown(SLO_CALLS, window, any_of(semconv.CALL_OUTCOME, *FAILED)))

    def burns(window: str) -> str:
        every = total((JOB,), e.grown(SLO_CALLS, window, any_of(semconv.CALL_OUTCOME, *ANSWERED, *FAILED)))
        return f"{failed(window)}\n/\n{every}\n> {limit:g}"

    conditions = (
        burns(pair.short),
        burns(pair.long),
        f"{failed(pair.long)} >= {slo.at_least:g}",
        f"{failed(pair.short)} >= {slo.at_least_short:g}",
        f"{e.seen_before(SLO_CALLS, pair.long)}",
    )
    return grouped("\nand\n".join(conditions))


def _windows(pairs: tuple[BurnWindow, ...]) -> str:
    first, *others = (pair.short for pair in pairs)
    return f"in the last {first}" + "".join(f" (or {window}, where trouble is lighter but lasts)" for window in others)


def burn_fast(e: RuleQueries) -> Alert:
    slo = e.settings.slo
    return Alert(
        "AnthropicErrorBudgetBurnFast",
        either(_burn(e, pair) for pair in slo.page),
        slo.hold,
        slo.keep,
        Urgency.PAGE,
        About.UNANSWERED,
        "overview",
        f"{{{{ $labels.job }}}}: {{{{ $value | humanizePercentage }}}} of the Claude calls failed {_windows(slo.page)}",
        f"At this rate the error budget of {slo.window} ({100 - slo.objective:g} % of the calls) is gone within days. "
        "These are calls for an answer of a model that gave the app none, after all retries.",
    )


def burn_slow(e: RuleQueries) -> Alert:
    slo = e.settings.slo
    return Alert(
        "AnthropicErrorBudgetBurnSlow",
        either(_burn(e, pair) for pair in slo.ticket),
        slo.hold,
        slo.keep,
        Urgency.TICKET,
        About.UNANSWERED,
        "overview",
        f"{{{{ $labels.job }}}}: {{{{ $value | humanizePercentage }}}} of the Claude calls failed "
        f"{_windows(slo.ticket)}",
        f"Nobody need get up, but the error budget of {slo.window} ({100 - slo.objective:g} % of the calls) will not "
        "last.",
    )


def amplification(e: RuleQueries) -> Alert:
    a = e.settings.alerts.AnthropicRetryAmplification
    retries = total((JOB, WORK), e.grown(RETRIES, a.window))
    calls = total((JOB, WORK), e.grown(CALLS, a.window))
    return Alert(
        "AnthropicRetryAmplification",
        f"1 + (\n  {retries}\n  /\n  {calls}\n) > {a.attempts_per_call:g}\nand\n{calls} >= {a.at_least:g}",
        a.hold,
        a.keep,
        Urgency.TICKET,
        About.RETRIES,
        "attempts",
        f'{{{{ $labels.job }}}}: {{{{ $value | printf "%.1f" }}}} attempts per Claude call in the last {a.window}',
        f"Of {{{{ $labels.{WORK} }}}} calls. Retries multiply the load on the API and the time that users wait. Find "
        "what they retry.",
    )


def backoff(e: RuleQueries) -> Alert:
    a = e.settings.alerts.AnthropicLongBackoff
    long = e.longer(BACKOFFS, a.window, a.longer_than, (JOB, SOURCE))
    return Alert(
        "AnthropicLongBackoff",
        # One call has as many backoffs as retries.
        f"({long}) > {(a.at_least - 1) * e.settings.max_retries:g}",
        a.hold,
        a.keep,
        Urgency.TICKET,
        About.RETRIES,
        "limits",
        f"{{{{ $labels.job }}}}: retries wait longer than {a.longer_than:g} s",
        f'{{{{ $value | printf "%.0f" }}}} backoffs in the last {a.window} were longer than {a.longer_than:g} s '
        f"(set by: {{{{ $labels.{SOURCE} }}}}). A user waited through each of them.",
    )
