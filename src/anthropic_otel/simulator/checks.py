"""What a user gives the simulator, looked at before it is used: a wrong value fails where it was given.

Rule: the error names the argument, says what it must be, and quotes what it is. A wrong kind is a `TypeError`, a wrong
value a `ValueError`.
"""

from __future__ import annotations

import math
from typing import Any, Final

LARGEST: Final = 1_000_000
"""The words of a reply, the bytes of memory that they take being some ten times as many."""


def whole(name: str, value: Any, least: int | None = None, most: int | None = None) -> int:
    """The value, if it is a whole number within those bounds."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number, not {value!r}")
    if (least is not None and value < least) or (most is not None and value > most):
        upper = f"from {least} to {most}" if most is not None else f"of at least {least}"
        raise ValueError(f"{name} must be a whole number {upper}, not {value}")
    return value


def number(name: str, value: Any) -> float:
    """The value, if it is a number of at least 0 that has an end."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number, not {value!r}")
    if not 0 <= value < math.inf:
        raise ValueError(f"{name} must be a number of at least 0, not {value}")
    return value
