"""Failures of the client itself: what was never sent, and what the app has closed. By built exceptions.

That the libraries raise exceptions with these types and messages is held by `tests/contract/test_failure_messages.py`.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import errno
import ssl
from typing import Any

import aiohttp
import anyio
import httpx
import httpx2
import idna
import pytest
import sniffio
import trio

from anthropic_otel._core.cause import Cause, classify
from anthropic_otel._core.semconv import NetworkCause as Word
from anthropic_otel._core.semconv import Phase
from support.chains import STACKS, Stack, chain, over, raised

LOOP = (
    "Event loop is closed",
    "no running event loop",
    "There is no current event loop in thread 'worker'.",
    "<asyncio.locks.Event object at 0x7f00 [unset]> is bound to a different event loop",
    "Task <Task pending name='Task-1'> got Future <Future pending> attached to a different loop",
    "Non-thread-safe operation invoked on an event loop other than the current one",
    "Executor shutdown has been called",
    "cannot schedule new futures after shutdown",
    "cannot schedule new futures after interpreter shutdown",
    "Timeout context manager should be used inside a task",
    "Session and connector has to use same event loop",
    "can't register atexit after shutdown",
    "must be called from async context",
    "unable to perform operation on <TCPTransport closed=True>; the handler is closed",
)

CLOSED: tuple[tuple[BaseException, Phase | None], ...] = (
    (RuntimeError("Cannot send a request, as the client has been closed."), Phase.SEND),
    (RuntimeError("Cannot open a client instance once it has been closed."), Phase.SEND),
    (RuntimeError("Session is closed"), Phase.SEND),
    (RuntimeError("The connection pool was closed while 1 HTTP requests/responses were still in-flight."), Phase.SEND),
    (aiohttp.ClientConnectionError("Connector is closed."), None),
    (aiohttp.ClientConnectionError("Connector is closed"), None),
    (ValueError("Invalid file descriptor: -1"), None),
    (ValueError("file descriptor cannot be a negative integer (-1)"), None),
    (anyio.ClosedResourceError(), None),
    (trio.ClosedResourceError("another task closed this fd"), None),
    (httpx.StreamClosed(), None),
    (httpx2.StreamClosed(), None),
)

INVALID: tuple[BaseException, ...] = (
    httpx.InvalidURL("Invalid port"),
    httpx2.InvalidURL("Invalid port"),
    httpx.UnsupportedProtocol("Request URL is missing an 'http://' or 'https://' protocol."),
    httpx2.LocalProtocolError("Missing mandatory Host: header"),
    aiohttp.InvalidURL("/v1/messages"),
    aiohttp.NonHttpUrlClientError("ftp://api.test/v1/messages"),
    idna.IDNAError("Label too long"),
    UnicodeError("encoding with 'idna' codec failed (UnicodeError: label empty or too long)"),
    UnicodeEncodeError("ascii", "\u2603", 0, 1, "ordinal not in range(128)"),
    TypeError("Header value must be str or bytes, not <class 'int'>"),
    RuntimeError("Attempted to send an async request with a sync Client instance."),
    RuntimeError("Attempted to send an sync request with an AsyncClient instance."),
    ValueError("Forbidden control character detected in headers. Potential header injection attack."),
    ValueError("Newline or carriage return detected in headers. Potential header injection attack."),
    ValueError("Newline, carriage return, or null byte detected in headers. Potential header injection attack."),
)


def named(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__name__}: {error}"[:60]


@pytest.mark.parametrize("message", LOOP)
def test_a_client_of_another_event_loop_is_named(message: str) -> None:
    """An event loop that is closed, missing or another one is `event_loop_closed`, whichever library says so."""
    assert classify(RuntimeError(message)) == Cause(Word.EVENT_LOOP_CLOSED, None, None)


def test_a_future_of_another_event_loop_is_named() -> None:
    """asyncio raises it as a `ValueError`."""
    error = ValueError("The future belongs to a different loop than the one specified as the loop argument")
    assert classify(error).word is Word.EVENT_LOOP_CLOSED


def test_a_closed_event_loop_of_windows_is_named() -> None:
    """There asyncio goes on without the proactor that it had, and nothing checks whether the loop is closed."""

    def fails_in(module: str) -> AttributeError:
        namespace: dict[str, Any] = {"__name__": module}
        exec("def _loop_writing(proactor):\n    proactor.send(b'')", namespace)
        error = raised(lambda: namespace["_loop_writing"](None))
        assert isinstance(error, AttributeError)
        return error

    assert classify(fails_in("asyncio.proactor_events"), phase=Phase.SEND).word is Word.EVENT_LOOP_CLOSED
    assert classify(fails_in("httpcore2._async.http11"), phase=Phase.SEND).word is Word.OTHER


@pytest.mark.parametrize(
    "error", [trio.RunFinishedError(), sniffio.AsyncLibraryNotFoundError("unknown async library")], ids=named
)
def test_an_async_library_that_is_not_running_is_named(error: BaseException) -> None:
    """An async client outside of any event loop is `event_loop_closed`."""
    assert classify(error).word is Word.EVENT_LOOP_CLOSED


@pytest.mark.parametrize("stack", STACKS, ids=lambda stack: stack.http.__name__)
def test_a_closed_loop_below_a_broken_connection_is_named(stack: Stack) -> None:
    """anyio raises a broken connection from it, and the innermost exception decides."""
    error = chain(stack, "WriteError", over(anyio.BrokenResourceError(), RuntimeError("Event loop is closed")))
    assert classify(error).word is Word.EVENT_LOOP_CLOSED


@pytest.mark.parametrize("stack", STACKS, ids=lambda stack: stack.http.__name__)
def test_a_connection_that_uvloop_has_closed_is_a_reset(stack: Stack) -> None:
    """Below anyio's broken connection, uvloop's message says only that the other side is gone."""
    message = "unable to perform operation on <TCPTransport closed=True>; the handler is closed"
    error = chain(stack, "WriteError", over(anyio.BrokenResourceError(), RuntimeError(message)))
    assert classify(error).word is Word.CONNECTION_RESET


@pytest.mark.parametrize(("error", "phase"), CLOSED, ids=lambda value: named(value) if value else "")
def test_a_client_that_the_app_has_closed_is_named(error: BaseException, phase: Phase | None) -> None:
    """A closed client is `client_closed`; a request that it never sent did not wait for the server."""
    assert classify(error) == Cause(Word.CLIENT_CLOSED, None, phase)


@pytest.mark.parametrize("error", INVALID, ids=named)
def test_a_request_that_cannot_be_sent_is_named(error: BaseException) -> None:
    """A URL, a header or a host name that is not valid is `request_not_sent`, and nothing waited for the server."""
    for phase in (None, Phase.AUTH, Phase.CONNECT, Phase.SEND):
        assert classify(error, phase=phase).word is Word.REQUEST_NOT_SENT
    assert classify(error).phase is Phase.SEND


@pytest.mark.parametrize("error", INVALID, ids=named)
@pytest.mark.parametrize("phase", [Phase.WAIT, Phase.RECEIVE])
def test_a_request_that_was_sent_is_never_called_unsent(error: BaseException, phase: Phase) -> None:
    """After the request has gone out, such an exception is about what the server sent, or about the app's own code."""
    assert classify(error, phase=phase).word in (Word.PROTOCOL_ERROR, Word.OTHER)


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_a_body_that_cannot_be_sent_twice_is_not_sent(library: object) -> None:
    """A generator that was read is wanted again after a redirect, which has been answered."""
    error = getattr(library, "StreamConsumed")()  # noqa: B009
    assert classify(error, phase=Phase.RECEIVE).word is Word.REQUEST_NOT_SENT


