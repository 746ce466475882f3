"""Draws every dashboard as PNG, for light and for dark pages.

    python -m tools.screenshots [DIR]        # without DIR, into the cache outside the tree
    python -m tools.screenshots --readme     # the README's: the first rows of the overview

Rule: the queries are those of the dashboards' JSON and the data are a Prometheus'; the panels are drawn by
`@grafana/ui`, which Grafana's own panels are made of. Grafana itself is not needed.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tools.screenshots import drawn, loaded


def main(arguments: list[str]) -> str | None:
    """Draws into the folder that is given. Returns what went wrong, if anything did."""
    rows = None
    match arguments:
        case []:
            out = drawn.KEPT
        case ["--readme"]:
            out, rows = loaded.ROOT / "docs/images", 4
        case [folder] if not folder.startswith("-"):
            out = Path(folder)
        case _:
            return __doc__
    if missing := drawn.missing():
        return "missing: " + "; ".join(missing)
    with tempfile.TemporaryDirectory() as work, loaded.prometheus(Path(work)) as base:
        given = list(loaded.inputs(base))
    if rows is not None:
        given = [loaded.beginning(one, rows) for one in given if one.name == "overview"]
    wrong = []
    for picture in drawn.draw(given, out):
        print(picture.file)
        wrong += [f"{picture.file.name}: {words}" for words in (*picture.wrong, *_cut(picture))]
    return "\n".join(wrong) or None


def _cut(picture: drawn.Picture) -> list[str]:
    return [f"cut: {' '.join(text.split())}" for texts in picture.cut.values() for text in texts]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
