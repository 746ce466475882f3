"""What the overview shows of each service by itself, and what hangs.

Rule: a sum over all services never stands alone: a small one that is down does not move it.
"""

from __future__ import annotations

from anthropic_otel._core import semconv as s
from anthropic_otel.bundle.alerts.hanging import NO_EVENT_STREAMS, hung
from anthropic_otel.bundle.growth import ANSWERED, FAILED, INFERENCE, SLO_CALLS, recorded
from anthropic_otel.bundle.panels import NO_FAILURES, Kind, Panel, Query, filtered, grown
from anthropic_otel.bundle.promql import JOB, any_of, total
from anthropic_otel.bundle.settings import Settings

FAILED_CALLS = any_of(s.CALL_OUTCOME, *FAILED)
COUNTED = any_of(s.CALL_OUTCOME, *ANSWERED, *FAILED)
OF_INFERENCE = any_of(s.OPERATION_NAME, *INFERENCE)


def started() -> str:
    """What has been sent, but for agents' event streams."""
    return filtered(s.ATTEMPT_STARTED, "", NO_EVENT_STREAMS)


def hanging_now(settings: Settings, by: tuple[str, ...] = ()) -> str:
    """How many requests hang, as the alert counts them."""
    return total(by, hung(settings, started(), filtered(s.ATTEMPT_DURATION, "_count", NO_EVENT_STREAMS)))


def panels(settings: Settings) -> tuple[Panel, ...]:
    """The row of the overview."""
    name = f"{{{{{JOB}}}}}"
    ended = grown(s.CALL_DURATION, COUNTED, OF_INFERENCE, by=(JOB,))
    failed = grown(s.CALL_DURATION, FAILED_CALLS, OF_INFERENCE, by=(JOB,))
    severity = settings.severity
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
            (Query(f"topk(10, {hanging_now(settings, (JOB,))} or 0 * {total((JOB,), started())})", name),),
            "attempts",
            ink="red",
        ),
        Panel(
            "Alerts that fire now",
            Kind.BARS,
            "short",
            "Alerts of this bundle that fire at this moment, for the chosen services and for the Collector; each has a "
            "runbook. Needs the rule file in Prometheus.",
            (
                Query(
                    'sum by (alertname, severity, job) (ALERTS{component="anthropic-client", alertstate="firing", '
                    f'job=~"$job|{settings.collectors}"}})'.replace("\\", "\\\\"),
                    "{{alertname}} {{job}} ({{severity}})",
                ),
                Query(
                    f"absent({recorded(SLO_CALLS, settings.slo.windows[0])})",
                    "nothing recorded: are the rules in Prometheus?",
                ),
            ),
            "attempts",
            nothing="no alert fires",
            ink="red",
            colours=((f"/[(]{severity.ticket}[)]/", "orange"), ("/^nothing recorded/", "text")),
        ),
    )