def test_what_cannot_be_decoded_is_no_request() -> None:
    """`UnicodeDecodeError` is about bytes that came."""
    assert classify(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")).word is Word.OTHER


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "No such file or directory", "token.jwt"),
        PermissionError(errno.EACCES, "Permission denied", "token.jwt"),
        IsADirectoryError(errno.EISDIR, "Is a directory", "token.jwt"),
        ssl.SSLError(136, "[X509: NO_CERTIFICATE_OR_CRL_FOUND] no certificate or crl found (_ssl.c:4154)"),
        ssl.SSLError(524297, "[SSL] PEM lib (_ssl.c:3905)"),
    ],
    ids=named,
)
@pytest.mark.parametrize("phase", [None, Phase.AUTH])
def test_a_file_that_cannot_be_read_is_a_request_not_sent(error: OSError, phase: Phase | None) -> None:
    """A token or a certificate of the client's own is read before anything is sent."""
    if isinstance(error, ssl.SSLError) and "X509" in str(error):
        error.library = "X509"
    assert classify(error, phase=phase).word is Word.REQUEST_NOT_SENT


@pytest.mark.parametrize("error", [MemoryError(), RecursionError("maximum recursion depth exceeded"), KeyError("x")])
def test_an_exception_of_the_apps_own_code_is_other(error: Exception) -> None:
    """It says nothing of the network, and `exception.type` names it."""
    assert classify(error) == Cause(Word.OTHER, None, None)


def test_no_thread_to_resolve_a_name_is_a_connection_error() -> None:
    """A limit of this machine, like that of open files."""
    assert classify(RuntimeError("can't start new thread")).word is Word.CONNECTION_ERROR


@pytest.mark.parametrize("cls", [TimeoutError, asyncio.TimeoutError, concurrent.futures.TimeoutError])
@pytest.mark.parametrize(
    ("phase", "word"),
    [
        (None, Word.READ_TIMEOUT),
        (Phase.CONNECT, Word.CONNECT_TIMEOUT),
        (Phase.TLS, Word.TLS_TIMEOUT),
        (Phase.SEND, Word.WRITE_TIMEOUT),
        (Phase.WAIT, Word.READ_TIMEOUT),
        (Phase.RECEIVE, Word.READ_TIMEOUT),
    ],
)
def test_a_timeout_that_says_nothing_goes_by_its_phase(cls: type[Exception], phase: Phase | None, word: Word) -> None:
    """A transport may let one of Python's own through, which are three classes until Python 3.11."""
    assert classify(cls(), phase=phase).word is word
