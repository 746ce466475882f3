"""The option `--nothing-missing`: a test that is skipped for want of something that can be installed fails.

CI installs everything, and a skip there would go unseen. What is skipped for another version of the SDK, of Python or
of the machine is skipped all the same.
"""

from __future__ import annotations

import re
from typing import Final

import pytest

_WANTING: Final = re.compile(r"could not import|is not installed|on the PATH|needs anthropic\[|no .*: CI=true")


def wanting(reason: str) -> bool:
    """Whether that is skipped for want of a package or of a program."""
    return _WANTING.search(reason) is not None


def fail_if_wanting(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Makes a failure of a skip for want of something."""
    if report.outcome == "skipped" and isinstance(report.longrepr, tuple) and wanting(report.longrepr[2]):
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} is skipped, and nothing may be missing here: {report.longrepr[2]}"
