"""The command line, `anthropic-otel`: see it at work, check an installation, take what operators need.

Rule: importing this package needs no extra, so that a missing one is a sentence and no traceback.
"""

from __future__ import annotations

import os
import sys

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
    cli()


def _open_what_is_closed() -> None:
    """Gives the streams that whoever started this has closed, as `cron` and `<&-` do, a place that holds nothing."""
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
