"""Finds the shipped files: inside the installed package, or at the top of a checkout.

Rule: no other module computes these paths.
"""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).resolve().parent
_PACKAGED = _HERE / "files"
_CHECKOUT = _HERE.parents[2]

FOLDERS = ("dashboards", "collector-config", "docs/runbooks", "docs/why")
"""The folders that are shipped, as paths in a checkout."""

_NOT_SHIPPED = {"__pycache__", "generate.py"}


def root() -> Path:
    """Returns the directory that has the folders of `FOLDERS`.

    Raises `FileNotFoundError` if neither the installed package nor a checkout has them.
    """
    for place in (_PACKAGED, _CHECKOUT):
        if (place / "dashboards" / "thresholds.yaml").is_file():
            return place
    raise FileNotFoundError("dashboards/ and collector-config/ are neither in the installed package nor in a checkout")


def source(path: str) -> Path:
    """Returns the path of a shipped file, given relative to `root`. Does not check that the file exists.

    Raises what `root` raises.
    """
    return root() / path


def shipped() -> dict[str, Path]:
    """Returns the path of every shipped file, by its path relative to `root`, sorted.

    Left out are what Python has cached and the programs named `generate.py`. Raises what `root` raises.
    """
    base = root()
    found = (path for folder in FOLDERS for path in (base / folder).rglob("*") if path.is_file())
    return {
        path.relative_to(base).as_posix(): path
        for path in sorted(found)
        if not _NOT_SHIPPED & set(path.relative_to(base).parts)
    }
