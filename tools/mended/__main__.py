"""Runs the tests of what was mended on the library of an earlier commit, where each row has to fail.

    python -m tools.mended                     the library before any of the rows was mended
    python -m tools.mended --commit COMMIT     another one
    python -m tools.mended --only WORDS        the rows with these words
    python -m tools.mended --why               and of each test by what it fails

The same tests run on the library of today first: where one fails there, the run proves nothing. Then it says of each
row how many of its tests fail on the library from before. A test that fails there by a name that the library did not
have yet proves nothing either, and is not counted. Exit status 1 if a row is not proved.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.matrix import ROOT
from tools.mended import worlds
from tools.mended.rows import ROWS, WAS_RIGHT, Row

BEFORE: Final = "a9e8f6a"
"""The last commit before the first row was mended."""
_BY_NAME: Final = re.compile(
    r"ImportError|ModuleNotFoundError|module 'anthropic_otel|unexpected keyword argument|KeyError: '\w+\.client\.phase"
)
"""What a test fails by that asks for more than the library from before could have said."""


@dataclass(frozen=True)
class Verdict:
    """What became of a row on the library from before: its tests by how they went there.

    `broken` are those that fail on today's library, or did not run there.
    """

    row: Row
    red: list[str]
    by_name: list[str]
    green: list[str]
    broken: list[str]

    @property
    def proved(self) -> bool:
        """Whether the row was wrong, and each of its tests that passed had a reason to."""
        return bool(self.red) and not self.broken and all(map(_reason, self.green))


def main() -> int:
    """Prints a line for each row. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commit", default=BEFORE, help="whose library the tests are run on")
    parser.add_argument("--only", default="", metavar="WORDS", help="of the row, in any case of letters")
    parser.add_argument("--why", action="store_true", help="print by what each test fails")
    options = parser.parse_args()
    rows = [row for row in ROWS if options.only.lower() in row.what.lower()]
    nodes = [node for row in rows for node in row.nodes]
    with tempfile.TemporaryDirectory() as scratch:
        python = worlds.interpreter(Path(scratch, "venv"))
        now = worlds.world(ROOT, Path(scratch, "now"))
        before = worlds.world(worlds.source_of(options.commit, Path(scratch, "source")), Path(scratch, "before"))
        control = worlds.run(python, now, nodes, os.environ)
        found = worlds.run(python, before, nodes, os.environ)
    return show([judge(row, control, found) for row in rows], options.commit, found if options.why else {})


def judge(row: Row, control: Mapping[str, str], found: Mapping[str, str]) -> Verdict:
    """What the two runs say of a row. Both are by the id of a test: "" where it passed, else why it did not."""
    tests = [test for test in control if any(_is_of(test, node) for node in row.nodes)]
    missing = [node for node in row.nodes if not any(_is_of(test, node) for test in tests)]
    failed = [test for test in tests if found.get(test, "ImportError").startswith(("failure", "error", "ImportError"))]
    by_name = [test for test in failed if _BY_NAME.search(found.get(test, "ImportError"))]
    return Verdict(
        row=row,
        red=[test for test in failed if test not in by_name],
        by_name=by_name,
        green=[test for test in tests if found.get(test) == ""],
        broken=missing + [test for test in tests if control[test].startswith(("failure", "error"))],
    )


def show(verdicts: Sequence[Verdict], commit: str, found: Mapping[str, str]) -> int:
    """Prints the verdicts, and by what each test fails that is among those found. Returns the exit status."""
    for verdict in verdicts:
        _print(verdict, found)
    proved = sum(verdict.proved for verdict in verdicts)
    print(f"\nmended: {proved} of {len(verdicts)} rows fail on {commit}, and hold today")
    return 0 if proved == len(verdicts) and verdicts else 1


def _is_of(test: str, node: str) -> bool:
    return test == node or test.startswith(f"{node}[")


def _reason(test: str) -> str | None:
    """Why a test passed on the library from before; `None` if nobody has said so."""
    return next((why for part, why in WAS_RIGHT.items() if part in test), None)


def _print(verdict: Verdict, found: Mapping[str, str]) -> None:
    counted = len(verdict.red) + len(verdict.green)
    word = "red" if verdict.proved else "NOT PROVED"
    print(f"{word:<10} {len(verdict.red):>2} of {counted:>2}  {verdict.row.what}")
    for test in verdict.red if found else ():
        _detail(test, found[test])
    for test in verdict.green:
        _detail(test, f"passes there: {_reason(test) or 'why?'}")
    for test in verdict.by_name:
        _detail(test, "not counted: it asks for a name that the library did not have")
    for test in verdict.broken:
        _detail(test, "DOES NOT HOLD TODAY")


def _detail(test: str, text: str) -> None:
    name = test.rpartition("::")[2].removeprefix("test_the_words_are_those_of_the_entry")
    said = text.removeprefix("failure: ").removeprefix("AssertionError: ").splitlines() or [""]
    print(f"{'':<20}{name}: {said[0][:160]}")


if __name__ == "__main__":
    sys.exit(main())
