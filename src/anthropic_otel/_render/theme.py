"""What each style looks like, on a light and on a dark terminal.

Rule: no colour of the terminal's own palette. Its green and yellow cannot be read on white: xterm's have a contrast of
2.1 and 1.7. The colours here are fixed, and have a contrast of 4.5 or more on white and on black, or of 4 in bold. A
terminal of 16 colours has none of them, and gets none.
"""

from __future__ import annotations

from typing import Final

from rich.theme import Theme

from anthropic_otel._render.styled import Style

_GREEN: Final = "color(29)"
_BLUE: Final = "color(63)"
_RED: Final = "bold color(161)"
_AMBER: Final = "bold color(130)"
_GREY: Final = "color(243)"


def _theme(good: str, call: str, bad: str, backoff: str, quiet: str) -> Theme:
    return Theme(
        {
            Style.PLAIN.value: "",
            Style.STRONG.value: "bold",
            Style.GOOD.value: good,
            Style.CALL.value: call,
            Style.BAD.value: bad,
            Style.BACKOFF.value: backoff,
            Style.QUIET.value: quiet,
            **{f"markdown.h{level}": "bold" for level in range(1, 8)},
            "markdown.h2": f"bold {call}".strip(),
            "markdown.hr": quiet,
            "markdown.kbd": "bold",
            "markdown.list": "",
            "markdown.block_quote": "",
            "markdown.table.header": "bold",
            "markdown.table.border": quiet,
            "markdown.code": call,
            "markdown.code_block": good,
            "markdown.link": call,
            "markdown.link_url": "underline",
            "markdown.item.bullet": quiet,
            "markdown.item.number": quiet,
        }
    )


COLOURED: Final = _theme(_GREEN, _BLUE, _RED, _AMBER, _GREY)
"""With colours, by their numbers among 256."""
UNCOLOURED: Final = _theme("", "", "bold", "bold", "dim")
"""For a terminal that has 16 or fewer."""


def theme_for(color_system: str | None) -> Theme:
    """The theme for what rich calls a console's colour system, `None` where it shows no styles."""
    return COLOURED if color_system in ("256", "truecolor") else UNCOLOURED
