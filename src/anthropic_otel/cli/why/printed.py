"""Parses tracebacks as Python prints them: the exceptions, their order, and where they were raised.

Rule: as in `_core.cause_chain`, only a direct cause (`raise ... from`) is a cause. An exception that was raised "during
handling" of another begins a new chain.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from anthropic_otel.cli.why.search import with_any

_HEADER: Final = "Traceback (most recent call last):"
_DIRECT: Final = "The above exception was the direct cause of the following exception:"
_HANDLING: Final = "During handling of the above exception, another exception occurred:"
_FRAME: Final = re.compile(r'^(?:> |\s*)File "([^"]*)", line \d+(?:, in (.+))?')
"""Matches the line of a frame. loguru prints `> ` before the frame that caught the exception."""
_EXCEPTION: Final = re.compile(r"^((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*)(?:: ?(.*))?$")


@dataclass(frozen=True, slots=True)
class Frame:
    """One line `File "…", line …, in …` of a traceback. `function` is empty if the line has none."""

    file: str
    function: str


@dataclass(frozen=True, slots=True)
class Printed:
    """An exception as a traceback shows it.

    - `type`: the class, with its module if that is printed.
    - `message`: the first line of its message; empty if there is none.
    - `frames`: the frames printed above it, in that order.
    """

    type: str
    message: str
    frames: tuple[Frame, ...] = ()

    @property
    def name(self) -> str:
        """The name of the class, without its module."""
        return self.type.rpartition(".")[2]

    @property
    def is_group(self) -> bool:
        """Whether the class is that of an exception group, whose members are printed below with their tracebacks."""
        return self.name in ("ExceptionGroup", "BaseExceptionGroup")

    @property
    def root(self) -> str:
        """The top-level package in the class's name; `builtins` for a class that is printed without a module."""
        return self.type.partition(".")[0] if "." in self.type else "builtins"


@dataclass(frozen=True, slots=True)
class Block:
    """A printed exception chain, and where it is in the text.

    - `chain`: the exceptions, outermost first: each was raised from the next one.
    - `begin`, `end`: the indexes of its first line, and of the first line after it.
    """

    chain: tuple[Printed, ...]
    begin: int
    end: int


def blocks(lines: list[str]) -> Iterator[Block]:
    """Yields every exception chain that is printed in the lines as tracebacks, in the order of the text.

    Exceptions belong to one chain if Python's sentence about a direct cause is between them. A traceback that is cut or
    malformed is left out.
    """
    chain: list[Printed] = []
    begin = end = behind = 0
    linked = False
    for at in with_any(lines, (_HEADER, _DIRECT, _HANDLING)):
        line = lines[at]
        if at < behind:
            continue
        if _HEADER in line:
            if chain and not linked:
                yield Block(tuple(chain), begin, end)
                chain = []
            if not chain:
                begin = at
            printed, behind = _one(lines, at)
            linked, end = False, behind
            if printed is not None:
                chain.insert(0, printed)
        elif chain and _DIRECT in line:
            linked, end = True, at + 1
        elif chain and _HANDLING in line:
            yield Block(tuple(chain), begin, at + 1)
            chain, linked = [], False
    if chain:
        yield Block(tuple(chain), begin, end)


def _one(lines: list[str], header: int) -> tuple[Printed | None, int]:
    """Returns the exception of the traceback whose first line has the index `header`, and the index of the line after.

    The exception is `None` if the traceback is cut or malformed.
    """
    before = lines[header].partition("Traceback")[0]
    indent = len(before) if not before.strip() else 0
    frames: list[Frame] = []
    for at in range(header + 1, len(lines)):
        line = lines[at]
        frame = _FRAME.match(line)
        if frame is not None:
            frames.append(Frame(frame[1], frame[2] or ""))
            continue
        if _HEADER in line:
            return None, at
        if not line.strip() or line[indent : indent + 1].isspace():
            continue
        found = _EXCEPTION.match(line.strip())
        if found is None:
            return None, at + 1
        return Printed(found[1], (found[2] or "").strip(), tuple(frames)), at + 1
    return None, len(lines)
