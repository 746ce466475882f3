"""Defines the commands of `anthropic-otel stack` and their options.

Rule: a command here only passes its options on and prints. An error that a user can cause has no traceback; its
message says what went wrong or what to do.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from anthropic_otel.cli.options import Path as FilePath

if TYPE_CHECKING:
    from anthropic_otel.cli.stack.devstack import Stack

_WORK: Final = click.option(
    "--work",
    type=FilePath(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where data, logs and state are kept.  [default: ~/.cache/anthropic-otel/stack]",
)


@click.group(short_help="Run the back ends without Docker.")
def stack() -> None:
    """Run Collector, Jaeger, Prometheus and Alertmanager here, without Docker.

    It uses the binaries on your PATH, and builds missing ones with Go into ~/.cache/anthropic-otel.
    """
    if os.name != "posix":
        raise click.ClickException("'stack' needs Linux or macOS. Use Docker instead: see 'anthropic-otel bundle'")


@stack.command()
@click.option("--free-ports", is_flag=True, help="Use any free ports, not the documented ones.")
@click.option("--no-story", is_flag=True, help="Leave out the demo app, which fills the panels.")
@click.option(
    "--bundle",
    "files",
    type=FilePath(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Use the configs, rules and dashboards in this directory, which 'anthropic-otel bundle' wrote.",
)
@_WORK
def up(free_ports: bool, no_story: bool, files: Path | None, work: Path | None) -> None:
    """Start the stack, and print what to open."""
    with _errors_reported():
        from anthropic_otel.cli.stack import layout

        made, ports = _stack(work), layout.free_ports() if free_ports else dict(layout.PORTS)
        made.up(layout.Layout(made.work, ports, *_bundle(files)), story=not no_story)


@stack.command()
@_WORK
def down(work: Path | None) -> None:
    """End what 'up' started, also if that was killed."""
    with _errors_reported():
        _stack(work).down()


@stack.command()
@_WORK
def status(work: Path | None) -> None:
    """Print what runs. Exits with 1 if nothing does."""
    with _errors_reported():
        sys.exit(0 if _stack(work).status() else 1)


@stack.command()
@_WORK
def panels(work: Path | None) -> None:
    """Print in short what every panel of the dashboards would show."""
    with _errors_reported():
        from anthropic_otel.cli.stack.panels import table

        where = _stack(work).where()
        click.echo(table(where.url("prometheus"), where.dashboards))


@stack.command()
@click.option(
    "--all", "everything", is_flag=True, help="Also build what only the tests need: a Prometheus 3 and its promtool."
)
def build(everything: bool) -> None:
    """Build missing binaries, and start nothing."""
    with _errors_reported():
        from anthropic_otel.cli.stack import binaries
        from anthropic_otel.cli.stack.processes import interruptible

        interruptible()
        wanted = (*binaries.STACK, binaries.PROMETHEUS_3, binaries.PROMTOOL_3) if everything else binaries.STACK
        for name, path in binaries.everything(_say, wanted).items():
            _say(f"{name}: {path}")


def _stack(work: Path | None) -> Stack:
    from anthropic_otel.cli.stack.devstack import Stack
    from anthropic_otel.cli.stack.guide import default_work

    return Stack((work or default_work()).resolve(), _say)


def _bundle(files: Path | None) -> tuple[Path, ...]:
    """Returns a tuple of the directory `files` as an absolute path; an empty tuple if `files` is `None`.

    Raises `click.BadParameter` if the directory has no file `collector-config/all-in-one.yaml`.
    """
    if files is None:
        return ()
    if not (files / "collector-config" / "all-in-one.yaml").is_file():
        raise click.BadParameter(
            f"{files} is not a bundle. Write one: anthropic-otel bundle {files}", param_hint="--bundle"
        )
    return (files.resolve(),)


def _say(text: str) -> None:
    """Prints `text` and a newline, and flushes, so that a pipe shows progress too."""
    click.echo(text)
    sys.stdout.flush()


@contextmanager
def _errors_reported() -> Iterator[None]:
    """Turns the errors in its block that a user can cause, and any `OSError`, into `ClickException`.

    The first are `Missing`, `NotReady`, `Refused`, `StillRuns` and `Unreadable`, whose message stays the same, as does
    that of an `OSError` that names no file. The message for an `OSError` with a file is the file and the system's text.
    A `KeyboardInterrupt` becomes a `ClickException` with the message `interrupted`. Any other exception passes.
    """
    from anthropic_otel.cli.stack.binaries import Missing
    from anthropic_otel.cli.stack.devstack import Refused
    from anthropic_otel.cli.stack.processes import StillRuns
    from anthropic_otel.cli.stack.service import NotReady
    from anthropic_otel.cli.stack.state import Unreadable

    try:
        yield
    except (Missing, NotReady, Refused, StillRuns, Unreadable) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}" if error.filename else str(error)) from error
    except KeyboardInterrupt:
        raise click.ClickException("interrupted") from None
