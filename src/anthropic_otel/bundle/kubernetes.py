"""What Kubernetes needs around files that exist: the Collectors as resources of the OpenTelemetry operator, and the
dashboards and rules through kustomize.

Rule: no setting of a Collector is written a second time; the resources carry the tested configs, with the
variables of a cluster. Where the Collector listens is written out in them: the operator reads the ports of its services
and probes from there, and knows no variables.
"""

from __future__ import annotations

import json
import re
from typing import Any

from anthropic_otel.bundle import files
from anthropic_otel.bundle.rules import dump

HEADER = """\
# Generated from ../agent.yaml, ../gateway.yaml and ../metrics/otlp.yaml; edit those, not this one.
#
# It listens on 0.0.0.0, the addresses of its pod, and asks nobody who they are: network-policy.yaml says who may reach
# which port. `networkPolicy` is off here, as the operator's own would let everybody reach every port.
"""
IMAGE = "otel/opentelemetry-collector-contrib:0.159.0"
_FOLDER = "collector-config/kubernetes/"
ADDRESSES = {
    "OTLP_HOST": "0.0.0.0",
    "OTLP_GRPC_PORT": "4317",
    "OTLP_HTTP_PORT": "4318",
    "SELF_HOST": "0.0.0.0",
    "SELF_PORT": "8888",
    "HEALTH_HOST": "0.0.0.0",
    "HEALTH_PORT": "13133",
}
"""Where a Collector listens in a pod of its own, by the variables of the configs."""


def generated(made: dict[str, str]) -> dict[str, str]:
    """The Kubernetes files that are made from other files. `made` are the dashboards and rules."""
    boards = {path: text for path, text in made.items() if path.endswith(".json")}
    return {
        _FOLDER + "agent.yaml": HEADER + dump(_agent()),
        _FOLDER + "gateway.yaml": HEADER + dump(_gateway()),
        _FOLDER + "dashboards.yaml": "# Generated from ../../dashboards.\n"
        + "---\n".join(dump(_dashboard(path, text)) for path, text in boards.items()),
        _FOLDER + "prometheus-rule.yaml": made["dashboards/alerts/prometheus-rule.yaml"],
    }


def _config(*names: str) -> dict[str, Any]:
    """The shipped configs, merged as the Collector merges them: maps by key, everything else replaced."""
    import yaml

    merged: dict[str, Any] = {}
    for name in names:
        text = files.source(f"collector-config/{name}").read_text(encoding="utf-8")
        text = re.sub(r"\$\{env:(\w+):-[^}]*\}", lambda variable: ADDRESSES.get(variable[1], variable[0]), text)
        _merge(merged, yaml.safe_load(text))
    return merged


def _merge(into: dict[str, Any], more: dict[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def _collector(name: str, mode: str, config: dict[str, Any], variables: dict[str, str], **spec: Any) -> dict[str, Any]:
    # Go's collector works harder from here on; the memory limiter refuses at the same share of the pod's limit.
    limit = int(spec["resources"]["limits"]["memory"].removesuffix("Mi"))
    variables = {**variables, "STORAGE_DIR": "/queue", "GOMEMLIMIT": f"{limit * 80 // 100}MiB"}
    return {
        "apiVersion": "opentelemetry.io/v1beta1",
        "kind": "OpenTelemetryCollector",
        "metadata": {"name": name},
        "spec": {
            "mode": mode,
            "image": IMAGE,
            "env": [{"name": key, "value": value} for key, value in variables.items()],
            # The user of the image, to whom `fsGroup` gives the queue.
            "podSecurityContext": {
                "runAsNonRoot": True,
                "runAsUser": 10001,
                "runAsGroup": 10001,
                "fsGroup": 10001,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            },
            "networkPolicy": {"enabled": False},
            **spec,
            "volumeMounts": [{"name": "queue", "mountPath": "/queue"}],
            "config": config,
        },
    }


def _agent() -> dict[str, Any]:
    """On every node, its queue in the pod's own directory: a container that is restarted finds it again, a pod that is
    replaced does not. A directory of the node is no volume of the restricted profile; `kubernetes-node-disk` has it.
    """
    return _collector(
        "anthropic-otel-agent",
        "daemonset",
        _config("agent.yaml", "metrics/otlp.yaml"),
        {
            "GATEWAY_HOST": "anthropic-otel-gateway-collector-headless",
            "GATEWAY_PORT": "4317",
            "METRICS_ENDPOINT": "http://prometheus-operated.monitoring.svc:9090/api/v1/otlp",
        },
        resources={
            "requests": {"cpu": "100m", "memory": "128Mi", "ephemeral-storage": "1Gi"},
            "limits": {"memory": "256Mi", "ephemeral-storage": "6Gi"},
        },
        volumes=[{"name": "queue", "emptyDir": {"sizeLimit": "5Gi"}}],
    )


def _gateway() -> dict[str, Any]:
    """At least two, each with a volume of its own."""
    claim = {
        "metadata": {"name": "queue"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "5Gi"}}},
    }
    return _collector(
        "anthropic-otel-gateway",
        "statefulset",
        _config("gateway.yaml"),
        {"TRACES_ENDPOINT": "http://tempo.monitoring.svc:4318"},
        replicas=2,
        podDisruptionBudget={"maxUnavailable": 1},
        resources={"requests": {"cpu": "500m", "memory": "1024Mi"}, "limits": {"memory": "2048Mi"}},
        volumeClaimTemplates=[claim],
    )


def _dashboard(path: str, text: str) -> dict[str, Any]:
    """A ConfigMap with the label that Grafana's sidecar looks for.

    One for each dashboard and without white space: `kubectl apply` keeps a copy in an annotation, which must not be
    longer than 256 KiB.
    """
    file = f"anthropic-otel-{path.rsplit('/', 1)[-1]}"
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": file.removesuffix(".json"),
            "labels": {"grafana_dashboard": "1"},
            "annotations": {"grafana_folder": "Claude API"},
        },
        "data": {file: json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))},
    }
