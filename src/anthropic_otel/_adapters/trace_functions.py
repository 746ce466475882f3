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
    if isinstance(trace, _Chained):
        return trace.theirs
    return None if isinstance(getattr(trace, "__self__", None), Send) else trace


def chained(ours: Function, theirs: Function, *, asynchronous: bool) -> Function:
    """Returns a trace function that calls `ours` and then `theirs`; a coroutine function if `asynchronous`.

    Both must be of that kind too. What either raises is raised.
    """
    return _AsyncChained(ours, theirs) if asynchronous else _Chained(ours, theirs)


class _Chained:
    __slots__ = ("ours", "theirs")

    def __init__(self, ours: Function, theirs: Function) -> None:
        self.ours: Final = ours
        self.theirs: Final = theirs

    def __call__(self, name: str, info: Mapping[str, Any]) -> Any:
        self.ours(name, info)
        return self.theirs(name, info)


class _AsyncChained(_Chained):
    __slots__ = ()

    async def __call__(self, name: str, info: Mapping[str, Any]) -> None:
        await self.ours(name, info)
        await self.theirs(name, info)
