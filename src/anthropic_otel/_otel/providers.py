"""OpenTelemetry SDK providers for an app that has none: `instrument(export=...)`.

Rule: what the app has set stays. A provider is made only for a signal that has none yet, of the OpenTelemetry SDK's
own parts, which the standard `OTEL_*` variables configure, and it flushes when the interpreter exits.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from typing import Any, Final, Literal, TypeVar

from opentelemetry import metrics, trace

from anthropic_otel._core.guard import log
from anthropic_otel._otel import leaving

_UNSET: Final = frozenset({"ProxyTracerProvider", "_ProxyMeterProvider"})
_NOOP: Final = _UNSET | {"NoOpTracerProvider", "NoOpMeterProvider", "_DefaultTracerProvider"}
Provider = TypeVar("Provider")
_INSTANCE_ID: Final = "service.instance.id"
_HOST_NAME: Final = "host.name"
_INSTALL: Final = {
    "otlp_proto_http": "'anthropic-otel[otlp]'",
    "otlp_proto_grpc": "opentelemetry-exporter-otlp-proto-grpc",
}


shown = False
"""Whether what is recorded is shown on the console, so that it goes somewhere without a provider too."""


class MissingExporter(ImportError):
    """The exporter that the environment asks for is not installed. The text says what to install."""


def set_up(export: str) -> None:
    """Sets providers that export by OTLP, for each signal that has none.

    Raises `ValueError` for another word, and `ImportError` with what to install where the SDK or exporter is missing.
    """
    if export != "otlp":
        raise ValueError(f"export must be 'otlp' or 'console', not {export!r}")
    try:
        resource = _resource()
        if is_unset(trace.get_tracer_provider()):
            trace.set_tracer_provider(_tracer_provider(resource))
        if is_unset(metrics.get_meter_provider()):
            metrics.set_meter_provider(_meter_provider(resource))
    except MissingExporter:
        raise
    except ImportError as error:
        raise ImportError("instrument(export=...) needs: pip install 'anthropic-otel[otlp]'") from error


def is_unset(provider: object) -> bool:
    """Whether `provider` is OpenTelemetry's proxy for a global provider that has not been set."""
    return _is(provider, _UNSET)


def is_noop_tracer_provider(provider: object) -> bool:
    """Whether a tracer provider, the global one for `None`, makes no spans."""
    return _is(provider or trace.get_tracer_provider(), _NOOP)


def is_noop(tracer_provider: Any, meter_provider: Any) -> bool:
    """Whether neither traces nor metrics have a provider, so that nothing leaves the process."""
    tracer_provider = tracer_provider or trace.get_tracer_provider()
    meter_provider = meter_provider or metrics.get_meter_provider()
    return _is(tracer_provider, _NOOP) and _is(meter_provider, _NOOP)


def reference_to(provider: Provider) -> Callable[[], Provider | None]:
    """A weak reference to `provider`, or a strong one if its class has no weak ones. Call it for the provider."""
    try:
        return weakref.ref(provider)
    except TypeError:
        return lambda: provider


def warn_no_provider() -> None:
    """The one line for an app that has set up neither a provider nor an export."""
    if shown:
        return
    log.warning(
        "No OpenTelemetry provider is set: the telemetry of the Anthropic SDK goes nowhere. "
        "Set one, or call anthropic_otel.instrument(export='otlp'), or 'console' to see it"
    )


def _is(provider: object, names: frozenset[str]) -> bool:
    return type(provider).__name__ in names and type(provider).__module__.startswith("opentelemetry.")


def _resource() -> Any:
    """What the process is: an id of its own, without which several workers share each series in Prometheus, and the
    machine that it runs on, as nobody finds one by a random id. In a Kubernetes pod its host is the pod's name.

    The OpenTelemetry SDK gives no id before 1.43, and no host unless a detector is asked for. What either says stays.
    """
    # Not at the top: whoever has providers of their own needs none.
    import socket
    import uuid

    from opentelemetry.sdk.resources import Resource

    found = Resource.create()
    own = {_INSTANCE_ID: str(uuid.uuid4()), _HOST_NAME: socket.gethostname()}
    return found.merge(Resource({key: value for key, value in own.items() if value and not found.attributes.get(key)}))


def _tracer_provider(resource: Any) -> Any:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(shutdown_on_exit=False, resource=resource)
    if _wanted("OTEL_TRACES_EXPORTER"):
        exporter = otlp_exporter("traces")
        provider.add_span_processor(BatchSpanProcessor(exporter))
        leaving.flush_at_exit(provider, exporter, "traces")
    return provider


def _meter_provider(resource: Any) -> Any:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    if not _wanted("OTEL_METRICS_EXPORTER"):
        return MeterProvider(resource=resource)
    exporter = otlp_exporter("metrics")
    provider = MeterProvider([PeriodicExportingMetricReader(exporter)], shutdown_on_exit=False, resource=resource)
    leaving.flush_at_exit(provider, exporter, "metrics")
    return provider


def _wanted(variable: str) -> bool:
    return os.environ.get(variable, "otlp").strip().lower() != "none"


def otlp_exporter(signal: Literal["traces", "metrics"]) -> Any:
    """A new OTLP exporter, for the protocol that the environment names; HTTP if it names none.

    Raises `MissingExporter` where it is not installed.
    """
    # Not at the top of the module: the import takes 4 ms.
    from importlib.metadata import entry_points

    own = os.environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL")
    protocol = own or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") or "http/protobuf"
    name = "otlp_proto_grpc" if protocol == "grpc" else "otlp_proto_http"
    for entry_point in entry_points(group=f"opentelemetry_{signal}_exporter", name=name):
        return entry_point.load()()
    raise MissingExporter(f"OTLP by {protocol} needs: pip install {_INSTALL[name]}")
