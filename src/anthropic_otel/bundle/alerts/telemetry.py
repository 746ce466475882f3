"""The alerts on the telemetry itself: without it every other alert is silent.

The one rule here: silence is never taken for health.
"""

from __future__ import annotations

import itertools

from anthropic_otel._core import semconv as s
from anthropic_otel.bundle.alerts.model import TICKET, Alert, either
from anthropic_otel.bundle.growth import Ledger
from anthropic_otel.bundle.promql import JOB, increase, quote, series, total

SIGNALS = ("spans", "metric_points", "log_records")
"""What a Collector carries, as its own metrics name it."""


def absent(e: Ledger) -> Alert:
    a = e.settings.alerts.AnthropicTelemetryAbsent
    started = e.select(s.ATTEMPT_STARTED)
    gone = f"group by ({JOB}) (last_over_time({started}[{a.window}]))\nunless\ngroup by ({JOB}) ({started})"
    never = f"\nor\nabsent({started})" if e.settings.job else ""
    return Alert(
        "AnthropicTelemetryAbsent",
        gone + never,
        a.hold,
        TICKET,
        "overview",
        "{{ $labels.job }}: no telemetry of its Claude calls any more",
        "The service has stopped, or its telemetry does not arrive. Until it does, no other alert can tell.",
    )


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
        "{{ $value | humanize }} spans, metric points or log records could not be delivered in " + a.window + ".",
    )
