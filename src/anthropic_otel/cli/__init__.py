"""The command line, `anthropic-otel`: see it at work, check an installation, take what operators need.

Rule: importing this package needs no extra, so that a missing one is a sentence and no traceback.
"""

from __future__ import annotations

import sys

_EXTRA = ("click", "rich")


def main() -> None:
    """Runs the command that `sys.argv` names, and exits with its code."""
    try:
        from anthropic_otel.cli.commands import cli
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        sys.exit("The command line needs two more packages: pip install 'anthropic-otel[cli]'")
    cli()
