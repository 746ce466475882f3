"""Types of option values, as strict as the code that uses the values.

Rule: a wrong value is reported in one line, in the option's words and not in those of Python's types.
"""

from __future__ import annotations

import math
from typing import Any

import click


class Number(click.FloatRange):
    """A finite number: `nan` and `inf`, which Python accepts, are usage errors."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Returns the number. Raises a usage error if it is none or out of range."""
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
        """Returns the number. Raises a usage error if it is none or out of range."""
        try:
            int(value)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is not a whole number.", param, ctx)
        return super().convert(value, param, ctx)


class Path(click.Path):
    """A path that is not empty. An empty one, as from an unset shell variable, would be the current directory."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Returns the path. Raises a usage error if it is empty or not a file name."""
        if not str(value).strip() or "\0" in str(value):
            self.fail("it is empty." if not str(value).strip() else "it is not a file name.", param, ctx)
        return super().convert(value, param, ctx)
