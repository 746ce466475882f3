"""Writes styled lines to a stream, without taking the stream's lock. Works without rich too.

Rule: a daemon thread that holds a stream's lock when the interpreter exits aborts the process. So text is written to
the stream's file descriptor, and by the stream's own `write` only if it has no descriptor.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from typing import Any, Final, TextIO

from anthropic_otel._render.styled import Glyphs, Line, glyphs_of, plain


class Output:
    """Writes styled lines to `stream`: as `Terminal` draws them, or as plain text if rich is not installed."""

    def __init__(self, stream: TextIO) -> None:
        self._stream: Final = stream
        self._terminal: Final = _terminal(stream)

    @property
    def width(self) -> int:
        """How many columns to use: the terminal's width as rich or `shutil` finds it, 80 if there is none.

        The variable `COLUMNS` takes precedence over the terminal's width. With rich, neither gives more than 132.
        """
        return self._terminal.width if self._terminal is not None else shutil.get_terminal_size().columns

    @property
    def glyphs(self) -> Glyphs:
        """The characters to draw with: `UNICODE` if the stream's encoding has all of it, else `ASCII`.

        A stream that names no encoding counts as UTF-8 with rich, and as ASCII without.
        """
        encoding = getattr(self._stream, "encoding", None)
        return self._terminal.glyphs if self._terminal is not None else glyphs_of(encoding or "ascii")

    def lines(self, lines: Iterable[Line]) -> None:
        """Writes each styled line, without trailing blanks, and a newline after it. Raises as `text` does."""
        if self._terminal is not None:
            self.text(self._terminal.drawn(lines))
        else:
            self.text("".join(plain([line]) + "\n" for line in lines))

    def text(self, text: str) -> None:
        """Writes all of `text`, and nothing else, to the stream's descriptor, or by its own `write` if it has none.

        What is in the stream's buffer stays there. Writes `?` to a descriptor for a character that the stream's
        encoding does not have. Raises `OSError` if writing fails, `ValueError` if the stream is closed or its own
        `write` does not take a character.
        """
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
