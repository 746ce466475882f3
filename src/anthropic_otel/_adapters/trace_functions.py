"""Combines our function for the `trace` extension of a request with the app's own, and takes it off afterwards.

Rule: the app's function is called after ours, with the same arguments as without us. For an asynchronous transport both
are coroutine functions. After the send a request has the extensions that it would have without us.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any, Final

from anthropic_otel._adapters.patches import Function
from anthropic_otel._core.send import Send


def app_trace_of(request: Any) -> Function | None:
    """Returns the app's own `trace` function of a request, `None` without one.

    If another send of the same request has put ours in its place, the app's is taken out of ours.
    """
    trace = request.extensions.get("trace")
    if isinstance(trace, _Chained):
        return trace.app_trace
    return trace if _send_of(trace) is None else None


def chained(our_trace: Function, app_trace: Function, *, asynchronous: bool) -> Function:
    """Returns a trace function that calls `our_trace`, then `app_trace`, and returns what the latter returns.

    If `asynchronous`, both must be coroutine functions, and a call of the trace function returns a coroutine, which
    awaits the one and then the other and returns `None`. What either raises is raised; if `our_trace` raises,
    `app_trace` is not called.
    """
    return _AsyncChained(our_trace, app_trace) if asynchronous else _Chained(our_trace, app_trace)


Lent = tuple[Function, Mapping[str, Any], Mapping[str, Any], MutableMapping[str, Any]]
"""Our `trace` function, the extensions that a request has with it, a copy of these, and the request's own.

They are as `take_off` needs them.
"""


def take_off(
    request: Any,
    trace: Function,
    lent: Mapping[str, Any],
    before: Mapping[str, Any],
    extensions: MutableMapping[str, Any],
) -> None:
    """Takes `trace` off a request that was sent, or off that of a redirect, and keeps what was changed meanwhile.

    `lent` is what the request had in the place of its own `extensions`: it was made of these, with `trace`, and was
    equal to `before` then. A hook, an authentication or a transport may have put something into it, or replaced or
    removed something: `extensions` get that too, and the request has them again. If all of it was replaced by another
    mapping, as in the request of a redirect, the request gets a copy of that with the `trace` of `extensions`. Without
    `trace` that stays as it is.
    """
    now = request.extensions
    if now is lent:
        request.extensions = extensions
    elif now.get("trace") is trace:
        # A copy, as the transport may still look for ours in this one.
        own = {name: value for name, value in now.items() if value is not trace}
        request.extensions = {**own, "trace": extensions["trace"]} if "trace" in extensions else own
    else:
        _hand_on(now, lent, extensions)
    # Only that: the app may use its mapping for several requests at once, and change it itself. By identity, as a value
    # of the app's may not be comparable, and may be replaced by an equal one.
    for name, value in lent.items():
        if name not in before or before[name] is not value:
            extensions[name] = value
    for name in before:
        if name not in lent:
            extensions.pop(name, None)


def _hand_on(now: Mapping[str, Any], lent: Mapping[str, Any], extensions: MutableMapping[str, Any]) -> None:
    """Has another send of the same request, which began after that with `lent` and has not ended, restore `extensions`.

    `now` are the extensions that the request has. Does nothing without such a send.
    """
    while (send := _send_of(now.get("trace"))) is not None and (later := send.lent) is not None:
        if later[3] is lent:
            send.lent = (*later[:3], extensions)
            return
        now = later[3]


def _send_of(trace: Any) -> Any:
    """Returns the send whose `trace` function this is; `None` for one of the app's own or of its hooks, and for `None`.

    A recorded send has `lent`, and that of an event hook has not.
    """
    ours = trace.our_trace if isinstance(trace, _Chained) else trace
    send = getattr(ours, "__self__", None)
    return send if isinstance(send, Send) and hasattr(send, "lent") else None


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
