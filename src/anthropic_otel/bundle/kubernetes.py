"""Generates the Kubernetes files: Collectors and alert rules as resources of operators, dashboards as ConfigMaps.

Rule: no config of a Collector is repeated here; the resources contain the tested configs, with a cluster's values for
their variables. Addresses to listen on are written out, because the operator derives ports and probes from them and
does not expand variables.
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
"""The addresses and ports on which a Collector listens in its pod, by the variables of the configs."""


def generated(made: dict[str, str]) -> dict[str, str]:
    """Returns the text of the generated Kubernetes files, by their paths.

    `made` has the text of the generated dashboards and rules, by their paths; both kinds of path are relative to
    `files.root`.
    """
    boards = {path: text for path, text in made.items() if path.endswith(".json")}
    return {
        _FOLDER + "agent.yaml": HEADER + dump(_agent()),
        _FOLDER + "gateway.yaml": HEADER + dump(_gateway()),
        _FOLDER + "dashboards.yaml": "# Generated from ../../dashboards.\n"
        + "---\n".join(dump(_dashboard(path, text)) for path, text in boards.items()),
        _FOLDER + "prometheus-rule.yaml": made["dashboards/alerts/prometheus-rule.yaml"],
    }


def _config(*names: str) -> dict[str, Any]:
    """Returns the shipped configs of these names, merged as the Collector merges them: maps by key, all else replaced.

    Variables of `ADDRESSES`, where they are written with a default, are replaced by their values; others stay.
    """
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
    # Above 80 % Go's garbage collector works harder; the memory limiter refuses data at the same share of the limit.
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
    """Returns the operator's resource of the agent: a Collector on every node, with its queue in its pod's `emptyDir`.

    The queue survives a restart of the container, but not a replacement of the pod. A directory of the node would
    survive that too, but the restricted profile forbids it; `collector-config/kubernetes-node-disk` uses one.
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
    """Returns the operator's resource of the gateway: two Collectors, each with a persistent volume for its queue."""
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
    """Returns a ConfigMap with one dashboard and the label that Grafana's sidecar looks for.

    `path` is the path of the dashboard's file, and `text` its JSON. The JSON is compacted, because `kubectl apply`
    copies it into an annotation, which is limited to 256 KiB.
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
