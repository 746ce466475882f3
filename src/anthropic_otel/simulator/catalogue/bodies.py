"""Faults in a body or a stream, after a response with a request id has begun: with status 200, 429 or 529.

The SDK reads a body within the attempt and retries what fails in it. The app reads a stream, so what fails in a stream
is not retried.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from anthropic_otel._core.semconv import OTHER, Phase
from anthropic_otel._core.semconv import NetworkCause as Cause
from anthropic_otel.simulator.actions import (
    Cut,
    Delivery,
    Encoding,
    Ending,
    ErrorEvent,
    Framing,
    Point,
    Reply,
)
from anthropic_otel.simulator.faults import HTTPX, HTTPX2, NO_NEEDS, STACKS, Fault, Needs, Where, answered, network

_SOON: Final = Needs(read_timeout=0.3)
_BROKEN_GZIP: Final = Reply(delivery=Delivery(encoding=Encoding.BROKEN_GZIP))
_HTTPCORE: Final = frozenset({HTTPX, HTTPX2})
"""Without aiohttp: if the framing breaks in the middle of a body, aiohttp waits for ever, despite its timeouts."""


def _broken(
    where: Where,
    name: str,
    description: str,
    action: Cut | Reply,
    cause: Cause,
    *,
    errno: tuple[str, ...] = (),
    needs: Needs = NO_NEEDS,
    applies_to: frozenset[str] = STACKS,
) -> Fault:
    """Returns a network fault in a body, which the SDK retries, or for `Where.STREAM` in a stream, which it does not.

    Its response has status 200 and a request id. Only a request for a stream can meet a fault in a stream, and only
    another one a fault in a body. The other arguments are fields of `Fault`.
    """
    stream = where is Where.STREAM
    return network(
        name,
        description,
        where,
        action,
        cause,
        Phase.RECEIVE,
        errno=errno,
        status=200,
        retried=not stream,
        stream=stream,
        needs=needs,
        applies_to=applies_to,
    )


_body = partial(_broken, Where.BODY)
_stream = partial(_broken, Where.STREAM)


def _event(name: str, description: str, action: ErrorEvent, *, error_type: str = "") -> Fault:
    """Returns a fault that is an `error` event in a stream, which only requests with a stream can meet.

    The SDK does not retry it. `error_type` is what the library reports; if it is empty, that is the event's own type.
    """
    return answered(name, description, action, error_type or action.error_type, where=Where.STREAM, stream=True)


_OVERLOADED: Final = ("overloaded_error", "Overloaded")

_BODIES: Final = (
    _body(
        "body_reset",
        "The server resets the connection in the middle of the body.",
        Cut(Point.BODY, Ending.RESET, after=1, framing=Framing.LENGTH),
        Cause.CONNECTION_RESET,
        errno=("ECONNRESET",),
    ),
    _body(
        "body_cut",
        "The server closes the connection before the body has its Content-Length.",
        Cut(Point.BODY, Ending.CLOSE, after=1, framing=Framing.LENGTH),
        Cause.INCOMPLETE_BODY,
    ),
    _body(
        "body_cut_chunked",
        "The server closes the connection before the last chunk of the body.",
        Cut(Point.BODY, Ending.CLOSE, after=1),
        Cause.INCOMPLETE_BODY,
    ),
    _body(
        "body_timeout",
        "The server falls silent in the middle of the body.",
        Cut(Point.BODY, Ending.STALL, after=1, framing=Framing.LENGTH),
        Cause.READ_TIMEOUT,
        needs=_SOON,
    ),
    _body(
        "body_garbage",
        "The chunked framing of the body turns into bytes that are none.",
        Cut(Point.BODY, Ending.GARBAGE, after=1),
        Cause.PROTOCOL_ERROR,
        applies_to=_HTTPCORE,
    ),
    _body("body_bad_gzip", "The body says that it is gzip and is not.", _BROKEN_GZIP, Cause.DECODING_ERROR),
)


def _refusal(name: str, description: str, action: Cut, *, retry_after: bool | None = None) -> Fault:
    """Returns a fault: an error response (`action.reply`) whose body breaks. The response's status is the error type.

    The SDK retries it. Only requests without a stream can meet it. `retry_after` is that of `Fault`: whether the
    response's headers decide the backoff.
    """
    status = action.reply.status if action.reply is not None else 200
    fault = answered(name, description, action, str(status), where=Where.BODY, status=status, stream=False)
    return replace(fault, retried=True, retry_after=retry_after)


_OVERLOAD: Final = Reply(529, "overloaded_error", "Overloaded")
_MOVED: Final = b"The API has moved for a while."
_TEXT: Final = "text/plain"

_REFUSALS: Final = (
    _refusal(
        "http_529_reset",
        "The server resets the connection in the middle of the body of an error.",
        Cut(Point.BODY, Ending.RESET, after=1, framing=Framing.LENGTH, reply=_OVERLOAD),
    ),
    _refusal(
        "http_529_cut",
        "The server closes the connection before the body of an error has its Content-Length.",
        Cut(Point.BODY, Ending.CLOSE, after=1, framing=Framing.LENGTH, reply=_OVERLOAD),
    ),
    _refusal(
        "http_429_cut_retry_after",
        "The body of an error breaks off, and its headers say when to come back.",
        Cut(
            Point.BODY,
            Ending.CLOSE,
            after=1,
            framing=Framing.LENGTH,
            reply=Reply(429, "rate_limit_error", "Slower.", headers=(("retry-after", "1"),)),
        ),
        retry_after=False,
    ),
    _refusal(
        "http_307_nowhere_cut",
        "A 307 has no `location`, and its body breaks off.",
        Cut(
            Point.BODY, Ending.CLOSE, after=1, framing=Framing.LENGTH, reply=Reply(307, body=_MOVED, content_type=_TEXT)
        ),
    ),
)


def _redirect(name: str, description: str, ending: Ending, cause: Cause, *errno: str, needs: Needs = NO_NEEDS) -> Fault:
    """Returns a network fault in the body of a 307, which the client reads before it follows the redirect."""
    moved = Reply(307, body=_MOVED, content_type=_TEXT, headers=(("location", "/elsewhere"),))
    action = Cut(Point.BODY, ending, after=1, framing=Framing.LENGTH, reply=moved)
    return network(name, description, Where.BODY, action, cause, Phase.RECEIVE, errno=errno, status=307, needs=needs)


_REDIRECTS: Final = (
    _redirect(
        "redirect_body_reset",
        "The server resets the connection in the middle of the body of a redirect.",
        Ending.RESET,
        Cause.CONNECTION_RESET,
        "ECONNRESET",
    ),
    _redirect(
        "redirect_body_cut",
        "The server closes the connection before the body of a redirect has its Content-Length.",
        Ending.CLOSE,
        Cause.INCOMPLETE_BODY,
    ),
    _redirect(
        "redirect_body_timeout",
        "The server falls silent in the middle of the body of a redirect.",
        Ending.STALL,
        Cause.READ_TIMEOUT,
        needs=_SOON,
    ),
)

_STREAMS: Final = (
    _stream(
        "stream_reset",
        "The server resets the connection in the middle of the stream.",
        Cut(Point.BODY, Ending.RESET),
        Cause.CONNECTION_RESET,
        errno=("ECONNRESET",),
    ),
    _stream(
        "stream_cut",
        "The server closes the connection in the middle of the stream.",
        Cut(Point.BODY, Ending.CLOSE),
        Cause.INCOMPLETE_BODY,
    ),
    _stream(
        "stream_incomplete",
        "The body of the stream ends as HTTP wants it, without `message_stop`.",
        Cut(Point.BODY, Ending.CLEAN),
        Cause.INCOMPLETE_STREAM,
    ),
    _stream(
        "stream_timeout",
        "The server falls silent in the middle of the stream.",
        Cut(Point.BODY, Ending.STALL),
        Cause.READ_TIMEOUT,
        needs=_SOON,
    ),
    _stream(
        "stream_garbage",
        "The chunked framing of the stream turns into bytes that are none.",
        Cut(Point.BODY, Ending.GARBAGE),
        Cause.PROTOCOL_ERROR,
        applies_to=_HTTPCORE,
    ),
    _stream("stream_bad_gzip", "The stream says that it is gzip and is not.", _BROKEN_GZIP, Cause.DECODING_ERROR),
)

_EVENTS: Final = (
    _event("stream_overloaded", "The stream has an `overloaded_error` event.", ErrorEvent(*_OVERLOADED)),
    _event(
        "stream_api_error", "The stream has an `api_error` event.", ErrorEvent("api_error", "Internal server error")
    ),
    _event(
        "stream_rate_limit",
        "The stream has a `rate_limit_error` event.",
        ErrorEvent("rate_limit_error", "This request would exceed your organization's rate limit."),
    ),
    _event(
        "stream_timeout_error",
        "The stream has a `timeout_error` event.",
        ErrorEvent("timeout_error", "Request timed out"),
    ),
    _event(
        "stream_unknown_error",
        "The stream has an `error` event of a type that the documentation does not know.",
        ErrorEvent("unheard_of_error", "Something new"),
        error_type=OTHER,
    ),
    _event("stream_overloaded_first", "The first event of the stream is the error.", ErrorEvent(*_OVERLOADED, after=0)),
    _event(
        "stream_overloaded_gzip",
        "The stream with the `error` event is gzip'd.",
        ErrorEvent(*_OVERLOADED, delivery=Delivery(encoding=Encoding.GZIP)),
    ),
    _event(
        "stream_overloaded_segmented",
        "The `error` event is cut across TCP segments.",
        ErrorEvent(*_OVERLOADED, delivery=Delivery(segment=16)),
    ),
    _event(
        "stream_overloaded_crlf",
        "The lines of the stream with the `error` event end in CR LF.",
        ErrorEvent(*_OVERLOADED, delivery=Delivery(newline="\r\n")),
    ),
)

FAULTS: Final = (*_BODIES, *_REFUSALS, *_REDIRECTS, *_STREAMS, *_EVENTS)
