"""The alerts on the telemetry itself, because without it every other alert is silent.

Rule: telemetry that stops is an alert of its own, because missing data looks as if nothing failed.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from anthropic_otel._core import instruments
from anthropic_otel.bundle.alerts.model import About, Alert, Urgency, either
from anthropic_otel.bundle.growth import RuleQueries
from anthropic_otel.bundle.promql import JOB, grouped, increase, quote, relabelled, series, total

_NAMES = re.compile(r"[\w/-]+(\|[\w/-]+)*")
"""Matches a `job` that is a list of plain names, without any other regular expression."""
SIGNALS = ("spans", "metric_points", "log_records")
"""The signals of a Collector, as its own metrics name them."""


def absent(e: RuleQueries) -> Alert:
    a = e.settings.alerts.AnthropicTelemetryAbsent
    short_lived = e.settings.short_lived
    started = e.select(instruments.ATTEMPT_STARTED, f"{JOB}!~{quote(short_lived)}" if short_lived else "")
    gone = f"group by ({JOB}) (last_over_time({started}[{a.window}]))\nunless\ngroup by ({JOB}) ({started})"
    return Alert(
        "AnthropicTelemetryAbsent",
        either([gone, *_never(e.settings.job, short_lived)]),
        a.hold,
        a.keep,
        Urgency.TICKET,
        About.TELEMETRY,
        "overview",
        "{{ $labels.job }}: no telemetry of its Claude calls any more",
        "The service has stopped, or its telemetry does not arrive. Until it does, no other alert can tell.",
    )


def _never(job: str, short_lived: str) -> Iterator[str]:
    """Yields queries that return a series for each service that should report and has no telemetry now.

    There is a query for each service if `job` has only names with `|` between them, but not for a name that
    `short_lived` fits. If `job` is another regular expression, there is one, which returns a series only if no service
    that it fits has telemetry, short-lived or not. If `job` is empty, there is none.
    """
    for name in job.split("|") if _NAMES.fullmatch(job) else ():
        if short_lived and re.fullmatch(short_lived, name):
            continue
        yield f"absent({series(instruments.ATTEMPT_STARTED.prometheus_name, f'{JOB}={quote(name)}')})"
    if job and not _NAMES.fullmatch(job):
        nobody = f"absent({series(instruments.ATTEMPT_STARTED.prometheus_name, f'{JOB}=~{quote(job)}')})"
        yield relabelled(nobody, JOB, job, "", "")


def _grown_by_name(e: RuleQueries, name: str, window: str, by: tuple[str, ...]) -> str:
    """Returns a query for the growth of a Collector's own counter in a window, summed by the labels `by`.

    The counter's name may or may not end in `_total`.
    """
    matchers = (f"__name__=~{quote(f'{name}(_total)?')}", f"{JOB}=~{quote(e.settings.collectors)}")
    return total(by, increase(series("", *matchers), window))


def _lost(e: RuleQueries, window: str, by: tuple[str, ...], names: tuple[str, ...]) -> str:
    """Returns a query for how many spans, metric points and log records a Collector has counted with these counters.

    It counts those of a window, summed by the labels `by`. `names` are the counters' names without `otelcol_` at the
    beginning and the signal at the end.
    """
    found = []
    for name, signal in itertools.product(names, SIGNALS):
        count = _grown_by_name(e, f"otelcol_{name}_{signal}", window, by)
        found.append(relabelled(count, "lost", f"{signal} {name}", "", ""))
    return total(by, either(found))


def lost(e: RuleQueries) -> Alert:
    a = e.settings.alerts.AnthropicTelemetryLost
    found = _lost(e, a.window, (JOB, "exporter"), ("exporter_send_failed", "exporter_enqueue_failed"))
    return Alert(
        "AnthropicTelemetryLost",
        f"{found} >= {a.at_least:g}",
        a.hold,
        a.keep,
        Urgency.TICKET,
        About.TELEMETRY,
        "overview",
        "The Collector loses telemetry: {{ $labels.exporter }}",
        '{{ $value | printf "%.0f" }} spans, metric points or log records could not be delivered in the last '
        + a.window
        + ".",
    )


def refused(e: RuleQueries) -> Alert:
    a = e.settings.alerts.AnthropicTelemetryRefused
    found = _lost(e, a.window, (JOB, "receiver"), ("receiver_refused", "receiver_failed"))
    return Alert(
        "AnthropicTelemetryRefused",
        f"{found} >= {a.at_least:g}",
        a.hold,
        a.keep,
        Urgency.TICKET,
        About.TELEMETRY,
        "overview",
        "The Collector refuses telemetry of the apps",
        '{{ $value | printf "%.0f" }} spans, metric points or log records were refused in the last '
        + a.window
        + ": its memory or its queue is full. The apps send them again for some seconds, and then drop them.",
    )


def collector_down(e: RuleQueries) -> Alert:
    a = e.settings.alerts.AnthropicCollectorDown
    up = series("up", f"{JOB}=~{quote(e.settings.collectors)}")
    gone = f"0 * max by ({JOB}) (last_over_time({up}[{a.window}]))\nunless\nmax by ({JOB}) ({up})"
    return Alert(
        "AnthropicCollectorDown",
        f"min by ({JOB}) ({up}) == 0\nor\n{grouped(gone)}",
        a.hold,
        a.keep,
        Urgency.TICKET,
        About.TELEMETRY,
        "overview",
        "A Collector does not answer: {{ $labels.job }}",
        "Prometheus cannot scrape it. What the apps send to it is lost, and so is what it counts about itself.",
    )


def queue_full(e: RuleQueries) -> Alert:
    a = e.settings.alerts.AnthropicTelemetryQueue
    jobs = f"{JOB}=~{quote(e.settings.collectors)}"
    size, capacity = (series(f"otelcol_exporter_queue_{word}", jobs) for word in ("size", "capacity"))
    return Alert(
        "AnthropicTelemetryQueue",
        f"max by ({JOB}, exporter) ({size} / {capacity}) > {a.ratio:g}",
        a.hold,
        a.keep,
        Urgency.TICKET,
        About.TELEMETRY,
        "overview",
        "The Collector's queue to {{ $labels.exporter }} is {{ $value | humanizePercentage }} full",
        "What is behind it is down or too slow. Nothing is lost yet; it will be when the queue is full.",
    )
