"""A Prometheus that has an hour of four services in it, and what it answers to the queries of the dashboards."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]
if str(ROOT / "tests") not in sys.path:
    sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from anthropic_otel.bundle import files, rules, settings  # noqa: E402
from anthropic_otel.cli.stack import binaries, panels  # noqa: E402
from anthropic_otel.cli.stack.layout import HOST, free_port  # noqa: E402
from anthropic_otel.cli.stack.service import Service  # noqa: E402
from dashboards import hour, week  # noqa: E402
from dashboards.played import openmetrics  # noqa: E402

SHOWN: Final = panels.Window(seconds=hour.HOUR, points=500)
"""The time that a dashboard shows, and a point for each pixel of a panel at most, as in Grafana."""


@dataclass(frozen=True)
class Input:
    """A dashboard and what Prometheus answered to its queries, as the page takes it (`page/src/results.ts`)."""

    name: str
    board: dict[str, Any]
    text: str
    nothing: frozenset[int]
    """The panels none of whose queries gave a series."""


def beginning(whole: Input, rows: int) -> Input:
    """The first rows of a dashboard alone."""
    panels = whole.board["panels"]
    headings = [number for number, panel in enumerate(panels) if panel["type"] == "row"]
    board = {**whole.board, "panels": panels[: headings[rows]]}
    return replace(whole, board=board, text=json.dumps({**json.loads(whole.text), "board": board}))


@contextmanager
def prometheus(work: Path) -> Iterator[str]:
    """The address of a Prometheus that has the hour until now, and the shipped rules, whose alerts need not last."""
    promtool, binary = binaries.find(binaries.PROMTOOL), binaries.find(binaries.PROMETHEUS)
    thresholds = yaml.safe_load(files.source("dashboards/thresholds.yaml").read_text())
    made = hour.Hour(time.time())
    played = list(made.samples())
    began = made.end - hour.LENGTH
    samples = week.Week(played, began, made.end, settings.parse(yaml.safe_dump(thresholds))).samples()
    # To play takes its time, and the hour is to end now.
    late = time.time() - made.end
    with (work / "samples.txt").open("w") as text:
        text.writelines(openmetrics((at + late, sample) for at, sample in samples))
    command = [str(promtool), "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=1488h"]
    subprocess.run([*command, str(work / "samples.txt"), str(work / "data")], check=True, capture_output=True)
    thresholds["evaluation"] |= {"interval": "1s", "slow_interval": "1s"}
    for alert in thresholds["alerts"].values():
        alert["hold"] = "1s"
    (work / "rules.yaml").write_text(rules.prometheus(settings.parse(yaml.safe_dump(thresholds))))
    (work / "prometheus.yaml").write_text(json.dumps({"rule_files": ["rules.yaml"]}))
    port = free_port()
    base = f"http://{HOST}:{port}"
    service = Service(
        "prometheus",
        [
            str(binary),
            f"--config.file={work / 'prometheus.yaml'}",
            f"--storage.tsdb.path={work / 'data'}",
            "--storage.tsdb.retention.time=60d",
            f"--web.listen-address={HOST}:{port}",
        ],
        f"{base}/-/ready",
        work / "prometheus.log",
    )
    service.start()
    try:
        _await_alerts(base)
        yield base
    finally:
        service.stop()


def _await_alerts(base: str, wait: float = 120.0) -> None:
    """Waits until the rules have been evaluated, and what fires has fired."""
    deadline = time.monotonic() + wait
    while not panels.query(base, "query", {"query": 'ALERTS{alertstate="firing"}'}):
        if time.monotonic() > deadline:
            raise TimeoutError(f"no alert fires after {wait:.0f} s of an outage")
        time.sleep(0.5)
    # One more evaluation of everything, as the alerts do not fire in the same second.
    time.sleep(5)


def inputs(base: str, folder: Path | None = None) -> Iterator[Input]:
    """Every dashboard of a folder, without one the shipped ones, with the answers to its queries of one moment."""
    now = time.time()
    for path in sorted((folder or files.source("dashboards")).glob("*.json")):
        board = json.loads(path.read_text())
        answers = {panel["id"]: _answers(base, board, panel, now) for panel in board["panels"] if "targets" in panel}
        nothing = frozenset(number for number, found in answers.items() if not any(a["result"] for a in found.values()))
        given = {"board": board, "from": 1000 * (now - SHOWN.seconds), "to": 1000 * now, "answers": answers}
        yield Input(path.stem, board, json.dumps(given), nothing)


def _answers(base: str, board: dict[str, Any], panel: dict[str, Any], now: float) -> dict[str, Any]:
    found = {}
    for target in panel["targets"]:
        lines = bool(target.get("range"))
        least = panels.seconds(target.get("interval", "0s"))
        asked = panels.Asked(board["title"], panel["title"], target["refId"], target["expr"], lines, least)
        step = SHOWN.step(asked)
        parameters: dict[str, Any] = {"query": panels.resolved(asked, SHOWN)}
        if lines:
            # At full steps, as Grafana asks.
            begin, end = (int(moment // step) * step for moment in (now - SHOWN.seconds, now))
            parameters |= {"start": begin, "end": end, "step": step}
        else:
            parameters["time"] = now
        result = panels.query(base, "query_range" if lines else "query", parameters)
        found[target["refId"]] = {"step": step, "result": result}
    return found
