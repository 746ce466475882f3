"""How long the import of the library takes, beyond what it must import.

Rule: each import is of a fresh interpreter, with warm byte code, and what it must import is there before.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from typing import Any

_PROGRAM = """
import json, sys, time
from opentelemetry import context, metrics, propagate, trace
before = set(sys.modules)
cpu = time.process_time_ns()
import anthropic_otel
cpu = time.process_time_ns() - cpu
heavy = [name for name in ("anthropic", "httpx", "httpx2", "opentelemetry.sdk", "pydantic") if name in sys.modules]
ours = sum(name.startswith("anthropic_otel") for name in sys.modules)
print(json.dumps({"ms": cpu / 1e6, "heavy": heavy, "modules": len(set(sys.modules) - before), "ours": ours}))
"""


def measure(rounds: int) -> dict[str, object]:
    """The median CPU time of the import in ms, and which heavy modules it brought along (none is meant to be).

    The byte code has a place of its own, which the first import fills: an environment that keeps none, by
    `PYTHONDONTWRITEBYTECODE`, would have every import compile the library anew, as no installed app does.
    """
    with tempfile.TemporaryDirectory() as cache:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = cache
        results = [_import(environment) for _ in range(rounds + 1)]
    return {**results[-1], "ms": statistics.median(result["ms"] for result in results[1:])}


def _import(environment: dict[str, str]) -> dict[str, Any]:
    command = [sys.executable, "-c", _PROGRAM]
    out = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    result: dict[str, Any] = json.loads(out)
    return result
