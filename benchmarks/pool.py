"""The worker processes: they stay up for many rounds, and one works at a time.

Rule: whoever starts a process ends it, whatever happens in between.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.environments import python_of
from benchmarks.variants import Variant

ROOT = Path(__file__).resolve().parent.parent


class Process:
    """A process that takes orders as lines of JSON and answers each with one."""

    def __init__(self, python: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [python, "-m", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        self.hello = self._answer()

    def ask(self, **order: Any) -> dict[str, Any]:
        """The answer to an order. Raises `RuntimeError` if the process has ended instead."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} has ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """Ends the process: it stops at the end of its input."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


class Pool:
    """A process per variant, started when it is first asked for. A context manager."""

    def __init__(self) -> None:
        self._workers: dict[Variant, Process] = {}
        self._server: Process | None = None

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.renew()
        if self._server is not None:
            self._server.close()

    def renew(self) -> None:
        """Ends the processes of the variants. They are started anew when they are next asked for."""
        while self._workers:
            self._workers.popitem()[1].close()

    def worker(self, variant: Variant) -> Process:
        """The process of a variant."""
        if variant not in self._workers:
            python = python_of(variant.environment)
            self._workers[variant] = Process(python, "benchmarks.worker", variant.install, variant.telemetry)
        return self._workers[variant]

    @property
    def server(self) -> Process:
        """The simulator, in a process of its own; its `hello` has the base URL."""
        if self._server is None:
            self._server = Process(python_of("base"), "benchmarks.server")
        return self._server
