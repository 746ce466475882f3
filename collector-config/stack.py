#!/usr/bin/env python3
"""The whole stack on one machine without Docker: Collector, Jaeger, Prometheus with the alert rules, Alertmanager.

    python collector-config/stack.py up        find or build what is needed, start it with an app that has trouble, say
                                               what to open; with --no-story: without it
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
import sys
import time
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from localstack import binaries, panels, services
from localstack.services import HOST, PORTS, NotReady, Service

GRACE = 10.0
"""Seconds that a part has to end by itself."""


def say(text: str) -> None:
    """One line of progress, at once."""
    print(text, flush=True)


class Stack:
    """What runs out of one working directory, on the ports that it was started with."""

    def __init__(self, work: Path) -> None:
        self.work = work
        self._state = work / "running.json"

    def up(self, ports: dict[str, int], *, story: bool = True) -> int:
        """Starts everything, unless it runs already. The exit status."""
        if self.running():
            say("it runs already:")
            return self.status()
        busy = services.taken(ports)
        if busy:
            say(f"these ports are in use: {', '.join(busy)}. End what uses them, or choose others: up --free-ports")
            return 1
        found = binaries.everything(say)
        self.work.mkdir(parents=True, exist_ok=True)
        started: dict[str, int] = {}
        for service in (*self._parts(found, ports), *self._story(ports, wanted=story)):
            try:
                service.start()
            finally:
                if service.process is not None and service.process.poll() is None:
                    started[service.name] = service.process.pid
                    self._state.write_text(json.dumps({"ports": ports, "processes": started}))
            say(f"{service.name}: runs")
        say(self._what_to_open())
        return 0

    def status(self) -> int:
        """Says what runs; 1 if nothing does."""
        alive = self.running()
        for name, pid in alive.items():
            say(f"{name}: process {pid}")
        say(self._what_to_open() if alive else "nothing runs")
        return 0 if alive else 1

    def down(self) -> int:
        """Ends what `up` started, the senders first, so that what they have left still arrives."""
        for name, pid in reversed(self.running().items()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + GRACE
            while name in self.running() and time.monotonic() < deadline:
                time.sleep(0.1)
            if name in self.running():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._state.unlink(missing_ok=True)
        say("ended")
        return 0

    def panels(self) -> int:
        """Prints what every panel would show; 1 if nothing runs."""
        if not self.running():
            return self.status()
        say(panels.table(f"http://{HOST}:{self._remembered('ports')['prometheus']}"))
        return 0

    def running(self) -> dict[str, int]:
        """The processes of this stack that live, by name."""
        return {name: pid for name, pid in self._remembered("processes").items() if self._is_ours(pid)}

    def _remembered(self, what: str) -> dict[str, int]:
        try:
            found: dict[str, int] = json.loads(self._state.read_text())[what]
        except (OSError, ValueError):
            return {}
        return found

    def _is_ours(self, pid: int) -> bool:
        """A number may have been given to another process since, or be that of one that has ended."""
        said = services.described(pid)
        ours = (str(self.work), str(binaries.CONFIGS), " ".join(services.STORY))
        return not said.startswith("Z") and any(one in said for one in ours)

    def _parts(self, found: dict[str, Path], ports: dict[str, int]) -> list[Service]:
        """Every service, in the order in which they are started."""
        modern = binaries.major(found["Prometheus"]) >= 3
        way = "otlp" if modern else "scrape"
        made = [
            services.jaeger(found["Jaeger"], self.work, ports),
            services.alertmanager(found["Alertmanager"], self.work, ports),
            services.prometheus(found["Prometheus"], self.work, ports, scrape=not modern),
            services.collector(
                found["Collector"],
                ("all-in-one.yaml", f"metrics/{way}.yaml"),
                self.work,
                ports,
                TRACES_ENDPOINT=f"http://{HOST}:{ports['jaeger_otlp']}",
                METRICS_ENDPOINT=f"http://{HOST}:{ports['prometheus']}/api/v1/otlp",
            ),
        ]
        grafana = shutil.which("grafana")
        return [*made, services.grafana(Path(grafana), self.work, ports)] if grafana else made

    def _story(self, ports: dict[str, int], *, wanted: bool) -> list[Service]:
        return [services.story(self.work, ports)] if wanted and services.can_tell_the_story() else []

    def _live(self) -> str:
        """Where data comes from, or how to have some."""
        endpoint = f"OTEL_EXPORTER_OTLP_ENDPOINT=http://{HOST}:{self._remembered('ports')['otlp_http']}"
        if "story" in self.running():
            return f"""Live data       service anthropic-otel-demo, in trouble once a minute; yours too:
                {endpoint}"""
        demo = "make demo" if "MAKELEVEL" in os.environ else "anthropic-otel demo"
        return f"Send telemetry  {endpoint} {demo}"

    def _command(self, word: str) -> str:
        """This command with another word, as it can be typed again."""
        elsewhere = "" if self.work == (binaries.cache() / "stack").resolve() else f" --work {self.work}"
        python = Path(sys.executable)
        found = shutil.which("python3")
        if found and Path(found).resolve() == python.resolve() and sys.prefix == sys.base_prefix:
            python = Path("python3")
        shown = python.relative_to(Path.cwd()) if python.is_relative_to(Path.cwd()) else python
        return f"{shown} {sys.argv[0]} {word}{elsewhere}"

    def _what_to_open(self) -> str:
        """Where things are, and what to do next."""
        ports = self._remembered("ports")
        grafana = (
            f"http://{HOST}:{ports['grafana']}/dashboards"
            if "grafana" in self.running()
            else f"not on the PATH; the panels as text: {self._command('panels')}"
        )
        return f"""
{self._live()}
Grafana         {grafana}
Jaeger          http://{HOST}:{ports["jaeger"]}
  as JSON       http://{HOST}:{ports["jaeger"]}/api/traces?service=anthropic-otel-demo
Prometheus      http://{HOST}:{ports["prometheus"]}
  as JSON       http://{HOST}:{ports["prometheus"]}/api/v1/alerts
Alertmanager    http://{HOST}:{ports["alertmanager"]}
  as JSON       http://{HOST}:{ports["alertmanager"]}/api/v2/alerts
Logs            {self.work}
End it          {self._command("down")}

A Jaeger or Prometheus that was built here, and Debian's Prometheus and Alertmanager, have no web page: use the JSON."""


def build(everything: bool) -> int:
    """Builds what is missing."""
    wanted = (*binaries.STACK, binaries.PROMETHEUS_3) if everything else binaries.STACK
    for name, path in binaries.everything(say, wanted).items():
        say(f"{name}: {path}")
    return 0


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("command", choices=("up", "panels", "status", "down", "build"))
    parser.add_argument("--free-ports", action="store_true", help="up: any free ports, not the documented ones")
    parser.add_argument("--no-story", action="store_true", help="up: without the app that shows something")
    parser.add_argument("--all", action="store_true", help="build: also what only the tests need")
    parser.add_argument("--work", type=Path, default=binaries.cache() / "stack", help="where data and logs are kept")
    chosen = parser.parse_args()
    stack = Stack(chosen.work.resolve())
    try:
        match chosen.command:
            case "up":
                ports = services.free_ports() if chosen.free_ports else dict(PORTS)
                return stack.up(ports, story=not chosen.no_story)
            case "build":
                return build(chosen.all)
            case command:
                return int(getattr(stack, command)())
    except (binaries.Missing, NotReady) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
