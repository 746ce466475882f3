"""The Kubernetes files, as far as they can be judged without a cluster: what their pods may do, need and reach."""

from __future__ import annotations

import copy
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from anthropic_otel.bundle import files

from .pod_security import pod, violations
from .units import size

FOLDER = files.source("collector-config") / "kubernetes"
COLLECTORS = ("agent.yaml", "gateway.yaml")


def collector(name: str) -> dict[str, Any]:
    """A shipped Collector."""
    found: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text())
    return found


@pytest.mark.parametrize("name", COLLECTORS)
def test_a_collectors_pod_keeps_every_rule_of_the_restricted_profile(name: str) -> None:
    """It starts in a namespace with `pod-security.kubernetes.io/enforce: restricted`."""
    assert list(violations(pod(collector(name)))) == []


def without(*path: str) -> Callable[[dict[str, Any]], None]:
    """Takes a field out."""

    def change(spec: dict[str, Any]) -> None:
        for part in path[:-1]:
            spec = spec[part]
        del spec[path[-1]]

    return change


def having(value: Any, *path: str) -> Callable[[dict[str, Any]], None]:
    """Sets a field."""

    def change(spec: dict[str, Any]) -> None:
        for part in path[:-1]:
            spec = spec[part]
        spec[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (without("podSecurityContext", "runAsNonRoot"), "runAsNonRoot"),
        (having(0, "podSecurityContext", "runAsUser"), "runAsUser"),
        (without("podSecurityContext", "seccompProfile"), "seccompProfile"),
        (having({"type": "Unconfined"}, "podSecurityContext", "seccompProfile"), "seccompProfile"),
        (without("securityContext", "allowPrivilegeEscalation"), "allowPrivilegeEscalation"),
        (without("securityContext", "capabilities"), "capabilities.drop"),
        (having(["SYS_ADMIN"], "securityContext", "capabilities", "add"), "capabilities.add"),
        (having(True, "securityContext", "privileged"), "privileged"),
        (having([{"name": "queue", "hostPath": {"path": "/var"}}], "volumes"), "volumes: hostPath"),
        (having(True, "hostNetwork"), "hostNetwork"),
        (having([{"hostPort": 4317}], "ports"), "hostPort"),
    ],
    ids=lambda one: one if isinstance(one, str) else None,
)
def test_each_rule_of_the_profile_finds_what_breaks_it(change: Callable[[dict[str, Any]], None], rule: str) -> None:
    """The check itself: one change of the shipped agent breaks one rule."""
    made = copy.deepcopy(collector("agent.yaml"))
    change(made["spec"])
    assert list(violations(pod(made))) == [rule]


@pytest.mark.parametrize("name", COLLECTORS)
def test_a_collector_asks_for_what_it_needs_and_its_limits_agree(name: str) -> None:
    """The memory limiter's share of the pod's limit is what Go's own limit is; its queue fits its volume."""
    spec = collector(name)["spec"]
    requests, limits = spec["resources"]["requests"], spec["resources"]["limits"]
    assert {"cpu", "memory"} <= requests.keys()
    assert size(requests["memory"]) <= size(limits["memory"])
    variables = {one["name"]: one["value"] for one in spec["env"]}
    share = spec["config"]["processors"]["memory_limiter"]["limit_percentage"] / 100
    assert size(variables["GOMEMLIMIT"]) == pytest.approx(share * size(limits["memory"]), rel=0.01)
    if "volumes" in spec:
        (queue,) = spec["volumes"]
        volume = size(queue["emptyDir"]["sizeLimit"])
        assert volume < size(limits["ephemeral-storage"])
    else:
        (claim,) = spec["volumeClaimTemplates"]
        volume = size(claim["spec"]["resources"]["requests"]["storage"])
    queues = [
        int(re.findall(r":-(\d+)", exporter["sending_queue"]["queue_size"])[0])
        for exporter in spec["config"]["exporters"].values()
    ]
    assert 2 * sum(queues) < volume  # a full queue's file: tests/backends/test_queue_on_disk.py


