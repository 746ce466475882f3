"""The row of the overview that says which processes the numbers come from, and on which machines they run.

Rule: what is known of a process comes from `target_info`, which Prometheus has of every resource, whether metrics were
pushed or scraped. So no attribute has to be promoted, and no series gets another label.
"""

from __future__ import annotations

from anthropic_otel._core import instruments
from anthropic_otel.bundle.boards.services import COUNTED, FAILED_CALLS
from anthropic_otel.bundle.panels import INSTANCE, NO_TRAFFIC, RANGE, Kind, Panel, Queries, Query, filtered
from anthropic_otel.bundle.promql import JOB, label, series

HOST, POD, NODE = (label(name) for name in ("host.name", "k8s.pod.name", "k8s.node.name"))
_PROCESS = (JOB, INSTANCE)


def shared(window: str = RANGE) -> str:
    """Returns an expression, by service, for how often series that processes without an id share went backwards.

    It is for the counter of attempts that have started, in a window, and for series that fit the dashboard's variables.
    Such a series goes backwards when a process restarts, or when several write it in turns. With OTLP and remote write
    it has no `instance`. If the Collector is scraped, it has the Collector's address, which Prometheus scrapes as
    another job; a process that is scraped itself has its own address.
    """
    nobody = f'{INSTANCE}=""'
    started = instruments.ATTEMPT_STARTED
    without = f"resets({filtered(started, nobody)}[{window}])"
    others = f"resets({filtered(started)}[{window}]) and on ({INSTANCE}) up unless on ({JOB}, {INSTANCE}) up"
    return f"sum by ({JOB}) (\n  {without}\n  or\n  ({others})\n)"


def failed_by_process(q: Queries) -> str:
    """Returns an expression for the failed calls of each process in the time shown, the 20 highest, most first.

    Each has the process's host, pod and node if they are known. Processes without a failure are included. It covers
    series that fit the dashboard's variables.
    """
    by = ", ".join(_PROCESS)
    failed, every = (q.grown(instruments.CALL_DURATION, of, by=_PROCESS) for of in (FAILED_CALLS, COUNTED))
    found = f"({failed} or 0 * {every})"
    known = series("target_info", f'{JOB}=~"$job"', f'{INSTANCE}=~"$instance"')
    told = f"group by ({by}, {HOST}, {POD}, {NODE}) (last_over_time({known}[{RANGE}]))"
    counted = f"group by ({by}) (last_over_time({q.seen(instruments.CALL_DURATION)}[{RANGE}]))"
    return f"sort_desc(topk(20, ({told} or on ({by}) {counted}) * on ({by}) group_left () {found}))"


def panels(q: Queries) -> tuple[Panel, ...]:
    """Returns two panels: on processes that share one series, and on failed calls by process."""
    return (
        Panel(
            "Processes that share one series",
            Kind.BARS,
            "short",
            "Services that send no service.instance.id, and how often their counters went backwards in the time shown. "
            "More often than processes were started: several of them write over each other, and every count and share "
            "of the service is wrong. instrument(export='otlp') gives each process an id; `anthropic-otel doctor` says "
            "where one is missing.",
            (Query(shared(), f"{{{{{JOB}}}}}"),),
            "attempts",
            nothing="every process has an id of its own",
            ink="red",
        ),
        Panel(
            "Failed calls by process, and where it runs",
            Kind.TABLE,
            "short",
            "Failed calls in the time shown, the worst process first. One process alone: look at its machine, its "
            "network, its key. Host, pod and node are what the process tells of itself: host.name, k8s.pod.name, "
            "k8s.node.name.",
            (Query(failed_by_process(q)),),
            "attempts",
            nothing=NO_TRAFFIC,
            width=16,
            columns=(
                (JOB, "service"),
                (HOST, "host"),
                (POD, "pod"),
                (NODE, "node"),
                (INSTANCE, "instance"),
                ("Value", "failed calls"),
            ),
        ),
    )
