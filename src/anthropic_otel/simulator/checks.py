"""Checks the arguments that a user gives the simulator, so that a wrong value fails where it was given.

Rule: the error names the argument, says what it must be, and quotes its value. A wrong type raises `TypeError`, a wrong
value `ValueError`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Any, Final

import h11

MAX_WORDS: Final = 1_000_000
"""The most words that a reply can have; each takes about ten bytes of memory."""

LAST_SECOND: Final = 253_402_300_799
"""The last second of the year 9999, since the epoch."""


def whole(name: str, value: Any, least: int | None = None, most: int | None = None) -> int:
    """Returns `value` if it is an `int` from `least` to `most`; a bound of `None` is not checked.

    Raises `TypeError` for another type (also `bool`), and `ValueError` for an `int` outside of the bounds. Both call
    the argument `name` in their message.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number, not {value!r}")
    if (least is not None and value < least) or (most is not None and value > most):
        upper = f"from {least} to {most}" if most is not None else f"of at least {least}"
        raise ValueError(f"{name} must be a whole number {upper}, not {value}")
    return value


def time(name: str, value: Any) -> float:
    """Returns `value` if it is a `number` of seconds since the epoch that is before the year 10000.

    Raises the errors of `number`, and `ValueError` for a later time.
    """
    if number(name, value) > LAST_SECOND:
        raise ValueError(f"{name} must be seconds since the epoch, before the year 10000, not {value}")
    return value  # type: ignore[no-any-return]


def names(name: str, value: Any) -> frozenset[str] | None:
    """Returns the names in `value`, an iterable of texts but no text itself, or `None` if it is `None`.

    Raises `TypeError` for anything else, and what `text` raises. Both call the argument `name` in their message.
    """
    if value is None:
        return None
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise TypeError(f"{name} must be several names, such as ['my-{name.rstrip('s')}'], or None, not {value!r}")
    return frozenset(text(f"each of {name}", each) for each in value)


def named(names: Sequence[str]) -> Sequence[str] | None:
    """Returns the names that a command was given for `models` or `betas`; `None`, for every name, if one is `any`."""
    return None if "any" in names else names


def number(name: str, value: Any) -> float:
    """Returns `value` if it is a finite `int` or `float` of at least 0.

    Raises `TypeError` for another type (also `bool`), and `ValueError` for a negative, infinite or NaN value, or an
    `int` that no `float` can hold. Both call the argument `name` in their message.
    """
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number, not {value!r}")
    if not 0 <= value <= sys.float_info.max:
        raise ValueError(f"{name} must be a number of at least 0, not {value}")
    return value


def text(name: str, value: Any) -> str:
    """Returns `value` if it is a `str` that UTF-8 can encode.

    Raises `TypeError` for another type, and `ValueError` for a text with half of a surrogate pair. Both call the
    argument `name` in their message.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} must be text, not {value!r}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name} must be text that UTF-8 can encode, not {value!r}") from None
    return value


def instance(name: str, value: Any, kind: type | tuple[type, ...], expected: str) -> None:
    """Raises `TypeError` unless `value` is an instance of `kind`; its message calls it `name`, and says `expected`."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be {expected}, not {value!r}")


def member(name: str, value: Any, kind: type[Enum]) -> None:
    """Raises `TypeError` unless `value` is a member of the enumeration `kind`; its message calls it `name`."""
    instance(name, value, kind, f"a member of {kind.__name__}, such as {next(iter(kind))}")


_FRAMING: Final = ("content-length", "transfer-encoding")


def headers(value: Any) -> None:
    """Checks the headers of a response: pairs of texts that HTTP can carry, in Latin-1.

    Raises `TypeError` unless it is a tuple of tuples, each of two texts. Raises `ValueError` for a name that is no
    token, for a value with a line break, a vertical tab, a form feed or a null, or with a space or a tab at an end, for
    a character that is not in Latin-1, and for a name that says how the body is framed, as the simulator says that.
    """
    pairs = value if isinstance(value, tuple) else (None,)
    if not all(isinstance(each, tuple) and [type(part) for part in each] == [str, str] for each in pairs):
        raise TypeError(f"headers must be a tuple of pairs of texts, such as (('retry-after', '1'),), not {value!r}")
    for name, content in pairs:
        if name.lower() in _FRAMING:
            raise ValueError(f"headers must not have {name}: the body decides it (use Raw for a wrong one)")
        _header(name, content)


def content_type(value: Any) -> None:
    """Checks a `content_type`: `None`, or a text. Raises the errors of `headers`."""
    if value is not None:
        instance("content_type", value, str, "text or None")
        _header("content-type", value)


def _header(name: str, content: str) -> None:
    try:
        h11.Response(status_code=200, headers=[(name.encode("latin-1"), content.encode("latin-1"))])
    except (UnicodeEncodeError, h11.LocalProtocolError):
        raise ValueError(f"HTTP cannot carry the header {name!r} with the value {content!r}") from None
