"""Draws the waterfall of the README as SVG, for a light and for a dark page.

    python tools/picture.py            # --check compares only

Rule: it is the trace that `tests/docs` knows, drawn by the code that draws the demo's.
"""

from __future__ import annotations

import html
import io
import re
import sys
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text
from rich.theme import Theme

from anthropic_otel._render.styled import UNICODE, Line, Style
from anthropic_otel._render.traces import Attempt, Trace
from anthropic_otel._render.waterfall import waterfall
from anthropic_otel.cli.demo.show import _headline

IMAGES: Final = Path(__file__).parents[1] / "docs/images"
WIDTH: Final = 80
TRACE: Final = Trace(
    "anthropic.messages.create",
    2.53,
    (
        Attempt(0.001, 0.248, "failed", 529, "529", request_id="req_01jFHjfkWr8e7jMghfDqEXgE", headers_at=0.247),
        Attempt(
            1.248, 1.485, "failed", None, "connection_reset", backoff=1.0, source="retry_after",
            phase="wait", errno="ECONNRESET",
        ),
        Attempt(
            2.329, 2.531, "completed", 200, backoff=0.845, source="backoff",
            request_id="req_01nP43jxLSjfGfJMYj92d23E", headers_at=2.53,
        ),
    ),
    model="claude-sonnet-5-5",
)  # fmt: skip
"""The README's call: an overload, a reset, an answer."""

# GitHub's own colours of text and background; then the eight colours of a terminal, plain and bright.
_LIGHT: Final = TerminalTheme(
    (255, 255, 255),
    (31, 35, 40),
    [(31, 35, 40), (207, 34, 46), (26, 127, 55), (154, 103, 0), (9, 105, 218), (130, 80, 223), (27, 124, 131),
     (110, 119, 129)],
)  # fmt: skip
_DARK: Final = TerminalTheme(
    (13, 17, 23),
    (230, 237, 243),
    [(72, 79, 88), (255, 123, 114), (63, 185, 80), (210, 153, 34), (88, 166, 255), (188, 140, 255), (57, 197, 207),
     (177, 186, 196)],
)  # fmt: skip
_STYLES: Final = Theme(
    {
        Style.PLAIN.value: "",
        Style.QUIET.value: "dim",
        Style.STRONG.value: "bold",
        Style.CALL.value: "cyan",
        Style.GOOD.value: "green",
        Style.BAD.value: "bold red",
        Style.BACKOFF.value: "yellow",
    }
)
"""By the names of the eight colours, which differ between the two pages."""
THEMES: Final = {"light": _LIGHT, "dark": _DARK}


def lines() -> list[Line]:
    """The picture's lines of styled text."""
    _, facts = _headline(TRACE, "", WIDTH, UNICODE)
    return [facts, *waterfall(TRACE, WIDTH), ()]


def svg(name: str) -> str:
    """The picture for a page of that kind."""
    console = Console(record=True, width=WIDTH, theme=_STYLES, file=io.StringIO(), highlight=False, markup=False)
    for line in lines():
        console.print(Text.assemble(*((piece.text, piece.style.value) for piece in line)), soft_wrap=True)
    drawn = console.export_svg(title="anthropic-otel", theme=THEMES[name], unique_id=f"waterfall-{name}")
    # rich's font is fetched from somebody's server: a picture of ours fetches nothing.
    return _TEXT.sub(_placed, re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL))


_COLUMN: Final = 12.2
_BLANK: Final = "&#160;"
_TEXT: Final = re.compile(r'<text class="([^"]+)" x="([\d.]+)" y="([\d.]+)" textLength="[\d.]+"([^>]*)>([^<]*)</text>')


def _placed(text: re.Match[str]) -> str:
    """A text without blanks at its ends and without gaps: not every program that draws SVG keeps those."""
    style, begin, y, more, content = text.groups()
    columns = html.unescape(content)
    return "".join(
        f'<text class="{style}" x="{float(begin) + word.start() * _COLUMN:.1f}" y="{y}" '
        f'textLength="{len(word[0]) * _COLUMN:.1f}"{more}>{html.escape(word[0]).replace(chr(160), _BLANK)}</text>'
        for word in re.finditer(r"\S+(?:\s\S+)*", columns)
    )


def text_of(drawn: str) -> str:
    """What is written in a picture, which is the same whatever version of rich has laid it out."""
    return " ".join(re.sub(r"<style>.*?</style>|<[^>]+>", " ", drawn, flags=re.DOTALL).replace("&#160;", " ").split())


def main() -> str | None:
    """Writes both pictures, or with `--check` returns which of them show something else."""
    stale = []
    for name in THEMES:
        path, drawn = IMAGES / f"waterfall-{name}.svg", svg(name)
        if "--check" not in sys.argv:
            path.write_text(drawn, encoding="utf-8")
        elif text_of(path.read_text(encoding="utf-8")) != text_of(drawn):
            stale.append(path.name)
    return f"out of date: {', '.join(stale)}; run make picture" if stale else None


if __name__ == "__main__":
    sys.exit(main())
