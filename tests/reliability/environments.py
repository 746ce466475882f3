"""Virtual environments for what is not to be installed beside the test suite: other instrumentations, servers, the
SDK's own tests.

The rule: an environment is made once, by uv, and kept outside of the tree under the hash of what is in it. The library
is never installed in it: it is put on the path, so that a kept environment has today's code.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
SDK: Final = "anthropic[bedrock,aiohttp]==2.11.0"
CONSTRAINTS: Final = ROOT / "tests" / "reliability" / "constraints.txt"
WITHOUT_SDK: Final = ("opentelemetry-api>=1.30", "opentelemetry-sdk>=1.30", "h11>=0.14", "trustme>=1.1")
"""What a program needs that runs something else than the SDK against the simulator."""
BASE: Final = (SDK, *WITHOUT_SDK)
"""What a program needs that runs the SDK against the simulator."""


def cache() -> Path:
    """Where environments and downloads are kept between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "anthropic-otel"


def environment(name: str, requirements: Sequence[str], constraints: Path = CONSTRAINTS) -> Path:
    """The Python of an environment with these packages. Raises `CalledProcessError` if they cannot be installed."""
    told = "\n".join([sys.version, *requirements, constraints.read_text("utf-8")])
    home = cache() / "environments" / f"{name}-{hashlib.sha256(told.encode()).hexdigest()[:12]}"
    python = home / "bin" / "python"
    with _alone(home):
        if not (home / "complete").exists():
            _uv("venv", "-q", "--clear", "-p", sys.executable, str(home))
            _uv("pip", "install", "-q", "-p", str(python), "-c", str(constraints), *requirements)
            (home / "complete").touch()
    return python


def _uv(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "uv", *arguments], check=True)


def run(python: Path, program: Path, *arguments: str, timeout: float = 300, **variables: str) -> str:
    """What a program of the test suite prints in an environment. Raises `CalledProcessError` with its errors."""
    done = subprocess.run(
        [str(python), str(program), *arguments],
        env=variables_of(variables),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"{program.name} {' '.join(arguments)} exited {done.returncode}:\n{done.stderr[-4000:]}")
    return done.stdout


def variables_of(more: Mapping[str, str]) -> dict[str, str]:
    """The variables for a child: ours on its path, and nothing of OpenTelemetry's or the SDK's settings here."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "ANTHROPIC_"))}
    return {**kept, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT / "tests")]), **more}


def sdk_source(version: str) -> Path:
    """The SDK's source distribution, with its tests, as PyPI has it."""
    home = cache() / "sources" / f"anthropic-{version}"
    if not home.exists():
        with tempfile.TemporaryDirectory() as downloaded:
            _download(version, Path(downloaded))
            [archive] = Path(downloaded).glob("anthropic-*.tar.gz")
            shutil.unpack_archive(archive, downloaded, filter="data")
            home.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(Path(downloaded) / f"anthropic-{version}", home)
    return home


def _download(version: str, directory: Path) -> None:
    python: Any = environment("pip", ["pip"])
    wanted = ["--no-deps", "--no-binary", "anthropic", f"anthropic=={version}"]
    subprocess.run([str(python), "-m", "pip", "download", "-q", "-d", str(directory), *wanted], check=True)


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Keeps other processes of the test run from making the same folder at the same time."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_name(f"{home.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
