"""Sets OpenTelemetry SDK providers for an app that has none: `instrument(export=...)`.

Rule: a provider that the app has set stays. A provider is made only for a signal that has none yet. It is made of the
OpenTelemetry SDK's own classes, which the standard `OTEL_*` variables configure, and is flushed at exit if it exports.

The functions that tell an unset or a no-op provider from others are here too.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, Literal, TypeVar

from opentelemetry import metrics, trace

from anthropic_otel._core.guard import log
from anthropic_otel._core.settings import Settings
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
"""Whether calls are shown on the console, as set by `instrument(export="console")`. `warn_no_provider` asks it."""


class MissingExporter(ImportError):
    """Raised if the OTLP exporter that the environment asks for is not installed. The message says what to install."""


def set_up(export: str) -> None:
    """Sets a global tracer and a global meter provider that export by OTLP, each only if none is set.

    They are flushed at exit. If `OTEL_TRACES_EXPORTER` or `OTEL_METRICS_EXPORTER` is `none`, that provider exports
    nothing; any other value is taken for `otlp`. Raises `ValueError` if `export` is not `"otlp"`, and `ImportError`,
    which says what to install, if the OpenTelemetry SDK or an exporter is missing. The tracer provider is set first,
    and stays if the meter provider cannot be made.
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
    """Returns whether `provider` is OpenTelemetry's proxy that stands for a global provider until one is set."""
    return _is(provider, _UNSET)


def with_global(settings: Settings) -> Settings:
    """Returns `settings` with `None`, which stands for the global provider, in place of a proxy for an unset one.

    An app has such a proxy if it has asked OpenTelemetry for the global provider before it was set.
    """
    tracers, meters = settings.tracer_provider, settings.meter_provider
    return replace(
        settings,
        tracer_provider=None if is_unset(tracers) else tracers,
        meter_provider=None if is_unset(meters) else meters,
    )


def is_noop_tracer_provider(provider: object) -> bool:
    """Returns whether a tracer provider is OpenTelemetry's no-op, or is not set yet, so makes no spans.

    `None`, and OpenTelemetry's proxy for an unset provider, stand for the global one.
    """
    return _is(tracer_provider_or_global(provider), _NOOP)


def tracer_provider_or_global(given: object) -> object:
    """Returns `given`, also if it is falsy; if it is `None` or a proxy for an unset provider, the global one."""
    return trace.get_tracer_provider() if given is None or is_unset(given) else given


def is_noop(tracer_provider: Any, meter_provider: Any) -> bool:
    """Returns whether both providers are no-ops or unset, so export nothing. `None` stands for the global one."""
    meters = meter_provider if meter_provider is not None else metrics.get_meter_provider()
    return is_noop_tracer_provider(tracer_provider) and _is(meters, _NOOP)


def reference_to(provider: Provider) -> Callable[[], Provider | None]:
    """Returns a function that returns `provider`, or `None` once it was garbage-collected.

    If the class of `provider` allows no weak references, the function keeps it alive.
    """
    try:
        return weakref.ref(provider)
    except TypeError:
        return lambda: provider


def warn_no_provider() -> None:
    """Logs a warning that no provider is set and what to do about it. The caller has found that none is set.

    Does nothing if calls are shown on the console, or if `OTEL_SDK_DISABLED` says that nothing is to be exported.
    """
    if shown or os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return
    log.warning(
        "No OpenTelemetry provider is set: the telemetry of the Anthropic SDK goes nowhere. "
        "Set one, or call anthropic_otel.instrument(export='otlp'), or 'console' to see it"
    )


def _is(provider: object, names: frozenset[str]) -> bool:
    return type(provider).__name__ in names and type(provider).__module__.startswith("opentelemetry.")


def _resource() -> Any:
    """Returns OpenTelemetry's resource of this process, and adds `service.instance.id` and `host.name` if missing.

    Without the id, several workers would share each series in Prometheus. The host is how a person finds the process;
    in a Kubernetes pod it is the pod's name. The OpenTelemetry SDK sets no id before 1.43, and no host without a
    detector.
    """
    # Not at the top of the module: an app with providers of its own needs none.
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
    """Makes an OTLP exporter of `signal`, for the protocol that the environment sets.

    It is that in `OTEL_EXPORTER_OTLP_TRACES_PROTOCOL` or `…_METRICS_PROTOCOL`, else in `OTEL_EXPORTER_OTLP_PROTOCOL`.
    Any value but `grpc`, and no value, is HTTP. Raises `MissingExporter` if the exporter is not installed, and what it
    raises when it is imported or made.
    """
    # Not at the top of the module: the import takes 4 ms.
    from importlib.metadata import entry_points

    own = os.environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL")
    protocol = own or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") or "http/protobuf"
    name = "otlp_proto_grpc" if protocol == "grpc" else "otlp_proto_http"
    for entry_point in entry_points(group=f"opentelemetry_{signal}_exporter", name=name):
        return entry_point.load()()
    raise MissingExporter(f"OTLP by {protocol} needs: pip install {_INSTALL[name]}")
