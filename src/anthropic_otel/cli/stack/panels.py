"""Asks a Prometheus the query of every panel, to see without Grafana what a person would see.

Rule: the queries come from the dashboards' JSON; only Grafana's variables are replaced.
"""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anthropic_otel.bundle import files


@dataclass(frozen=True)
class Asked:
    """One query of one panel.

    `lines` is whether it is evaluated over time; `least_step` is the panel's least step in seconds, 0 if it has none.
    """

    dashboard: str
    panel: str
    ref: str
    expression: str
    lines: bool
    least_step: int


@dataclass(frozen=True)
class Window:
    """The time that the panels show: its length in seconds, and the number of points."""

    seconds: int = 900
    points: int = 200

    def step(self, asked: Asked) -> int:
        """Returns the seconds between two points, as Grafana chooses them.

        They fill the window with `points`, but are at least the query's least step, and at least 1.
        """
        return max(1, self.seconds // self.points, asked.least_step)

    def rate(self, asked: Asked) -> int:
        """Returns the seconds of Grafana's $__rate_interval, so that one late sample does no harm.

        It is the step plus one interval between samples, and at least four of these. The interval is the query's least
        step, or 15 s.
        """
        sample = asked.least_step or 15
        return max(self.step(asked) + sample, 4 * sample)


def queries(folder: Path | None = None) -> Iterator[Asked]:
    """Yields every query of every dashboard in a folder; `None` is the folder of the shipped dashboards."""
    for path in sorted((folder or files.source("dashboards")).glob("*.json")):
        board = json.loads(path.read_text())
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                lines = panel["type"] == "timeseries"
                least = seconds(target.get("interval", "0s"))
                yield Asked(board["title"], panel["title"], target["refId"], target["expr"], lines, least)


def seconds(duration: str) -> int:
    """Returns the seconds of a duration such as `60s` or `1m30s`."""
    units = {"s": 1, "m": 60, "h": 3600}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([smh])", duration))


def resolved(asked: Asked, window: Window = Window()) -> str:
    """Returns the query's PromQL with Grafana's variables replaced, with everything selected."""
    known = {
        "__rate_interval_ms": str(window.rate(asked) * 1000),
        "__rate_interval": f"{window.rate(asked)}s",
        "__range": f"{window.seconds}s",
        **dict.fromkeys(("job", "instance", "operation", "model"), ".*"),
    }
    return re.sub(r"\$([a-z_]+)", lambda found: known[found.group(1)], asked.expression)


def ask(base: str, asked: Asked, window: Window = Window()) -> list[dict[str, Any]]:
    """Returns the series of a panel's query now. Raises `ValueError` with Prometheus' message if it refuses the query.

    `base` is the URL of the Prometheus. Raises `OSError` if it cannot be reached.
    """
    parameters: dict[str, Any] = {"query": resolved(asked, window)}
    if asked.lines:
        now = time.time()
        parameters |= {"start": now - window.seconds, "end": now, "step": window.step(asked)}
    return query(base, "query_range" if asked.lines else "query", parameters)


def query(base: str, kind: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the series of a query; `kind` is `query` or `query_range`. Raises as `ask` does."""
    data = urllib.parse.urlencode(parameters).encode()
    try:
        with urllib.request.urlopen(f"{base}/api/v1/{kind}", data=data, timeout=30) as response:
            found: list[dict[str, Any]] = json.load(response)["data"]["result"]
            return found
    except urllib.error.HTTPError as error:
        raise ValueError(json.load(error).get("error", str(error))) from error


def table(base: str, folder: Path | None = None, window: Window = Window()) -> str:
    """Returns a line for each query: its panel, how many series it gives, and the last value of the first.

    Raises as `ask` does.
    """
    rows, board = [], ""
    for asked in queries(folder):
        if asked.dashboard != board:
            board = asked.dashboard
            rows.append(f"\n{board}")
        found = ask(base, asked, window)
        value = _last(found[0]) if found else "-"
        rows.append(f"  {asked.panel[:52]:<52} {asked.ref}  {len(found):>3} series  {value}")
    return "\n".join(rows).lstrip("\n")


def _last(series: dict[str, Any]) -> str:
    value = series["values"][-1][1] if "values" in series else series["value"][1]
    return f"{float(value):.4g}"
