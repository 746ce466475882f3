"""The command line, `anthropic-otel`: see it at work, check an installation, take what operators need.

Rule: importing this package needs no extra, so that a missing one is a sentence and no traceback.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import NoReturn

_EXTRA = ("click", "rich")


def main() -> None:
    """Runs the command that `sys.argv` names, and exits with its code."""
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
    """Says that the output cannot be written, as on a full disk; nothing, if its reader has left, as `head` does."""
    if error.filename is not None:
        raise error
    # What is left in the buffer is written when the interpreter ends, and would fail again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(1 if error.errno == errno.EPIPE else f"Error: the output cannot be written: {error.strerror}")


def _open_what_is_closed() -> None:
    """Gives the streams that whoever started this has closed, as `cron` and `<&-` do, a place that holds nothing."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
