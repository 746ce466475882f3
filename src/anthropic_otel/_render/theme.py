"""Defines the colour and weight of each `Style`, as rich themes that can be read on light and dark terminals.

Rule: no colour comes from the terminal's own palette of 16, because its green and yellow cannot be read on white: those
of xterm have a contrast of 2.1 and 1.7. The colours here are of the fixed 256, and have a contrast of 4.5 or more on
white and on black, or of 4 in bold. A terminal with 16 colours or fewer gets no colour.
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
"""The theme without colours, only bold, dim and underlined, for a terminal that has 16 colours or fewer."""


def theme_for(color_system: str | None) -> Theme:
    """Returns `COLOURED` if a console has 256 colours or more, else `UNCOLOURED`.

    `color_system` is rich's `Console.color_system`; `None` means no colours.
    """
    return COLOURED if color_system in ("256", "truecolor") else UNCOLOURED
