"""Prints to a terminal or a pipe with rich.

Rule: this module alone decides whether there is colour and which characters there are. Colour is used only on a
terminal without `NO_COLOR`, characters beyond ASCII only if the output's encoding has them.
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
    """A terminal or pipe to print to; `sys.stdout` if `file` is `None`.

    `glyphs` are the characters to draw with: Unicode ones if the encoding can show them, else ASCII.
    """

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
        """Whether the output is a terminal, and not a pipe or a file."""
        return self._console.is_terminal

    @property
    def width(self) -> int:
        """How many columns to use: those of the terminal, but at most 132."""
        return min(self._console.width, _MOST)

    def text(self, text: str = "", style: Style = Style.PLAIN, *, end: str = "\n") -> None:
        """Prints text in one style and flushes."""
        self.lines([(Piece(text, style),)], end=end)

    def lines(self, lines: Iterable[Line], *, end: str = "\n") -> None:
        """Prints styled lines, without wrapping them and without trailing blanks, and flushes."""
        self._print(lines, end)
        self._console.file.flush()

    def drawn(self, lines: Iterable[Line]) -> str:
        """Returns what `lines` would print, colour codes included, and prints nothing."""
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
        """Prints Markdown: laid out on a terminal, as its source in a pipe or on an ASCII-only output."""
        if not self._console.is_terminal or self.glyphs is ASCII:
            self.text(text.rstrip())
            return
        from anthropic_otel._render.markdown import Page

        # Not every terminal shows links, so an address must not be hidden behind a word.
        self._console.print(Page(text, hyperlinks=False), width=min(self.width, _MOST_OF_PROSE), crop=False)

    def _shown(self, text: str) -> str:
        """Returns the text with each character that the encoding does not have replaced by an ASCII one."""
        if self.glyphs is ASCII:
            text = text.translate(_IN_ASCII)
        return text.encode(self._console.encoding, "replace").decode(self._console.encoding)
