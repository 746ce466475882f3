"""The rule for failures of the client itself: a request that cannot be sent, a closed event loop, a closed client.

The libraries raise most of these as plain `RuntimeError`, `ValueError` or `TypeError`: for those their fixed messages
decide. The contract tests provoke them with the real libraries.

Rule: nothing that the server has sent is one of these failures. A request that is known to have been sent whole is not
`request_not_sent`, unless its body was to be read once more.
"""

from __future__ import annotations

from typing import Final

from anthropic_otel._core.cause_chain import by_class, is_a, raised_in, text_of
from anthropic_otel._core.failure import Failure
from anthropic_otel._core.semconv import NetworkCause


def of_client(error: BaseException, failure: Failure) -> NetworkCause | None:
    """Returns the cause of a failure of the client itself, `None` for any other exception.

    - `EVENT_LOOP_CLOSED`: the event loop is closed, missing, or not the one in which the client was first used; or the
      threads that belong to it or to the interpreter are gone.
    - `CLIENT_CLOSED`: the app has closed the client, its pool, its socket or the response.
    - `REQUEST_NOT_SENT`: the URL, the method, a header or the body is not valid, or is one for the other kind of
      client, sync or async. A body that cannot be read twice is among them.

    Once the request is known to have been sent whole (`failure.sent_whole`), only a body that cannot be read twice is
    `REQUEST_NOT_SENT`. An exception of a class in `_INVALID` is `PROTOCOL_ERROR` then, as the server sent what is
    invalid in a redirect. For anything else that is not valid, `None` is returned then.
    """
    word = by_class(error, _TYPES)
    if word is not None:
        return word
    message = text_of(error)
    of_loop = message.startswith(_LOOP_STARTS) or message.endswith(_LOOP_ENDS)
    if (of_loop and isinstance(error, (RuntimeError, ValueError))) or _is_of_proactor(error, message):
        return NetworkCause.EVENT_LOOP_CLOSED
    by_python = isinstance(error, (RuntimeError, ValueError)) and message.startswith(_CLOSED_STARTS)
    by_aiohttp = is_a(error, "aiohttp.ClientConnectionError") and message.startswith(_AIOHTTP_CLOSED_STARTS)
    if by_python or by_aiohttp:
        return NetworkCause.CLIENT_CLOSED
    if is_a(error, *_INVALID):
        return NetworkCause.PROTOCOL_ERROR if failure.sent_whole else NetworkCause.REQUEST_NOT_SENT
    of_other_kind = isinstance(error, RuntimeError) and message.startswith("Attempted to send an ")
    invalid = of_other_kind or _is_invalid_header(error, message)
    return NetworkCause.REQUEST_NOT_SENT if invalid and not failure.sent_whole else None


def _is_of_proactor(error: BaseException, message: str) -> bool:
    """Returns whether `error`, whose text is `message`, is what asyncio on Windows raises for a closed event loop.

    The loop has no proactor any more, and uses it all the same. Any `AttributeError` for an attribute of `None` is
    taken for that if asyncio raised it, also on another system.
    """
    of_none = isinstance(error, AttributeError) and message.startswith("'NoneType' object has no attribute")
    return of_none and raised_in(error)[0] == "asyncio"


_TYPES: Final = {
    "anyio": {
        NetworkCause.EVENT_LOOP_CLOSED: "NoEventLoopError RunFinishedError",
        NetworkCause.CLIENT_CLOSED: "ClosedResourceError",
    },
    "sniffio": {NetworkCause.EVENT_LOOP_CLOSED: "AsyncLibraryNotFoundError"},
    "httpx": {
        NetworkCause.CLIENT_CLOSED: "StreamClosed",
        NetworkCause.REQUEST_NOT_SENT: "StreamConsumed RequestNotRead",
    },
}

_INVALID: Final = (
    *("httpx.InvalidURL", "httpx.UnsupportedProtocol", "aiohttp.InvalidURL", "aiohttp.NonHttpUrlClientError"),
    *("idna.IDNAError", "h11.LocalProtocolError"),
)
"""The exceptions for a URL, a host name, a header or a body that is not valid."""

_LOOP_STARTS: Final = (
    "Event loop is closed",
    "no running event loop",
    "There is no current event loop",
    "Non-thread-safe operation invoked on an event loop other than the current one",
    # The threads that resolve names have ended with the loop, or with the interpreter.
    "Executor shutdown has been called",
    "cannot schedule new futures after",
    "can't create new thread at interpreter shutdown",
    "can't register atexit after shutdown",
    "The future belongs to a different loop",
    # trio's.
    "must be called from async context",
    # aiohttp's.
    "Timeout context manager should be used inside a task",
    "Session and connector has to use same event loop",
)
_LOOP_ENDS: Final = ("is bound to a different event loop", "attached to a different loop")
"""Ends of asyncio's messages, which begin with the `repr` of an object of the app."""

_CLOSED_STARTS: Final = (
    # httpx's.
    "Cannot send a request, as the client has been closed.",
    "Cannot open a client instance once it has been closed.",
    "The connection pool was closed while",
    # aiohttp's.
    "Session is closed",
    # The standard library's, of a socket that another thread has closed.
    "Invalid file descriptor: -1",
    "file descriptor cannot be a negative integer",
)
_AIOHTTP_CLOSED_STARTS: Final = ("Connector is closed", "Connection closed")
"""The first is raised for a closed client, the second when a response is read that the app has closed."""


def _is_invalid_header(error: BaseException, message: str) -> bool:
    """Returns whether `error`, whose text is `message`, refuses the method, a header, a host name or the port.

    Any `UnicodeError` but a `UnicodeDecodeError` is taken for that.
    """
    if isinstance(error, UnicodeError):
        return not isinstance(error, UnicodeDecodeError)
    if isinstance(error, OverflowError):
        return "port must be 0-65535" in message
    by_message = message.startswith(_HEADER_STARTS) or message.endswith(_HEADER_ENDS)
    return by_message and isinstance(error, (ValueError, TypeError))


_HEADER_STARTS: Final = (
    "Header value must be str or bytes",
    "Header name must be str or bytes",
    "Invalid Content-Length header",
    "Method cannot contain non-token characters",
    # aiohttp's, for user information in the URL beside a key, and for two headers with the length of the body.
    "Cannot combine AUTHORIZATION header with",
    "Cannot combine AUTH argument with",
    "chunked can not be set",
    "compress can not be set",
)
_HEADER_ENDS: Final = "detected in headers. Potential header injection attack."
"""The end of aiohttp's message. Its beginning names characters, which differ between versions."""
