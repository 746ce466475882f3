"""The real components, started once: Collector, Jaeger, Alertmanager, and a Prometheus for each way of the metrics."""

from __future__ import annotations

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from anthropic_otel.cli.stack import binaries, layout, services
from anthropic_otel.cli.stack.layout import HOST, Layout
from anthropic_otel.cli.stack.service import Service

T = TypeVar("T")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here is slow."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.xdist_group("backends"))  # one process has the services, for all of them


def eventually(what: Callable[[], T | None], wait: float = 300.0, why: str | Callable[[], str] = "") -> T:
    """The first true value of `what`. Fails after `wait` seconds, and says `why`."""
    deadline = time.monotonic() + wait
    while True:
        found = what()
        if found or time.monotonic() > deadline:
            assert found, f"not in {wait:.0f} s: {why() if callable(why) else why}"
            return found
        time.sleep(0.25)


@contextmanager
def running(*found: Service) -> Iterator[None]:
    """Services that run, in this order, and end in the reverse one."""
    started: list[Service] = []
    try:
        for service in found:
            started.append(service.start())
        yield
    finally:
        for service in reversed(started):
            service.stop()


class App:
    """The app of these tests, as a process of its own."""

    def __init__(self, name: str, otlp: int) -> None:
        self.name = name
        environment = {
            **os.environ,
            "OTEL_SERVICE_NAME": name,
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{HOST}:{otlp}",
            "OTEL_METRIC_EXPORT_INTERVAL": "1000",
            "OTEL_BSP_SCHEDULE_DELAY": "300",
        }
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("app.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        self._answer()

    def __call__(self, command: str) -> dict[str, Any]:
        """What it answers to a command."""
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def end(self) -> None:
        """Ends it as an app ends: everything is flushed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        assert self.process.wait(30) == 0


class Webhook:
    """Where Alertmanager sends its notices."""

    def __init__(self) -> None:
        self.notices: list[tuple[str, dict[str, Any]]] = []
        notices = self.notices

        class Handler(http.server.BaseHTTPRequestHandler):
            """Keeps every alert of every notice, with the path that it came to."""

            def do_POST(self) -> None:
                """Takes one notice."""
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                notices.extend((self.path, alert) for alert in body["alerts"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                """Prints nothing."""

        self._server = http.server.ThreadingHTTPServer((HOST, 0), Handler)
        self.url = f"http://{HOST}:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        """Ends the server and its thread."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def got(self, name: str, status: str, **labels: str) -> list[tuple[str, dict[str, Any]]]:
        """The alerts of that name and status with those labels."""
        return [
            (path, alert)
            for path, alert in self.notices
            if alert["labels"]["alertname"] == name
            and alert["status"] == status
            and labels.items() <= alert["labels"].items()
        ]


@pytest.fixture(scope="package")
def found() -> dict[str, Path]:
    """The binaries; in CI they are built first where need be, elsewhere the tests skip if one is absent."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends the tests ends what they started, too
    wanted = (*binaries.STACK, binaries.PROMETHEUS_3, binaries.PROMTOOL)
    if os.environ.get("CI"):
        return {component.name: binaries.find(component) for component in wanted}
    there = {component.name: binaries.present(component) for component in wanted}
    absent = [name for name, path in there.items() if path is None]
    if absent:
        pytest.skip(f"no {', '.join(absent)}: CI=true builds them, or anthropic-otel stack build --all")
    return {name: path for name, path in there.items() if path}


@pytest.fixture(scope="package")
def collector_path() -> Path:
    """The Collector, for tests that need nothing else."""
    if os.environ.get("CI"):
        return binaries.find(binaries.COLLECTOR)
    path = binaries.present(binaries.COLLECTOR)
    if path is None:
        pytest.skip("no Collector: CI=true builds it, or anthropic-otel stack build")
    return path


@pytest.fixture(scope="package")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rule file with the shipped thresholds, but windows of seconds, as a user would shorten them."""
    yaml = pytest.importorskip("yaml")
    from anthropic_otel.bundle import files, rules, settings

    values = yaml.safe_load(files.source("dashboards/thresholds.yaml").read_text())
    values["evaluation"] |= {"interval": "1s", "slow_interval": "1s", "export_interval": "1s"}
    for alert in values["alerts"].values():
        alert["hold"] = "3s"
        alert["keep"] = "0s"
        for floor in alert.get("within", ()):
            floor["window"] = "20s"
        if "window" in alert:
            alert["window"] = "20s"
    values["alerts"]["AnthropicTelemetryAbsent"]["window"] = "1h"
    path = tmp_path_factory.mktemp("rules") / "rules.yaml"
    path.write_text(rules.prometheus(settings.parse(yaml.safe_dump(values))))
    return path


@pytest.fixture(scope="package")
def webhook() -> Iterator[Webhook]:
    """Where the notices arrive."""
    made = Webhook()
    yield made
    made.close()


class Stack:
    """Addresses of the running stack. `ways` are the Prometheus servers, by how the metrics get there."""

    def __init__(self, ports: dict[str, int], ways: dict[str, int]) -> None:
        self.otlp = ports["otlp_http"]
        self.jaeger = f"http://{HOST}:{ports['jaeger']}"
        self.alertmanager = f"http://{HOST}:{ports['alertmanager']}"
        self.collector = f"http://{HOST}:{ports['collector_self']}"
        self.ways = {way: f"http://{HOST}:{port}" for way, port in ways.items()}


WAYS = ("scrape", "remote-write", "otlp")


@pytest.fixture(scope="package")
def stack(
    found: dict[str, Path], rules: Path, webhook: Webhook, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """The all-in-one Collector, feeding Jaeger, and three Prometheus servers by the three ways at once."""
    work = tmp_path_factory.mktemp("stack")
    ports = layout.free_ports([*layout.PORTS, *WAYS])
    where = Layout(work, ports)
    ways = {way: ports[way] for way in WAYS}

    def prometheus(way: str) -> Service:
        binary = found["Prometheus 3" if way == "otlp" else "Prometheus"]
        mine = {**ports, "prometheus": ways[way]}
        if way != "scrape":
            mine["alertmanager"] = ports["grafana"]  # nobody listens there: the alerts come from one of them
        return services.prometheus(
            binary, Layout(work, mine), scrape=way == "scrape", interval="1s", rules=rules, name=way
        )

    exporters = "[prometheus, prometheus_remote_write, otlp_http/metrics]"
    collector = services.collector(
        found["Collector"],
        ("all-in-one.yaml", *(f"metrics/{way}.yaml" for way in WAYS)),
        where,
        TRACES_ENDPOINT=f"http://{HOST}:{ports['jaeger_otlp']}",
        METRICS_ENDPOINT=f"http://{HOST}:{ways['otlp']}/api/v1/otlp",
        REMOTE_WRITE_ENDPOINT=f"http://{HOST}:{ways['remote-write']}/api/v1/write",
        SPAN_METRICS_INTERVAL="1s",
        BATCH_TIMEOUT="200ms",
    )
    collector.command.append(f"--config=yaml:service::pipelines::metrics::exporters: {exporters}")
    with running(
        services.jaeger(found["Jaeger"], where),
        services.alertmanager(found["Alertmanager"], where, webhook=webhook.url, wait="1s"),
        *(prometheus(way) for way in WAYS),
        collector,
    ):
        yield Stack(ports, ways)


@pytest.fixture(scope="package")
def app(stack: Stack) -> Iterator[App]:
    """The app, sending to the stack."""
    made = App("shop", stack.otlp)
    yield made
    made.end()


@pytest.fixture
def another_app(stack: Stack, request: pytest.FixtureRequest) -> Iterator[App]:
    """An app of a service of its own: a page of the app that others use holds back the tickets of that service."""
    made = App(request.node.callspec.params["weather"], stack.otlp)
    yield made
    made.end()
