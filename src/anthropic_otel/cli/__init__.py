"""The command line, `anthropic-otel`.

Rule: importing this module needs no optional package, so that `main` can say what to install in place of a traceback.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import NoReturn

_EXTRA = ("click", "rich")


def main() -> None:
    """Runs the command in `sys.argv`, and ends the process with its exit status, by `SystemExit`.

    Opens the null device for each standard stream that is closed. If click or rich is missing, or standard output
    cannot be written, exits with a message on stderr and status 1; with no message if the output's reader has left. An
    `OSError` of the command that names no file counts as one of standard output. Raises any other exception of the
    command that click does not turn into an exit status.
    """
    _open_what_is_closed()
    try:
        from anthropic_otel.cli.commands import cli
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        sys.exit("The command line needs two more packages: pip install 'anthropic-otel[cli]'")
    try:
        try:
            cli()
        finally:
            sys.stdout.flush()
    except OSError as error:
        _give_up_output(error)


def _give_up_output(error: OSError) -> NoReturn:
    """Exits with status 1 because writing standard output raised `error`, and prints why to stderr.

    Prints nothing if the output's reader has left, as `head` does. Standard output is the null device from then on.
    Raises `error` again if it names a file, because then it is not of standard output.
    """
    if error.filename is not None:
        raise error
    # The interpreter flushes the buffer again when it ends, which would fail again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(1 if error.errno == errno.EPIPE else f"Error: the output cannot be written: {error.strerror}")


def _open_what_is_closed() -> None:
    """Opens the null device for each standard stream that was closed when the process started, as by `<&-`."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
