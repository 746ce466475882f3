"""What is installed around the calls: nothing, this library in several ways, the bare floor, or a peer.

Rule: a variant is installed with its defaults, once, before any client is made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry import metrics, trace

from benchmarks import plain

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter

BASE = "base"
"""The environment that the benchmark itself runs in."""


@dataclass(frozen=True)
class Variant:
    """What one worker process runs. `telemetry` is what is set up: `sampled`, `unsampled`,
    `unsampled, no metrics`, or `api` for nothing but the OpenTelemetry API.

    `environment` names the requirements of a peer, in `environments`.
    """

    name: str
    install: str
    telemetry: str = "sampled"
    environment: str = BASE


def set_up(telemetry: str) -> Callable[[], Any]:
    """Sets OpenTelemetry SDK providers with a batch processor, as a service has them. Returns what flushes them.

    The exporter drops what it gets: exporting costs the same for every variant's spans, and is no part of ours.
    """
    if telemetry == "api":
        return lambda: None
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased

    provider = TracerProvider(sampler=ParentBased(ALWAYS_OFF if telemetry.startswith("unsampled") else ALWAYS_ON))
    processor = BatchSpanProcessor(_dropping())
    provider.add_span_processor(processor)
    trace.set_tracer_provider(provider)
    if not telemetry.endswith("no metrics"):
        metrics.set_meter_provider(MeterProvider([InMemoryMetricReader()]))

    def flush() -> None:
        processor.force_flush()

    return flush


def _dropping() -> SpanExporter:
    """An exporter for which every export is a success. Its base is of the SDK, which some variants do not import."""
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class Dropped(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            return SpanExportResult.SUCCESS

    return Dropped()


def _nothing() -> None:
    return None


def _ours(**options: Any) -> Callable[[], None]:
    def install() -> None:
        import anthropic_otel

        anthropic_otel.instrument(**options)

    return install


def _plainly(name: str) -> Callable[[], None]:
    def install() -> None:
        _ours()()
        plain.install(name)

    return install


def _undone() -> None:
    from benchmarks.workload import Case, make_client, run

    _ours()()
    case = Case("once")
    run(case, make_client(case))
    import anthropic_otel

    anthropic_otel.uninstrument()


def _by_hand() -> None:
    from benchmarks import by_hand

    by_hand.install()


def _traceloop() -> None:
    from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor

    AnthropicInstrumentor().instrument()


def _openinference() -> None:
    from openinference.instrumentation.anthropic import AnthropicInstrumentor

    AnthropicInstrumentor().instrument()


INSTALL: dict[str, Callable[[], None]] = {
    "nothing": _nothing,
    "ours": _ours(),
    "ours without phases": _ours(phases=False),
    "ours without metrics": _ours(metrics=False),
    "ours without logs": _ours(logs=False),
    "ours without usage": _ours(usage=False),
    **{plain.PREFIX + name: _plainly(name) for name in plain.VERSIONS},
    "undone": _undone,
    "floor": _nothing,
    "by hand": _by_hand,
    "httpx2": _nothing,
    "traceloop": _traceloop,
    "openinference": _openinference,
}


@dataclass(frozen=True)
class Toggle:
    """How a variant is taken off in a process, and put on again."""

    off: Callable[[], None]
    on: Callable[[], None]


def _take_off() -> None:
    import anthropic_otel

    anthropic_otel.uninstrument()


TOGGLES: dict[str, Toggle] = {
    # The floor is run after a call, by whoever asks for it.
    "floor": Toggle(_nothing, _nothing),
    **{name: Toggle(_take_off, install) for name, install in INSTALL.items() if name.startswith("ours")},
}


def prepare_client(install: str, client: Any) -> Any:
    """What a variant does to each client: the HTTPX2 instrumentation knows a mock transport only of a named client."""
    if install == "httpx2":
        from opentelemetry.instrumentation.httpx import HTTPX2ClientInstrumentor

        HTTPX2ClientInstrumentor.instrument_client(client._client)
    return client
