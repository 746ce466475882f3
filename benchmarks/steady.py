"""What a create takes where nothing is ever taken off: `python -m benchmarks.steady`. Takes twenty minutes.

Rule: each process has one thing installed all its life, as in an app, and calls until it is warm before any call
counts. `make bench` takes the library off between two measurements instead: that compares within one process, but
CPython may have to specialize its byte code anew each time. What two processes differ by is evened out by many of them.

Calls are made back to back, and also **cold**: before each of them other memory has gone through the processor's
caches, as in an app that makes a few calls a second and does other things between them.
"""

from __future__ import annotations

import argparse
import gc
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from statistics import mean, median, stdev
from typing import Any, Final

from benchmarks import floor, instructions, report, variants, workload

_INSTALLED: Final = ("nothing", "floor", "by hand", "ours", "httpx2")
COLD: Final = "create, cold"
_CASES: Final = ("create", "create, async", COLD)
_PEERS: Final = ("floor", "by hand", "httpx2")
"""What the library is compared with."""
_ROUNDS: Final = 12
_WARM: Final = 300
_BATCHES: Final = 8
CALLS: Final = 200
"""How many calls are timed in one go. A process tells the median of its batches."""
_OTHER_MEMORY: Final = 48 << 20
"""Bytes, more than a processor's caches hold."""


def _child(name: str, install: str, calls: int) -> None:
    """Prints the µs of CPU time of a call of the case, the spans' flush included."""
    flush = variants.set_up("sampled")
    loop = workload.new_loop()
    case = instructions.case_of(name.removesuffix(", cold"))
    after: Callable[[], None] | None = floor.of(case, loop) if install == "floor" else None
    variants.INSTALL[install]()
    client: Any = variants.prepare_client(install, workload.make_client(case))
    workload.repeat(case, client, min(_WARM, calls * 2), after, loop)
    flush()
    # A full collection goes through all that was imported. It falls into one process and not into another.
    gc.collect()
    gc.freeze()
    if name == COLD:
        print(_cold(lambda: workload.repeat(case, client, 1, after, loop), flush, calls * 2))
        return
    batches = []
    for _ in range(_BATCHES):
        start = time.process_time_ns()
        workload.repeat(case, client, calls, after, loop)
        flush()
        batches.append((time.process_time_ns() - start) / calls / 1e3)
    print(median(batches))


def _cold(call: Callable[[], None], flush: Callable[[], None], calls: int) -> float:
    """The median µs of CPU time of a call that finds nothing of its own in the processor's caches."""
    other, times = bytearray(_OTHER_MEMORY), []
    for _ in range(calls):
        flush()
        other[:] = bytes(_OTHER_MEMORY)
        start = time.process_time_ns()
        call()
        times.append((time.process_time_ns() - start) / 1e3)
    return median(times)


def measured(name: str, installed: Sequence[str], rounds: int, calls: int) -> dict[str, list[float]]:
    """Returns the µs of CPU time of a call by what is installed, in the order of `installed`, one for each process.

    There are `rounds` processes for each. One makes eight times `calls` calls, with cold caches twice as many.
    """
    found: dict[str, list[float]] = {install: [] for install in installed}
    for _ in range(rounds):
        for install in random.sample(installed, len(installed)):
            command = [sys.executable, "-m", "benchmarks.steady", "--child", install, "--case", name]
            done = subprocess.run([*command, "--calls", str(calls)], capture_output=True, text=True, check=True)
            found[install].append(float(done.stdout))
    return found


def _installed(name: str) -> list[str]:
    # What is written by hand is for the sync client only.
    return [install for install in _INSTALLED if install != "by hand" or "async" not in name]


def error_of(times: Sequence[float]) -> float:
    """Returns the standard error of the mean of `times`."""
    return float(stdev(times) / len(times) ** 0.5)


def _row(name: str, found: dict[str, list[float]]) -> tuple[str, ...]:
    bare = mean(found["nothing"])
    added = {install: mean(times) - bare for install, times in found.items()}
    shown = (f"{added[install]:.0f}" if install in added else "-" for install in _INSTALLED[1:])
    ratios = (f"{added['ours'] / added[peer]:.2f}" if peer in added else "-" for peer in _PEERS)
    return (name, f"{bare:.0f}", *shown, f"{error_of(found['ours']):.0f}", *ratios)


def main(given: Sequence[str] | None = None) -> int:
    """Prints what a create takes, in µs of CPU time, and what each variant adds to it."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.steady", description="A create, where nothing is taken off."
    )
    parser.add_argument("--tiny", action="store_true", help="few calls of all cases but the first, which say nothing")
    parser.add_argument("--child", choices=variants.INSTALL, help=argparse.SUPPRESS)
    parser.add_argument("--case", default=_CASES[0], help=argparse.SUPPRESS)
    parser.add_argument("--calls", type=int, default=CALLS, help=argparse.SUPPRESS)
    options = parser.parse_args(given)
    if options.child:
        _child(options.case, options.child, options.calls)
        return 0
    rounds, calls = (2, 2) if options.tiny else (_ROUNDS, CALLS)
    cases = _CASES[1:] if options.tiny else _CASES
    rows = [_row(name, measured(name, _installed(name), rounds, calls)) for name in cases]
    shown = (f"+ {install}" for install in _INSTALLED[1:])
    header = ("case", "off", *shown, "error of ours", *(f"ours / {peer}" for peer in _PEERS))
    print(report.table(header, rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
