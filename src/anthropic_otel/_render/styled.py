"""Defines lines of styled text, and what they are made of: styles, pieces, characters to draw with, durations.

Rule: these are plain values, and nothing is printed here. The module `theme` decides what a style looks like.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from enum import Enum
from typing import Final


class Style(Enum):
    """What a piece of text stands for, such as a failure. A member's value is the style's name in rich's themes."""

    PLAIN = "plain"
    QUIET = "quiet"
    STRONG = "strong"
    CALL = "call"
    GOOD = "good"
    BAD = "bad"
    BACKOFF = "backoff"


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a line of text, in one style. A `Line` is a tuple of such parts, without a newline."""

    text: str
    style: Style = Style.PLAIN


Line = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Glyphs:
    """A set of characters to draw with; `UNICODE` and `ASCII` are the two that exist.

    - `tick`, `call`, `sent`, `body`, `backoff`: of a waterfall: a mark on the time axis, then what bars are made of: a
      call's, an attempt's until the response's headers and after them, and a backoff's.
    - `good`, `bad`: before a success and a failure. `more`: before the first line about a call.
    - `bar`: what a table's bars are made of. `arrow`: before a command to run next.
    - `separator`: between words of a line. `cut`: at the end of a text that is cut.

    Each is one column wide, except `separator`, `arrow` and `cut`, which may be wider.
    """

    tick: str
    call: str
    sent: str
    body: str
    backoff: str
    good: str
    bad: str
    separator: str
    bar: str
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
    more=">",
    arrow="->",
    cut="...",
)


def glyphs_of(encoding: str) -> Glyphs:
    """Returns `UNICODE`, or `ASCII` if Python does not know the encoding or it lacks a character of `UNICODE`."""
    try:
        "".join(astuple(UNICODE)).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE


def packed(words: Iterable[str], separator: str, width: int, used: int = 0) -> list[str]:
    """Returns lines of at most `width` columns: the words in their order, those of one line joined by the separator.

    `used` columns of the first line are taken already, so it stays empty if the first word does not fit beside them.
    A word longer than `width` is not cut and gets a line of its own. Without words, there is one empty line.
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
    """Formats seconds: below 10 ms like `9.3 ms`, below 1 s like `12 ms`, below 10 s like `1.20 s`, below 1000 s like
    `85.1 s`, else like `1200 s`. What would be rounded up to one of these bounds is not below it: 9.97 ms are `10 ms`.
    From 0 to a day that is at most seven characters.
    """
    if seconds < 0.9995:
        return f"{seconds * 1e3:.1f} ms" if seconds < 0.00995 else f"{seconds * 1e3:.0f} ms"
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    return f"{seconds:.1f} s" if seconds < 999.95 else f"{seconds:.0f} s"


def plain(lines: Iterable[Line]) -> str:
    """Returns the lines, joined by newlines, without styles and without trailing blanks in each line."""
    return "\n".join("".join(piece.text for piece in line).rstrip() for line in lines)
