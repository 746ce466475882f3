"""What the library's shortcuts save: `python -m benchmarks.shortcuts`. Needs valgrind, and takes a quarter of an hour.

Rule: the plain version of each (`plain`) is put in its place in a process that is otherwise the same. Instructions are
counted for each shortcut by itself, and for all together, which are timed too: what one saves is less than two
processes differ by. They are timed in calls back to back, and in calls with cold caches, as in an app that makes a few
a second.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from statistics import mean
from typing import Final

from benchmarks import instructions, plain, report, steady

_ROUNDS: Final = 12


def main(given: Sequence[str] | None = None) -> int:
    """Prints what a create takes more with the plain versions: each in instructions, all of them also in time."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shortcuts", description="What shortcuts save.")
    parser.add_argument("--tiny", action="store_true", help="few calls in one layout of memory, which say nothing")
    tiny = parser.parse_args(given).tiny
    try:
        (counted,) = instructions.count([instructions.PLAINLY], 1 if tiny else instructions.LAYOUTS)
    except instructions.Unavailable as error:
        print(error, file=sys.stderr)
        return 1
    ours = counted.added("ours")
    more = {name: counted.added(plain.PREFIX + name) - ours for name in plain.VERSIONS}
    rows = [(name, f"{thousands:,.1f}", f"{thousands / ours:.1%}") for name, thousands in more.items()]
    print(report.table(("in the plain way", "thousands of instructions more", "of what is added"), rows))
    timed = [_timed(case, tiny) for case in ("create", steady.COLD)]
    print(f"\n{report.table(('case', '+ ours', '+ ours, all plain', 'µs more', 'error'), timed)}")
    return 0


def _timed(case: str, tiny: bool) -> tuple[str, ...]:
    rounds, calls = (2, 2) if tiny else (_ROUNDS, steady.CALLS)
    nothing, ours, plainly = steady.measured(
        case, ("nothing", "ours", plain.PREFIX + plain.ALL), rounds, calls
    ).values()
    off, error = mean(nothing), (steady.error_of(ours) ** 2 + steady.error_of(plainly) ** 2) ** 0.5
    added, added_plainly = mean(ours) - off, mean(plainly) - off
    return (case, f"{added:.0f}", f"{added_plainly:.0f}", f"{added_plainly - added:.0f}", f"{error:.0f}")


if __name__ == "__main__":
    sys.exit(main())
