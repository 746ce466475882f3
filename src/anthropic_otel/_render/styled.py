"""Lines of styled text, and their parts: pieces, glyphs, durations.

Rule: these are plain values. `terminal` decides what a style looks like.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from enum import Enum
from typing import Final


class Style(Enum):
    """The meaning of a piece of text. Values are the names of styles in a theme."""

    PLAIN = "plain"
    QUIET = "quiet"
    STRONG = "strong"
    CALL = "call"
    GOOD = "good"
    BAD = "bad"
    BACKOFF = "backoff"


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of text in one style. A `Line` is a tuple of pieces."""

    text: str
    style: Style = Style.PLAIN


Line = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The characters to draw with. Each is one column wide, except `separator`, `arrow` and `cut`."""

    tick: str
    call: str
    sent: str
    body: str
    backoff: str
    good: str
    bad: str
    separator: str
    bar: str
    rule: str
    more: str
    arrow: str
    cut: str


UNICODE: Final = Glyphs(
    tick="╷",
    call="━",
    sent="█",
    body="▒",
    backoff="╌",
    good="✓",
    bad="✗",
    separator=" · ",
    bar="■",
    rule="─",
    more="▸",
    arrow="→",
    cut="…",
)
ASCII: Final = Glyphs(
    tick="|",
    call="-",
    sent="#",
    body="=",
    backoff=".",
    good="+",
    bad="x",
    separator=", ",
    bar="#",
    rule="-",
    more=">",
    arrow="->",
    cut="...",
)


def glyphs_of(encoding: str) -> Glyphs:
    """Returns `UNICODE`, or `ASCII` if the encoding is unknown or cannot show all of it."""
    try:
        "".join(astuple(UNICODE)).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE


def packed(words: Iterable[str], separator: str, width: int, used: int = 0) -> list[str]:
    """Joins words with the separator into as few lines of `width` columns as they need, in their order.

    `used` columns of the first line are taken already. A longer word gets a line of its own.
    """
    lines, room = [""], width - used
    for word in words:
        longer = lines[-1] + separator + word if lines[-1] else word
        if len(longer) > room and (lines[-1] or used):
            lines.append(word)
            room, used = width, 0
        else:
            lines[-1] = longer
    return lines


def duration(seconds: float) -> str:
    """Formats seconds as `ms` or `s` in at most seven columns, such as `9.3 ms`, `1.20 s` or `85.1 s`."""
    if seconds < 0.9995:
        return f"{seconds * 1e3:.1f} ms" if seconds < 0.00995 else f"{seconds * 1e3:.0f} ms"
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    return f"{seconds:.1f} s" if seconds < 999.95 else f"{seconds:.0f} s"


def plain(lines: Iterable[Line]) -> str:
    """Returns the lines as text without styles and trailing blanks; no newline after the last one."""
    return "\n".join("".join(piece.text for piece in line).rstrip() for line in lines)
