"""The styles' looks, on light and dark terminals.

Rule: no colour of the terminal's own palette, because its green and yellow cannot be read on white: xterm's have a
contrast of 2.1 and 1.7. The colours here are fixed, and have a contrast of 4.5 or more on white and on black, or of 4
in bold. A terminal of 16 colours has none of them, so it gets none.
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
"""The theme with colours, for a terminal that has at least 256 of them."""
UNCOLOURED: Final = _theme("", "", "bold", "bold", "dim")
"""The theme without colours, for a terminal that has 16 or fewer of them."""


def theme_for(color_system: str | None) -> Theme:
    """Returns the theme for rich's `Console.color_system`: `COLOURED` for 256 colours or more, else `UNCOLOURED`."""
    return COLOURED if color_system in ("256", "truecolor") else UNCOLOURED
