"""The kinds of values that options have, as strict as what uses them.

Rule: what is wrong is told in one line, in words of the option and not of Python's types.
"""

from __future__ import annotations

import math
from typing import Any

import click


class Number(click.FloatRange):
    """A number with an end: neither `nan` nor `inf`, which Python takes for numbers."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number, or a usage error."""
        try:
            finite = math.isfinite(float(value))
        except (ValueError, OverflowError):
            finite = False
        if not finite:
            self.fail(f"{value!r} is not a number.", param, ctx)
        return super().convert(value, param, ctx)


class Whole(click.IntRange):
    """A whole number."""

    name = "integer"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number, or a usage error."""
        try:
            int(value)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is not a whole number.", param, ctx)
        return super().convert(value, param, ctx)


class Path(click.Path):
    """A path that has a name: an empty one, as of a variable that is not set, would be the current directory."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path, or a usage error."""
        if not str(value).strip() or "\0" in str(value):
            self.fail("it is empty." if not str(value).strip() else "it is not a file name.", param, ctx)
        return super().convert(value, param, ctx)
