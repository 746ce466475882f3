"""The alerts on the telemetry itself: without it every other alert is silent.

Rule: silence is never taken for health.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from anthropic_otel._core import semconv as s
from anthropic_otel.bundle.alerts.model import TICKET, Alert, either
from anthropic_otel.bundle.growth import Ledger
from anthropic_otel.bundle.promql import JOB, increase, quote, relabelled, series, total

_NAMES = re.compile(r"[\w/-]+(\|[\w/-]+)*")
"""A `job` that is a list of names, in which nothing has a meaning to a regular expression."""
SIGNALS = ("spans", "metric_points", "log_records")
"""What a Collector carries, as its own metrics name it."""


def absent(e: Ledger) -> Alert:
    a = e.settings.alerts.AnthropicTelemetryAbsent
    started = e.select(s.ATTEMPT_STARTED)
    gone = f"group by ({JOB}) (last_over_time({started}[{a.window}]))\nunless\ngroup by ({JOB}) ({started})"
    return Alert(
        "AnthropicTelemetryAbsent",
        either([gone, *_never(e.settings.job)]),
        a.hold,
        TICKET,
        "overview",
        "{{ $labels.job }}: no telemetry of its Claude calls any more",
        "The service has stopped, or its telemetry does not arrive. Until it does, no other alert can tell.",
    )


def _never(job: str) -> Iterator[str]:
    """The services that should report and never have: each for itself where they are listed by name."""
    for name in job.split("|") if _NAMES.fullmatch(job) else ():
        yield f"absent({series(s.ATTEMPT_STARTED.prometheus_name, f'{JOB}={quote(name)}')})"
    if job and not _NAMES.fullmatch(job):
        nobody = f"absent({series(s.ATTEMPT_STARTED.prometheus_name, f'{JOB}=~{quote(job)}')})"
        yield relabelled(nobody, JOB, job, "", "")


def lost(e: Ledger) -> Alert:
    a = e.settings.alerts.AnthropicTelemetryLost
    found = []
    for what, signal in itertools.product(("send", "enqueue"), SIGNALS):
        # The Collector writes these names with or without `_total`, as its own telemetry is configured.
        name = quote(f"otelcol_exporter_{what}_failed_{signal}(_total)?")
        count = total((JOB, "exporter"), increase(series("", f"__name__=~{name}"), a.window))
        found.append(f"label_replace({count}, {quote('lost')}, {quote(f'{signal} {what}')}, {quote('')}, {quote('')})")
    return Alert(
        "AnthropicTelemetryLost",
        f"{total((JOB, 'exporter'), either(found))} >= {a.at_least:g}",
        a.hold,
        TICKET,
        "overview",
        "The Collector loses telemetry: {{ $labels.exporter }}",
        '{{ $value | printf "%.0f" }} spans, metric points or log records could not be delivered in ' + a.window + ".",
    )
