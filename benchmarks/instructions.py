"""What a call costs in machine instructions: `python -m benchmarks.instructions [--quick]`. Needs valgrind.

The rule: instructions are counted, not timed. A count is the same whatever else the machine does, to a per cent or
less, where a time on a machine that is shared is not to be had to within ten. What it does not tell is how long an
instruction takes: code that runs once a call finds less in the processor's caches than a loop does.

One process imports everything, and has a child for each count: one that makes the calls that warm up, and one that
makes some calls more. Their difference has no part of the start.
"""

from __future__ import annotations

import argparse
import gc
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final

from benchmarks import floor, foreign, plain, report, variants, workload
from benchmarks.workload import Case

CREATES: Final = ("create", "create, no call span of the SDK's", "create, async", "create, unsampled")
STREAMS: Final = ("stream of 1", "stream of 200", "stream of 1, async", "stream of 200, async")
USAGE: Final = "create, usage"
"""A create with and without the counting of tokens."""
PLAINLY: Final = "create, plainly"
"""A create with the plain version of each of the library's shortcuts."""
_NO_USAGE: Final = "ours without usage"
_FOREIGN: Final = "foreign, "
"""What the names of the cases of `foreign` begin with: requests that are no attempts."""
_DELTAS: Final = 199
_INSTALLED: Final = ("nothing", "floor", "by hand", "ours", "httpx2")
_RATIOS: Final = ("floor", "by hand", "httpx2")
_BY_HAND: Final = ("create", "create, unsampled")
"""What `by_hand` is written for."""
_CALLS, _LONG_CALLS, _SHORT_CALLS = 100, 20, 500
"""How many calls are counted, how many long streams, and how many requests that are no attempts.

Now and then something runs in one child and not in another, as a collection of young garbage does. In a hundred
requests it was as much as a per cent of one.
"""
LAYOUTS: Final = 4
"""In how many layouts of memory the tokens' share is counted, which is as small as one count differs from another."""
_WARM: Final = 60
"""Calls before any that count. CPython has specialized its byte code by then."""


class Unavailable(Exception):
    """Valgrind is not installed, or could not run the calls; the text says which."""


@dataclass(frozen=True)
class Counted:
    """The thousands of instructions of one call of a case, by what is installed."""

    case: str
    of: dict[str, float]

    def added(self, variant: str) -> float:
        """What `variant` adds to a call, in thousands."""
        return self.of[variant] - self.of["nothing"]

    def ratio(self, variant: str) -> float:
        """What the library adds, in terms of what `variant` adds."""
        return self.added("ours") / self.added(variant)

    def share_of_usage(self) -> float:
        """The part of what the library adds that counting tokens takes. Of the case `USAGE`."""
        return 1 - self.added(_NO_USAGE) / self.added("ours")

    def row(self) -> tuple[str, ...]:
        """The case, its own count, what is added by each variant, and our ratios; a dash for what was not counted."""
        added = (f"{self.added(name):,.0f}" if name in self.of else "-" for name in _INSTALLED[1:])
        ratios = (f"{self.ratio(name):.2f}" if name in self.of else "-" for name in _RATIOS)
        return (self.case, f"{self.of['nothing']:,.0f}", *added, *ratios)


def case_of(name: str) -> Case:
    """The case of that name."""
    return Case(
        name,
        stream=name.startswith("stream"),
        deltas=200 if "200" in name else 1,
        asynchronous="async" in name,
        sdk_traces="no call span" not in name,
    )


# -- what valgrind runs ------------------------------------------------------------------------------------------------


def _installed(name: str) -> tuple[str, ...]:
    if name.startswith(_FOREIGN):
        return ("nothing", "ours")
    if name == USAGE:
        return ("nothing", _NO_USAGE, "ours")
    if name == PLAINLY:
        return ("nothing", "ours", *(plain.PREFIX + version for version in plain.VERSIONS))
    return tuple(install for install in _INSTALLED if install != "by hand" or name in _BY_HAND)


def _calls(name: str) -> int:
    if name.startswith(_FOREIGN):
        return _SHORT_CALLS
    return _LONG_CALLS if "200" in name else _CALLS


def _run(name: str, install: str, calls: int) -> None:
    variants.set_up("unsampled" if "unsampled" in name else "sampled")
    loop = workload.new_loop()
    if name.startswith(_FOREIGN):
        variants.INSTALL[install]()
        send = foreign.requests(name, loop)
        _count(lambda: send(_WARM), lambda: send(calls))
        return
    case = case_of(name)
    after: Callable[[], None] | None = floor.of(case, loop) if install == "floor" else None
    variants.INSTALL[install]()
    client: Any = variants.prepare_client(install, workload.make_client(case))
    _count(
        lambda: workload.repeat(case, client, _WARM, after, loop),
        lambda: workload.repeat(case, client, calls, after, loop),
    )


