"""The compose file and the Kubernetes files, as far as they can be checked without starting them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from anthropic_otel.bundle import files, settings
from anthropic_otel.cli.stack import binaries

from .units import size

CONFIGS = files.source("collector-config")
COMPOSE = yaml.safe_load((CONFIGS / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
each_service = pytest.mark.parametrize("name", SERVICES)


def mounts(name: str) -> Iterator[tuple[Path, str]]:
    """The files and folders that a service is given, and where."""
    for volume in SERVICES[name].get("volumes", ()):
        source, target, *_ = volume.split(":")
        if source.startswith("."):
            yield (CONFIGS / source).resolve(), target


def inside(name: str, path: str) -> Path:
    """The file of this checkout that a path in the container is."""
    for source, target in mounts(name):
        if path == target or path.startswith(target + "/"):
            return source / path[len(target) :].lstrip("/") if source.is_dir() else source
    raise AssertionError(f"{name}: nothing is mounted at {path}")


@each_service
def test_what_a_service_mounts_is_there_and_read_only(name: str) -> None:
    """A missing file would become an empty folder, without a word."""
    for source, _ in mounts(name):
        assert source.exists(), source
    for volume in SERVICES[name].get("volumes", ()):
        assert volume.endswith(":ro") or volume.split(":")[0] in COMPOSE["volumes"]


@each_service
def test_an_image_is_pinned(name: str) -> None:
    """To a version, not to whatever is newest that day."""
    assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", SERVICES[name]["image"])


@each_service
def test_ports_are_published_on_this_machine_only(name: str) -> None:
    """None of these services asks who you are."""
    for port in SERVICES[name].get("ports", ()):
        host, outside, within = port.split(":")
        assert host == "127.0.0.1"
        assert outside == within


@each_service
def test_memory_has_a_limit_that_go_knows_of_where_it_can(name: str) -> None:
    """One service must not take what the others need. Prometheus 3 reads the limit itself."""
    limit = size(SERVICES[name]["mem_limit"])
    assert 128 * 2**20 <= limit <= 2**31
    if name in ("otelcol", "jaeger"):
        assert size(SERVICES[name]["environment"]["GOMEMLIMIT"]) == pytest.approx(0.8 * limit, rel=0.01)


@each_service
def test_a_service_says_whether_it_is_healthy_if_its_image_can_ask(name: str) -> None:
    """By a program that is in its image, at a port that it listens at. The Collector's and Jaeger's have no other."""
    check = SERVICES[name].get("healthcheck")
    assert (check is None) == (name in ("otelcol", "jaeger"))
    if check is not None:
        kind, program, *arguments = check["test"]
        assert (kind, program) in {("CMD", "promtool"), ("CMD", "amtool"), ("CMD", "curl")}
        (port,) = SERVICES[name]["ports"]
        assert f"http://localhost:{port.rpartition(':')[2]}" in arguments[-1]


@pytest.mark.parametrize(
    ("tool", "service"),
    # The promtool that has the command is built with the back ends.
    [pytest.param("promtool", "prometheus", marks=pytest.mark.slow), ("amtool", "alertmanager")],
)
def test_a_health_check_is_a_command_that_the_tool_has(tool: str, service: str) -> None:
    """It fails where nothing listens, and not because there is no such command."""
    # Debian's promtool is older than the image's, and lacks the command.
    path = binaries.present(binaries.PROMTOOL_3) if tool == "promtool" else shutil.which(tool)
    if path is None:
        pytest.skip(f"no {tool} on the PATH")
    _, _, *arguments = SERVICES[service]["healthcheck"]["test"]
    nowhere = [re.sub(r"localhost:\d+", "127.0.0.1:9", argument) for argument in arguments]
    done = subprocess.run([path, *nowhere], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "connection refused" in done.stdout + done.stderr


@each_service
def test_a_config_that_a_command_names_is_mounted(name: str) -> None:
    """The program finds its config where its command says."""
    for word in SERVICES[name].get("command", ()):
        option, _, path = word.partition("=")
        if option in ("--config", "--config.file"):
            assert inside(name, path).is_file()


def test_the_collector_finds_the_others_where_they_listen() -> None:
    """The addresses in its environment are names of services, with the ports that these are configured for."""
    environment = SERVICES["otelcol"]["environment"]
    jaeger = (CONFIGS / "jaeger" / "jaeger.yaml").read_text()
    assert environment["TRACES_ENDPOINT"] == "http://jaeger:14318"
    assert "JAEGER_OTLP_PORT:-14318" in jaeger
    assert environment["METRICS_ENDPOINT"].startswith("http://prometheus:9090/")
    assert "--web.enable-otlp-receiver" in SERVICES["prometheus"]["command"]
    used = "".join(inside("otelcol", word.partition("=")[2]).read_text() for word in SERVICES["otelcol"]["command"])
    assert {name for name in environment if f"env:{name}" not in used} == {"GOMEMLIMIT"}  # which Go itself reads


def test_prometheus_finds_its_rules_the_collector_and_alertmanager() -> None:
    """Targets are names of services; the rule file is where the config looks for it."""
    command = SERVICES["prometheus"]["command"]
    text = inside("prometheus", command[0].partition("=")[2]).read_text()
    config = yaml.safe_load(text)
    rules = Path("/etc/prometheus") / config["rule_files"][0]
    assert inside("prometheus", str(rules)) == files.source("dashboards/alerts/rules.yaml").resolve()
    targets = re.findall(r"targets: \[(\w+):(\d+)\]", text)
    assert set(targets) == {("alertmanager", "9093"), ("otelcol", "8888")}  # nothing that would be down for ever
    assert {host for host, _ in targets} <= set(SERVICES)


def test_prometheus_keeps_what_the_error_budget_looks_back_over() -> None:
    """By default it would forget half of the thirty days."""
    (kept,) = (
        re.search(r"retention.time=(\d+)d", word) for word in SERVICES["prometheus"]["command"] if "retention" in word
    )
    assert kept
    assert int(kept[1]) * 86400 > settings.load().slo.window.seconds


def test_grafana_is_provisioned_with_the_sources_that_the_dashboards_ask_for() -> None:
    """Prometheus, Jaeger and Alertmanager, at the services' addresses, and the folder with the dashboards."""
    sources = yaml.safe_load((CONFIGS / "grafana" / "datasources" / "datasources.yaml").read_text())["datasources"]
    assert {source["type"] for source in sources} == {"prometheus", "jaeger", "alertmanager"}
    for source in sources:
        host, port = re.fullmatch(r"http://(\w+):(\d+)", source["url"]).groups()  # type: ignore[union-attr]
        assert f"127.0.0.1:{port}:{port}" in SERVICES[host]["ports"]
    (provider,) = yaml.safe_load((CONFIGS / "grafana" / "dashboards" / "dashboards.yaml").read_text())["providers"]
    assert (inside("grafana", provider["options"]["path"]) / "overview.json").is_file()


