"""Makes the `Service` of each program of the stack: its command, its environment, and where to ask if it is ready.

Rule: the configs are those of `anthropic-otel bundle`. Only this is changed in them: addresses and paths are replaced,
and so are intervals where a test needs short ones; a section that an old Prometheus does not know is removed.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from anthropic_otel.cli.stack.binaries import Missing, major
from anthropic_otel.cli.stack.layout import HOST, Layout
from anthropic_otel.cli.stack.service import Service

JAEGER_GRACE: Final = 1.0
"""The seconds that Jaeger has to end before it is killed.

They are few, because its traces are in memory only, and it would wait for idle connections.
"""


def collector(binary: Path, configs: Iterable[str], layout: Layout, name: str = "collector", **env: str) -> Service:
    """Returns the service, not started, of a Collector that merges `configs`, in order.

    These are names of files in `layout.configs`. `name` is the service's, and that of its log and storage. The configs
    refer to environment variables: ports and the storage's directory are set here; `env` adds others or replaces these.
    """
    files = [f"--config={layout.configs / config}" for config in configs]
    environment = {
        "OTLP_GRPC_PORT": str(layout.ports["otlp_grpc"]),
        "OTLP_HTTP_PORT": str(layout.ports["otlp_http"]),
        "SELF_PORT": str(layout.ports["collector_self"]),
        "HEALTH_PORT": str(layout.ports["collector_health"]),
        "PROMETHEUS_PORT": str(layout.ports["collector_scrape"]),
        "STORAGE_DIR": str(layout.work / f"{name}-storage"),
        **env,
    }
    url = f"{layout.url('collector_health')}/"
    return Service(name, [str(binary), *files], url, layout.work / f"{name}.log", environment)


def jaeger(binary: Path, layout: Layout) -> Service:
    """Returns the service, not started, of a Jaeger that keeps traces in memory."""
    environment = {
        "JAEGER_UI_PORT": str(layout.ports["jaeger"]),
        "JAEGER_GRPC_PORT": str(layout.ports["jaeger_grpc"]),
        "JAEGER_OTLP_PORT": str(layout.ports["jaeger_otlp"]),
    }
    command = [str(binary), f"--config={layout.configs / 'jaeger' / 'jaeger.yaml'}"]
    url = f"{layout.url('jaeger')}/api/services"
    return Service("jaeger", command, url, layout.work / "jaeger.log", environment, grace=JAEGER_GRACE)


def prometheus(
    binary: Path,
    layout: Layout,
    *,
    scrape: bool = True,
    interval: str | None = None,
    rules: Path | None = None,
    name: str = "prometheus",
) -> Service:
    """Returns the service, not started, of a Prometheus, and writes its config into `layout.work`.

    `scrape` is whether it fetches the metrics from the Collector, or receives them. `interval` replaces the scrape and
    evaluation intervals, `rules` the layout's file of alert rules; `None` keeps them. `name` is the service's, and that
    of its files. Runs `binary` to learn its version, by which config and options differ. Raises `ValueError` as
    `prometheus_config` does.
    """
    modern = major(binary) >= 3
    layout.work.mkdir(parents=True, exist_ok=True)
    config = layout.work / f"{name}.yaml"
    config.write_text(prometheus_config(layout, scrape=scrape, interval=interval, rules=rules, modern=modern))
    command = [
        str(binary),
        f"--config.file={config}",
        f"--storage.tsdb.path={layout.work / (name + '-data')}",
        f"--web.listen-address={HOST}:{layout.ports['prometheus']}",
        "--enable-feature=exemplar-storage",
        "--web.enable-otlp-receiver" if modern else "--web.enable-remote-write-receiver",
    ]
    return Service(name, command, f"{layout.url('prometheus')}/-/ready", layout.work / f"{name}.log")


def needs_prometheus_3(layout: Layout) -> bool:
    """Returns whether the bundle is for native histograms, so that Prometheus 2 does not accept its config."""
    return "scrape_native_histograms" in (layout.configs / "prometheus" / "prometheus-scrape.yaml").read_text()


def prometheus_config(
    layout: Layout, *, scrape: bool, interval: str | None = None, rules: Path | None = None, modern: bool = True
) -> str:
    """Returns the text of the Prometheus config with the addresses of this stack, and the path of the alert rules.

    - `scrape`: whether Prometheus fetches the metrics from the Collector; if not, it receives them.
    - `interval`: replaces the scrape and evaluation intervals; `None` keeps them.
    - `rules`: the file of alert rules; `None` is that of the layout.
    - `modern`: whether it is for Prometheus 3. If not, the section `otlp` is removed, which Prometheus 2 does not know.

    Raises `ValueError` if the config lacks an address, or the path of the rules, that is to be replaced.
    """
    name = "prometheus-scrape.yaml" if scrape else "prometheus.yaml"
    text = (layout.configs / "prometheus" / name).read_text()
    addresses = {
        "otelcol:8888": f"{HOST}:{layout.ports['collector_self']}",
        "alertmanager:9093": f"{HOST}:{layout.ports['alertmanager']}",
        "- rules.yaml": f"- {rules or layout.rules}",
        **({"otelcol:8889": f"{HOST}:{layout.ports['collector_scrape']}"} if scrape else {}),
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


def alertmanager(binary: Path, layout: Layout, *, webhook: str | None = None, wait: str | None = None) -> Service:
    """Returns the service, not started, of an Alertmanager, and writes its config into `layout.work`.

    `webhook` replaces the receivers' URL, `wait` the durations `group_wait` and `group_interval`; `None` keeps them.
    """
    layout.work.mkdir(parents=True, exist_ok=True)
    text = (layout.configs / "alertmanager" / "alertmanager.yaml").read_text()
    if webhook:
        text = text.replace("http://127.0.0.1:9095", webhook)
    if wait:
        text = re.sub(r"group_(wait|interval): \S+", rf"group_\1: {wait}", text)
    config = layout.work / "alertmanager.yaml"
    config.write_text(text)
    command = [
        str(binary),
        f"--config.file={config}",
        f"--storage.path={layout.work / 'alertmanager-data'}",
        f"--web.listen-address={HOST}:{layout.ports['alertmanager']}",
        "--cluster.listen-address=",
    ]
    return Service("alertmanager", command, f"{layout.url('alertmanager')}/-/ready", layout.work / "alertmanager.log")


_DEMO_NEEDS: Final = ("anthropic", "h11", "trustme", "opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


def can_run_demo() -> bool:
    """Returns whether the packages that the demo needs, with its export by OTLP, are installed."""
    try:
        return all(importlib.util.find_spec(name) for name in _DEMO_NEEDS)
    except ModuleNotFoundError:  # of a package above the name
        return False


def demo(layout: Layout) -> Service:
    """Returns the service, not started and named `story`, of `anthropic-otel demo --loop`, which exports to this stack.

    Without it every panel is empty until an app of the user's sends something. An endpoint and a protocol for OTLP that
    the user has set are for other apps: each signal's own variables take precedence over all others.
    """
    environment = {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{layout.url('otlp_http')}/v1/traces",
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{layout.url('otlp_http')}/v1/metrics",
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "http/protobuf",
        "OTEL_METRIC_EXPORT_INTERVAL": "5000",
        "PYTHONUNBUFFERED": "1",
    }
    command = [sys.executable, "-m", "anthropic_otel.cli", "demo", "--loop"]
    return Service("story", command, "", layout.work / "story.log", environment)


def grafana(binary: Path, layout: Layout) -> Service:
    """Returns the service, not started, of a Grafana with the stack's data sources and dashboards.

    Writes the files that define them into `layout.work`. Anybody on this machine may use it as an admin. Raises
    `Missing` if Grafana's home directory is not found.
    """
    settings = {
        "GF_SERVER_HTTP_ADDR": HOST,
        "GF_SERVER_HTTP_PORT": str(layout.ports["grafana"]),
        "GF_PATHS_DATA": str(layout.work / "grafana-data"),
        "GF_PATHS_PROVISIONING": str(_grafana_provisioning(layout)),
        "GF_AUTH_ANONYMOUS_ENABLED": "true",
        "GF_AUTH_ANONYMOUS_ORG_ROLE": "Admin",
    }
    homes = (os.environ.get("GF_PATHS_HOME"), "/usr/share/grafana", str(binary.resolve().parent.parent))
    home = next((path for path in homes if path and (Path(path) / "conf").is_dir()), None)
    if home is None:
        raise Missing(f"{binary}: Grafana's home directory was not found; set GF_PATHS_HOME to it")
    command = [str(binary), "server", f"--homepath={home}"]
    return Service("grafana", command, f"{layout.url('grafana')}/api/health", layout.work / "grafana.log", settings)


def _grafana_provisioning(layout: Layout) -> Path:
    """Writes Grafana's provisioning files, with the addresses of this stack, and returns their folder."""
    folder = layout.work / "grafana-provisioning"
    for name in ("datasources", "dashboards", "alerting"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    sources = (layout.configs / "grafana" / "datasources" / "datasources.yaml").read_text()
    for old, port in (
        ("prometheus:9090", "prometheus"),
        ("jaeger:16686", "jaeger"),
        ("alertmanager:9093", "alertmanager"),
    ):
        sources = sources.replace(old, f"{HOST}:{layout.ports[port]}")
    (folder / "datasources" / "datasources.yaml").write_text(sources)
    boards = (layout.configs / "grafana" / "dashboards" / "dashboards.yaml").read_text()
    (folder / "dashboards" / "dashboards.yaml").write_text(
        boards.replace("/var/lib/grafana/dashboards", str(layout.dashboards))
    )
    return folder
