"""Finds out by the frames on the stack which HTTP client is calling an event hook, and which transport is sending.

The client is not passed to event hooks, nor the transport to trace functions. Each function here looks at its nearest
callers, and finds nothing if none of them is the library's own function.
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
"""The function of the clients that calls the event hooks: those of the request and of the response, for each hop."""
_MAX_CALLERS: Final = 12
"""How many callers are looked at to find that function. Some are ours, some of a hook of the app that calls ours."""
_MAX_CALLERS_IN_POOL: Final = 40
"""How many callers of a trace function are looked at to find the transport. Most are of the connection pool."""
_RAISING: Final = ("._transports.default", "._models")
"""The ends of the names of the modules of transports, and of responses.

If reading an async body fails, the response may have a frame on the stack and the transport none.
"""


def variable_of_client(name: str) -> Any:
    """Returns the value of the local variable `name` in the HTTP client's function that is calling an event hook.

    `None` if none of the nearest callers is such a function, or it has no such variable yet.
    """
    return messages.variable_in(_callers(_MAX_CALLERS), _CALLS_HOOKS, name)


def raised_by_transport(error: BaseException) -> BaseException:
    """Returns an exception like the one that the HTTP library's transport will raise, as its connection pool failed.

    `error` is what the pool has raised. To be called in a trace function.

    If `error` is of httpcore, and a transport or a response of an HTTP library is among the nearest callers, returns a
    new exception of that library: its class has the same name as that of `error`, its text is the same, and its cause
    is `error`. Otherwise, or if the library has no such class, returns `error`.
    """
    if not type(error).__module__.startswith("httpcore"):
        return error
    for frame in _callers(_MAX_CALLERS_IN_POOL):
        if module_of(frame).endswith(_RAISING) and package_of(frame) in CLIENTS:
            cls = getattr(sys.modules[package_of(frame)], type(error).__name__, None)
            if isinstance(cls, type) and issubclass(cls, Exception):
                raised = cls(str(error))
                raised.__cause__ = error
                return raised
            break
    return error


def _callers(most: int) -> Iterator[FrameType]:
    """Yields the frames of the callers of the function that calls this: the nearest `most`, the innermost first."""
    return (frame for frame, _ in itertools.islice(traceback.walk_stack(sys._getframe(2)), most))
