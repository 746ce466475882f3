"""The terminal, or the pipe, that is printed to.

Rule: colour only where a person looks at a terminal and has not set `NO_COLOR`; characters beyond ASCII only where
the output's encoding has them. Nobody else decides either.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final, TextIO

from rich.console import Console
from rich.text import Text

from anthropic_otel._render.styled import ASCII, Line, Piece, Style, glyphs_of
from anthropic_otel._render.theme import theme_for

_MOST: Final = 132
_MOST_OF_PROSE: Final = 100
_IN_ASCII: Final = str.maketrans({"…": "...", "×": "x", "→": "->", "·": ",", "✓": "+", "✗": "x"})


class Terminal:
    """An output, `sys.stdout` without a `file`, with its width, its colours and the glyphs that it can show."""

    def __init__(self, file: TextIO | None = None) -> None:
        self._console: Final = Console(
            file=file,
            color_system=None if os.environ.get("NO_COLOR") else "auto",
            highlight=False,
            markup=False,
            emoji=False,
        )
        self._console.push_theme(theme_for(self._console.color_system))
        self.glyphs: Final = glyphs_of(self._console.encoding)

    @property
    def is_screen(self) -> bool:
        """Whether a person looks at it, and not a program."""
        return self._console.is_terminal

    @property
    def width(self) -> int:
        """How many columns to use: those that there are, up to what a person likes to read."""
        return min(self._console.width, _MOST)

    def text(self, text: str = "", style: Style = Style.PLAIN, *, end: str = "\n") -> None:
        """Prints it at once, also into a pipe."""
        self.lines([(Piece(text, style),)], end=end)

    def lines(self, lines: Iterable[Line], *, end: str = "\n") -> None:
        """Prints styled lines as they are: no wrapping, no trailing blanks."""
        self._print(lines, end)
        self._console.file.flush()

    def drawn(self, lines: Iterable[Line]) -> str:
        """What `lines` would print."""
        with self._console.capture() as capture:
            self._print(lines, "\n")
        return capture.get()

    def _print(self, lines: Iterable[Line], end: str) -> None:
        for line in lines:
            text = Text.assemble(*((self._shown(piece.text), piece.style.value) for piece in line))
            if end == "\n":
                text.rstrip()
            self._console.print(text, end=end, soft_wrap=True)

    def markdown(self, text: str) -> None:
        """Prints Markdown: laid out where a person looks at a terminal, as it is in a pipe."""
        if not self._console.is_terminal or self.glyphs is ASCII:
            self.text(text.rstrip())
            return
        from anthropic_otel._render.markdown import Page

        # Not every terminal shows links, so an address must not be hidden behind a word.
        self._console.print(Page(text, hyperlinks=False), width=min(self.width, _MOST_OF_PROSE), crop=False)

    def _shown(self, text: str) -> str:
        """The text with what the encoding does not have replaced."""
        if self.glyphs is ASCII:
            text = text.translate(_IN_ASCII)
        return text.encode(self._console.encoding, "replace").decode(self._console.encoding)
