"""Exporters that fail as exporters do: down, slow, rejecting. And one that is well.

Rule: each fails for as long as it lives, in the way that the OpenTelemetry SDK's interface has for it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult


class Behaviour:
    """What an export does."""

    def __init__(self, *, seconds: float = 0.0, fails: bool = False, raises: bool = False) -> None:
        self.seconds = seconds
        self.fails = fails
        self.raises = raises
        self.exported = 0

    def __call__(self, number: int) -> bool:
        """Whether it succeeds."""
        self.exported += number
        time.sleep(self.seconds)
        if self.raises:
            raise ConnectionRefusedError("the collector is down")
        return not self.fails


class Spans(SpanExporter):
    def __init__(self, behaviour: Behaviour) -> None:
        self._behaviour: Final = behaviour

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS if self._behaviour(len(spans)) else SpanExportResult.FAILURE


class Metrics(MetricExporter):
    def __init__(self, behaviour: Behaviour) -> None:
        super().__init__({}, {})
        self._behaviour: Final = behaviour

    def export(self, metrics_data: Any, timeout_millis: float = 0, **kwargs: Any) -> MetricExportResult:
        return MetricExportResult.SUCCESS if self._behaviour(1) else MetricExportResult.FAILURE

    def force_flush(self, timeout_millis: float = 0) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 0, **kwargs: Any) -> None:
        return


BEHAVIOURS: Final = {
    "well": {},
    "down": {"raises": True},
    "slow": {"seconds": 1.0},
    "rejecting": {"fails": True},
}
"""By the word that documents use: the arguments of a `Behaviour`."""