def test_a_span_leads_to_the_numbers_of_its_process_also_where_its_service_has_a_namespace() -> None:
    """Its job is `namespace/name` then, and its service is only the name."""
    sources = yaml.safe_load((CONFIGS / "grafana" / "datasources" / "datasources.yaml").read_text())["datasources"]
    (link,) = (source["jsonData"]["tracesToMetrics"] for source in sources if source["type"] == "jaeger")
    assert link["tags"] == [{"key": "service.instance.id", "value": "instance"}]
    (query,) = link["queries"]
    assert '{anthropic_client_attempt_outcome="failed",$$__tags}' in query["query"]  # file provisioning halves $$


@pytest.mark.parametrize("config", sorted((CONFIGS / "jaeger").glob("*.yaml")), ids=lambda path: path.name)
def test_jaeger_does_not_trace_itself(config: Path) -> None:
    """On one machine its traces would come back to it through the Collector, among the app's."""
    assert yaml.safe_load(config.read_text())["extensions"]["jaeger_query"]["enable_tracing"] is False


def test_the_collector_image_is_the_version_that_the_tests_build() -> None:
    """What is tested is what is started."""
    from anthropic_otel.bundle.kubernetes import IMAGE

    version = yaml.safe_load((CONFIGS / "builder.yaml").read_text())["dist"]["version"]
    assert SERVICES["otelcol"]["image"] == IMAGE == f"otel/opentelemetry-collector-contrib:{version}"


