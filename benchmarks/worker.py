"""The process that runs one variant: reads orders from standard input, one JSON object a line, and answers each.

Rule: what is timed is the calls and the flush of their spans. Everything else is done before: clients are made,
code paths are warm, garbage of the cell before is collected.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks import variants, workload
from benchmarks.workload import Case


class Worker:
    """One variant in this process."""

    def __init__(self, install: str, telemetry: str) -> None:
        self.install = install
        self.flush = variants.set_up(telemetry)
        variants.INSTALL[install]()
        self.loop = workload.new_loop()
        self._clients: dict[Case, Any] = {}
        self._floors: dict[Case, Callable[[], None]] = {}

    def client(self, case: Case) -> Any:
        """The client for a case, the same each time."""
        if case not in self._clients:
            self._clients[case] = variants.prepare_client(self.install, workload.make_client(case))
        return self._clients[case]

    def after(self, case: Case) -> Callable[[], None] | None:
        """What is run after each call: the recorded OpenTelemetry calls, if this is the bare floor."""
        if self.install != "floor":
            return None
        if case not in self._floors:
            from benchmarks import floor

            self._floors[case] = floor.of(case, self.loop)
        return self._floors[case]

    def time(self, work: Callable[[], None], count: int) -> dict[str, float]:
        """The CPU time of the whole process and the wall time that `work` takes, in µs for each of `count`."""
        self.flush()
        gc.collect()
        wall, cpu = time.perf_counter_ns(), time.process_time_ns()
        work()
        self.flush()
        cpu, wall = time.process_time_ns() - cpu, time.perf_counter_ns() - wall
        return {"cpu": cpu / count / 1e3, "wall": wall / count / 1e3}

    def warm(self, case: dict[str, Any], count: int) -> dict[str, float]:
        """Runs a case without telling how long it took."""
        self.run(case, count)
        return {}

    def run(self, case: dict[str, Any], count: int) -> dict[str, float]:
        """Times `count` calls of a case, one after another; and, if the variant can be taken off, as many without it.

        Two processes that do the same differ by some five per cent all their lives, by where things lie in memory: a
        difference within one process has no part of that. Those are `cpu_off` and `wall_off`.
        """
        it = Case(**case)
        client, after = self.client(it), self.after(it)
        found = self.time(lambda: workload.repeat(it, client, count, after, self.loop), count)
        toggle = variants.TOGGLES.get(self.install)
        if toggle is None:
            return found
        toggle.off()
        workload.repeat(it, client, 1, None, self.loop)
        without = self.time(lambda: workload.repeat(it, client, count, None, self.loop), count)
        toggle.on()
        workload.repeat(it, client, 1, None, self.loop)
        return found | {f"{clock}_off": value for clock, value in without.items()}

    def scale(self, dimension: str, level: int, count: int) -> dict[str, float]:
        from benchmarks import scaling

        return scaling.measure(self, dimension, level, count)

    def memory(self, what: str, count: int) -> dict[str, float]:
        from benchmarks import memory

        return memory.measure(self, what, count)


def main(install: str, telemetry: str) -> None:
    """Answers orders until standard input is closed."""
    worker = Worker(install, telemetry)
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        result = getattr(worker, order.pop("do"))(**order)
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
