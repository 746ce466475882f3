"""Prints to a terminal or a pipe with rich.

Rule: colour is used only if rich takes the output for a terminal, and the environment variable `NO_COLOR` is unset or
empty. A character that the output's encoding does not have is printed as ASCII.
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
    """Prints to the stream `file`, a terminal or not; to `sys.stdout` if `file` is `None`.

    `glyphs` is the set of characters to draw with: `UNICODE` if the stream's encoding has all of it, else `ASCII`. A
    stream that names no encoding counts as UTF-8. When the reader of a pipe has gone, printing raises `SystemExit`, by
    rich, or `BrokenPipeError`; if writing fails otherwise, `OSError`.
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
        """Whether rich takes the output for a terminal: a pipe or a file only if the environment asks for it.

        Variables that do are rich's, such as `FORCE_COLOR`.
        """
        return self._console.is_terminal

    @property
    def width(self) -> int:
        """How many columns to use: the variable `COLUMNS`, else the terminal's width as rich finds it; at most 132.

        It is 80 if there is no such variable and no standard stream is a terminal.
        """
        return min(self._console.width, _MOST)

    def text(self, text: str = "", style: Style = Style.PLAIN, *, end: str = "\n") -> None:
        """Prints `text` in one style and then `end`, without wrapping, and flushes.

        With the default `end`, white space at the end of `text` is not printed.
        """
        self.lines([(Piece(text, style),)], end=end)

    def lines(self, lines: Iterable[Line], *, end: str = "\n") -> None:
        """Prints each styled line and then `end`, without wrapping, and flushes.

        With the default `end`, white space at the end of a line is not printed.
        """
        self._print(lines, end)
        self._console.file.flush()

    def drawn(self, lines: Iterable[Line]) -> str:
        """Returns the text, with its colour codes, that the method `lines` would print. Prints nothing."""
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
        """Prints Markdown, with a newline after it: on a terminal laid out, at most 100 columns wide, but for code.

        Prints the Markdown source, unwrapped, if the output is no terminal or `glyphs` is `ASCII`.
        """
        if not self._console.is_terminal or self.glyphs is ASCII:
            self.text(text.rstrip())
            return
        from anthropic_otel._render.markdown import Page

        # Not every terminal shows links, so an address must not be hidden behind a word.
        self._console.print(Page(text, hyperlinks=False), width=min(self.width, _MOST_OF_PROSE), crop=False)

    def _shown(self, text: str) -> str:
        """Returns the text with `?` for each character that the output's encoding does not have.

        If `glyphs` is `ASCII`, first replaces `…`, `×`, `→`, `·`, `✓` and `✗` by similar ASCII characters.
        """
        if self.glyphs is ASCII:
            text = text.translate(_IN_ASCII)
        return text.encode(self._console.encoding, "replace").decode(self._console.encoding)
