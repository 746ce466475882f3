"""Asks a Prometheus the queries of the dashboards' panels, and says as text how much each would show.

Rule: the queries come from the dashboards' JSON; only Grafana's variables in them are replaced.
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

    - `dashboard`, `panel`: their titles; `ref`: the query's id in the panel; `expression`: its PromQL.
    - `lines`: whether the query is evaluated over a range of time, not at one moment.
    - `least_step`: the least seconds between two points; 0 if the query itself sets none.
    """

    dashboard: str
    panel: str
    ref: str
    expression: str
    lines: bool
    least_step: int


@dataclass(frozen=True)
class Window:
    """The range of time, up to now, that the panels show: its length in seconds, and the number of points in it."""

    seconds: int = 900
    points: int = 200

    def step(self, asked: Asked) -> int:
        """Returns the seconds between two points of the query, as Grafana chooses them before it rounds.

        That is `seconds` divided by `points`, rounded down, but at least the query's least step, and at least 1.
        """
        return max(1, self.seconds // self.points, asked.least_step)

    def rate(self, asked: Asked) -> int:
        """Returns the seconds of Grafana's variable `$__rate_interval`, as Grafana computes it.

        That is the step plus the interval between samples, but at least four times this interval. The interval is the
        query's least step, or 15 s if it has none.
        """
        sample = asked.least_step or 15
        return max(self.step(asked) + sample, 4 * sample)


def queries(folder: Path | None = None) -> Iterator[Asked]:
    """Yields each query of each panel of each dashboard (`*.json`) in a folder, sorted by the dashboards' file names.

    Panels inside of a row are not looked at. `None` stands for the package's own dashboards.
    """
    for path in sorted((folder or files.source("dashboards")).glob("*.json")):
        board = json.loads(path.read_text())
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                lines = panel["type"] == "timeseries"
                least = seconds(target.get("interval", "0s"))
                yield Asked(board["title"], panel["title"], target["refId"], target["expr"], lines, least)


def seconds(duration: str) -> int:
    """Returns the seconds of a duration such as `60s` or `1m30s`. Only the units s, m and h count; 0 without any."""
    units = {"s": 1, "m": 60, "h": 3600}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([smh])(?![a-z])", duration))


def resolved(asked: Asked, window: Window = Window()) -> str:
    """Returns the query's PromQL with Grafana's variables replaced, as if everything were selected in all filters.

    Only variables written as `$name` are. Raises `KeyError` for an unknown one.
    """
    known = {
        "__rate_interval_ms": str(window.rate(asked) * 1000),
        "__rate_interval": f"{window.rate(asked)}s",
        "__range": f"{window.seconds}s",
        **dict.fromkeys(("job", "instance", "operation", "model"), ".*"),
    }
    return re.sub(r"\$([a-z_]+)", lambda found: known[found.group(1)], asked.expression)


def ask(base: str, asked: Asked, window: Window = Window()) -> list[dict[str, Any]]:
    """Returns the series that the Prometheus at the URL `base` has for a panel's query, as its API returns them.

    They are over the time of `window` if the panel shows lines, else of this moment. Raises `ValueError` with
    Prometheus' message if it refuses the query, `OSError` if it cannot be reached, and `KeyError` as `resolved` does.
    """
    parameters: dict[str, Any] = {"query": resolved(asked, window)}
    if asked.lines:
        now = time.time()
        parameters |= {"start": now - window.seconds, "end": now, "step": window.step(asked)}
    return query(base, "query_range" if asked.lines else "query", parameters)


def query(base: str, kind: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the series that the Prometheus at the URL `base` answers to a request, as its API returns them.

    `kind` is `query` or `query_range`. Raises `ValueError` if it refuses the request, with Prometheus' message if what
    answers is a Prometheus, and `OSError` if it cannot be reached.
    """
    data = urllib.parse.urlencode(parameters).encode()
    try:
        with urllib.request.urlopen(f"{base}/api/v1/{kind}", data=data, timeout=30) as response:
            found: list[dict[str, Any]] = json.load(response)["data"]["result"]
            return found
    except urllib.error.HTTPError as error:
        raise ValueError(json.load(error).get("error", str(error))) from error


def table(base: str, folder: Path | None = None, window: Window = Window()) -> str:
    """Returns a text with a line for each query: its panel, how many series it has, and the first one's last value.

    The value is `-` if there are no series. Before each dashboard's lines is its title. `base` is the URL of the
    Prometheus, `folder` the directory of the dashboards (`None`: the package's own), `window` the range of time of the
    queries that show lines. Raises `ValueError` with Prometheus' message if it refuses a query, and `OSError` if it
    cannot be reached.
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
