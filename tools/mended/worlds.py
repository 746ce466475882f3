"""Two copies of the tests, one with the library of today below it and one with that of an earlier commit.

Rule: the tests meet the library by its public functions and by what it exports. So the simulator and the names of the
schema that they compare with are today's in both copies, in a package of another name: an import from the library
resolves to the library that is tried, and to nothing else.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from tools.matrix import CONSTRAINTS, REQUIREMENTS, ROOT, SDKS

_NOW: Final = "anthropic_otel_now"
_NAMES: Final = r"(?:instruments|semconv)\b"
_OF_TODAY: Final = re.compile(rf"\banthropic_otel(?=\.simulator\b|\._core\.{_NAMES}|\._core import {_NAMES})")
_PARTS: Final = ("simulator", "_core")
_SDK: Final = f"anthropic[aiohttp,bedrock,vertex]=={SDKS[-1]}"


def interpreter(folder: Path) -> Path:
    """A new environment with what the tests need, and without the library. Returns its Python."""
    python = folder / "bin" / "python"
    _uv("venv", "-q", "-p", sys.executable, str(folder))
    needed = [_SDK, "httpx", "h11", "h2", "trustme", "uv"]
    constraints = folder / "constraints.txt"
    lines = CONSTRAINTS.read_text("utf-8").splitlines()
    constraints.write_text("\n".join(line for line in lines if not re.match(r"anthropic(-otel)?\b", line)))
    _uv("pip", "install", "-q", "-p", str(python), "-c", str(constraints), "-r", str(REQUIREMENTS), *needed)
    return python


def source_of(commit: str, folder: Path) -> Path:
    """The tree of a commit, unpacked into the folder. Raises `CalledProcessError` where git has no such commit."""
    archive = subprocess.run(["git", "-C", str(ROOT), "archive", commit], capture_output=True, check=True)
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


def world(source: Path, folder: Path) -> Path:
    """A copy of today's tests on the wheel of that source tree."""
    wheels = folder / "wheel"
    _uv("build", "--wheel", "--quiet", "--out-dir", str(wheels), str(source))
    _uv("pip", "install", "-q", "--no-deps", "--target", str(folder / "src"), str(next(wheels.glob("*.whl"))))
    for part in _PARTS:
        shutil.copytree(ROOT / "src" / "anthropic_otel" / part, folder / "src" / _NOW / part, ignore=_CACHES)
    for path in (folder / "src" / _NOW).rglob("*.py"):
        path.write_text(path.read_text("utf-8").replace("anthropic_otel.", f"{_NOW}."), "utf-8")
    (folder / "src" / _NOW / "__init__.py").touch()
    shutil.copytree(ROOT / "tests", folder / "tests", ignore=_CACHES)
    shutil.copy(Path(__file__).with_name("words.py"), folder / "tests" / "test_words.py")
    for path in (folder / "tests").rglob("*.py"):
        path.write_text(_OF_TODAY.sub(_NOW, path.read_text("utf-8")), "utf-8")
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


_CACHES: Final = shutil.ignore_patterns("__pycache__")


def run(python: Path, folder: Path, nodes: Sequence[str], variables: Mapping[str, str]) -> dict[str, str]:
    """How each test went in that world, by the id that pytest has for it: "" for passed, else why it did not."""
    report = folder / "report.xml"
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-n", "2"]
    done = subprocess.run(
        [*command, f"--junitxml={report}", "-o", "junit_family=xunit1", *nodes],
        cwd=folder,
        env={**variables, "PYTHONPATH": str(folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 1):
        raise RuntimeError(f"pytest exited {done.returncode}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    return {
        f"{case.get('file')}::{case.get('name')}": _why(case) for case in ElementTree.parse(report).iter("testcase")
    }


def _why(case: ElementTree.Element) -> str:
    for kind in ("failure", "error", "skipped"):
        for found in case.iter(kind):
            return f"{kind}: {found.get('message') or found.text or 'without a message'}"
    return ""


def _uv(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "uv", *arguments], check=True, capture_output=True, text=True)
