"""What a delta of a stream costs next to what the SDK takes for it: `python -m benchmarks.deltas`. Takes a minute.

Rule: both are of one process and one run, which takes turns with the library and without it: a busy machine changes
the times and hardly their ratio. A delta is what a stream of 1,000 takes more than a stream of 200, by the 800th part.
Next to a stream of one it would include what the end of a call takes more after many deltas, when its code is in none
of the processor's caches any more: up to a third of a microsecond for each of 200 deltas.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

import anthropic_otel
from benchmarks import report, variants, workload
from benchmarks.workload import Case

LIMIT: Final = 0.05
"""The most that the library may take of what the SDK takes for a delta."""
PACKET: Final = 1_460
"""What a packet of Ethernet carries: chunks of that many bytes end in the middle of an event."""
_FEW, _MANY = 200, 1_000
_ROUNDS: Final = 100


@dataclass(frozen=True)
class Delta:
    """The µs of CPU time that a delta takes: without the library, and what the library adds."""

    name: str
    off: float
    added: float

    @property
    def share(self) -> float:
        """What is added, in terms of what the SDK takes."""
        return self.added / self.off


def measure(*, asynchronous: bool, segment: int, rounds: int = _ROUNDS) -> Delta:
    """Measures the deltas of a stream, in chunks of `segment` bytes, or with an event per chunk for 0."""
    loop = workload.new_loop()
    cases = [Case("stream", True, asynchronous, deltas=deltas, segment=segment) for deltas in (_FEW, _MANY)]
    clients = [workload.make_client(case) for case in cases]
    # A full collection goes through all that was imported. It falls into one turn and not into another.
    gc.collect()
    gc.freeze()
    off: list[float] = []
    on: list[float] = []
    for _ in range(rounds):
        for times, install in ((off, "nothing"), (on, "ours")):
            variants.INSTALL[install]()
            # CPython specializes its byte code anew for the classes that were patched.
            workload.repeat(cases[0], clients[0], 1, None, loop)
            few, many = (_time(case, client, loop) for case, client in zip(cases, clients, strict=True))
            times.append((many - few) / (_MANY - _FEW))
            anthropic_otel.uninstrument()
    chunks = f"chunks of {segment:,} bytes" if segment else "an event per chunk"
    # Each turn next to the one before it.
    added = median(ours - without for ours, without in zip(on, off, strict=True))
    return Delta(f"{chunks}{', async' if asynchronous else ''}", median(off), added)


def _time(case: Case, client: Any, loop: Any) -> float:
    """The µs of CPU time of a call."""
    start = time.process_time_ns()
    workload.repeat(case, client, 1, None, loop)
    return (time.process_time_ns() - start) / 1e3


def table(deltas: Sequence[Delta]) -> str:
    """The deltas in Markdown, and whether each is within the limit."""
    rows = [
        (it.name, f"{it.off:.1f}", f"{it.added:.2f}", f"{it.share:.3f}", "yes" if it.share <= LIMIT else "NO")
        for it in deltas
    ]
    return report.table(("a delta in", "off", "+ ours", "ours / off", f"at most {100 * LIMIT:.0f} %"), rows)


def main(given: Sequence[str] | None = None) -> int:
    """Prints what a delta takes, in µs of CPU time."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.deltas", description="What a delta of a stream costs.")
    parser.add_argument("--tiny", action="store_true", help="one round, whose figures say nothing")
    counts = {"rounds": 1} if parser.parse_args(given).tiny else {}
    variants.set_up("sampled")
    kinds = [(asynchronous, segment) for asynchronous in (False, True) for segment in (0, PACKET)]
    print(table([measure(asynchronous=asynchronous, segment=segment, **counts) for asynchronous, segment in kinds]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
