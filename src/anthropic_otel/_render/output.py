"""Writes to a stream that may be a terminal, with or without rich, and without taking the stream's lock.

Rule: a thread that holds a stream's lock when the interpreter exits aborts the process. So text is written to the
stream's file descriptor, if it has one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from typing import Any, Final, TextIO

from anthropic_otel._render.styled import Glyphs, Line, glyphs_of, plain


class Output:
    """A stream to write styled lines to: in colour if it is a terminal and rich is installed, else as plain text."""

    def __init__(self, stream: TextIO) -> None:
        self._stream: Final = stream
        self._terminal: Final = _terminal(stream)

    @property
    def width(self) -> int:
        """The width of the terminal in columns; if it is not a terminal, a default."""
        return self._terminal.width if self._terminal is not None else shutil.get_terminal_size().columns

    @property
    def glyphs(self) -> Glyphs:
        """The characters to draw with: Unicode ones if the stream's encoding can show them, else ASCII."""
        encoding = getattr(self._stream, "encoding", None)
        return self._terminal.glyphs if self._terminal is not None else glyphs_of(encoding or "ascii")

    def lines(self, lines: Iterable[Line]) -> None:
        """Writes styled lines, each with a newline. Raises `OSError`."""
        self.text(self._terminal.drawn(lines) if self._terminal is not None else plain(lines) + "\n")

    def text(self, text: str) -> None:
        """Writes all of the text, with nothing added. Raises `OSError`."""
        try:
            descriptor = self._stream.fileno()
        except (OSError, ValueError, AttributeError):
            self._stream.write(text)
            return
        data = text.encode(self._stream.encoding or "utf-8", "replace")
        while data:
            data = data[os.write(descriptor, data) :]


def _terminal(stream: TextIO) -> Any:
    try:
        from anthropic_otel._render.terminal import Terminal
    except ModuleNotFoundError:
        return None
    return Terminal(stream)
