"""Where a call's bytecodes are: `python -m benchmarks.bytecodes [CASE]`, one of the cases of `instructions`.

Rule: what is printed is counted, and is the same on every machine that has the same Python, however busy. It leaves out
what is done in C, and to enter a function is no bytecode: `instructions` has both, and takes a hundred times as long.
So this finds where something is spent, and that tells what it costs.

How many of the bytecodes are **different** ones says how much of a call a processor meets for the first time since the
call before: the second pass of a loop is in its caches, and takes far less time.
"""

from __future__ import annotations

import gc
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

from benchmarks import instructions, report, variants, workload
from benchmarks.workload import Case

_WARM: Final = 60
_CALLS: Final = 20
_PARTS: Final = ("anthropic_otel", "opentelemetry", "others")


class Counts:
    """The bytecodes of each function of a number of calls, and how often it was entered."""

    def __init__(self, case: Case, client: Any, loop: Any) -> None:
        self.bytecodes: Counter[CodeType] = Counter()
        self.entered: Counter[CodeType] = Counter()
        self.different: set[tuple[CodeType, int]] = set()
        workload.repeat(case, client, _WARM, None, loop)
        gc.disable()
        sys.settrace(self._trace)
        workload.repeat(case, client, _CALLS, None, loop)
        sys.settrace(None)
        gc.enable()

    def _trace(self, frame: FrameType, event: str, _: Any) -> Any:
        if event == "call":
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            self.entered[frame.f_code] += 1
        elif event == "opcode":
            self.bytecodes[frame.f_code] += 1
            self.different.add((frame.f_code, frame.f_lasti))
        return self._trace

    def less(self, other: Counts) -> tuple[str, str, str]:
        """What a call has more than one of `other`: bytecodes, how many of them are different, functions entered."""
        bytecodes, entered = (
            (here.total() - there.total()) / _CALLS
            for here, there in ((self.bytecodes, other.bytecodes), (self.entered, other.entered))
        )
        return f"{bytecodes:,.0f}", f"{len(self.different - other.different):,}", f"{entered:,.0f}"


def _part(code: CodeType) -> str:
    path = Path(code.co_filename).as_posix()
    return next((part for part in _PARTS if f"/{part}/" in path), _PARTS[-1])


def _name(code: CodeType) -> str:
    path = Path(code.co_filename).as_posix()
    return f"{'/'.join(path.split('/')[-3:])}:{code.co_firstlineno} {code.co_name}"


def main(words: Sequence[str]) -> None:
    """Prints what is added to a call, beside what the HTTPX2 instrumentor adds, and of which functions it is."""
    name = " ".join(words) or "create"
    variants.set_up("unsampled" if "unsampled" in name else "sampled")
    loop, case = workload.new_loop(), instructions.case_of(name)
    without = Counts(case, workload.make_client(case), loop)
    with_peer = Counts(case, variants.prepare_client("httpx2", workload.make_client(case)), loop)
    variants.INSTALL["ours"]()
    with_ours = Counts(case, workload.make_client(case), loop)
    header = ("added by", "bytecodes", "different ones", "functions entered")
    rows = [(by, *counts.less(without)) for by, counts in (("ours", with_ours), ("httpx2", with_peer))]
    print(report.table(header, rows))
    added = {
        code: (
            (with_ours.bytecodes[code] - without.bytecodes[code]) / _CALLS,
            (with_ours.entered[code] - without.entered[code]) / _CALLS,
        )
        for code in with_ours.bytecodes
    }
    for part in _PARTS:
        of_part = sorted(
            ((count, code) for code, count in added.items() if _part(code) == part), key=lambda row: -row[0][0]
        )
        total, entered = (sum(count[which] for count, _ in of_part) for which in (0, 1))
        print(f"\n{part}: {total:,.0f} bytecodes in {entered:,.0f} functions entered\n")
        lines = [(_name(code), f"{count[1]:.2f}", f"{count[0]:.1f}") for count, code in of_part if count[0] > 0]
        print(report.table(("function", "entered", "bytecodes"), lines))


if __name__ == "__main__":
    main(sys.argv[1:])
