"""Every shipped config is accepted by the program that it is for."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from anthropic_otel.bundle import files

CONFIGS = files.source("collector-config")
WAYS = sorted(path.name for path in (CONFIGS / "metrics").glob("*.yaml"))


def accepts(*command: object, **environment: str) -> None:
    """Fails with what the program says, if it does not accept."""
    said = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert said.returncode == 0, said.stdout + said.stderr


@pytest.mark.parametrize(
    "configs",
    [
        *([base, f"metrics/{way}"] for base, way in itertools.product(("all-in-one.yaml", "agent.yaml"), WAYS)),
        ["gateway.yaml"],
    ],
    ids=" ".join,
)
def test_the_collector_accepts_its_configs(found: dict[str, Path], configs: list[str], tmp_path: Path) -> None:
    """Every tier, with every way of the metrics."""
    files = [f"--config={CONFIGS / config}" for config in configs]
    accepts(found["Collector"], "validate", *files, STORAGE_DIR=str(tmp_path))


@pytest.mark.parametrize("resource", ["agent.yaml", "gateway.yaml"])
def test_the_collector_accepts_the_config_of_a_cluster(found: dict[str, Path], resource: str, tmp_path: Path) -> None:
    """As the operator would give it, with the resource's own variables."""
    yaml = pytest.importorskip("yaml")
    spec = yaml.safe_load((CONFIGS / "kubernetes" / resource).read_text())["spec"]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(spec["config"]))
    variables = {one["name"]: one["value"] for one in spec["env"]} | {"STORAGE_DIR": str(tmp_path)}
    accepts(found["Collector"], "validate", f"--config={tmp_path / 'config.yaml'}", **variables)


@pytest.mark.parametrize("config", sorted(path.name for path in (CONFIGS / "jaeger").glob("*.yaml")))
def test_jaeger_accepts_its_configs(found: dict[str, Path], config: str, tmp_path: Path) -> None:
    """In memory, on a disk, in a cluster."""
    accepts(found["Jaeger"], "validate", f"--config={CONFIGS / 'jaeger' / config}", JAEGER_STORAGE_DIR=str(tmp_path))


def test_promtool_accepts_the_config_for_scraping_and_the_rules(found: dict[str, Path], tmp_path: Path) -> None:
    """As they are shipped, but for the address of the rules; promtool is that of a Prometheus 2."""
    (tmp_path / "prometheus.yaml").write_text((CONFIGS / "prometheus" / "prometheus-scrape.yaml").read_text())
    (tmp_path / "rules.yaml").write_text(files.source("dashboards/alerts/rules.yaml").read_text())
    accepts(found["promtool"], "check", "config", tmp_path / "prometheus.yaml")


def test_alertmanager_routes_pages_to_the_pager_and_tickets_elsewhere(found: dict[str, Path]) -> None:
    """The example does what its comments say."""
    amtool = shutil.which("amtool")
    assert amtool, f"amtool comes with {found['Alertmanager']}"
    config = CONFIGS / "alertmanager" / "alertmanager.yaml"
    accepts(amtool, "check-config", config)
    for severity, receiver in (("page", "pager"), ("ticket", "tickets")):
        accepts(
            *(amtool, "config", "routes", "test", f"--config.file={config}", f"--verify.receivers={receiver}"),
            *("component=anthropic-client", f"severity={severity}", "job=shop"),
        )
