"""The rules of Kubernetes' Pod Security Standards, as far as a pod's own specification decides.

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/ (restricted, which includes baseline).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
"""The kinds of volumes of the restricted profile."""
CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
_SECCOMP = ("RuntimeDefault", "Localhost")


def pod(collector: dict[str, Any]) -> dict[str, Any]:
    """The pod that the operator makes of an `OpenTelemetryCollector`, in what Pod Security looks at."""
    spec = collector["spec"]
    claims = [
        {"name": claim["metadata"]["name"], "persistentVolumeClaim": {}}
        for claim in spec.get("volumeClaimTemplates", [])
    ]
    return {
        "hostNetwork": spec.get("hostNetwork", False),
        "securityContext": spec.get("podSecurityContext", {}),
        "volumes": [{"name": "config", "configMap": {}}, *spec.get("volumes", []), *claims],
        "initContainers": spec.get("initContainers", []),
        "containers": [
            {
                "name": "otc-container",
                "securityContext": spec.get("securityContext", {}),
                "volumeMounts": spec.get("volumeMounts", []),
                "ports": spec.get("ports", []),
            },
            *spec.get("additionalContainers", []),
        ],
    }


def violations(pod: dict[str, Any]) -> Iterator[str]:
    """Each rule of the restricted profile that a pod breaks, with the field."""
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(field):
            yield field
    for volume in pod.get("volumes", []):
        for kind in volume.keys() - {"name"}:
            if kind not in VOLUMES:
                yield f"volumes: {kind}"
    whole = pod.get("securityContext", {})
    if whole.get("sysctls"):
        yield "sysctls"
    if whole.get("runAsUser") == 0:
        yield "runAsUser"
    for container in (one for field in CONTAINERS for one in pod.get(field, [])):
        own = container.get("securityContext", {})
        if own.get("privileged"):
            yield "privileged"
        if own.get("allowPrivilegeEscalation") is not False:
            yield "allowPrivilegeEscalation"
        if own.get("runAsNonRoot", whole.get("runAsNonRoot")) is not True:
            yield "runAsNonRoot"
        if own.get("runAsUser") == 0:
            yield "runAsUser"
        profile = own.get("seccompProfile", whole.get("seccompProfile", {}))
        if profile.get("type") not in _SECCOMP:
            yield "seccompProfile"
        capabilities = own.get("capabilities", {})
        if "ALL" not in capabilities.get("drop", []):
            yield "capabilities.drop"
        if set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
            yield "capabilities.add"
        if own.get("procMount", "Default") != "Default":
            yield "procMount"
        if any(port.get("hostPort") for port in container.get("ports", [])):
            yield "hostPort"