def _count(warm: Callable[[], None], calls: Callable[[], None]) -> None:
    warm()
    # A full collection of garbage goes through all that was imported, in one child and not in another.
    gc.collect()
    gc.freeze()
    calls()


def _children(name: str) -> None:
    """Runs a case with each variant in a child, twice, and prints the numbers of their processes."""
    for install, more in product(_installed(name), (0, 1)):
        child = os.fork()
        if not child:
            try:
                _run(name, install, more * _calls(name))
            finally:
                # The end of the interpreter is no part of a call.
                os._exit(int(sys.exc_info()[0] is not None))
        _, status = os.waitpid(child, 0)
        print(f"{child} {status}", flush=True)


# -- what runs valgrind ------------------------------------------------------------------------------------------------


def count(names: Sequence[str], layouts: int = 1) -> list[Counted]:
    """Counts the cases, as many at once as there are processors. Raises `Unavailable`.

    One count differs from another by where things lie in memory, so that a small share takes the mean of several
    `layouts`, each with a seed of its own for Python's hashes.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        each = list(pool.map(_counted, *zip(*product(names, range(layouts)), strict=True)))
    return [_mean(each[start : start + layouts]) for start in range(0, len(each), layouts)]


def _mean(counted: Sequence[Counted]) -> Counted:
    first = counted[0]
    return Counted(first.case, {install: statistics.mean(it.of[install] for it in counted) for install in first.of})


def _counted(name: str, seed: int) -> Counted:
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise Unavailable("valgrind is not installed")
    with tempfile.TemporaryDirectory() as folder:
        command = [valgrind, "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
        command += [f"--log-file={folder}/%p", sys.executable, "-m", "benchmarks.instructions", "--children", name]
        # Where things lie in a hash table is part of the count.
        environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        found = [_logged(Path(folder), *line.split()) for line in done.stdout.splitlines()]
    if done.returncode or len(found) != 2 * len(_installed(name)):
        raise Unavailable(f"valgrind could not run {name}: {done.stderr[-500:]}")
    pairs = zip(_installed(name), found[::2], found[1::2], strict=True)
    return Counted(name, {install: (more - warm) / _calls(name) / 1e3 for install, warm, more in pairs})


def _logged(folder: Path, process: str, status: str) -> int:
    found = re.search(r"I\s+refs:\s+([\d,]+)", (folder / process).read_text(errors="replace"))
    if status != "0" or found is None:
        raise Unavailable(f"the calls in process {process} failed")
    return int(found[1].replace(",", ""))


def tables(counted: Sequence[Counted]) -> str:
    """The counts of each case, and those of a delta of each pair of streams, in Markdown."""
    header = ("case", "off", *(f"+ {name}" for name in _INSTALLED[1:]), *(f"ours / {name}" for name in _RATIOS))
    by_name = {it.case: it for it in counted}
    deltas = []
    for name in (name for name in by_name if "of 200" in name):
        many, one = by_name[name], by_name[name.replace("200", "1")]
        off, ours = ((many.of[it] - one.of[it]) / _DELTAS for it in ("nothing", "ours"))
        deltas.append((name, f"{off:.1f}", f"{ours - off:.2f}", f"{(ours - off) / off:.3f}"))
    parts = [report.table(header, [it.row() for it in counted])]
    parts += [report.table(("each delta of a", "off", "+ ours", "ours / off"), deltas)] if deltas else []
    return "\n\n".join(parts)


def main(given: Sequence[str] | None = None) -> int:
    """Prints the thousands of instructions of a call."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instructions", description="Instructions of a call.")
    parser.add_argument("--quick", action="store_true", help="nothing but a create")
    parser.add_argument("--children", metavar="CASE", help=argparse.SUPPRESS)
    arguments = parser.parse_args(given)
    if arguments.children:
        _children(arguments.children)
        return 0
    try:
        counted = count(CREATES[:1] if arguments.quick else (*CREATES, *STREAMS))
        (usage,) = count([USAGE], LAYOUTS)
    except Unavailable as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Thousands of instructions per call\n\n{tables(counted)}")
    print(f"\nCounting tokens takes {usage.share_of_usage():.1%} of what the library adds to a create")
    return 0


if __name__ == "__main__":
    sys.exit(main())
