"""How long the import of the library takes, beyond what it must import.

The rule: each import is of a fresh interpreter, with warm byte code, and what it must import is there before.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

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
    """The median CPU time of the import in ms, and which heavy modules it brought along (none is meant to be)."""
    results = []
    for _ in range(rounds + 1):
        out = subprocess.run([sys.executable, "-c", _PROGRAM], check=True, capture_output=True, text=True).stdout
        results.append(json.loads(out))
    return {**results[-1], "ms": statistics.median(result["ms"] for result in results[1:])}
