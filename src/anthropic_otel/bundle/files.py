"""Where the shipped files are: inside the wheel, or at the top of a checkout.

Rule: nobody else guesses a path.
"""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).resolve().parent
_PACKAGED = _HERE / "files"
_CHECKOUT = _HERE.parents[2]

FOLDERS = ("dashboards", "collector-config", "docs/runbooks", "docs/why")
"""What is shipped, as paths of the checkout."""

_NOT_SHIPPED = {"__pycache__", "generate.py"}


def root() -> Path:
    """The directory that holds `FOLDERS`. Raises FileNotFoundError where neither place has them."""
    for place in (_PACKAGED, _CHECKOUT):
        if (place / "dashboards" / "thresholds.yaml").is_file():
            return place
    raise FileNotFoundError("dashboards/ and collector-config/ are neither in the installed package nor in a checkout")


def source(path: str) -> Path:
    """The shipped file of this name."""
    return root() / path


def shipped() -> dict[str, Path]:
    """Every shipped file, by its path relative to `root`."""
    base = root()
    found = (path for folder in FOLDERS for path in (base / folder).rglob("*") if path.is_file())
    return {
        path.relative_to(base).as_posix(): path
        for path in sorted(found)
        if not _NOT_SHIPPED & set(path.relative_to(base).parts)
    }
