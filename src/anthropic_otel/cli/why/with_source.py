"""Converts tracebacks as pytest and IPython print them, with source code between the frames.

Rule: source code is dropped, because it names exceptions that were never raised.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

HEADER: Final = "Traceback (most recent call last):"
_LINKS: Final = (
    "The above exception was the direct cause of the following exception:",
    "During handling of the above exception, another exception occurred:",
)

# -- pytest ------------------------------------------------------------------------------------------------------------

_FAILURES: Final = re.compile(r"^=+ (?:FAILURES|ERRORS) =+$")
_SECTION: Final = re.compile(r"^=+ .+ =+$")
_TEST: Final = re.compile(r"^_{3,} .+ _{3,}$")
_CAPTURED: Final = re.compile(r"^-+ Captured .+ -+$")
_RAISED: Final = re.compile(r"^E {2,}((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*)(: .*)?$")
_PLACE: Final = re.compile(r"^(\S+\.py):(\d+): (?:in (.+))?")
_SUMMARY: Final = re.compile(r"^(?:FAILED|ERROR) \S+(?: - .*)?$")


def of_pytest(lines: list[str]) -> list[str]:
    """Returns the lines with each failure in a report of pytest replaced by a traceback as Python prints it.

    Nothing else of the report's sections about failures is kept but captured output. Elsewhere, only pytest's headings
    and the lines of its summary are dropped. If there is no report, all lines stay as they are.
    """
    return list(_reported(lines)) if any(_is_failures(line) for line in lines) else lines


def _is_failures(line: str) -> bool:
    return line.startswith("=") and _FAILURES.match(line) is not None


def _reported(lines: list[str]) -> Iterator[str]:
    source = captured = False
    frames: list[str] = []
    for line in lines:
        if _SECTION.match(line):
            source, captured = _is_failures(line), False
        elif source and (_TEST.match(line) or _CAPTURED.match(line)):
            captured = line.startswith("-")
        elif not source or captured:
            if not _SUMMARY.match(line):
                yield line
        elif raised := _RAISED.match(line):
            yield from (HEADER, *frames, raised[1] + (raised[2] or ""))
            frames = []
        elif line in _LINKS:
            yield line
            frames = []
        elif place := _PLACE.match(line):
            frames.append(f'  File "{place[1]}", line {place[2]}, in {place[3] or "?"}')


# -- IPython -----------------------------------------------------------------------------------------------------------

_TITLE: Final = re.compile(r"^([A-Za-z_]\w*) +Traceback \(most recent call last\)$")
_FRAME: Final = re.compile(r"^(?:File )?(\S.*?):(\d+),? in (?:[\w.]+\.)?(\w+)\(.*\)$")


def of_ipython(lines: list[str], qualified: Callable[[str], str]) -> list[str]:
    """Returns the lines with each traceback of IPython, as in a notebook, replaced by one as Python prints it.

    IPython names a class without its module; `qualified` is called with that name, and must return the name to write.
    A traceback extends to the line of its exception; if that is missing, to the end of the lines.
    """
    return list(_unframed(lines, qualified)) if any(_titled(line) for line in lines) else lines


def _titled(line: str) -> str | None:
    """Returns the name of the exception if the line is the first one of IPython's traceback, else `None`."""
    if not line.endswith(" Traceback (most recent call last)"):
        return None
    found = _TITLE.match(line)
    return found[1] if found is not None else None


def _unframed(lines: list[str], qualified: Callable[[str], str]) -> Iterator[str]:
    raised: str | None = None
    for line in lines:
        if name := _titled(line):
            raised = name
            yield HEADER
        elif raised is None:
            yield line
        elif line == raised or line.startswith(f"{raised}: "):
            yield qualified(raised) + line[len(raised) :]
            raised = None
        elif frame := _FRAME.match(line):
            yield f'  File "{frame[1]}", line {frame[2]}, in {frame[3]}'
