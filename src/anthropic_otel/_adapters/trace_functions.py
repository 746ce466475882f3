"""Combines our function for the `trace` extension of a request with the app's own.

Rule: the app's function is called after ours, with the same arguments as without us. For an asynchronous transport both
are coroutine functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from anthropic_otel._adapters.patches import Function
from anthropic_otel._core.send import Send


def app_trace_of(request: Any) -> Function | None:
    """Returns the app's own `trace` function of a request, `None` without one.

    If another send of the same request has put ours in its place, the app's is taken out of ours.
    """
    trace = request.extensions.get("trace")
    if trace is None:
        return None
    if isinstance(trace, _Chained):
        return trace.app_trace
    return None if isinstance(getattr(trace, "__self__", None), Send) else trace


def chained(our_trace: Function, app_trace: Function, *, asynchronous: bool) -> Function:
    """Returns a trace function that calls `our_trace`, then `app_trace`, and returns what the latter returns.

    If `asynchronous`, both must be coroutine functions, and a call of the trace function returns a coroutine, which
    awaits the one and then the other and returns `None`. What either raises is raised; if `our_trace` raises,
    `app_trace` is not called.
    """
    return _AsyncChained(our_trace, app_trace) if asynchronous else _Chained(our_trace, app_trace)


class _Chained:
    __slots__ = ("app_trace", "our_trace")

    def __init__(self, our_trace: Function, app_trace: Function) -> None:
        self.our_trace: Final = our_trace
        self.app_trace: Final = app_trace

    def __call__(self, name: str, info: Mapping[str, Any]) -> Any:
        self.our_trace(name, info)
        return self.app_trace(name, info)


class _AsyncChained(_Chained):
    __slots__ = ()

    async def __call__(self, name: str, info: Mapping[str, Any]) -> None:
        await self.our_trace(name, info)
        await self.app_trace(name, info)
