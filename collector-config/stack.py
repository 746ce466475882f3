#!/usr/bin/env python3
"""The whole stack on one machine without Docker: Collector, Jaeger, Prometheus with the alert rules, Alertmanager.

    python collector-config/stack.py up        find or build what is needed, start it, say what to open
    python collector-config/stack.py panels    ask every query of every dashboard panel, and print what comes back
    python collector-config/stack.py status    what runs
    python collector-config/stack.py down      end it
    python collector-config/stack.py build     only build what is missing; with --all also a Prometheus 3

Binaries are taken from the PATH, else built with Go into a cache outside the tree. The rule here: what `up` starts,
`down` ends, and nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from localstack import binaries, panels, services
from localstack.services import HOST, PORTS, NotReady, Service


def say(text: str) -> None:
    """One line of progress, at once."""
    print(text, flush=True)


def state() -> Path:
    """The file that remembers what was started."""
    return binaries.cache() / "stack" / "running.json"


def running() -> dict[str, int]:
    """The processes of the stack that live, by name."""
    try:
        known: dict[str, int] = json.loads(state().read_text())
    except (OSError, ValueError):
        return {}
    return {name: pid for name, pid in known.items() if _is(name, pid)}


def _is(name: str, pid: int) -> bool:
    """Whether that process is still ours: a number may have been given to another since."""
    said = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True).stdout
    return str(state().parent) in said or str(binaries.CONFIGS) in said


def parts(found: dict[str, Path], work: Path) -> list[Service]:
    """Every service, in the order in which they are started."""
    modern = binaries.major(found["Prometheus"]) >= 3
    way = "otlp" if modern else "scrape"
    made = [
        services.jaeger(found["Jaeger"], work, PORTS),
        services.alertmanager(found["Alertmanager"], work, PORTS),
        services.prometheus(found["Prometheus"], work, PORTS, scrape=not modern),
        services.collector(
            found["Collector"],
            ("all-in-one.yaml", f"metrics/{way}.yaml"),
            work,
            PORTS,
            TRACES_ENDPOINT=f"http://{HOST}:{PORTS['jaeger_otlp']}",
            METRICS_ENDPOINT=f"http://{HOST}:{PORTS['prometheus']}/api/v1/otlp",
        ),
    ]
    grafana = shutil.which("grafana")
    return [*made, services.grafana(Path(grafana), work, PORTS)] if grafana else made


def up() -> int:
    """Starts what does not run yet."""
    if running():
        say("it runs already:")
        return status()
    busy = services.taken(PORTS)
    if busy:
        say(f"these ports are in use: {', '.join(busy)}. End what uses them, or use that instead.")
        return 1
    found = binaries.everything(say)
    work = state().parent
    work.mkdir(parents=True, exist_ok=True)
    started: dict[str, int] = {}
    for service in parts(found, work):
        try:
            service.start()
        finally:
            if service.process is not None and service.process.poll() is None:
                started[service.name] = service.process.pid
                state().write_text(json.dumps(started))
        say(f"{service.name}: runs")
    say(what_to_open("grafana" in started))
    return 0


def what_to_open(grafana: bool) -> str:
    """Where things are, and what to do next."""
    dashboards = (
        f"Grafana        http://{HOST}:{PORTS['grafana']}/dashboards"
        if grafana
        else "Grafana        not on the PATH. `stack.py panels` prints every panel's data; compose.yaml has it"
    )
    return f"""
Send telemetry:  OTEL_EXPORTER_OTLP_ENDPOINT=http://{HOST}:{PORTS["otlp_http"]} anthropic-otel demo
{dashboards}
Jaeger         http://{HOST}:{PORTS["jaeger"]} (API: /api/traces?service=...)
Prometheus     http://{HOST}:{PORTS["prometheus"]}/graph, alerts: /alerts (API: /api/v1/alerts)
Alertmanager   http://{HOST}:{PORTS["alertmanager"]}
Logs           {state().parent}/*.log
End it with    python {Path(sys.argv[0])} down"""


def status() -> int:
    """What runs; 1 if nothing does."""
    alive = running()
    for name, pid in alive.items():
        say(f"{name}: process {pid}")
    say(what_to_open("grafana" in alive) if alive else "nothing runs")
    return 0 if alive else 1


def down() -> int:
    """Ends what `up` started, and waits for it."""
    for pid in running().values():
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 20
    while running() and time.monotonic() < deadline:
        time.sleep(0.2)
    left = running()
    for pid in left.values():
        os.kill(pid, signal.SIGKILL)
    state().unlink(missing_ok=True)
    say("ended")
    return 0


def build(*more: binaries.Component) -> int:
    """Builds what is missing."""
    for name, path in binaries.everything(say, (*binaries.STACK, *more)).items():
        say(f"{name}: {path}")
    return 0


def ask() -> int:
    """Prints every panel's data."""
    say(panels.table(f"http://{HOST}:{PORTS['prometheus']}"))
    return 0


def main() -> int:
    """The exit status."""
    commands = {"up": up, "down": down, "status": status, "build": build, "panels": ask}
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("command", choices=commands)
    parser.add_argument("--all", action="store_true", help="build: also what only the tests need")
    chosen = parser.parse_args()
    if chosen.command == "build" and chosen.all:
        commands["build"] = lambda: build(binaries.PROMETHEUS_3)
    try:
        return commands[chosen.command]()
    except (binaries.Missing, NotReady) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
