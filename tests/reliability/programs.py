"""What an app sees and what it sends, as plain values that two runs of a program can be compared by.

Rule: everything that the app can tell is in the value - types, values, exceptions with their causes and the frames
of their tracebacks - but for frames of the library, ids that a server made up, and trace context headers.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import anthropic_otel
from anthropic_otel.simulator import Received

_QUOTED: Final = re.compile(r"(?:, )?'(?:traceparent|tracestate|baggage)': '[^']*'")
"""Trace context headers, where an exception quotes the request."""

TRACE_CONTEXT: Final = frozenset({"traceparent", "tracestate", "baggage"})
_OURS: Final = str(Path(anthropic_otel.__file__).parent / "_")
_MADE_UP: Final = re.compile(
    r"\b(?:req|msg|msgbatch|toolu|stainless-python-retry)[_-][0-9A-Za-z-]+"  # ids, of the server and of the client
    r"|0x[0-9a-f]+"  # addresses of objects
    r"|(?<=:)\d{4,5}\b"  # ports
    r"|\b\d{8}T\d{6}Z|(?<=/)\d{8}(?=/)|(?<=Signature=)[0-9a-f]+"  # what AWS signs by: the second, the day
)


@dataclass(frozen=True)
class Raised:
    """An exception as the app sees it: its type, its arguments, what caused it, and the frames that it came through."""

    type: str
    args: str
    cause: Raised | None
    context: str | None
    suppresses_context: bool
    frames: tuple[str, ...]
    attributes: tuple[str, ...]


@dataclass(frozen=True)
class Seen:
    """What the app got: the type and the value of every result, or what was raised instead."""

    results: tuple[tuple[str, str], ...]
    raised: Raised | None


@dataclass(frozen=True)
class Sent:
    """One request as it came to the server, without trace context. `connection` counts from the run's first."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    connection: int | None


@dataclass(frozen=True)
class Run:
    """One run of a program."""

    seen: tuple[Seen, ...]
    sent: tuple[Sent, ...] = field(default=())


def see(step: Callable[[], Any], each: Callable[[Any], Iterable[Any]] = lambda result: (result,)) -> Seen:
    """Runs one step of an app. `each` takes its result apart into the values to compare."""
    try:
        results = tuple(_value(part) for part in each(step()))
    except BaseException as error:
        return Seen((), raised(error))
    return Seen(results, None)


def _value(part: Any) -> tuple[str, str]:
    return (f"{type(part).__module__}.{type(part).__qualname__}", normal(repr(part)))


def raised(error: BaseException, depth: int = 8) -> Raised:
    """The exception as a value."""
    cause = error.__cause__
    return Raised(
        type=f"{type(error).__module__}.{type(error).__qualname__}",
        args=normal(repr(error.args)),
        cause=raised(cause, depth - 1) if cause is not None and depth else None,
        context=type(error.__context__).__qualname__ if error.__context__ is not None else None,
        suppresses_context=error.__suppress_context__,
        frames=tuple(_frames(error)),
        attributes=tuple(sorted(vars(error))),
    )


def _frames(error: BaseException) -> Iterable[str]:
    """The frames that an exception came through below the test, but for those of the library.

    Two runs do not have in common whether data was there already when it was read, nor whether reader or writer is the
    first to notice that a connection has gone. So of aiohttp it is the function that was called, without the line that
    it was at, and of what the event loop raises in its own transports it is the file.
    """
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if code.co_filename.endswith(_TRANSPORTS):
            yield code.co_filename
            return
        if _AIOHTTP in code.co_filename:
            yield f"{code.co_filename} {code.co_name}"
            return
        if not code.co_filename.startswith((_OURS, _HERE)):
            yield f"{code.co_filename}:{traceback.tb_lineno} {code.co_name}"
        traceback = traceback.tb_next


_HERE: Final = str(Path(__file__).parent)
_AIOHTTP: Final = f"{os.sep}aiohttp{os.sep}"
_TRANSPORTS: Final = tuple(os.path.join("asyncio", name) for name in ("selector_events.py", "proactor_events.py"))


def normal(text: str) -> str:
    """The text, with everything that differs from one run to the next replaced by its kind."""
    return _MADE_UP.sub("…", _QUOTED.sub("", text))


def sent(requests: Iterable[Received], *, connections: bool = True) -> tuple[Sent, ...]:
    """The requests of one run, as values; with the `connections` that they came on, if those are to be compared."""
    requests = list(requests)
    first = min((request.connection for request in requests), default=0)
    return tuple(
        Sent(
            request.method,
            normal(request.target),
            tuple((name, normal(value)) for name, value in request.headers if name.lower() not in TRACE_CONTEXT),
            request.body,
            request.connection - first if connections else None,
        )
        for request in requests
    )
