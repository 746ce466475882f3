"""Reads the frames of a traceback: the functions that an exception came through, and the modules that define them."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from types import FrameType


def stack(error: BaseException) -> Iterator[FrameType]:
    """Yields the frames of the traceback of `error`, if it has one. The last one is that which raised it."""
    return (frame for frame, _ in traceback.walk_tb(error.__traceback__))


def module_of(frame: FrameType) -> str:
    """Returns the name of the module whose code a frame runs, empty for code without a module."""
    return str(frame.f_globals.get("__name__", ""))


def package_of(frame: FrameType) -> str:
    """Returns the top-level package of `module_of(frame)`, such as `httpx`; empty for code without a module."""
    return module_of(frame).partition(".")[0]
