"""Keeps failures of the library away from the app: the one place where "telemetry never hurts the app" is implemented.

Rule: what the app's call runs of ours is `guarded`, or has the same `except` in place where it runs often, such as at
every trace event and at every chunk. An exception becomes one warning of its kind, then debug records, and the app goes
on: a hook that raised would make the SDK send the request again.

Only our own failures are caught. A `KeyboardInterrupt`, a cancellation, and an exception that the app's own signal
handler raises while our code runs, such as the soft time limit of a task, reach the app.
"""

from __future__ import annotations

import functools
import logging
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Final, ParamSpec, TypeVar

from anthropic_otel._core.stack import stack

P = ParamSpec("P")
R = TypeVar("R")
D = TypeVar("D")

log: Final = logging.getLogger("anthropic_otel")

_MAX_KINDS: Final = 1_000
_seen: set[tuple[str, str]] = set()


def guarded(default: D) -> Callable[[Callable[P, R]], Callable[P, R | D]]:
    """Returns a decorator for functions that must not raise: an `Exception` is logged, and `default` returned instead.

    Two kinds are still raised: exceptions that the app's signal handler raises while the function runs, and those that
    are no `Exception`, such as `KeyboardInterrupt`. Not for coroutine functions and generators, which run later.
    """

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
    """Logs a failure of the library itself as DEBUG, with its traceback; before that, the first of its kind as WARNING.

    `where` is the name of the function that failed. A kind is a `where` and a type of `error`; of 1,000 kinds at most
    there are warnings. The text of `error` is never logged, nor is `exc_info`: it may quote what the app sent, a header
    with the API key included.

    Raises `error` again, unlogged, if the app's signal handler raised it (`is_of_the_app`). While this logs, what such
    a handler raises is raised too, and any other `Exception` that logging raises is dropped.
    """
    try:
        if not is_of_the_app(error):
            _log(where, error)
            return
    except Exception as of_logging:
        # A logging handler of the app raises, so this failure cannot be logged either.
        if not is_of_the_app(of_logging):
            return
        raise
    raise error


def _log(where: str, error: Exception) -> None:
    kind = (where, type(error).__qualname__)
    if kind not in _seen and len(_seen) < _MAX_KINDS:
        _seen.add(kind)
        log.warning("Telemetry failed in %s with %s; the app is not affected. Further ones: DEBUG", *kind)
    if log.isEnabledFor(logging.DEBUG):
        lines = "".join(traceback.format_tb(error.__traceback__))
        log.debug("Telemetry failed in %s with %s, through\n%s", *kind, lines)


def is_of_the_app(error: BaseException) -> bool:
    """Returns whether a signal handler raised `error`, as the soft time limit of a task does.

    The traceback shows it, as Python passes the interrupted frame to a signal handler: a function in the traceback is
    taken for a signal handler if one of its positional arguments is a frame before it in the traceback. This is also
    true of a trace function that raised.
    """
    above: set[int] = set()
    for frame in stack(error):
        if above and any(id(argument) in above for argument in _arguments(frame)):
            return True
        above.add(id(frame))
    return False


def _arguments(frame: FrameType) -> list[object]:
    """Returns the positional arguments of the function that `frame` runs, those in `*args` too, as they are now."""
    code, values = frame.f_code, frame.f_locals
    found = [values.get(name) for name in code.co_varnames[: code.co_argcount]]
    if code.co_flags & _HAS_REST:
        rest = values.get(code.co_varnames[code.co_argcount + code.co_kwonlyargcount])
        found += rest if isinstance(rest, tuple) else ()
    return found


_HAS_REST: Final = 0x04
"""`inspect.CO_VARARGS`: the function takes `*args`."""
