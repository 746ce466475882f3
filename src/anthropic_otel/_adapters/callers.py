"""Finds the HTTP client that is calling an event hook, and the transport that is sending, by the frames on the stack.

Event hooks and trace functions are given a request and no client. Each function here looks at the frames that have led
to its caller. It finds nothing if the library's own function is not among the nearest ones.
"""

from __future__ import annotations

import itertools
import sys
import traceback
from collections.abc import Iterator
from types import FrameType
from typing import Any, Final

from anthropic_otel._adapters import messages
from anthropic_otel._core.cause_chain import CLIENTS
from anthropic_otel._core.stack import module_of, package_of

_CALLS_HOOKS: Final = "_send_handling_redirects"
"""The function of the clients that calls the event hooks, once for each hop."""
_MAX_BETWEEN: Final = 12
"""How many frames of the app's own are passed over at most, such as of a hook that calls ours."""
_MAX_POOL: Final = 40
"""The same for those of the connection pool, between a trace function and the transport."""
_RAISING: Final = ("._transports.default", "._models")
"""The modules of transports and responses. Of an async body that is read in vain, the transport has no frame then."""


def variable_of_client(name: str) -> Any:
    """Returns the value of the local variable `name` in the HTTP client's function that is calling an event hook.

    `None` if none of the nearest callers is such a function, or it has no such variable yet.
    """
    return messages.variable_in(_callers(_MAX_BETWEEN), _CALLS_HOOKS, name)


def raised_by_transport(error: BaseException) -> BaseException:
    """Returns the exception that the HTTP library's transport is about to raise because its connection pool has failed.

    `error` is what the pool raised. If it is of httpcore, the result is a new exception with the same text and with
    `error` as its cause, of the HTTP library's class that has the same name as the class of `error`. Else, if there is
    no such class, and if neither a transport of an HTTP library nor its response, which reads its body, is among the
    nearest callers, the result is `error`.
    """
    if not type(error).__module__.startswith("httpcore"):
        return error
    for frame in _callers(_MAX_POOL):
        if module_of(frame).endswith(_RAISING) and package_of(frame) in CLIENTS:
            cls = getattr(sys.modules[package_of(frame)], type(error).__name__, None)
            if isinstance(cls, type) and issubclass(cls, Exception):
                raised = cls(str(error))
                raised.__cause__ = error
                return raised
            break
    return error


def _callers(most: int) -> Iterator[FrameType]:
    """Yields the frames of the callers of the function that calls it: up to `most`, innermost first."""
    return (frame for frame, _ in itertools.islice(traceback.walk_stack(sys._getframe(2)), most))
