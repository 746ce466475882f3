"""What `why -` takes to read a long log next to finding its words and lines: `python -m benchmarks.logs`.

Rule: both are of one process and one run, which takes turns: a busy machine changes the times and hardly their ratio.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from anthropic_otel.cli.redaction import redact
from anthropic_otel.cli.why import reading
from benchmarks import report

LIMIT: Final = 8
"""The most that reading a log may take, in terms of what finding its words and lines takes."""
_BYTES: Final = 1024 * 1024
_ROUNDS: Final = 7
_LINE: Final = "2026-11-30 03:09:07,123 INFO app.handlers request 4711 done in 812 ms user=12 path=/v1/items\n"
_TRACEBACK: Final = """\
Traceback (most recent call last):
  File "/app/.venv/lib/python3.12/site-packages/httpcore2/_backends/sync.py", line 204, in connect_tcp
    with map_exceptions(exc_map):
         ^^^^^^^^^^^^^^^^^^^^^^^
httpcore2.ConnectError: [Errno 111] Connection refused

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/app/.venv/lib/python3.12/site-packages/anthropic/_base_client.py", line 1456, in _attempt_request
    response = self._client.send(
httpx2.ConnectError: [Errno 111] Connection refused

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/app/main.py", line 18, in <module>
    answer = client.messages.create(**request)
anthropic.APIConnectionError: Connection error.
"""
LOGS: Final = {
    "lines, a traceback in 200": _LINE * 200 + _TRACEBACK,
    "tracebacks": _TRACEBACK,
    "JSON, with tracebacks": json.dumps({"ts": "03:09:07", "level": "error", "exc_info": _TRACEBACK}) + "\n",
    "JSON, without": json.dumps({"ts": "03:09:07", "level": "info", "path": "/v1/items"}) + "\n",
    "empty lines": "\n",
}
"""What each log repeats."""


@dataclass(frozen=True)
class Log:
    """The seconds of CPU time that a log takes: the finding of its words and lines, and `why -`."""

    name: str
    words: float
    why: float

    @property
    def ratio(self) -> float:
        """What `why -` takes, in terms of what its words and lines take."""
        return self.why / self.words


def measure(name: str, size: int = _BYTES, rounds: int = _ROUNDS) -> Log:
    """Measures the log of that name, of `size` bytes."""
    text = LOGS[name] * max(size // len(LOGS[name]), 1)
    words, lines = re.compile(r"\w+"), re.compile(r"^", re.MULTILINE)
    yardstick: list[float] = []
    why: list[float] = []
    for _ in range(rounds):
        why.append(_seconds_of(lambda: reading.failures(redact(text))))
        yardstick.append(_seconds_of(lambda: (words.findall(text), lines.findall(text))))
    return Log(name, median(yardstick), median(why))


def _seconds_of(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


def table(logs: Sequence[Log]) -> str:
    """The logs in Markdown, and whether each is within the limit."""
    rows = [
        (
            log.name,
            f"{1e3 * log.words:.0f}",
            f"{1e3 * log.why:.0f}",
            f"{log.ratio:.1f}",
            "yes" if log.ratio <= LIMIT else "NO",
        )
        for log in logs
    ]
    return report.table(("a log of", "words, ms", "`why -`, ms", "ratio", f"at most {LIMIT}"), rows)


def main(given: Sequence[str] | None = None) -> int:
    """Prints what a log of 1 MB takes, in ms of CPU time."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.logs", description="What reading a long log takes.")
    parser.add_argument("--tiny", action="store_true", help="a short log and one round, whose figures say nothing")
    counts = {"size": 10_000, "rounds": 1} if parser.parse_args(given).tiny else {}
    print(table([measure(name, **counts) for name in LOGS]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
