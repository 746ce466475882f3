"""Runs the components with the shipped configs: what each is given, when it is ready, how it ends.

The one rule here: the configs beside this folder are used as they are; only addresses are filled in, and intervals
where a test needs them short.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from localstack.binaries import CONFIGS, major

HOST = "127.0.0.1"
RULES = CONFIGS.parent / "dashboards" / "alerts" / "rules.yaml"

PORTS = {
    "otlp_grpc": 4317,
    "otlp_http": 4318,
    "collector_self": 8888,
    "collector_scrape": 8889,
    "collector_health": 13133,
    "prometheus": 9090,
    "alertmanager": 9093,
    "jaeger": 16686,
    "jaeger_grpc": 16685,
    "jaeger_otlp": 14318,
    "grafana": 3000,
}
"""The documented ports of `stack.py up`."""


LIVES = 1.0
"""Seconds after which a process that has no address to ask is taken to have started."""


class NotReady(Exception):
    """A component that ended or did not answer. The message has the end of its log."""


def free_port() -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def free_ports(names: Iterable[str] = PORTS) -> dict[str, int]:
    """Another free port for each name."""
    found: set[int] = set()
    while len(found) < len(tuple(names)):
        found.add(free_port())
    return dict(zip(names, found, strict=True))


def taken(ports: Mapping[str, int]) -> list[str]:
    """The names of those ports that something listens on already."""

    def listens(port: int) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((HOST, port)) == 0

    return [f"{port} ({name})" for name, port in ports.items() if listens(port)]


@dataclass
class Service:
    """One process. `ready` is a URL that answers 200 when it can be used, empty for one that has none; `grace` how long
    it has to end by itself.
    """

    name: str
    command: list[str]
    ready: str
    log: Path
    environment: dict[str, str] = field(default_factory=dict)
    grace: float = 20.0
    process: subprocess.Popen[bytes] | None = None

    def start(self, wait: float = 60.0) -> Service:
        """Starts it in a session of its own, so that it outlives its starter. Raises `NotReady`."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )
        deadline = time.monotonic() + wait
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise NotReady(f"{self.name} ended with status {self.process.returncode}:\n{self.tail()}")
            if answers(self.ready) if self.ready else time.monotonic() > deadline - wait + LIVES:
                return self
            time.sleep(0.1)
        self.stop()
        raise NotReady(f"{self.name} did not answer at {self.ready} in {wait:.0f} s:\n{self.tail()}")

    def stop(self, sig: int = signal.SIGTERM) -> None:
        """Ends it and waits for the end."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(sig)
        try:
            self.process.wait(self.grace)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def tail(self, lines: int = 15) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def described(pid: int) -> str:
    """The state of a process, as one letter, and its command; empty if there is none."""
    if Path("/proc/self").exists():  # Linux; a container may have no `ps`
        try:
            state = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
            command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
        except OSError:
            return ""
        return f"{state} {' '.join(command.split(chr(0)))}"
    asked = ["ps", "-ww", "-o", "stat=", "-o", "args=", "-p", str(pid)]
    return subprocess.run(asked, capture_output=True, text=True).stdout


def answers(url: str) -> bool:
    """Whether a URL answers with a good status."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status < 300)
    except (urllib.error.URLError, OSError):
        return False


def collector(
    binary: Path, configs: Iterable[str], work: Path, ports: Mapping[str, int], name: str = "collector", **env: str
) -> Service:
    """A Collector with some of the shipped configs, in order. `env` sets the variables in them."""
    files = [f"--config={CONFIGS / config}" for config in configs]
    health = ports["collector_health"]
    environment = {
        "OTLP_GRPC_PORT": str(ports["otlp_grpc"]),
        "OTLP_HTTP_PORT": str(ports["otlp_http"]),
        "SELF_PORT": str(ports["collector_self"]),
        "HEALTH_PORT": str(health),
        "PROMETHEUS_PORT": str(ports["collector_scrape"]),
        "STORAGE_DIR": str(work / f"{name}-storage"),
        **env,
    }
    return Service(name, [str(binary), *files], f"http://{HOST}:{health}/", work / f"{name}.log", environment)


def jaeger(binary: Path, work: Path, ports: Mapping[str, int]) -> Service:
    """Jaeger with traces in memory."""
    environment = {
        "JAEGER_UI_PORT": str(ports["jaeger"]),
        "JAEGER_GRPC_PORT": str(ports["jaeger_grpc"]),
        "JAEGER_OTLP_PORT": str(ports["jaeger_otlp"]),
    }
    command = [str(binary), f"--config={CONFIGS / 'jaeger' / 'jaeger.yaml'}"]
    url = f"http://{HOST}:{ports['jaeger']}/api/services"
    # Its traces are in memory, so there is nothing to save; it would wait for connections that are idle.
    return Service("jaeger", command, url, work / "jaeger.log", environment, grace=1.0)


def prometheus(
    binary: Path,
    work: Path,
    ports: Mapping[str, int],
    *,
    scrape: bool = True,
    interval: str | None = None,
    rules: Path = RULES,
    name: str = "prometheus",
) -> Service:
    """Prometheus with the shipped config and rules. `scrape`: whether it fetches the metrics, or is sent them."""
    work.mkdir(parents=True, exist_ok=True)
    config = work / f"{name}.yaml"
    config.write_text(
        prometheus_config(ports, scrape=scrape, interval=interval, rules=rules, modern=major(binary) >= 3)
    )
    port = ports["prometheus"]
    receiver = "--web.enable-otlp-receiver" if major(binary) >= 3 else "--web.enable-remote-write-receiver"
    command = [
        str(binary),
        f"--config.file={config}",
        f"--storage.tsdb.path={work / (name + '-data')}",
        f"--web.listen-address={HOST}:{port}",
        "--enable-feature=exemplar-storage",
        receiver,
    ]
    return Service(name, command, f"http://{HOST}:{port}/-/ready", work / f"{name}.log")