def test_the_line_for_one_image_mounts_what_is_there_where_grafana_looks_for_it() -> None:
    """The dashboards where their provider says, and the provider and the alerts in Grafana's provisioning."""
    (line,) = re.findall(r"^#   (docker run .*)$", (CONFIGS / "compose.yaml").read_text(), re.MULTILINE)
    mounted = dict(re.findall(r'-v "\$PWD/([^:"]+):([^:"]+):ro"', line))
    assert len(mounted) == line.count(" -v ") == 3
    for source in mounted:
        assert (CONFIGS.parent / source).exists(), source
    provider = "collector-config/grafana/dashboards/dashboards.yaml"
    (configured,) = yaml.safe_load((CONFIGS.parent / provider).read_text())["providers"]
    assert configured["options"]["path"] == mounted["dashboards"]
    assert {mounted[provider].split("/")[-2], mounted["dashboards/alerts/grafana-alerting.yaml"].split("/")[-2]} == {
        "dashboards",
        "alerting",
    }
    assert re.search(r" grafana/otel-lgtm:\d+\.\d+\.\d+$", line)


def test_the_other_images_are_the_versions_that_are_built_where_there_is_no_docker() -> None:
    """Both ways to start the stack start the same. Jaeger's modules count in another way than its images."""
    from anthropic_otel.cli.stack import binaries

    versions = {name: service["image"].partition(":")[2] for name, service in SERVICES.items()}
    built = {one.name: one.recipe.key.partition("@")[2] for one in binaries.STACK if one.recipe}
    assert built["Alertmanager"] == versions["alertmanager"]
    major, minor, patch = versions["prometheus"].removeprefix("v").split(".")
    assert built["Prometheus"] == f"v0.{major}{int(minor):02}.{patch}"
    assert (built["Jaeger"], versions["jaeger"]) == ("v1.76.0", "2.13.0")


# -- configs -----------------------------------------------------------------------------------------------------------

TIERS = ("all-in-one.yaml", "agent.yaml", "gateway.yaml")


@pytest.mark.parametrize("tier", TIERS)
def test_a_tier_limits_memory_first_queues_on_disk_and_watches_itself(tier: str) -> None:
    """In every pipeline; no exporter without a bounded, persistent queue; no batch processor."""
    config = yaml.safe_load((CONFIGS / tier).read_text())
    for pipeline in config["service"]["pipelines"].values():
        assert pipeline["processors"][0] == "memory_limiter"
        assert "batch" not in pipeline["processors"]
    for exporter in config["exporters"].values():
        assert exporter["sending_queue"]["storage"] == "file_storage"
        assert exporter["sending_queue"]["sizer"] == "bytes"  # or large exports would take any amount of disk
        assert re.fullmatch(r"\$\{env:TRACES_QUEUE_BYTES:-\d+\}", exporter["sending_queue"]["queue_size"])
        assert exporter["sending_queue"]["batch"]["sizer"] == "items"
    assert config["service"]["telemetry"]["metrics"]["readers"]
    assert {"health_check", "file_storage"} <= set(config["service"]["extensions"])


@pytest.mark.parametrize("tier", TIERS[:2])
def test_redaction_masks_keys_and_spares_token_counts(tier: str) -> None:
    """Its patterns find a key; none of them is on names, where `.*token.*` would mask the usage."""
    redaction = yaml.safe_load((CONFIGS / tier).read_text())["processors"]["redaction"]
    assert any(re.search(pattern, "key sk-ant-api03-abcdefgh12345678 here") for pattern in redaction["blocked_values"])
    assert any(
        re.search(pattern, "Authorization: Bearer abcdefghij1234567890") for pattern in redaction["blocked_values"]
    )
    assert not any(re.search(pattern, "1234") for pattern in redaction["blocked_values"])
    assert "blocked_key_patterns" not in redaction


def test_the_tiers_take_out_the_same() -> None:
    """Agent and all-in-one have one and the same idea of what must not leave."""
    agent, single = (yaml.safe_load((CONFIGS / tier).read_text())["processors"] for tier in ("agent.yaml", TIERS[0]))
    assert agent == single


def test_every_component_in_use_is_in_the_builders_manifest() -> None:
    """And nothing else, so that the build stays short."""
    manifest = (CONFIGS / "builder.yaml").read_text()
    module = {
        "otlp": "otlpreceiver",
        "otlp_http": "otlphttpexporter",
        "load_balancing": "loadbalancingexporter",
        "prometheus_remote_write": "prometheusremotewriteexporter",
        "span_metrics": "spanmetricsconnector",
        "file_storage": "filestorage",
    }
    used = set()
    for path in (*(CONFIGS / tier for tier in TIERS), *(CONFIGS / "metrics").glob("*.yaml")):
        config = yaml.safe_load(path.read_text())
        for section in ("receivers", "processors", "connectors", "exporters", "extensions"):
            for name in config.get(section, {}):
                kind = name.split("/")[0]
                suffix = section.removesuffix("s") if kind not in module else ""
                used.add(module.get(kind, kind.replace("_", "") + suffix))
    # The load-balancing exporter is made of the OTLP one, which its configs do not name.
    assert set(re.findall(r"/(\w+) v", manifest.split("providers:")[0])) - {"otlpexporter"} == used


