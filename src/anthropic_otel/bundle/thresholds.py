"""Edits the text of `thresholds.yaml`.

Rule: a text is edited and not written anew, so that comments stay, apart from those in what is replaced. The result is
parsed as any other file is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from anthropic_otel.bundle.settings import SettingsError

_ASIDE = r"(?:[ \t]*(?:#.*)?\n)*"
_PRICES = re.compile(
    rf"^((?P<indent> *)prices:[ \t]*(?:#.*)?\n)(?={_ASIDE}(?P=indent) *-[ \n])"
    rf"(?:{_ASIDE}(?P=indent)(?: +\S|-(?=[ \n])).*(?:\n|\Z))+",
    re.MULTILINE,
)
"""Finds the key with its list, the first group the line of the key.

A list in YAML goes on until a line that has no more indentation than its key and no dash. It may have blank lines and
comments, but those at its end belong to what follows, unless they are indented more than the key.
"""


def edited(text: str, **values: str | float) -> str:
    """Returns the text of a thresholds file with the values of some keys replaced and its comments kept.

    A string is put in quotes, a number has 12 digits at most. Of each key the first line that begins with it is
    changed, at any depth; a comment on that line is lost. Raises `SettingsError` if there is no such line, or if a
    value has a character that is not printable, such as a line break.
    """
    for key, value in values.items():
        if not str(value).isprintable():
            # YAML would read a line break as a space.
            raise SettingsError(f"{key} has a line break or another character that is not printable: {value!r}")
        line = re.search(rf"^([ \t]*){key}:.*$", text, re.MULTILINE)
        if line is None:
            raise SettingsError(f"no line of its own for {key!r}, so it cannot be changed")
        shown = "'" + value.replace("'", "''") + "'" if isinstance(value, str) else f"{value:.12g}"
        text = f"{text[: line.start()]}{line[1]}{key}: {shown}{text[line.end() :]}"
    return text


def with_prices(text: str, lines: Iterable[str]) -> str:
    """Returns the text of a thresholds file with its list of prices replaced by `lines`, such as `- {model: ...}`.

    Comments in the list are lost. Raises `SettingsError` if the text has no `prices` with a list below it, each entry
    beginning with a dash on a line of its own; a list in brackets is none.
    """
    found = _PRICES.search(text)
    if found is None:
        raise SettingsError("no list `prices` with a line for each, so it cannot be replaced")
    new = "".join(f"{found['indent']}  {line}\n" for line in lines)
    return text[: found.end(1)] + new + text[found.end() :]
