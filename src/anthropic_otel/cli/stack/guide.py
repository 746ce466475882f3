"""Makes the text that is printed once the stack is up: addresses, and the next commands."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Collection
from pathlib import Path

from anthropic_otel.cli.stack import binaries
from anthropic_otel.cli.stack.layout import Layout


def default_work() -> Path:
    """Returns the stack's working directory if none is given: `stack` in the cache of `binaries`."""
    return binaries.cache() / "stack"


def command(word: str, work: Path) -> str:
    """Returns the line to type for the subcommand `word` of `stack`; with `--work`, if `work` is not the default."""
    elsewhere = "" if work == default_work().resolve() else f" --work {work}"
    return f"{_program()} stack {word}{elsewhere}"


def _program() -> str:
    """Returns what to type to run this program as it was started: its name or path, or Python with `-m`."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{_short(Path(sys.executable))} -m anthropic_otel.cli"
    found = shutil.which(called.name)
    return called.name if found and Path(found).resolve() == called.resolve() else _short(called)


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def what_to_open(where: Layout, alive: Collection[str]) -> str:
    """Returns the text with the addresses of the stack's programs, and the next commands.

    `alive` has the names of the programs that run. Of these only `grafana` and `story`, the demo's app, make a
    difference: the text has the addresses of all others in any case.
    """
    grafana = (
        f"{where.url('grafana')}/dashboards"
        if "grafana" in alive
        else f"not on the PATH; the panels as text: {command('panels', where.work)}"
    )
    return f"""
{_live_data(where, alive)}
Grafana         {grafana}
Jaeger          {where.url("jaeger")}
  as JSON       {where.url("jaeger")}/api/traces?service=anthropic-otel-demo
Prometheus      {where.url("prometheus")}
  as JSON       {where.url("prometheus")}/api/v1/alerts
Alertmanager    {where.url("alertmanager")}
  as JSON       {where.url("alertmanager")}/api/v2/alerts
Logs            {where.work}
End it          {command("down", where.work)}

A Jaeger or Prometheus that was built here, and Debian's Prometheus and Alertmanager, have no web page: use the JSON."""


def _live_data(where: Layout, alive: Collection[str]) -> str:
    """Returns the lines about the demo's app, which sends data; if it does not run, a line that says how to run it."""
    endpoint = f"OTEL_EXPORTER_OTLP_ENDPOINT={where.url('otlp_http')}"
    if "story" in alive:
        return f"""Live data       service anthropic-otel-demo, in trouble once a minute; yours too:
                {endpoint}"""
    demo = "make demo" if "MAKELEVEL" in os.environ else f"{_program()} demo"
    return f"Send telemetry  {endpoint} {demo}"
