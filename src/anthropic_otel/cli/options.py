"""Defines click types for the values of options, which accept only what the code that uses the values can handle.

Rule: a wrong value is a usage error whose message is one line and speaks of a number or a path, not of Python's types.
"""

from __future__ import annotations

import math
from typing import Any

import click


class Number(click.FloatRange):
    """The type of a finite number in a range. `nan` and `inf`, which click accepts, are usage errors."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Returns the number as a `float`. Raises `click.BadParameter` if it is not finite or out of the range."""
        try:
            finite = math.isfinite(float(value))
        except (ValueError, OverflowError):
            finite = False
        if not finite:
            self.fail(f"{value!r} is not a number.", param, ctx)
        return super().convert(value, param, ctx)


class Whole(click.IntRange):
    """The type of a whole number in a range. Differs from `click.IntRange` only in its message."""

    name = "integer"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Returns the number as an `int`. Raises `click.BadParameter` if it is not whole or out of the range."""
        try:
            int(value)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is not a whole number.", param, ctx)
        return super().convert(value, param, ctx)


class Path(click.Path):
    """The type of a path that is not empty.

    click takes an empty one, as from an unset shell variable, for the current directory.
    """

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Returns the path, if `click.Path` accepts it.

        Raises `click.BadParameter` if not, and if it is empty or blank or contains a null character.
        """
        if not str(value).strip() or "\0" in str(value):
            self.fail("it is empty." if not str(value).strip() else "it is not a file name.", param, ctx)
        return super().convert(value, param, ctx)
