"""Records replies that the SDK method does not return: parsed outside of it, or refused by code of the app.

The app parses those of `with_raw_response` and `with_streaming_response`. A middleware may parse several in one call.
The model of a structured output may refuse the reply that the SDK has parsed.

Rule: `parse` returns and raises exactly what it did before. The tokens of a reply count once, however often it is
parsed.

If `parse` reads the body, as it may with `with_streaming_response`, its success decides how the attempt ends. An
attempt of `with_raw_response` has ended before: the app may never parse its body.
"""

from __future__ import annotations

import functools
import inspect
import sys
import weakref
from collections.abc import Iterator
from typing import Any, Final

from anthropic_otel._adapters.current import current_call
from anthropic_otel._adapters.patches import Function, Patch, patchable
from anthropic_otel._core import usage
from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.ending import End
from anthropic_otel._core.errors import is_of_parsing
from anthropic_otel._core.event_json import parsed
from anthropic_otel._core.guard import guarded, report
from anthropic_otel._core.held_body import HeldBody
from anthropic_otel._core.response import says_nothing

_LEGACY: Final = "anthropic._legacy_response"
"""The module in which SDKs below 1.0 have the response class of `with_raw_response`."""

_expected: Final[dict[weakref.ref[Any], Attempt]] = {}
"""The SDK's response objects that `expect` has remembered, each with its attempt.

One is removed when it is dropped, or when its tokens are counted, as then there is nothing left to count.

It is no `WeakKeyDictionary`, which finds out in Python whether it is empty: 1,300 instructions at every parse.
"""


def _forget(response: weakref.ref[Any]) -> None:
    _expected.pop(response, None)


def patch(sdk: Any) -> Iterator[Patch]:
    """Patches `parse` of the response classes of the SDK module `sdk`, as far as it has them and they can be patched.

    Yields each patch as soon as it is made, so that nothing is patched before the first step of the iteration.
    """
    legacy = getattr(sys.modules.get(_LEGACY), "LegacyAPIResponse", None)
    found = (getattr(sdk, "APIResponse", None), getattr(sdk, "AsyncAPIResponse", None), legacy)
    for cls in found:
        if isinstance(cls, type) and patchable(cls, "parse"):
            yield Patch(cls, "parse", _wrap)


def _wrap(original: Function, patch: Patch) -> Function:
    return _async_parse(original, patch) if inspect.iscoroutinefunction(original) else _sync_parse(original, patch)


def _sync_parse(original: Function, patch: Patch) -> Function:
    @functools.wraps(original)
    def parse(self: Any, *args: Any, **kwargs: Any) -> Any:
        source = _begin(self) if _expected and patch.active else None
        try:
            reply = original(self, *args, **kwargs)
        except BaseException as error:
            if source is not None or patch.active:
                _failed(self, source, error)
            raise
        if source is not None or (patch.active and (running := current_call.get()) and running.has_middleware):
            _parsed(self, source, reply)
        return reply

    return parse


def _async_parse(original: Function, patch: Patch) -> Function:
    @functools.wraps(original)
    async def parse(self: Any, *args: Any, **kwargs: Any) -> Any:
        source = _begin(self) if _expected and patch.active else None
        try:
            reply = await original(self, *args, **kwargs)
        except BaseException as error:
            if source is not None or patch.active:
                _failed(self, source, error)
            raise
        if source is not None or (patch.active and (running := current_call.get()) and running.has_middleware):
            _parsed(self, source, reply)
        return reply

    return parse


def expect(result: Any, source: Attempt | HeldBody | None, *, is_open: bool) -> None:
    """Remembers `result`, which an SDK method returned, if it is a raw response that the app may still parse.

    `source` is the attempt that `result` is from; the attempt is remembered too. Does nothing if `source` is `None`, or
    a held body of a middleware. `is_open` is whether the app has a body to read by `result`; it only decides how a raw
    response is recognized. Keeps only a weak reference to `result`. Never raises.
    """
    # Guarded in place, as it runs at every call.
    try:
        if is_open:
            # Not by its dictionary: Python would make one for a stream, of 64 bytes, and read from it more slowly.
            is_raw = getattr(result, "http_response", None) is not None
        else:
            # Not by attribute: for a missing one pydantic runs Python code.
            is_raw = "http_response" in getattr(result, "__dict__", ())
        if is_raw and isinstance(source, Attempt):
            _expected[weakref.ref(result, _forget)] = source
    except Exception as error:
        report("expect", error)


@guarded(None)
def _begin(response: Any) -> Attempt | None:
    """Begins to record that the app parses `response`. Returns the attempt that `expect` has remembered for it.

    `None`, and records nothing, if there is none.
    """
    source = _expected.get(weakref.ref(response))
    if source is not None:
        source.begin_parsing()
    return source


@guarded(None)
def _failed(response: Any, source: Attempt | None, error: BaseException) -> None:
    """Records that `parse` of `response` has raised `error`. `source` is what `_begin` has returned.

    Unless the body could not be parsed (`is_of_parsing`), or `error` is no `Exception`, it is taken that code of the
    app, as the model of a structured output, has refused the reply. Its tokens are counted then: it is billed.
    """
    unparsed = is_of_parsing(error)
    if source is not None:
        source.parsed(End.UNPARSED if unparsed else End.READ)
    if not unparsed and isinstance(error, Exception):
        _count_refused(response, source)


def _count_refused(response: Any, source: Attempt | None) -> None:
    """Counts the tokens of the reply in the body of `response`. Nothing if the body is not in memory, or is no JSON.

    They count for `source`. If `source` is `None`, `response` is taken for that of the current call's method, which is
    about to raise, and the tokens count for the attempt of the call that has completed last. If the call has a
    middleware, they are noted for the attempt that `response` is from (`RunningCall.parsed`), to be counted when the
    method has raised. Does nothing if `source` is `None` and no call is current whose method still runs.
    """
    running = current_call.get() if source is None else None
    if source is None and (running is None or running.finished):
        return
    http_response = getattr(response, "http_response", None)
    body = getattr(http_response, "_content", None)
    if not isinstance(body, bytes):
        return
    try:
        reply = parsed(body)
    except ValueError:
        return
    if source is not None:
        _count(response, source, reply)
    elif running is not None and running.has_middleware:
        running.parsed(http_response, reply)
    elif running is not None:
        running.call.parsed()
        if (answering := running.call.attempts.completed) is not None:
            answering.take_usage(usage.of_reply(reply))


def _count(response: Any, source: Attempt, reply: Any) -> None:
    """Counts the tokens of `reply` for `source`, once for each `response`.

    Does nothing if `source` has not ended, has asked for no message, or `reply` has no tokens.
    """
    if not source.ended or not source.is_message:
        return
    tokens = usage.of_reply(reply)
    # Two threads may parse at once: the one that removes the entry counts the usage.
    if tokens and _expected.pop(weakref.ref(response), None) is not None:
        source.take_usage(tokens)


@guarded(None)
def _parsed(response: Any, source: Attempt | None, reply: Any) -> None:
    running = current_call.get()
    if running is not None and running.has_middleware and not running.finished:
        running.parsed(getattr(response, "http_response", None), reply)
    if source is None:
        return
    source.parsed(End.UNPARSED if says_nothing(reply, source.is_message) else End.READ)
    _count(response, source, reply)
