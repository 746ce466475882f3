"""An output that may be a terminal, with rich or without it, and that is written to without the lock of its stream.

Rule: a thread that holds a stream's lock when the interpreter exits ends the process with a fatal error. So text goes
to the descriptor, where the stream has one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from typing import Any, Final, TextIO

from anthropic_otel._render.styled import Glyphs, Line, glyphs_of, plain


class Output:
    """A stream with its width and its glyphs. With rich installed a terminal gets colour, else plain text."""

    def __init__(self, stream: TextIO) -> None:
        self._stream: Final = stream
        self._terminal: Final = _terminal(stream)

    @property
    def width(self) -> int:
        """How many columns to use."""
        return self._terminal.width if self._terminal is not None else shutil.get_terminal_size().columns

    @property
    def glyphs(self) -> Glyphs:
        """The characters that it can show."""
        encoding = getattr(self._stream, "encoding", None)
        return self._terminal.glyphs if self._terminal is not None else glyphs_of(encoding or "ascii")

    def lines(self, lines: Iterable[Line]) -> None:
        """Writes styled lines, all of them at once. Raises `OSError`."""
        self.text(self._terminal.drawn(lines) if self._terminal is not None else plain(lines) + "\n")

    def text(self, text: str) -> None:
        """Writes text at once. Raises `OSError`."""
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
