"""The panels of the overview that show each service by itself, requests that hang, and the alerts that fire.

Rule: failed calls and hanging requests are shown for each service too, because a small service that is down does not
move a sum over all.
"""

from __future__ import annotations

from anthropic_otel._core import instruments, semconv
from anthropic_otel.bundle.alerts.hanging import NO_EVENT_STREAMS, hung
from anthropic_otel.bundle.growth import ANSWERED, FAILED, INFERENCE, SLO_CALLS, recorded
from anthropic_otel.bundle.panels import ALERT, NO_FAILURES, SEVERITY, Kind, Panel, Queries, Query, filtered
from anthropic_otel.bundle.promql import JOB, any_of, relabelled, series, total
from anthropic_otel.bundle.settings import Settings

FAILED_CALLS = any_of(semconv.CALL_OUTCOME, *FAILED)
COUNTED = any_of(semconv.CALL_OUTCOME, *ANSWERED, *FAILED)
OF_INFERENCE = any_of(semconv.OPERATION_NAME, *INFERENCE)


def started() -> str:
    """Returns a selector of the attempts that have started, without agents' event streams.

    It is of the series that fit the dashboard's variables.
    """
    return filtered(instruments.ATTEMPT_STARTED, NO_EVENT_STREAMS)


def hanging_now(settings: Settings, q: Queries, by: tuple[str, ...] = ()) -> str:
    """Returns an expression for how many requests hang, counted as the alert counts them and summed by `by`.

    It covers series that fit the dashboard's variables. There is no series where none hangs.
    """
    return total(by, hung(settings, started(), q.count(instruments.ATTEMPT_DURATION, NO_EVENT_STREAMS)))


def _firing(settings: Settings) -> str:
    """Returns an expression for the alerts of this bundle that fire, of the chosen services and the Collectors.

    It has a series for each name, severity and job. An alert without a job, such as the one on the budget, is always in
    it. If Prometheus lacks the recording rules, there is a row that asks for them.
    """
    # The empty alternative is a missing job.
    jobs = f"$job|{settings.collectors}|".replace("\\", "\\\\")
    firing = series("ALERTS", 'component="anthropic-client"', 'alertstate="firing"', f'{JOB}=~"{jobs}"')
    nothing = f"absent({recorded(SLO_CALLS, settings.slo.windows[0])})"
    words = relabelled(nothing, ALERT, "are the rules in Prometheus?", "", "")
    return f"{total((ALERT, SEVERITY, JOB), firing)} or {words}"


def panels(settings: Settings, q: Queries) -> tuple[Panel, ...]:
    """Returns three panels: on failed calls by service, on requests that hang by service, and on alerts that fire."""
    name = f"{{{{{JOB}}}}}"
    ended = q.grown(instruments.CALL_DURATION, COUNTED, OF_INFERENCE, by=(JOB,))
    failed = q.grown(instruments.CALL_DURATION, FAILED_CALLS, OF_INFERENCE, by=(JOB,))
    return (
        Panel(
            "Calls that failed, by service",
            Kind.BARS,
            "percentunit",
            "Share of each service's calls to a model that gave no answer, worst first. The sum over all services "
            "hides a small one that is down.",
            (Query(f"topk(10, {failed} / ({ended} > 0))", name),),
            "attempts",
            nothing=NO_FAILURES,
            ink="red",
            maximum=1.0,
        ),
        Panel(
            "Requests that hang, by service",
            Kind.BARS,
            "short",
            "The same count as above, for each service. One service alone: look at its network, then at its timeouts.",
            (Query(f"topk(10, {hanging_now(settings, q, (JOB,))} or 0 * {total((JOB,), started())})", name),),
            "attempts",
            ink="red",
        ),
        Panel(
            "Alerts that fire now",
            Kind.TABLE,
            "short",
            "Alerts of this bundle that fire at this moment, for the chosen services, for all together and for the "
            "Collector; each has a runbook. Needs the rule file in Prometheus.",
            (Query(_firing(settings)),),
            "attempts",
            nothing="no alert fires",
            columns=((ALERT, "alert"), (SEVERITY, "severity"), (JOB, "service")),
        ),
    )
