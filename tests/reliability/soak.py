"""The long loads: many calls and streams, over a mock transport and over sockets, with exporters that fail.

    python tests/reliability/soak.py                       # 100,000 calls and 20,000 streams over a mock transport
    python tests/reliability/soak.py --network --calls 20000 --streams 4000
    python tests/reliability/soak.py --exporter down
    python tests/reliability/soak.py --plain               # without the library, to compare with

Rule: it prints figures as one line of JSON and exits with 1 if what must not be is: an attempt in flight, a
connection open, memory that grows with the number of calls, or, with an exporter that fails, an app that is slower than
with one that is well.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[1])]

from reliability import exporters, load  # noqa: E402

MAX_BYTES_PER_CALL = 64.0
"""The smallest object of ours has more, an attempt some three thousand."""
NOISE_BYTES = 1024 * 1024
"""By so much memory moves with two hundred connections, however many calls: also without the library."""
OPEN = ("in_flight", "spans_unended", "connections_busy", "sockets_left", "connections_left", "descriptors_grown")
"""What has to be 0: attempts, spans, responses that a client still holds, its sockets, the simulator's, all files."""


KEPT_THROUGHPUT = 0.7
"""The part of its calls per second that an app keeps at least; what is missing is what two runs differ by."""


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL + 1)
    asked = {"calls_asked": arguments.calls, "streams_asked": arguments.streams, "exporter": arguments.exporter}
    if arguments.exporter == "well":
        return {**asked, **measure(arguments, "well")}
    # Before and after, as the machine may have other things to do.
    before = measure(arguments, "well", part=0.2)["calls_per_second"]
    found = measure(arguments, arguments.exporter)
    after = measure(arguments, "well", part=0.2)["calls_per_second"]
    return {**asked, **found, "calls_per_second_if_well": min(before, after)}


def measure(arguments: argparse.Namespace, exporter: str, part: float = 1.0) -> dict[str, Any]:
    """The figures of one load, or of a part of it."""
    options: Any = exporters.BEHAVIOURS[exporter]
    behaviour = exporters.Behaviour(**options)
    return load.measure(
        load.Load(int(arguments.calls * part), int(arguments.streams * part), arguments.concurrent),
        network=arguments.network,
        exporter=exporters.Spans(behaviour),
        metrics=exporters.Metrics(behaviour),
        instrumented=not arguments.plain,
        trace_memory=arguments.trace_memory,
    )


def wrong(found: dict[str, Any], arguments: argparse.Namespace) -> list[str]:
    """What must not be, in words."""
    problems = [f"{name} is {found[name]}" for name in OPEN if found[name]]
    if not arguments.plain and found["calls"] != arguments.calls + arguments.streams:
        problems.append("calls were not counted")
    if found["calls_per_second"] < KEPT_THROUGHPUT * found.get("calls_per_second_if_well", 0):
        problems.append("the app is slower than with an exporter that is well")
    grown = found["traced_bytes_per_call" if arguments.trace_memory else "resident_bytes_per_call"]
    if grown > most_bytes_per_call(arguments.calls + arguments.streams):
        problems.append("memory grows")
    return problems


def most_bytes_per_call(calls: int) -> float:
    """How much memory may grow with each of so many calls. It is measured in the second half of them."""
    return max(MAX_BYTES_PER_CALL, NOISE_BYTES / (calls / 2))


def parsed(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--streams", type=int, default=20_000)
    parser.add_argument("--concurrent", type=int, default=200)
    parser.add_argument("--exporter", choices=sorted(exporters.BEHAVIOURS), default="well")
    parser.add_argument("--network", action="store_true", help="over the simulator's sockets, with faults")
    parser.add_argument("--plain", action="store_true", help="without the library, to compare with")
    parser.add_argument("--trace-memory", action="store_true", help="trace every allocation: exact, and slow")
    return parser.parse_args(words)


def main(words: list[str]) -> int:
    arguments = parsed(words)
    found = run(arguments)
    problems = wrong(found, arguments)
    print(json.dumps({**found, "problems": problems}))
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