def test_the_collector_of_the_compose_file_has_a_limit_that_its_limiter_takes_a_share_of() -> None:
    """Percentages without one are of the whole machine."""
    service = yaml.safe_load(files.source("collector-config/compose.yaml").read_text())["services"]["otelcol"]
    config = yaml.safe_load(files.source("collector-config/all-in-one.yaml").read_text())
    share = config["processors"]["memory_limiter"]["limit_percentage"] / 100
    limit = size(service["environment"]["GOMEMLIMIT"])
    assert limit == pytest.approx(share * size(service["mem_limit"]), rel=0.01)


def policies() -> dict[str, dict[str, Any]]:
    """The network policies, by name."""
    found = yaml.safe_load_all((FOLDER / "network-policy.yaml").read_text())
    return {policy["metadata"]["name"]: policy["spec"] for policy in found}


def ports(rules: list[dict[str, Any]]) -> set[int]:
    """The ports that some rules open."""
    return {port["port"] for rule in rules for port in rule["ports"]}


@pytest.mark.parametrize("name", COLLECTORS)
def test_a_network_policy_opens_what_a_collector_uses_and_nothing_else(name: str) -> None:
    """In: OTLP and its own metrics. Out: names, and the addresses that it is given."""
    resource = collector(name)
    assert resource["spec"]["networkPolicy"] == {"enabled": False}  # the operator's own opens every port to everybody
    policy = policies()[resource["metadata"]["name"]]
    assert policy["podSelector"]["matchLabels"]["app.kubernetes.io/name"] == f"{resource['metadata']['name']}-collector"
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert all(rule["from"] for rule in policy["ingress"])
    assert all(rule["to"] for rule in policy["egress"])
    otlp = {4317, 4318} if name == "agent.yaml" else {4317}
    assert ports(policy["ingress"]) == {8888, *otlp}
    variables = {one["name"]: one["value"] for one in resource["spec"]["env"]}
    wanted = {int(found) for value in variables.values() for found in re.findall(r"^http://[^/]+:(\d+)", value)}
    wanted |= {int(variables["GATEWAY_PORT"])} if "GATEWAY_PORT" in variables else set()
    assert ports(policy["egress"]) == {53} | wanted


def test_the_gateway_is_reached_by_agents_only() -> None:
    """What an agent takes out cannot be gone around."""
    found = policies()
    (traces,) = (rule for rule in found["anthropic-otel-gateway"]["ingress"] if ports([rule]) == {4317})
    agent = found["anthropic-otel-agent"]["podSelector"]["matchLabels"]["app.kubernetes.io/name"]
    assert traces["from"] == [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": agent}}}]


def test_the_variant_with_a_disk_of_the_node_breaks_just_what_it_says() -> None:
    """A hostPath and root, and nothing that these do not need."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        assert not os.environ.get("CI"), "kubectl must be there in CI: apt-get install kubernetes-client"
        pytest.skip("no kubectl on the PATH")
    said = subprocess.run(
        [kubectl, "kustomize", str(FOLDER.with_name("kubernetes-node-disk"))], capture_output=True, text=True
    )
    assert said.returncode == 0, said.stderr
    (agent,) = (
        one
        for one in yaml.safe_load_all(said.stdout)
        if one["kind"] == "OpenTelemetryCollector" and one["metadata"]["name"] == "anthropic-otel-agent"
    )
    assert set(violations(pod(agent))) == {"volumes: hostPath", "runAsUser", "runAsNonRoot"}
    assert agent["spec"]["securityContext"] == collector("agent.yaml")["spec"]["securityContext"]


def test_the_readme_names_every_file() -> None:
    """Whoever applies them knows what each is."""
    readme = (FOLDER / "README.md").read_text()
    shipped = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"} | {"../kubernetes-node-disk"}
    assert {name for name in shipped if f"`{name}`" not in readme} == set()


def test_every_mount_of_the_queue_is_where_the_collector_writes() -> None:
    """The rest of its file system is read-only."""
    for name in COLLECTORS:
        spec = collector(name)["spec"]
        assert spec["securityContext"]["readOnlyRootFilesystem"] is True
        (mount,) = spec["volumeMounts"]
        storage = spec["config"]["extensions"]["file_storage"]
        variables = {one["name"]: one["value"] for one in spec["env"]}
        assert storage["directory"].startswith("${env:STORAGE_DIR:-")
        assert Path(variables["STORAGE_DIR"]) == Path(mount["mountPath"])
