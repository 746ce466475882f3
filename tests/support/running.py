"""`anthropic-otel run` of a program: the command, its environment, and what it has saved."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, Final

from anthropic_otel.simulator import Simulator
from support.apps import API_KEY

COMMAND: Final = (sys.executable, "-m", "anthropic_otel.cli", "run")


def environment(sim: Simulator, **more: str) -> dict[str, str]:
    """What a shell has set for an app that is to reach the simulator."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "ANTHROPIC_"))}
    return {**kept, "ANTHROPIC_BASE_URL": sim.base_url, "ANTHROPIC_API_KEY": API_KEY, "NO_PROXY": "127.0.0.1", **more}


def saved(path: Path, kind: str | None = None) -> list[dict[str, Any]]:
    """The events of a file, those of one kind if it is given."""
    events = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [event for event in events if kind in (None, event["type"])]
