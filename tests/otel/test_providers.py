"""Providers for an app that has none; what the app has set stays."""

from __future__ import annotations

import builtins
import io
import os
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import metrics, trace
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.metrics._internal import _ProxyMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import NoOpTracerProvider, ProxyTracerProvider

from anthropic_otel._otel import providers


class Process:
    """The global providers of a process, as far as this module asks for them and sets them."""

    def __init__(self) -> None:
        self.tracer: Any = ProxyTracerProvider()
        self.meter: Any = _ProxyMeterProvider()

    def set_tracer(self, provider: Any) -> None:
        self.tracer = provider

    def set_meter(self, provider: Any) -> None:
        self.meter = provider


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A process in which nothing is set, and no variable that says where to export to."""
    for name in list(os.environ):
        if name.startswith("OTEL_"):
            monkeypatch.delenv(name)
    found = Process()
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: found.tracer)
    monkeypatch.setattr(trace, "set_tracer_provider", found.set_tracer)
    monkeypatch.setattr(metrics, "get_meter_provider", lambda: found.meter)
    monkeypatch.setattr(metrics, "set_meter_provider", found.set_meter)
    yield found
    for provider in (found.tracer, found.meter):
        if hasattr(provider, "shutdown"):
            provider.shutdown()


def processors(provider: TracerProvider) -> list[type]:
    return [type(processor) for processor in provider._active_span_processor._span_processors]


def exporter_of(provider: TracerProvider) -> str:
    processor: Any = provider._active_span_processor._span_processors[0]
    exporter = getattr(processor, "span_exporter", None) or processor._batch_processor._exporter
    return type(exporter).__module__


def test_export_by_otlp_sets_both(process: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """By HTTP, in batches."""
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    providers.set_up("otlp")
    assert isinstance(process.tracer, TracerProvider)
    assert isinstance(process.meter, MeterProvider)
    assert processors(process.tracer) == [BatchSpanProcessor]
    assert exporter_of(process.tracer).startswith("opentelemetry.exporter.otlp.proto.http")


def test_metrics_go_to_the_same_exporter(process: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a reader that collects them from time to time, and when it is shut down."""
    out = io.StringIO()
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    monkeypatch.setattr(providers, "otlp_exporter", lambda signal: ConsoleMetricExporter(out))
    providers.set_up("otlp")
    process.meter.get_meter("t").create_counter("a.counter").add(1)
    process.meter.shutdown()
    process.meter = None
    assert '"name": "a.counter"' in out.getvalue()


def test_a_signal_that_is_not_wanted_is_not_exported(process: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the standard variables."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", " None ")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    providers.set_up("otlp")
    assert processors(process.tracer) == []
    assert readers(process.meter) == []


def readers(meter: Any) -> list[Any]:
    """The readers of a provider, which OpenTelemetry 1.30 keeps elsewhere than later versions do."""
    found = getattr(meter, "_metric_readers", None)
    return list(meter._sdk_config.metric_readers if found is None else found)


@pytest.mark.parametrize(
    ("tracer", "meter"), [(TracerProvider, MeterProvider), (NoOpTracerProvider, NoOpMeterProvider)]
)
def test_what_the_app_has_set_stays(process: Any, tracer: Callable[[], Any], meter: Callable[[], Any]) -> None:
    """Also where it has set that nothing is to be done."""
    process.tracer, process.meter = mine = tracer(), meter()
    providers.set_up("otlp")
    assert (process.tracer, process.meter) == mine


