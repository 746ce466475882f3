"""Where the time of one call goes: `python -m benchmarks.profile_call [stream] [async] [retry] [unsampled|api]`.

Rule: what is printed is the time in each function by itself, of ours and of OpenTelemetry's, per call. A profiler
slows every function down that it enters; that is measured on an empty function and taken off, so that the sum is about
what the library adds when the caches are warm. Between other work of an app it costs about twice that.
"""

from __future__ import annotations

import cProfile
import pstats
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import report, variants, workload
from benchmarks.workload import Case

_CALLS = 400
_PARTS = ("anthropic_otel", "opentelemetry")


def _per_entry() -> float:
    """The seconds that the profiler adds to each function that it sees."""
    count = 100_000

    def empty() -> None:
        return None

    def loop() -> float:
        start = time.perf_counter()
        for _ in range(count):
            empty()
        return time.perf_counter() - start

    plain = loop()
    profiler = cProfile.Profile()
    return (float(profiler.runcall(loop)) - plain) / count


def _timed(case: Case, client: Any, loop: Any) -> float:
    """The µs of a call, the median of a few batches."""
    times = []
    for _ in range(9):
        start = time.process_time_ns()
        workload.repeat(case, client, _CALLS // 8, None, loop)
        times.append((time.process_time_ns() - start) / (_CALLS // 8) / 1e3)
    return sorted(times)[4]


def _rows(stats: Any, per_entry: float) -> list[tuple[str, str, float, float]]:
    rows = []
    for (path, line, name), (_, entries, own, _, _) in stats.stats.items():
        part = next((part for part in _PARTS if f"/{part}/" in Path(path).as_posix()), None)
        if part is not None:
            where = Path(path).as_posix().rpartition(f"/{part}/")[2]
            rows.append((part, f"{where}:{line} {name}", entries / _CALLS, (own - entries * per_entry) / _CALLS * 1e6))
    return sorted(rows, key=lambda row: -row[3])


def _install(case: Case, loop: Any) -> Callable[[], Any]:
    import anthropic_otel

    anthropic_otel.instrument()
    client = workload.make_client(case)
    workload.repeat(case, client, 50, None, loop)
    return lambda: client


def main(words: Sequence[str]) -> None:
    """Prints what is added to a call, and the functions that it is spent in."""
    telemetry = next((word for word in words if word in ("unsampled", "api")), "sampled")
    flush = variants.set_up(telemetry)
    loop = workload.new_loop()
    case = Case("call", stream="stream" in words, asynchronous="async" in words, retry="retry" in words)
    plain = workload.make_client(case)
    workload.repeat(case, plain, 50, None, loop)
    off = _timed(case, plain, loop)
    client = _install(case, loop)()
    ours = _timed(case, client, loop)
    per_entry = _per_entry()
    flush()
    profiler = cProfile.Profile()
    profiler.enable()
    workload.repeat(case, client, _CALLS, None, loop)
    profiler.disable()
    rows = _rows(pstats.Stats(profiler), per_entry)
    print(f"without: {off:.1f} µs a call, with: {ours:.1f}, added: {ours - off:.1f} (warm caches)")
    for part in _PARTS:
        mine = [row for row in rows if row[0] == part]
        entered, spent = sum(row[2] for row in mine), sum(row[3] for row in mine)
        print(f"\n{part}: {spent:.1f} µs in {entered:.0f} functions entered\n")
        print(report.table(("function", "entered", "µs"), [(row[1], f"{row[2]:.1f}", f"{row[3]:.2f}") for row in mine]))


if __name__ == "__main__":
    main(sys.argv[1:])
