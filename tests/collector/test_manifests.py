"""The compose file and the Kubernetes files, read by the libraries of the programs that they are for.

`tools/manifests` is that: Docker Compose's loader, the types of Kubernetes and of the Prometheus operator, and Pod
Security admission. The OpenTelemetry operator's types cannot be had from the module proxy.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from anthropic_otel.bundle import files

from .pod_security import pod
from .test_kubernetes import COLLECTORS, collector

pytestmark = pytest.mark.slow

SOURCE = Path(__file__).parents[2] / "tools/manifests"
CONFIGS = files.source("collector-config")


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The program, which Go builds; it keeps what it has built."""
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        pytest.skip("no go on the PATH")
    target = tmp_path_factory.mktemp("manifests") / "manifests"
    built = subprocess.run([go, "build", "-o", target, "."], cwd=SOURCE, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return str(target)


def faults(tool: str, *paths: Path) -> list[str]:
    """The faults that the program finds in some files."""
    done = subprocess.run([tool, *map(str, paths)], capture_output=True, text=True, check=False)
    assert done.returncode == bool(done.stdout), done.stderr
    return done.stdout.splitlines()


def pods(folder: Path, **security: Any) -> Path:
    """The pods of the shipped Collectors in a file, with something else in their security context."""
    path = folder / "pods.yaml"
    made = []
    for name in COLLECTORS:
        spec = pod(collector(name))
        spec["securityContext"] = {**spec["securityContext"], **security}
        spec["containers"] = [{"name": "collector", "image": "an-image", **each} for each in spec["containers"]]
        spec["volumes"] = [
            {**each, "persistentVolumeClaim": {"claimName": "queue"}} if "persistentVolumeClaim" in each else each
            for each in spec["volumes"]
        ]
        made.append({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
    path.write_text(yaml.safe_dump_all(made))
    return path


def test_the_real_libraries_find_no_fault(tool: str, tmp_path: Path) -> None:
    """In any file, and in the pods that the operator makes of the Collectors."""
    kubernetes = [
        path
        for path in sorted((CONFIGS / "kubernetes").glob("*.yaml"))
        if path.name not in ("kustomization.yaml", *COLLECTORS)
    ]
    assert len(kubernetes) == 4
    assert faults(tool, CONFIGS / "compose.yaml", *kubernetes, pods(tmp_path)) == []


@pytest.mark.parametrize(
    ("name", "old", "new", "fault"),
    [
        ("compose.yaml", "mem_limit", "memory_limit", ".memory_limit"),
        ("compose.yaml", "128m", "128 much", "invalid suffix: 'much'"),
        ("kubernetes/network-policy.yaml", "podSelector", "podSelectr", 'unknown field "podSelectr"'),
        ("kubernetes/monitors.yaml", "selector", "selektor", 'unknown field "selektor"'),
        ("kubernetes/prometheus-rule.yaml", "expr", "expression", 'unknown field "expression"'),
    ],
)
def test_a_word_that_is_wrong_is_found(tool: str, tmp_path: Path, name: str, old: str, new: str, fault: str) -> None:
    """A check that finds nothing proves nothing."""
    path = tmp_path / "compose.yaml"
    path.write_text((CONFIGS / name).read_text().replace(old, new))
    assert fault in "\n".join(faults(tool, path))


def test_a_pod_that_may_be_root_is_not_restricted(tool: str, tmp_path: Path) -> None:
    """As Kubernetes itself says."""
    found = faults(tool, pods(tmp_path, runAsNonRoot=False))
    assert len(found) == len(COLLECTORS)
    assert all("runAsNonRoot != true" in fault for fault in found)
