"""Defines the command `doctor` and its options, and prints or writes what it found."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from anthropic_otel._render.terminal import Terminal
from anthropic_otel.cli.doctor import deadline as _deadline  # noqa: F401  # its clock starts with this import
from anthropic_otel.cli.doctor import document, render
from anthropic_otel.cli.doctor.findings import Section, faults
from anthropic_otel.cli.options import Path as FilePath


@click.command(short_help="Check the connections to API and collector.")
@click.option("--with-key", is_flag=True, help="Also ask the API for its list of models, with your key. It is free.")
@click.option("--offline", is_flag=True, help="Send nothing: check only what is set and installed.")
@click.option(
    "--start", type=click.Choice(["code", "zero-code"]), help="How your app starts telemetry. Default: detected."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--report",
    type=FilePath(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Also write the findings to a file, for a ticket.",
)
def doctor(with_key: bool, offline: bool, start: str | None, as_json: bool, report: Path | None) -> None:
    """Check the connections to the API and to the collector.

    It connects to the API step by step, with the SDK's own client and without your key. It sends an empty export to the
    collector, and checks what is set and installed. It prints no key and no password, takes 5 seconds at
    most on all but slow machines, and exits with 1 if there is a fault.
    """
    if with_key and offline:
        raise click.UsageError("--with-key sends a request, and --offline sends none")
    from anthropic_otel.cli.doctor.collector.start import Start
    from anthropic_otel.cli.doctor.examination import Options, examine

    environment = dict(os.environ)
    options = Options(with_key, offline, Start(start) if start else None)
    sections: list[Section] = []
    terminal = Terminal()
    rendering = render.Rendering(terminal.width, terminal.glyphs)
    with _quiet():
        for section in examine(environment, options):
            sections.append(section)
            if not as_json:
                terminal.lines([*rendering.section(section), ()])
    if as_json:
        click.echo(document.as_json(sections))
    else:
        terminal.lines([render.summary(sections)])
    if report is not None:
        _write(report, document.report(sections, environment), to_stderr=as_json)
    sys.exit(1 if faults(finding for section in sections for finding in section.findings) else 0)


def _write(path: Path, text: str, *, to_stderr: bool) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not a file name"
        raise click.ClickException(f"--report {path}: {why}") from error
    click.echo(f"Written to {path}", err=to_stderr)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences logging, warnings and unraisable exceptions while its block runs, so that only findings are printed."""
    before, unraisable = logging.root.manager.disable, sys.unraisablehook
    logging.disable(logging.CRITICAL)
    sys.unraisablehook = lambda _: None  # the SDK's half-made client has a `__del__` that fails
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
        sys.unraisablehook = unraisable