def test_only_the_signal_without_a_provider_gets_one(process: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two are set apart from each other."""
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    process.tracer = mine = TracerProvider(shutdown_on_exit=False)
    providers.set_up("otlp")
    assert process.tracer is mine
    assert isinstance(process.meter, MeterProvider)


@pytest.mark.parametrize("word", ["", "OTLP", "jaeger"])
def test_another_word_is_a_mistake(process: Any, word: str) -> None:
    """And sets nothing."""
    with pytest.raises(ValueError, match="export must be 'otlp' or 'console'"):
        providers.set_up(word)
    assert isinstance(process.tracer, ProxyTracerProvider)


@pytest.mark.parametrize("variable", ["OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"])
def test_an_exporter_that_is_not_installed_says_what_to_install(
    process: Any, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """gRPC is asked for by its variable, and has a package of its own."""
    asked: list[str] = []

    def ask(group: str, name: str) -> list[Any]:
        asked.append(name)
        return []

    monkeypatch.setenv(variable, "grpc")
    monkeypatch.setattr(providers, "entry_points", ask, raising=False)
    monkeypatch.setattr("importlib.metadata.entry_points", ask)
    with pytest.raises(ImportError, match="pip install opentelemetry-exporter-otlp-proto-grpc"):
        providers.set_up("otlp")
    assert asked == ["otlp_proto_grpc"]
    monkeypatch.delenv(variable)
    with pytest.raises(ImportError, match=r"pip install 'anthropic-otel\[otlp\]'"):
        providers.set_up("otlp")


def test_without_the_sdk_it_says_what_to_install(process: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library itself needs only the API."""
    original = builtins.__import__

    def without_sdk(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("opentelemetry.sdk"):
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_sdk)
    with pytest.raises(ImportError, match=r"pip install 'anthropic-otel\[otlp\]'"):
        providers.set_up("otlp")


@pytest.mark.parametrize(
    ("tracer", "meter", "nowhere"),
    [
        (None, None, True),
        (NoOpTracerProvider(), NoOpMeterProvider(), True),
        (TracerProvider(shutdown_on_exit=False), None, False),
        (None, MeterProvider(shutdown_on_exit=False), False),
    ],
)
def test_whether_telemetry_goes_anywhere(process: Any, tracer: Any, meter: Any, nowhere: bool) -> None:
    """One signal is enough."""
    assert providers.is_noop(tracer, meter) is nowhere


def test_a_provider_of_the_apps_own_goes_somewhere(process: Any) -> None:
    """Whatever it is called."""
    process.tracer = type("ProxyTracerProvider", (), {"__module__": "app"})()
    assert not providers.is_noop(None, None)


@pytest.mark.parametrize("given", [None, "worker-7"])
def test_every_process_has_an_id_of_its_own_also_where_the_sdk_gives_none(
    process: Process, monkeypatch: pytest.MonkeyPatch, given: str | None
) -> None:
    """As before 1.43; traces and metrics have the same one, and one that the environment gives stays."""
    from opentelemetry.sdk.resources import Resource

    plain = Resource({"service.name": "shop"} | ({"service.instance.id": given} if given else {}))
    monkeypatch.setattr(Resource, "create", lambda: plain)
    providers.set_up("otlp")
    ids = {
        process.tracer.resource.attributes.get("service.instance.id"),
        process.meter._sdk_config.resource.attributes.get("service.instance.id"),
    }
    assert len(ids) == 1
    (found,) = ids
    assert found
    assert found == (given or found)
    assert process.tracer.resource.attributes["service.name"] == "shop"


@pytest.mark.parametrize(("given", "found"), [(None, "build-7"), ("pod-1", "pod-1")])
def test_a_process_says_which_machine_it_runs_on_unless_the_environment_does(
    process: Process, monkeypatch: pytest.MonkeyPatch, given: str | None, found: str
) -> None:
    """An id is random, so nobody finds the machine by it."""
    import socket

    monkeypatch.setattr(socket, "gethostname", lambda: "build-7")
    if given:
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", f"host.name={given}")
    providers.set_up("otlp")
    assert process.tracer.resource.attributes["host.name"] == found
    assert process.meter._sdk_config.resource.attributes["host.name"] == found


def test_a_machine_without_a_name_is_told_as_none(process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than as an empty one."""
    import socket

    monkeypatch.setattr(socket, "gethostname", lambda: "")
    providers.set_up("otlp")
    assert "host.name" not in process.tracer.resource.attributes


class FalsyTracerProvider(TracerProvider):
    """A wrapper of an app's own that happens to be false, as one with a `__len__` of 0 is."""

    def __bool__(self) -> bool:
        return False


class FalsyMeterProvider(MeterProvider):
    """One whose `__len__` is 0."""

    def __len__(self) -> int:
        return 0


def test_a_falsy_provider_is_one_all_the_same(process: Any) -> None:
    """What the app has given is never taken for nothing, whatever its truth is."""
    tracers, meters = FalsyTracerProvider(shutdown_on_exit=False), FalsyMeterProvider(shutdown_on_exit=False)
    process.tracer, process.meter = NoOpTracerProvider(), NoOpMeterProvider()
    assert not providers.is_noop_tracer_provider(tracers)
    assert not providers.is_noop(tracers, None)
    assert not providers.is_noop(None, meters)
    assert providers.tracer_provider_or_global(tracers) is tracers
    process.tracer, process.meter = TracerProvider(shutdown_on_exit=False), MeterProvider(shutdown_on_exit=False)
    assert providers.is_noop_tracer_provider(FalsyNoOp())
    tracers.shutdown()


class FalsyNoOp(NoOpTracerProvider):
    """A no-op that is false; its class is OpenTelemetry's own, as far as its name goes."""

    __module__ = "opentelemetry.trace"

    def __bool__(self) -> bool:
        return False


FalsyNoOp.__name__ = "NoOpTracerProvider"


def test_a_provider_that_allows_no_weak_reference_is_kept() -> None:
    """It is found as long as it is referred to, as any other provider is."""

    class Slotted:
        __slots__ = ()

    provider = Slotted()
    assert providers.reference_to(provider)() is provider
