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

    If a send of the request or our event hooks have put a function of ours in its place, the app's is the one that ours
    is `chained` with.
    """
    trace = request.extensions.get("trace")
    # Ours may be around another of ours: that of event hooks around that of a send.
    while isinstance(trace, _Chained):
        trace = trace.app_trace
    return trace if sender_of(trace) is None else None


def chained(our_trace: Function, app_trace: Function, *, asynchronous: bool) -> Function:
    """Returns a trace function that calls `our_trace`, then `app_trace`, and returns what the latter returns.

    If `asynchronous`, both must be coroutine functions, and a call of the trace function returns a coroutine, which
    awaits the one and then the other and returns `None`. What either raises is raised; if `our_trace` raises,
    `app_trace` is not called.
    """
    return _AsyncChained(our_trace, app_trace) if asynchronous else _Chained(our_trace, app_trace)


Lent = tuple[Function, Mapping[str, Any], Mapping[str, Any], MutableMapping[str, Any]]
"""The arguments `trace`, `lent`, `before` and `extensions` of `take_off`."""


def take_off(
    request: Any,
    trace: Function,
    lent: Mapping[str, Any],
    before: Mapping[str, Any],
    extensions: MutableMapping[str, Any],
) -> None:
    """Takes `trace`, our function, off a request that was sent, or off that of a redirect.

    `lent` is the mapping that the request was given in place of its own `extensions`: a copy of these with `trace`.
    `before` is a copy of `lent` from that time. What a hook, an authentication or a transport has since set, replaced
    or removed in `lent` is set, replaced or removed in `extensions` too.

    - A request that has `lent` gets `extensions` again.
    - One that has another mapping with `trace`, as that of a redirect, gets a copy of that mapping. The copy has the
      `trace` of `extensions` instead of ours, or none if these have none.
    - Any other keeps its mapping. As that may be from another send of the same request, `_hand_on` is called.
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
    """Has another send of the same request give the request `extensions` back at its end, and not `lent`.

    That is a send which began while the request had `lent`. It is found from `now`, the extensions that the request has
    at present. Does nothing without such a send, or if that send has ended.
    """
    while (send := sender_of(now.get("trace"))) is not None:
        # That of an event hook has none.
        later = getattr(send, "lent", None)
        if later is None:
            return
        if later[3] is lent:
            send.lent = (*later[:3], extensions)
            return
        now = later[3]


def sender_of(trace: Any) -> Any:
    """Returns the `Send` whose method `trace` or `atrace` this is, alone or `chained`; `None` for any other object."""
    ours = trace.our_trace if isinstance(trace, _Chained) else trace
    send = getattr(ours, "__self__", None)
    return send if isinstance(send, Send) else None


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
