"""Measures what the library costs and prints it: `python -m benchmarks [--quick]`.

Rule: standard output is the report and nothing else; progress goes to standard error.
"""

from __future__ import annotations

import argparse
import platform
import re
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version

from benchmarks import environments, imports, measuring, plan, report
from benchmarks.measuring import Cell
from benchmarks.plan import Counts
from benchmarks.pool import Pool
from benchmarks.workload import Case


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="What the library costs.")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="a few rounds, for a first look")
    size.add_argument("--tiny", action="store_true", help="every case once, to see that it runs")
    parser.add_argument("--rounds", type=int, help="how often every case is measured")
    parser.add_argument("--no-peers", action="store_true", help="do not install and measure other instrumentations")
    parser.add_argument("--only", type=re.compile, metavar="REGEX", help="only the cases whose names match")
    return parser.parse_args(given)


def _missing(no_peers: bool) -> frozenset[str]:
    """The environments that are not there, and are left out of the run."""
    missing = set()
    for name in environments.PEERS:
        try:
            if no_peers:
                raise environments.Unavailable(f"{name} is not asked for")
            environments.python_of(name)
        except environments.Unavailable as error:
            print(error, file=sys.stderr)
            missing.add(name)
    return frozenset(missing)


def _server_plays(pool: Pool, cases: dict[str, Case]) -> Callable[[Cell], None]:
    """Tells the server, before each cell that uses it, what the requests get."""

    def before(cell: Cell) -> None:
        case = cases[cell.group]
        if case.base_url:
            each = ["http_529", "ok"] if case.retry else ["ok"]
            # With the variant and without it, and for its recording and warming up: what is left is forgotten.
            pool.server.ask(play=each * (2 * cell.order["count"] + 8))

    return before


def _memory(pool: Pool, count: int) -> dict[str, dict[str, float]]:
    held = {}
    for name, what in (("open stream", "stream"), ("attempt in flight", "attempt")):
        off, ours = (pool.worker(variant).ask(do="memory", what=what, count=count) for variant in (plan.OFF, plan.OURS))
        held[name] = {part: ours[part] - off[part] for part in ("rest", "sdk")}
    return held


def _measure(pool: Pool, counts: Counts, rounds: int, options: argparse.Namespace) -> report.Results:
    chosen = [
        (cell, case)
        for cell, case in plan.cells(pool.server.hello["base_url"], counts, _missing(options.no_peers))
        if options.only is None or options.only.search(cell.group)
    ]
    cells = [cell for cell, _ in chosen]
    before = _server_plays(pool, {cell.group: case for cell, case in chosen})
    samples = measuring.measure(pool, cells, rounds, before)
    whole = options.only is None
    scale = measuring.measure(pool, [*plan.scale_cells(counts)] if whole else [], rounds, lambda _: None)
    memory = _memory(pool, counts.memory) if whole else {}
    return report.Results(
        samples, list(dict.fromkeys(cell.group for cell in cells)), scale, memory, imports.measure(counts.imports)
    )


def main(given: Sequence[str] | None = None) -> int:
    """Measures, and prints the report. Returns the exit code."""
    options = _arguments(given)
    counts = plan.TINY if options.tiny else plan.QUICK if options.quick else plan.FULL
    rounds = options.rounds or counts.rounds
    with Pool() as pool:
        results = _measure(pool, counts, rounds, options)
    names = ("anthropic", "httpx2", "opentelemetry-api", "opentelemetry-sdk")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    print(f"{platform.python_implementation()} {platform.python_version()}, {versions}; {rounds} rounds\n")
    print(report.text(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
