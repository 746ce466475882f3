"""Checks the arguments that a user gives the simulator, so that a wrong value fails where it was given.

Rule: the error names the argument, says what it must be, and quotes its value. A wrong type raises `TypeError`, a wrong
value `ValueError`.
"""

from __future__ import annotations

import sys
from typing import Any, Final

MAX_WORDS: Final = 1_000_000
"""The most words that a reply can have; each takes about ten bytes of memory."""


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