def prometheus_config(
    ports: Mapping[str, int], *, scrape: bool, interval: str | None = None, rules: Path = RULES, modern: bool = True
) -> str:
    """The shipped config for a way of the metrics, with this machine's addresses."""
    name = "prometheus-scrape.yaml" if scrape else "prometheus.yaml"
    text = (CONFIGS / "prometheus" / name).read_text()
    addresses = {
        "otelcol:8888": f"{HOST}:{ports['collector_self']}",
        "alertmanager:9093": f"{HOST}:{ports['alertmanager']}",
        "- rules.yaml": f"- {rules}",
        **({"otelcol:8889": f"{HOST}:{ports['collector_scrape']}"} if scrape else {}),
    }
    for old, new in addresses.items():
        if old not in text:
            raise ValueError(f"{name} has no {old!r} to fill in")
        text = text.replace(old, new)
    if interval:
        text = re.sub(r"(scrape|evaluation)_interval: \S+", rf"\1_interval: {interval}", text)
    if not modern:  # Prometheus 2, which can only be written to, does not know this section
        text = re.sub(r"^otlp:.*?(?=^\S)", "", text, flags=re.DOTALL | re.MULTILINE)
    return text


def alertmanager(
    binary: Path, work: Path, ports: Mapping[str, int], *, webhook: str | None = None, wait: str | None = None
) -> Service:
    """Alertmanager with the shipped example. `webhook` replaces its receivers' address, `wait` its group intervals."""
    work.mkdir(parents=True, exist_ok=True)
    text = (CONFIGS / "alertmanager" / "alertmanager.yaml").read_text()
    if webhook:
        text = text.replace("http://127.0.0.1:9095", webhook)
    if wait:
        text = re.sub(r"group_(wait|interval): \S+", rf"group_\1: {wait}", text)
    config = work / "alertmanager.yaml"
    config.write_text(text)
    command = [
        str(binary),
        f"--config.file={config}",
        f"--storage.path={work / 'alertmanager-data'}",
        f"--web.listen-address={HOST}:{ports['alertmanager']}",
        "--cluster.listen-address=",
    ]
    return Service("alertmanager", command, f"http://{HOST}:{ports['alertmanager']}/-/ready", work / "alertmanager.log")


STORY = ("-m", "anthropic_otel.cli", "demo", "--loop")
"""An instrumented app and a simulated API that goes through an overload and an outage, again and again."""


def can_tell_the_story() -> bool:
    """Whether this Python has the package with what its demo needs."""
    tried = [sys.executable, "-c", "import anthropic_otel.cli.demo.play, opentelemetry.exporter.otlp.proto.http"]
    return subprocess.run(tried, capture_output=True).returncode == 0


def story(work: Path, ports: Mapping[str, int]) -> Service:
    """Something to look at: without it every panel would be empty until an app is there."""
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{HOST}:{ports['otlp_http']}",
        "OTEL_METRIC_EXPORT_INTERVAL": "5000",
        "PYTHONUNBUFFERED": "1",
    }
    return Service("story", [sys.executable, *STORY], "", work / "story.log", environment)


def grafana(binary: Path, work: Path, ports: Mapping[str, int]) -> Service:
    """Grafana with the data sources, dashboards and alerts provisioned, where there is one on the PATH."""
    folder = work / "grafana-provisioning"
    for name in ("datasources", "dashboards", "alerting"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    sources = (CONFIGS / "grafana" / "datasources" / "datasources.yaml").read_text()
    for old, port in (
        ("prometheus:9090", "prometheus"),
        ("jaeger:16686", "jaeger"),
        ("alertmanager:9093", "alertmanager"),
    ):
        sources = sources.replace(old, f"{HOST}:{ports[port]}")
    (folder / "datasources" / "datasources.yaml").write_text(sources)
    boards = (CONFIGS / "grafana" / "dashboards" / "dashboards.yaml").read_text()
    (folder / "dashboards" / "dashboards.yaml").write_text(
        boards.replace("/var/lib/grafana/dashboards", str(CONFIGS.parent / "dashboards"))
    )
    port = ports["grafana"]
    settings = {
        "GF_SERVER_HTTP_ADDR": HOST,
        "GF_SERVER_HTTP_PORT": str(port),
        "GF_PATHS_DATA": str(work / "grafana-data"),
        "GF_PATHS_PROVISIONING": str(folder),
        "GF_AUTH_ANONYMOUS_ENABLED": "true",
        "GF_AUTH_ANONYMOUS_ORG_ROLE": "Admin",
    }
    homes = (os.environ.get("GF_PATHS_HOME"), "/usr/share/grafana", str(binary.resolve().parent.parent))
    home = next(path for path in homes if path and (Path(path) / "conf").is_dir())
    command = [str(binary), "server", f"--homepath={home}"]
    return Service("grafana", command, f"http://{HOST}:{port}/api/health", work / "grafana.log", settings)