# -- Kubernetes --------------------------------------------------------------------------------------------------------


def test_kustomize_builds_every_kubernetes_file() -> None:
    """Nothing is left out of the kustomization, and what it names is there."""
    folder = CONFIGS / "kubernetes"
    named = set(yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"])
    assert named == {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml"}
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        assert not os.environ.get("CI"), "kubectl must be there in CI: apt-get install kubernetes-client"
        pytest.skip("no kubectl on the PATH")
    said = subprocess.run([kubectl, "kustomize", str(folder)], capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    kinds = [document["kind"] for document in yaml.safe_load_all(said.stdout)]
    assert sorted(kinds) == [
        *["ConfigMap"] * 4,
        *["NetworkPolicy"] * 2,
        "OpenTelemetryCollector",
        "OpenTelemetryCollector",
        "PodMonitor",
        "PrometheusRule",
    ]


def test_kubectl_can_apply_every_resource() -> None:
    """It keeps each as JSON in an annotation, and annotations must not be longer than 256 KiB together."""
    for path in sorted((CONFIGS / "kubernetes").glob("*.yaml")):
        for resource in yaml.safe_load_all(path.read_text()):
            assert len(json.dumps(resource)) < 256 * 1024 - 1024, (path.name, resource["kind"])


def test_the_dashboards_of_a_cluster_are_the_dashboards() -> None:
    """The same as in the files, for the sidecar to load."""
    found: dict[str, Any] = {}
    for resource in yaml.safe_load_all((CONFIGS / "kubernetes" / "dashboards.yaml").read_text()):
        assert resource["metadata"]["labels"] == {"grafana_dashboard": "1"}
        found |= {name: json.loads(text) for name, text in resource["data"].items()}
    boards = files.source("dashboards").glob("*.json")
    assert found == {f"anthropic-otel-{path.name}": json.loads(path.read_text()) for path in boards}


def expanded(text: str, values: dict[str, str]) -> str:
    """A config with some of its variables filled in."""
    return re.sub(r"\$\{env:(\w+):-[^}]*\}", lambda found: values.get(found[1], found[0]), text)


@pytest.mark.parametrize("resource", ["agent.yaml", "gateway.yaml"])
def test_the_operator_can_read_where_a_collector_listens(resource: str) -> None:
    """It makes the ports of services and probes of these, by looking for a number; a variable would give none."""
    config = yaml.safe_load((CONFIGS / "kubernetes" / resource).read_text())["spec"]["config"]
    protocols = config["receivers"]["otlp"]["protocols"]
    assert [protocols[name]["endpoint"] for name in ("grpc", "http")] == ["0.0.0.0:4317", "0.0.0.0:4318"]
    assert config["extensions"]["health_check"]["endpoint"] == "0.0.0.0:13133"
    (reader,) = config["service"]["telemetry"]["metrics"]["readers"]
    assert reader["pull"]["exporter"]["prometheus"] == {"host": "0.0.0.0", "port": 8888}


@pytest.mark.parametrize(("resource", "shipped"), [("agent.yaml", "agent.yaml"), ("gateway.yaml", "gateway.yaml")])
def test_a_cluster_runs_the_tested_config_with_variables_that_are_in_it(resource: str, shipped: str) -> None:
    """The resource carries the config; each variable that it sets is one that the config reads."""
    from anthropic_otel.bundle.kubernetes import ADDRESSES

    spec = yaml.safe_load((CONFIGS / "kubernetes" / resource).read_text())["spec"]
    config = yaml.safe_load(expanded((CONFIGS / shipped).read_text(), ADDRESSES))
    for section in ("receivers", "processors", "connectors", "extensions"):
        assert spec["config"].get(section) == config.get(section)
    assert spec["config"]["service"]["telemetry"] == config["service"]["telemetry"]
    text = str(spec["config"])
    unread = {variable["name"] for variable in spec["env"] if f"env:{variable['name']}" not in text}
    assert unread == {"GOMEMLIMIT"}  # which Go itself reads
    assert "env:STORAGE_DIR" in text
    assert spec["volumeMounts"][0]["mountPath"] == {v["name"]: v["value"] for v in spec["env"]}["STORAGE_DIR"]
