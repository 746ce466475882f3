"""Runs one program with a listener for its events, from the program's start to its end.

Rule: if no listener can be opened, the program runs all the same, and one line on stderr says that nothing is shown.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from anthropic_otel.cli.run.child import Child, NotStarted, variables
from anthropic_otel.cli.run.listener import Listener
from anthropic_otel.cli.run.report import Options, Report


def run(command: Sequence[str], options: Options) -> int:
    """Runs a program to its end, reports its calls as `options` say, and returns the status to exit with.

    If no listener can be opened, runs it all the same, prints a line that says so, and reports no calls. Raises
    `NotStarted` if the program cannot be started. Replaces signal handlers (see `Child`): call it in the main thread.
    """
    try:
        listener = Listener()
    except OSError as error:
        reason = f"cannot listen on 127.0.0.1 ({error.strerror}), so no calls are shown"
        print(f"anthropic-otel: {reason}", file=sys.stderr)
        return Child(command, os.environ).wait()
    report = Report(listener, options)
    try:
        child = Child(command, variables(listener.target, os.environ))
    except NotStarted:
        listener.close()
        raise
    report.start()
    try:
        return child.wait()
    finally:
        report.close()
        listener.close()


__all__ = ["NotStarted", "Options", "run"]
