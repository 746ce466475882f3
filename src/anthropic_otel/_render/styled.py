"""Lines of styled text, and what they are made of: pieces, glyphs, durations.

Rule: these are plain values. What a style looks like is up to `terminal`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from enum import Enum
from typing import Final


class Style(Enum):
    """What a piece of a line is. Values are names for a theme."""

    PLAIN = "plain"
    QUIET = "quiet"
    STRONG = "strong"
    CALL = "call"
    GOOD = "good"
    BAD = "bad"
    BACKOFF = "backoff"


@dataclass(frozen=True, slots=True)
class Piece:
    """Text of one style."""

    text: str
    style: Style = Style.PLAIN


Line = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The characters that pictures are drawn with. Each but `separator`, `arrow` and `cut` is one column wide."""

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
    """The glyphs that an output of this encoding can show."""
    try:
        "".join(astuple(UNICODE)).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE


def packed(words: Iterable[str], separator: str, width: int, used: int = 0) -> list[str]:
    """The words on as few lines as they need, in their order; `used` columns of the first line are taken."""
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
    """A duration in at most seven columns, in the unit that a person would use."""
    if seconds < 0.9995:
        return f"{seconds * 1e3:.1f} ms" if seconds < 0.00995 else f"{seconds * 1e3:.0f} ms"
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    return f"{seconds:.1f} s" if seconds < 999.95 else f"{seconds:.0f} s"


def plain(lines: Iterable[Line]) -> str:
    """The lines as text, without styles."""
    return "\n".join("".join(piece.text for piece in line).rstrip() for line in lines)
