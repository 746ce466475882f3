"""The exit of a provider: how long it waits for a collector, with a clock that only the test moves."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from enum import Enum
from typing import Any

import pytest

from anthropic_otel._otel import leaving
from anthropic_otel._otel.exporter_logs import exporter_logs
from anthropic_otel._otel.leaving import Leaving


class Result(Enum):
    """What an exporter returns."""

    SUCCESS = 0
    FAILURE = 1


class Provider:
    """A provider that shuts down when the test lets it, and its exporter, whose exports end as the test says."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.shutdowns = 0
        self.given_up = 0
        self.exporter = Exporter(self)

    def shutdown(self) -> None:
        self.shutdowns += 1
        self.released.wait()


class Exporter:
    """The exporter of a provider."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def export(self, result: Result) -> Result:
        return result

    def shutdown(self) -> None:
        self._provider.given_up += 1


class Clock:
    """A clock that stands still."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(leaving, "time", clock)
    return clock


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """Nothing of it is left to wait for when the test is over."""
    monkeypatch.setattr(leaving, "_leaving", [])
    provider = Provider()
    yield provider
    provider.released.set()


def exit_of(provider: Any, patience: float = 10) -> Leaving:
    """The exit of a provider, which has begun."""
    exit_ = Leaving(provider, provider.exporter, patience)
    exit_.register()
    exit_.begin()
    return exit_


def test_an_exit_without_a_collector_gives_up(clock: Clock, provider: Provider) -> None:
    """After the patience without one successful export, and the exporter is told to stop its retries."""
    exit_ = exit_of(provider)
    provider.exporter.export(Result.FAILURE)
    clock.now += 10
    assert not exit_.finish(clock.now + 20)
    assert provider.given_up == 1


def test_an_exporter_that_waits_at_its_shutdown_is_told_not_to(clock: Clock, provider: Provider) -> None:
    """As those of gRPC do; in OpenTelemetry 1.30 the class of the spans' exporter hides the parameter of its base."""
    waited: list[float] = []

    class Grpc(Exporter):
        def shutdown(self, timeout_millis: float = 30_000) -> None:
            waited.append(timeout_millis)

    class GrpcSpans(Grpc):
        def shutdown(self) -> None:  # type: ignore[override]
            Grpc.shutdown(self)

    for kind in (Grpc, GrpcSpans):
        provider.exporter = kind(provider)
        exit_ = exit_of(provider)
        clock.now += 10
        assert not exit_.finish(clock.now + 20)
    assert waited == [0, 0]


def test_what_a_collector_accepts_starts_the_time_anew(clock: Clock, provider: Provider) -> None:
    """A long queue is sent whole, as long as batch after batch is accepted."""
    exit_ = exit_of(provider)
    clock.now += 9
    provider.exporter.export(Result.SUCCESS)
    clock.now += 9
    provider.released.set()
    assert exit_.finish(clock.now + 20)
    assert provider.given_up == 0


def test_an_exit_has_a_limit_also_with_a_collector(clock: Clock, provider: Provider) -> None:
    """The OpenTelemetry SDK has the same."""
    exit_ = exit_of(provider)
    provider.exporter.export(Result.SUCCESS)
    assert not exit_.finish(clock.now)


def test_what_failed_for_good_was_not_sent(clock: Clock, provider: Provider) -> None:
    """As where a server answers 404: the exporter does not try it again, and the exit has nothing to wait for."""
    exit_ = exit_of(provider)
    provider.exporter.export(Result.FAILURE)
    provider.released.set()
    assert not exit_.finish(clock.now + 20)
    assert provider.given_up == 0


def test_an_export_that_raises_at_exit_is_a_failed_one(
    clock: Clock, provider: Provider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As the exporters of older OpenTelemetry do without a collector: nobody gets its traceback."""

    def export() -> Result:
        logging.getLogger("opentelemetry.exporter").error("Transient error, [Errno 111] Connection refused, a=secret")
        raise ConnectionError

    # Whatever level another test has left above it.
    caplog.set_level(logging.ERROR, "opentelemetry.exporter")
    monkeypatch.setattr(exporter_logs, "reason", "")
    monkeypatch.setattr(provider.exporter, "export", export)
    logger = logging.getLogger("opentelemetry.exporter")
    exit_ = Leaving(provider, provider.exporter, 10)
    exit_.register()
    with pytest.raises(ConnectionError):
        provider.exporter.export()  # type: ignore[call-arg]
    assert len(caplog.records) == 1
    exporter_logs.attach()
    try:
        exit_.begin()
        assert provider.exporter.export() is None  # type: ignore[call-arg]
    finally:
        logger.removeFilter(exporter_logs)
    provider.released.set()
    assert not exit_.finish(clock.now + 20)
    assert len(caplog.records) == 1
    assert exporter_logs.reason == "[Errno 111] Connection refused"


def test_a_provider_that_was_shut_down_is_not_shut_down_again(clock: Clock, provider: Provider) -> None:
    """The app has done it; its own call does what it did."""
    exit_ = Leaving(provider, provider.exporter, 10)
    exit_.register()
    provider.released.set()
    provider.shutdown()
    exit_.begin()
    assert exit_.finish(clock.now)
    assert provider.shutdowns == 1


@pytest.mark.parametrize(
    ("variables", "seconds"),
    [
        ({}, leaving.PATIENCE),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "7"}, 7),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "7", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "0.5"}, 0.5),
        ({"OTEL_EXPORTER_OTLP_METRICS_TIMEOUT": "7"}, leaving.PATIENCE),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "soon"}, leaving.PATIENCE),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "nan"}, leaving.PATIENCE),
    ],
)
def test_the_patience_is_that_of_the_standard_variables(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], seconds: float
) -> None:
    """That of the signal comes before that of all, and what is no number counts for nothing."""
    for name in ("", "TRACES_", "METRICS_"):
        monkeypatch.delenv(f"OTEL_EXPORTER_OTLP_{name}TIMEOUT", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert leaving.patience_of("traces") == seconds
