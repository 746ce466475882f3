"""The environments of the peers: made once, outside the tree, and kept.

Rule: every environment has the versions of the SDK, its HTTP library and OpenTelemetry that the benchmark itself
runs with, so that a peer is all that differs.
"""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
import sys
import venv
from importlib.metadata import version
from pathlib import Path

PEERS = {
    "httpx2": ["opentelemetry-instrumentation-httpx"],
    "traceloop": ["opentelemetry-instrumentation-anthropic"],
    "openinference": ["openinference-instrumentation-anthropic"],
}
"""What each peer's environment has besides the common versions."""

_COMMON = ("anthropic", "httpx2", "opentelemetry-api", "opentelemetry-sdk", "pydantic")


class Unavailable(Exception):
    """An environment cannot be made here, as without a package index."""


@functools.cache
def python_of(environment: str) -> str:
    """The interpreter of an environment, which is made if it is not there. Raises `Unavailable`."""
    if environment == "base":
        return sys.executable
    requirements = [*(f"{name}=={version(name)}" for name in _COMMON), *PEERS[environment]]
    key = hashlib.sha256("\n".join((sys.version, *requirements)).encode()).hexdigest()[:12]
    folder = _cache() / f"{environment}-{key}"
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not (folder / "complete").exists():
        _make(folder, python, requirements)
    return str(python)


def _make(folder: Path, python: Path, requirements: list[str]) -> None:
    print(f"Installing {requirements[-1]} into {folder}", file=sys.stderr)
    try:
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *requirements], check=True, stdout=sys.stderr)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unavailable(f"{requirements[-1]} cannot be installed: {error}") from error
    (folder / "complete").touch()


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "anthropic-otel" / "benchmarks"
