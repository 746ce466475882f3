"""What a request pays that is no attempt, in an instrumented process: `python -m benchmarks.foreign [--no-valgrind]`.

The rule: it is a share of a request on a mock transport, which is the cheapest request that there is. Both are of the
same run, in time and in instructions.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import anthropic_otel
from benchmarks import report

MOST: Final = 0.03
"""What a request may pay at most, as a share of it."""

CASES: Final = ("foreign, httpx2", "foreign, httpx2, async", "foreign, httpx", "foreign, httpx, async")
_ROUNDS: Final = 60
_REQUESTS: Final = 50


def installed(names: Sequence[str] = CASES) -> list[str]:
    """The cases whose HTTP library is installed."""
    return [name for name in names if importlib.util.find_spec(_library(name)) is not None]


def _library(name: str) -> str:
    return name.split(", ")[1]


def requests(name: str, loop: Any) -> Callable[[int], None]:
    """Makes a client, and returns what sends so many requests by it."""
    library: Any = importlib.import_module(_library(name))
    transport = library.MockTransport(lambda request: library.Response(200, json={"answer": 42}))
    url, body = "https://service.test/v1/things", {"name": "a thing", "number": 7}
    if not name.endswith("async"):
        client = library.Client(transport=transport)

        def send(count: int) -> None:
            for _ in range(count):
                client.post(url, json=body)

        return send
    asynchronous = library.AsyncClient(transport=transport)

    async def asend(count: int) -> None:
        for _ in range(count):
            await asynchronous.post(url, json=body)

    return lambda count: loop.run_until_complete(asend(count))


def timed(name: str) -> tuple[float, float]:
    """The µs of a request without the library and with it: medians of rounds that take turns."""
    loop = asyncio.new_event_loop()
    send = requests(name, loop)
    times: dict[bool, list[float]] = {False: [], True: []}
    for turn in range(2 * _ROUNDS):
        ours = bool(turn % 2)
        if ours:
            anthropic_otel.instrument()
        send(3)
        start = time.process_time_ns()
        send(_REQUESTS)
        times[ours].append((time.process_time_ns() - start) / _REQUESTS / 1e3)
        anthropic_otel.uninstrument()
    loop.close()
    return statistics.median(times[False]), statistics.median(times[True])


def main(given: Sequence[str] | None = None) -> int:
    """Prints the tables. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.foreign", description="What other requests pay.")
    parser.add_argument("--no-valgrind", action="store_true", help="only the time, and no instructions")
    arguments = parser.parse_args(given)
    header = ("case", "off", "with ours", "share")
    rows = [(name, *timed(name)) for name in installed()]
    print("µs per request\n\n" + report.table(header, [_row(*row) for row in rows]))
    if arguments.no_valgrind:
        return 0
    # Which imports this module.
    from benchmarks import instructions

    try:
        counted = instructions.count(installed())
    except instructions.Unavailable as error:
        print(error, file=sys.stderr)
        return 1
    lines = [_row(it.case, it.of["nothing"], it.of["ours"]) for it in counted]
    print("\nThousands of instructions per request\n\n" + report.table(header, lines))
    return 0


def _row(name: str, off: float, ours: float) -> tuple[str, ...]:
    return (name, f"{off:.1f}", f"{ours:.1f}", f"{(ours - off) / off:.1%}")


if __name__ == "__main__":
    sys.exit(main())
