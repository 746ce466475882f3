"""The one place where "telemetry never hurts the app" is implemented.

Rule: every entry point that the app's path calls is `guarded`. Code that runs at every trace event and at every chunk
has the same `except` in place. An exception becomes one warning of its kind, then debug records, and the app goes on:
a hook that raised would make the SDK send the request again.

Only `Exception` is held back. A `KeyboardInterrupt` or a cancellation that arrives while our code runs is the app's.
"""

from __future__ import annotations

import functools
import logging
import traceback
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
D = TypeVar("D")

log: Final = logging.getLogger("anthropic_otel")

_MAX_KINDS: Final = 1_000
_seen: set[tuple[str, str]] = set()


def guarded(default: D) -> Callable[[Callable[P, R]], Callable[P, R | D]]:
    """Makes a function that never raises an `Exception`: in place of one it returns `default` and reports it."""

    def decorate(function: Callable[P, R]) -> Callable[P, R | D]:
        @functools.wraps(function)
        def guard(*args: P.args, **kwargs: P.kwargs) -> R | D:
            try:
                return function(*args, **kwargs)
            except Exception as error:
                report(function.__qualname__, error)
                return default

        return guard

    return decorate


def report(where: str, error: Exception) -> None:
    """Logs a failure of the library itself: WARNING for the first of its kind, DEBUG from then on. Never raises.

    A kind is the function and the type of the exception. The exception itself is left out, `exc_info` too: its text may
    quote what the app sent, a header with the API key included. The DEBUG record has the lines that it came through.
    """
    try:
        kind = (where, type(error).__qualname__)
        if kind not in _seen and len(_seen) < _MAX_KINDS:
            _seen.add(kind)
            log.warning("Telemetry failed in %s with %s; the app is not affected. Further ones: DEBUG", *kind)
        if log.isEnabledFor(logging.DEBUG):
            lines = "".join(traceback.format_tb(error.__traceback__))
            log.debug("Telemetry failed in %s with %s, through\n%s", *kind, lines)
    except Exception:
        # A logging handler of the app raises. There is nobody left to tell.
        return
