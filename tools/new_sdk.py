"""Prints what the newest SDK has that our tables lack, and which of its private parts that we use have gone.

    python tools/new_sdk.py                the newest release, fetched by uv
    python tools/new_sdk.py --sdk FOLDER   the package `anthropic` in that folder

Rule: it informs. Its exit status is 0 whatever it finds; the contract tests decide whether the library works.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support import sdk_source  # noqa: E402

OPERATIONS: Final = ROOT / "src" / "anthropic_otel" / "_core" / "operations.txt"


@dataclass(frozen=True)
class Finding:
    """One table or list: what it is, and what is new or gone, a line each."""

    title: str
    lines: list[str]


def main() -> int:
    """Prints the findings. Returns 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sdk", type=Path, metavar="FOLDER", help="the package to read; without it the newest release")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        try:
            sdk = options.sdk or _fetched(Path(scratch))
        except subprocess.CalledProcessError as error:
            print(f"The newest SDK cannot be fetched:\n{error.stderr}")
            return 0
        print(f"anthropic {sdk_source.version_of(sdk)}, next to {sdk_source.version_of(_installed())}")
        for finding in findings(sdk, _installed()):
            _print(finding)
    return 0


def findings(sdk: Path, held: Path) -> Iterator[Finding]:
    """What the SDK has that our list of operations and the SDK that we hold have not; and the seams that it lacks."""
    listed = {line for line in OPERATIONS.read_text("utf-8").splitlines() if line and not line.startswith("#")}
    yield Finding("Operations to add to operations.txt", sorted(sdk_source.operations(sdk) - listed))
    yield Finding("New error codes", sorted(sdk_source.error_codes(sdk) - sdk_source.error_codes(held)))
    lost = [f"{seam.use} ({seam.file})" for seam in sdk_source.lost_seams(sdk)]
    yield Finding("Private parts that we use and that are no longer where they were", lost)


def _print(finding: Finding) -> None:
    print(f"\n{finding.title}: {len(finding.lines) or 'none'}")
    for line in finding.lines:
        print(f"  {line}")


def _installed() -> Path:
    found = importlib.util.find_spec("anthropic")
    assert found is not None, "the SDK is not installed"
    assert found.origin is not None, "the SDK has no source"
    return Path(found.origin).parent


def _fetched(folder: Path) -> Path:
    """The package of the newest release, unpacked into the folder. Raises `CalledProcessError` if it cannot be had."""
    command = [sys.executable, "-m", "uv", "pip", "install", "-q", "--no-deps", "--target", str(folder), "anthropic"]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return folder / "anthropic"


if __name__ == "__main__":
    sys.exit(main())
