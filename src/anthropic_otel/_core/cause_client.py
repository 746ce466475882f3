"""Rules for failures of the client itself: a request that cannot be sent, a closed event loop, a closed client.

The libraries raise most of these as plain `RuntimeError`, `ValueError` or `TypeError`, so their fixed messages decide.
The contract tests provoke each with the real library.

Rule: nothing that the server has sent is one of these failures. A request that is known to have been sent whole is not
`request_not_sent`.
"""

from __future__ import annotations

from typing import Final

from anthropic_otel._core.cause_chain import AIOHTTP, ANYIO, HTTPX, Failure, is_a, text_of
from anthropic_otel._core.semconv import NetworkCause

_IDNA: Final = frozenset({"idna"})
_H11: Final = frozenset({"h11"})
_LOOPS: Final = ANYIO | {"sniffio"}


def of_event_loop(error: BaseException, failure: Failure) -> NetworkCause | None:
    """Returns `EVENT_LOOP_CLOSED` if `error` says that an event loop is closed, missing or another one, else `None`.

    An async client works only in the event loop in which it was first used. The threads that belong to a loop or to the
    interpreter may be gone too.
    """
    if is_a(error, _LOOPS, "NoEventLoopError", "RunFinishedError", "AsyncLibraryNotFoundError"):
        return NetworkCause.EVENT_LOOP_CLOSED
    if isinstance(error, RuntimeError):
        message = text_of(error)
        if message.startswith(_LOOP_STARTS) or message.endswith(_LOOP_ENDS):
            return NetworkCause.EVENT_LOOP_CLOSED
    return None


_LOOP_STARTS: Final = (
    "Event loop is closed",
    "no running event loop",
    "There is no current event loop",
    "Non-thread-safe operation invoked on an event loop other than the current one",
    # The threads that resolve names have ended with the loop, or with the interpreter.
    "Executor shutdown has been called",
    "cannot schedule new futures after",
    "can't create new thread at interpreter shutdown",
    # aiohttp's.
    "Timeout context manager should be used inside a task",
    "Session and connector has to use same event loop",
)
_LOOP_ENDS: Final = ("is bound to a different event loop", "attached to a different loop")
"""Ends of asyncio's messages, which begin with the `repr` of an object of the app."""


def of_closed_client(error: BaseException, failure: Failure) -> NetworkCause | None:
    """Returns `CLIENT_CLOSED` if `error` says that the app closed the client, its pool or the response, else `None`."""
    if is_a(error, ANYIO, "ClosedResourceError") or is_a(error, HTTPX, "StreamClosed"):
        return NetworkCause.CLIENT_CLOSED
    by_python = isinstance(error, (RuntimeError, ValueError)) and text_of(error).startswith(_CLOSED_STARTS)
    by_aiohttp = is_a(error, AIOHTTP, "ClientConnectionError") and text_of(error).startswith(_AIOHTTP_CLOSED_STARTS)
    return NetworkCause.CLIENT_CLOSED if by_python or by_aiohttp else None


_CLOSED_STARTS: Final = (
    # httpx's.
    "Cannot send a request, as the client has been closed.",
    "Cannot open a client instance once it has been closed.",
    # aiohttp's.
    "Session is closed",
    # The standard library's, of a socket that another thread has closed.
    "Invalid file descriptor: -1",
    "file descriptor cannot be a negative integer",
)
_AIOHTTP_CLOSED_STARTS: Final = ("Connector is closed", "Connection closed")
"""The first is raised for a closed client, the second when a response is read that the app has closed."""


def of_unsendable_request(error: BaseException, failure: Failure) -> NetworkCause | None:
    """Returns `REQUEST_NOT_SENT` if `error` says that the URL, a header or the body cannot be sent, else `None`.

    Once the request was sent, an invalid URL is `PROTOCOL_ERROR`, as the server sent it in a redirect, and an invalid
    header is no longer looked for. A body that cannot be read twice is `REQUEST_NOT_SENT` also then.
    """
    if is_a(error, HTTPX, "StreamConsumed", "RequestNotRead"):
        # A body that can only be read once was to be sent again.
        return NetworkCause.REQUEST_NOT_SENT
    if _is_invalid_url(error) or is_a(error, _H11, "LocalProtocolError"):
        # After an answer it is the address of a redirect, which the server has sent.
        return NetworkCause.PROTOCOL_ERROR if failure.answered else NetworkCause.REQUEST_NOT_SENT
    return NetworkCause.REQUEST_NOT_SENT if _is_invalid_header(error) and not failure.answered else None


def _is_invalid_url(error: BaseException) -> bool:
    return (
        is_a(error, HTTPX, "InvalidURL", "UnsupportedProtocol")
        or is_a(error, AIOHTTP, "InvalidURL", "NonHttpUrlClientError")
        or is_a(error, _IDNA, "IDNAError")
    )


def _is_invalid_header(error: BaseException) -> bool:
    """Returns whether the client refuses the method, a header, a host name that cannot be encoded, or the port."""
    if isinstance(error, UnicodeError):
        return not isinstance(error, UnicodeDecodeError)
    if isinstance(error, OverflowError):
        return "port must be 0-65535" in text_of(error)
    if not isinstance(error, (ValueError, TypeError)):
        return False
    message = text_of(error)
    return message.startswith(_HEADER_STARTS) or message.endswith(_HEADER_ENDS)


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
