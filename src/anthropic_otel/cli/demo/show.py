"""Prints the result of the demo: waterfalls, tables, and what to do next.

Rule: each call and each measured number that is printed is from the result or the collection.
"""

from __future__ import annotations

import os
from typing import Final

from anthropic_otel._render.styled import Glyphs, Line, Piece, Style, packed
from anthropic_otel._render.terminal import Terminal
from anthropic_otel._render.traces import Trace
from anthropic_otel._render.waterfall import waterfall
from anthropic_otel.cli.collect import Collection, destination, service_name
from anthropic_otel.cli.demo.play import Result
from anthropic_otel.cli.tables import tables

_LEGEND: Final = (
    ("sent", "until headers", Style.PLAIN),
    ("body", "body", Style.PLAIN),
    ("backoff", "backoff", Style.BACKOFF),
)
_COLLECTOR: Final = "OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318"
_COMPOSE: Final = "collector-config/compose.yaml up -d"
_BY_MAKE: Final = (
    f"docker compose -f {_COMPOSE}",
    "make stack                            # or without Docker, without Grafana",
    f"{_COLLECTOR} make demo",
)
_BY_COMMAND: Final = (
    "anthropic-otel bundle monitoring      # dashboards, alerts, collector configs",
    f"docker compose -f monitoring/{_COMPOSE}",
    "anthropic-otel stack up               # or without Docker, without Grafana",
    f"{_COLLECTOR} anthropic-otel demo",
)
_SCREENS: Final = ("http://localhost:3000 (Grafana)", "http://localhost:16686 (Jaeger)")
_OWN_APP: Final = 'anthropic_otel.instrument(export="otlp")'


def show(terminal: Terminal, result: Result) -> None:
    """Prints a heading with the legend, the calls in `featured`, and the tables of the summary.

    Each call has its title, facts such as its model, its trace id if spans are sent by OTLP, and a waterfall.
    """
    terminal.lines([(), *_introduction(len(result.featured), terminal.width, terminal.glyphs)])
    for title, trace in result.featured.items():
        terminal.lines([(), *_headline(trace, title, terminal.width, terminal.glyphs)])
        terminal.lines(waterfall(trace, terminal.width, terminal.glyphs))
    terminal.lines([(), *tables(result.summary, terminal.width, terminal.glyphs)])


def _introduction(calls: int, width: int, glyphs: Glyphs) -> list[Line]:
    title = Piece(f"A closer look at {calls} calls", Style.STRONG)
    legend = tuple(Piece(f"   {getattr(glyphs, glyph) * 3} {text}", style) for glyph, text, style in _LEGEND)
    whole = (title, *legend)
    return [whole] if sum(len(piece.text) for piece in whole) <= width else [(title,), legend]


def _headline(trace: Trace, title: str, width: int, glyphs: Glyphs) -> list[Line]:
    many = f"{len(trace.attempts)} attempt" + "s" * (len(trace.attempts) != 1)
    lost = (f"{trace.backoff / trace.duration:.0%} of it backoff",) if trace.backoff else ()
    facts = packed((trace.name, trace.model, many, *lost), glyphs.separator, width)
    where = ((Piece(f"trace {trace.trace_id}", Style.QUIET),),) if destination() else ()
    return [(Piece(title, Style.STRONG),), *((Piece(line, Style.QUIET),) for line in facts), *where]


def tell_more(terminal: Terminal, collection: Collection) -> None:
    """Prints how to see the same calls in Jaeger and Grafana, and the line that instruments an app.

    Before that, if spans are sent by OTLP (`collection.delivered`), prints how many were lost, or, if none was, how
    many were delivered. The commands are those of `make` if `make` runs this process.
    """
    terminal.text()
    target, delivered = destination(), collection.delivered
    if delivered is not None and delivered.lost:
        terminal.text(f"Could not deliver {delivered.lost} spans to {target}. Is a collector running there?", Style.BAD)
    elif delivered is not None:
        terminal.text(f"Sent to {target}: {delivered.spans} spans of service {service_name()}, and metrics", Style.GOOD)
    terminal.text("The same in Jaeger and Grafana", Style.STRONG)
    commands = _BY_MAKE if "MAKELEVEL" in os.environ else _BY_COMMAND
    for command in commands:
        shown, hash_sign, comment = command.partition("#")
        terminal.lines([(Piece(f"  {shown}"), Piece(hash_sign + comment, Style.QUIET))])
    terminal.text("Then look at:", Style.STRONG)
    terminal.lines([(Piece(f"  {screen}"),) for screen in _SCREENS])
    terminal.lines([(Piece("In your own app: ", Style.STRONG), Piece(_OWN_APP, Style.GOOD))])
