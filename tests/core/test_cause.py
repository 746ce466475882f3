"""Which word an exception chain gets. The chains are made of the libraries' real exceptions, by their own mapping."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import sys
from collections.abc import Callable

import aiohttp
import anyio
import h2.connection
import h2.exceptions
import h11
import httpx
import httpx2
import httpx_aiohttp.transport
import pytest
import trio
import yarl
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from anthropic_otel._core.cause import Cause, classify, type_name
from anthropic_otel._core.semconv import NetworkCause as Word
from anthropic_otel._core.semconv import Phase
from support.chains import STACKS, Stack, chain, os_error, over, raised

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup


@pytest.fixture(params=STACKS, ids=lambda stack: stack.http.__name__)
def stack(request: pytest.FixtureRequest) -> Stack:
    result: Stack = request.param
    return result


def certificate_error(code: int = 20) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code = code
    return error


def h11_error(wire: bytes) -> h11.RemoteProtocolError:
    """What h11 raises for a response that is `wire` and then the end of the connection."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="POST", target="/v1/messages", headers=[("host", "test")]))
    connection.send(h11.EndOfMessage())

    def read() -> None:
        for data in (wire, b""):
            connection.receive_data(data)
            while not isinstance(connection.next_event(), type(h11.NEED_DATA)):
                pass

    error = raised(read)
    assert isinstance(error, h11.RemoteProtocolError)
    return error


def h2_error() -> h2.exceptions.ProtocolError:
    """What h2 raises for a request on a connection that the server has ended by a GOAWAY."""
    connection = h2.connection.H2Connection()
    connection.initiate_connection()
    connection.close_connection()
    headers = [(":method", "POST"), (":path", "/"), (":scheme", "https"), (":authority", "test")]
    error = raised(lambda: connection.send_headers(1, headers))
    assert isinstance(error, h2.exceptions.ProtocolError)
    return error


def h2_error_after_goaway() -> h2.exceptions.ProtocolError:
    """What h2 raises for the rest of an answer that comes in one packet with a GOAWAY."""
    connection = h2.connection.H2Connection()
    connection.initiate_connection()
    goaway = bytes.fromhex("000008070000000000 00000001 00000000")
    headers = bytes.fromhex("000001010400000001 88")
    error = raised(lambda: connection.receive_data(goaway + headers))
    assert isinstance(error, h2.exceptions.ProtocolError)
    return error


def of_h11(stack: Stack, wire: bytes) -> BaseException:
    origin = h11_error(wire)
    return chain(stack, "RemoteProtocolError", origin)


# -- the table: what the design's chains look like, and their word -----------------------------------------------------

CHAINS: dict[str, tuple[Callable[[Stack], BaseException], Phase | None, Cause]] = {
    "DNS": (
        lambda s: chain(s, "ConnectError", socket.gaierror(socket.EAI_NONAME, "Name or service not known")),
        Phase.CONNECT,
        Cause(Word.NAME_RESOLUTION_ERROR, "EAI_NONAME", Phase.CONNECT),
    ),
    "DNS, for now": (
        lambda s: chain(s, "ConnectError", socket.gaierror(socket.EAI_AGAIN, "Temporary failure")),
        Phase.CONNECT,
        Cause(Word.NAME_RESOLUTION_ERROR, "EAI_AGAIN", Phase.CONNECT),
    ),
    "refused": (
        lambda s: chain(s, "ConnectError", ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")),
        Phase.CONNECT,
        Cause(Word.CONNECTION_REFUSED, "ECONNREFUSED", Phase.CONNECT),
    ),
    "refused, async, one address": (
        lambda s: chain(
            s, "ConnectError", over(OSError("All connection attempts failed"), os_error(errno.ECONNREFUSED))
        ),
        Phase.CONNECT,
        Cause(Word.CONNECTION_REFUSED, "ECONNREFUSED", Phase.CONNECT),
    ),
    "refused, async, several addresses": (
        lambda s: chain(
            s,
            "ConnectError",
            over(
                OSError("All connection attempts failed"),
                ExceptionGroup("tried", [os_error(errno.ENETUNREACH), os_error(errno.ECONNREFUSED)]),
            ),
        ),
        Phase.CONNECT,
        Cause(Word.CONNECTION_REFUSED, "ECONNREFUSED", Phase.CONNECT),
    ),
    "no route": (
        lambda s: chain(s, "ConnectError", os_error(errno.EHOSTUNREACH)),
        Phase.CONNECT,
        Cause(Word.NETWORK_UNREACHABLE, "EHOSTUNREACH", Phase.CONNECT),
    ),
    "network down": (
        lambda s: chain(s, "ConnectError", os_error(errno.ENETDOWN)),
        Phase.CONNECT,
        Cause(Word.NETWORK_UNREACHABLE, "ENETDOWN", Phase.CONNECT),
    ),
    "an errno without a word of its own": (
        lambda s: chain(s, "ConnectError", os_error(errno.EMFILE)),
        Phase.CONNECT,
        Cause(Word.CONNECTION_ERROR, "EMFILE", Phase.CONNECT),
    ),
    "connect timeout": (
        lambda s: chain(s, "ConnectTimeout", TimeoutError("timed out")),
        Phase.CONNECT,
        Cause(Word.CONNECT_TIMEOUT, None, Phase.CONNECT),
    ),
    "connect timeout of the kernel": (
        lambda s: chain(s, "ConnectError", os_error(errno.ETIMEDOUT)),
        Phase.CONNECT,
        Cause(Word.CONNECT_TIMEOUT, "ETIMEDOUT", Phase.CONNECT),
    ),
    "TLS handshake timeout": (
        lambda s: chain(s, "ConnectTimeout", TimeoutError("_ssl.c:989: The handshake operation timed out")),
        Phase.TLS,
        Cause(Word.TLS_TIMEOUT, None, Phase.CONNECT),
    ),
    "TLS handshake timeout of the kernel": (
        lambda s: chain(s, "ConnectError", os_error(errno.ETIMEDOUT)),
        Phase.TLS,
        Cause(Word.TLS_TIMEOUT, "ETIMEDOUT", Phase.CONNECT),
    ),
    "TLS certificate": (
        lambda s: chain(s, "ConnectError", certificate_error(20)),
        Phase.TLS,
        Cause(Word.TLS_CERTIFICATE_ERROR, None, Phase.CONNECT),
    ),
    "TLS host name": (
        lambda s: chain(s, "ConnectError", certificate_error(62)),
        Phase.TLS,
        Cause(Word.TLS_CERTIFICATE_ERROR, None, Phase.CONNECT),
    ),
    "TLS to a plain port": (
        lambda s: chain(s, "ConnectError", ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number")),
        Phase.TLS,
        Cause(Word.TLS_ERROR, None, Phase.CONNECT),
    ),
    "TLS cut": (
        lambda s: chain(s, "ConnectError", ssl.SSLEOFError(8, "EOF occurred in violation of protocol")),
        Phase.TLS,
        Cause(Word.TLS_ERROR, None, Phase.CONNECT),
    ),
    "TLS cut, async": (
        lambda s: chain(s, "ConnectError", anyio.EndOfStream()),
        Phase.TLS,
        Cause(Word.TLS_ERROR, None, Phase.CONNECT),
    ),
    "TLS broken, async": (
        lambda s: chain(s, "ConnectError", anyio.BrokenResourceError()),
        Phase.TLS,
        Cause(Word.TLS_ERROR, None, Phase.CONNECT),
    ),
    "reset in the TLS handshake": (
        lambda s: chain(s, "ConnectError", ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")),
        Phase.TLS,
        Cause(Word.CONNECTION_RESET, "ECONNRESET", Phase.CONNECT),
    ),
    "read timeout before the headers": (
        lambda s: chain(s, "ReadTimeout", TimeoutError("timed out")),
        Phase.WAIT,
        Cause(Word.READ_TIMEOUT, None, None),
    ),
    "read timeout in the body": (
        lambda s: chain(s, "ReadTimeout", TimeoutError("timed out")),
        Phase.RECEIVE,
        Cause(Word.READ_TIMEOUT, None, None),
    ),
    "read timeout of the kernel": (
        lambda s: chain(s, "ReadError", os_error(errno.ETIMEDOUT)),
        Phase.WAIT,
        Cause(Word.READ_TIMEOUT, "ETIMEDOUT", None),
    ),
    "read timeout of the kernel, untraced": (
        lambda s: chain(s, "ReadError", os_error(errno.ETIMEDOUT)),
        None,
        Cause(Word.READ_TIMEOUT, "ETIMEDOUT", None),
    ),
    "write timeout": (
        lambda s: chain(s, "WriteTimeout", TimeoutError("timed out")),
        Phase.SEND,
        Cause(Word.WRITE_TIMEOUT, None, Phase.SEND),
    ),
    "write timeout of the kernel": (
        lambda s: chain(s, "WriteError", os_error(errno.ETIMEDOUT)),
        Phase.SEND,
        Cause(Word.WRITE_TIMEOUT, "ETIMEDOUT", Phase.SEND),
    ),
    "pool timeout": (
        lambda s: chain(s, "PoolTimeout"),
        None,
        Cause(Word.POOL_TIMEOUT, None, Phase.POOL),
    ),
    "closed before the headers": (
        lambda s: chain(s, "RemoteProtocolError", message="Server disconnected without sending a response."),
        Phase.WAIT,
        Cause(Word.SERVER_DISCONNECTED, None, None),
    ),
    "closed before the headers, HTTP/2": (
        lambda s: chain(s, "RemoteProtocolError", message="<ConnectionTerminated error_code:0, last_stream_id:1>"),
        Phase.WAIT,
        Cause(Word.SERVER_DISCONNECTED, None, None),
    ),
    "closed before the headers, async TLS": (
        lambda s: chain(s, "ReadError", over(anyio.BrokenResourceError(), os_error(errno.ECONNRESET))),
        Phase.WAIT,
        Cause(Word.CONNECTION_RESET, "ECONNRESET", None),
    ),
    "closed in the body, HTTP/2": (
        lambda s: chain(s, "RemoteProtocolError", message="<ConnectionTerminated error_code:0, last_stream_id:1>"),
        Phase.RECEIVE,
        Cause(Word.INCOMPLETE_BODY, None, None),
    ),
    "stream reset, HTTP/2": (
        lambda s: chain(s, "RemoteProtocolError", message="<StreamReset stream_id:1, error_code:7>"),
        Phase.WAIT,
        Cause(Word.STREAM_RESET, None, None),
    ),
    "sent on a stream that was reset, HTTP/2": (
        lambda s: chain(s, "LocalProtocolError", h2.exceptions.StreamClosedError(1)),
        Phase.SEND,
        Cause(Word.STREAM_RESET, None, None),
    ),
    "sent on a connection that was ended, HTTP/2": (
        lambda s: chain(s, "LocalProtocolError", h2_error()),
        Phase.SEND,
        Cause(Word.SERVER_DISCONNECTED, None, None),
    ),
    "the rest of an answer after a GOAWAY, HTTP/2": (
        lambda s: chain(s, "LocalProtocolError", h2_error_after_goaway()),
        Phase.WAIT,
        Cause(Word.SERVER_DISCONNECTED, None, None),
    ),
    "the rest of a body after a GOAWAY, HTTP/2": (
        lambda s: h2_error_after_goaway(),
        Phase.RECEIVE,
        Cause(Word.INCOMPLETE_BODY, None, None),
    ),
    "what the server sent is not HTTP/2": (
        lambda s: chain(s, "LocalProtocolError", h2.exceptions.FrameTooLargeError("too large")),
        Phase.WAIT,
        Cause(Word.PROTOCOL_ERROR, None, None),
    ),
    "a body that ends before its length, HTTP/2": (
        lambda s: chain(s, "LocalProtocolError", h2.exceptions.InvalidBodyLengthError(10, 9)),
        Phase.RECEIVE,
        Cause(Word.INCOMPLETE_BODY, None, None),
    ),
    "a body that is longer than its length, HTTP/2": (
        lambda s: h2.exceptions.InvalidBodyLengthError(10, 11),
        Phase.RECEIVE,
        Cause(Word.PROTOCOL_ERROR, None, None),
    ),
    "a request that HTTP/2 does not allow": (
        lambda s: chain(s, "LocalProtocolError", h2.exceptions.ProtocolError("Illegal header")),
        Phase.SEND,
        Cause(Word.REQUEST_NOT_SENT, None, Phase.SEND),
    ),
    "a redirect to what is not http": (
        lambda s: chain(s, "UnsupportedProtocol", message="Request URL has an unsupported protocol"),
        Phase.RECEIVE,
        Cause(Word.PROTOCOL_ERROR, None, None),
    ),
    "TLS alert after the handshake": (
        lambda s: chain(s, "ReadError", ssl.SSLError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED]")),
        Phase.WAIT,
        Cause(Word.TLS_ERROR, None, None),
    ),
    "TLS ended while writing": (
        lambda s: chain(s, "WriteError", ssl.SSLEOFError(8, "EOF occurred in violation of protocol")),
        Phase.SEND,
        Cause(Word.CONNECTION_RESET, None, Phase.SEND),
    ),
    "TLS ended before the headers": (
        lambda s: chain(s, "ReadError", ssl.SSLZeroReturnError(6, "TLS/SSL connection has been closed")),
        Phase.WAIT,
        Cause(Word.SERVER_DISCONNECTED, None, None),
    ),
    "TLS ended, untraced": (
        lambda s: chain(s, "ReadError", ssl.SSLEOFError(8, "EOF occurred in violation of protocol")),
        None,
        Cause(Word.SERVER_DISCONNECTED, None, None),
    ),
    "TLS ended in the body": (
        lambda s: chain(s, "ReadError", ssl.SSLEOFError(8, "EOF occurred in violation of protocol")),
        Phase.RECEIVE,
        Cause(Word.INCOMPLETE_BODY, None, None),
    ),
    "a TLS socket that has nothing to read": (
        lambda s: chain(s, "ReadError", ssl.SSLWantReadError(2, "The operation did not complete")),
        Phase.WAIT,
        Cause(Word.READ_TIMEOUT, None, None),
    ),
    "forbidden by this machine": (
        lambda s: chain(s, "ConnectError", PermissionError(errno.EACCES, "Permission denied")),
        Phase.CONNECT,
        Cause(Word.NETWORK_UNREACHABLE, "EACCES", Phase.CONNECT),
    ),
    "forbidden by this machine, untraced": (
        lambda s: chain(s, "ConnectError", PermissionError(errno.EPERM, "Operation not permitted")),
        None,
        Cause(Word.NETWORK_UNREACHABLE, "EPERM", Phase.CONNECT),
    ),
    "no socket at a path": (
        lambda s: chain(s, "ConnectError", FileNotFoundError(errno.ENOENT, "No such file or directory")),
        Phase.CONNECT,
        Cause(Word.CONNECTION_REFUSED, "ENOENT", Phase.CONNECT),
    ),
    "closed by another thread of the app": (
        lambda s: chain(s, "ReadError", os_error(errno.EBADF)),
        Phase.WAIT,
        Cause(Word.CLIENT_CLOSED, "EBADF", None),
    ),
    "end of a stream, async": (
        lambda s: chain(s, "ReadError", anyio.EndOfStream()),
        Phase.WAIT,
        Cause(Word.SERVER_DISCONNECTED, None, None),
    ),
    "reset": (
        lambda s: chain(s, "ReadError", ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")),
        Phase.RECEIVE,
        Cause(Word.CONNECTION_RESET, "ECONNRESET", None),
    ),
    "reset, async": (
        lambda s: chain(s, "ReadError", anyio.BrokenResourceError()),
        Phase.WAIT,
        Cause(Word.CONNECTION_RESET, None, None),
    ),
    "reset, trio": (
        lambda s: chain(s, "ReadError", trio.BrokenResourceError()),
        Phase.WAIT,
        Cause(Word.CONNECTION_RESET, None, None),
    ),
    "reset while writing": (
        lambda s: chain(s, "WriteError", BrokenPipeError(errno.EPIPE, "Broken pipe")),
        Phase.SEND,
        Cause(Word.CONNECTION_RESET, "EPIPE", Phase.SEND),
    ),
    "a broken connection that says nothing": (
        lambda s: chain(s, "ReadError"),
        Phase.WAIT,
        Cause(Word.CONNECTION_ERROR, None, None),
    ),
    "body cut, chunked": (
        lambda s: of_h11(s, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab"),
        Phase.RECEIVE,
        Cause(Word.INCOMPLETE_BODY, None, None),
    ),
    "body cut, content-length": (
        lambda s: of_h11(s, b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nab"),
        Phase.RECEIVE,
        Cause(Word.INCOMPLETE_BODY, None, None),
    ),
    "garbage": (
        lambda s: of_h11(s, b"this is no HTTP\r\n\r\n"),
        Phase.WAIT,
        Cause(Word.PROTOCOL_ERROR, None, None),
    ),
    "a request that is none": (
        lambda s: chain(s, "LocalProtocolError", h11.LocalProtocolError("Illegal header value")),
        Phase.SEND,
        Cause(Word.REQUEST_NOT_SENT, None, Phase.SEND),
    ),
    "unsupported protocol": (
        lambda s: chain(s, "UnsupportedProtocol", message="Request URL has an unsupported protocol"),
        Phase.POOL,
        Cause(Word.REQUEST_NOT_SENT, None, Phase.SEND),
    ),
    "proxy 407": (
        lambda s: chain(s, "ProxyError", message="407 Proxy Authentication Required"),
        Phase.CONNECT,
        Cause(Word.PROXY_ERROR, None, Phase.CONNECT),
    ),
}


@pytest.mark.parametrize("fault", CHAINS)
def test_a_chain_of_either_library_has_the_same_word(stack: Stack, fault: str) -> None:
    """The same fault is the same cause on httpx and on httpx2, whatever is wrapped around its decisive object."""
    make, phase, expected = CHAINS[fault]
    assert classify(make(stack), phase=phase) == expected


def test_a_chain_is_classified_without_its_outermost_wrapper(stack: Stack) -> None:
    """A trace event carries httpcore's exception alone; the word is the same."""
    error = chain(stack, "ConnectError", os_error(errno.ECONNREFUSED)).__cause__
    assert error is not None
    assert classify(error).word is Word.CONNECTION_REFUSED


def test_an_sdk_error_around_it_changes_nothing(stack: Stack) -> None:
    """The SDK's `APIConnectionError` is one more exception on top, linked by `__cause__`."""
    error = over(RuntimeError("Connection error."), chain(stack, "ReadTimeout", TimeoutError()))
    assert classify(error).word is Word.READ_TIMEOUT


def test_bad_gzip_is_a_decoding_error(stack: Stack) -> None:
    """A body that cannot be decompressed has httpx's own word, over zlib's error."""
    headers = {"content-encoding": "gzip"}
    error = raised(lambda: stack.http.Response(200, headers=headers, content=b"no gzip"))
    assert classify(error, phase=Phase.RECEIVE) == Cause(Word.DECODING_ERROR, None, None)


def test_a_redirect_loop_is_too_many_redirects(stack: Stack) -> None:
    """The client gives up after its `max_redirects`."""
    transport = stack.http.MockTransport(lambda _: stack.http.Response(308, headers={"location": "/v1/messages"}))
    with stack.http.Client(transport=transport, follow_redirects=True) as client:
        error = raised(lambda: client.get("https://api.test/v1/messages"))
    assert classify(error).word is Word.TOO_MANY_REDIRECTS


@pytest.mark.parametrize(
    ("phase", "word"),
    [
        (None, Word.CONNECTION_ERROR),
        (Phase.POOL, Word.CONNECTION_ERROR),
        (Phase.SEND, Word.SERVER_DISCONNECTED),
        (Phase.WAIT, Word.SERVER_DISCONNECTED),
        (Phase.RECEIVE, Word.INCOMPLETE_BODY),
    ],
)
def test_a_connection_that_is_not_available_goes_by_its_phase(stack: Stack, phase: Phase | None, word: Word) -> None:
    """On HTTP/2, a request that is under way gets it if another one has read that the server ends the connection."""
    assert classify(stack.core.ConnectionNotAvailable(), phase=phase).word is word


# -- aiohttp -----------------------------------------------------------------------------------------------------------

KEY = aiohttp.client_reqrep.ConnectionKey("api.test", 443, True, True, None, None, None)
_PROXY = yarl.URL("http://proxy.test:3128")
REQUEST_INFO = aiohttp.RequestInfo(_PROXY, "CONNECT", CIMultiDictProxy(CIMultiDict()), _PROXY)


def through_aiohttp(error: Exception) -> BaseException:
    """What the aiohttp transport makes of `error`."""

    def transport() -> None:
        with httpx_aiohttp.transport.map_aiohttp_exceptions():
            raise error

    return raised(transport)


AIOHTTP: dict[str, tuple[Exception, Word, str | None]] = {
    "DNS": (
        aiohttp.ClientConnectorDNSError(KEY, socket.gaierror(socket.EAI_NONAME, "Name or service not known")),
        Word.NAME_RESOLUTION_ERROR,
        "EAI_NONAME",
    ),
    "refused": (
        aiohttp.ClientConnectorError(KEY, ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed")),
        Word.CONNECTION_REFUSED,
        "ECONNREFUSED",
    ),
    "certificate": (
        aiohttp.ClientConnectorCertificateError(KEY, certificate_error()),
        Word.TLS_CERTIFICATE_ERROR,
        None,
    ),
    "TLS": (aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError(1, "wrong version number")), Word.TLS_ERROR, None),
    "fingerprint": (aiohttp.ServerFingerprintMismatch(b"a", b"b", "api.test", 443), Word.TLS_ERROR, None),
    "proxy refused": (
        aiohttp.ClientProxyConnectionError(KEY, ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed")),
        Word.PROXY_ERROR,
        "ECONNREFUSED",
    ),
    "proxy 407": (aiohttp.ClientHttpProxyError(REQUEST_INFO, (), status=407), Word.PROXY_ERROR, None),
    "closed before the headers": (aiohttp.ServerDisconnectedError(), Word.SERVER_DISCONNECTED, None),
    "reset": (
        aiohttp.ClientOSError(errno.ECONNRESET, "Connection reset by peer"),
        Word.CONNECTION_RESET,
        "ECONNRESET",
    ),
    "reset while writing": (
        aiohttp.ClientConnectionResetError("Cannot write to closing transport"),
        Word.CONNECTION_RESET,
        None,
    ),
    "connect timeout": (aiohttp.ConnectionTimeoutError("Connection timeout"), Word.CONNECT_TIMEOUT, None),
    "read timeout": (aiohttp.SocketTimeoutError("Timeout on reading data"), Word.READ_TIMEOUT, None),
    "timeout": (aiohttp.ServerTimeoutError("Timeout"), Word.READ_TIMEOUT, None),
    "body cut": (
        aiohttp.ClientPayloadError("Response payload is not completed"),
        Word.INCOMPLETE_BODY,
        None,
    ),
    "closed by the app in the body": (aiohttp.ClientConnectionError("Connection closed"), Word.CLIENT_CLOSED, None),
    "anything else of a connection": (aiohttp.ClientConnectionError("another text"), Word.CONNECTION_ERROR, None),
}


@pytest.mark.parametrize("fault", AIOHTTP)
def test_an_exception_of_aiohttp_has_its_word(fault: str) -> None:
    """By itself, and inside of what the transport makes of it, which is a connect timeout more often than not."""
    error, word, number = AIOHTTP[fault]
    for outer in (error, through_aiohttp(error)):
        assert classify(outer).word is word
        assert classify(outer).errno == number


def test_a_request_that_a_closed_connection_of_aiohttp_cannot_take_is_a_reset_while_sending() -> None:
    """As of a connection that was kept alive and that the server closes just then: aiohttp raises another around it."""
    closed = aiohttp.ClientConnectionResetError("Cannot write to closing transport")
    around = aiohttp.ClientOSError(None, "Can not write request body for https://api.test")
    around.__cause__ = closed
    for outer in (closed, around, through_aiohttp(around)):
        cause = classify(outer)
        assert (cause.word, cause.errno, cause.phase) == (Word.CONNECTION_RESET, None, Phase.SEND)


def test_what_aiohttp_cannot_decode_is_a_decoding_error() -> None:
    """The transport has httpx decode; aiohttp's own word for it is known all the same."""
    error = aiohttp.http_exceptions.ContentEncodingError("Can not decode content-encoding: gzip")
    assert classify(error).word is Word.DECODING_ERROR


def test_an_aiohttp_response_that_is_no_http_is_a_protocol_error() -> None:
    """aiohttp raises a response error from its parser's error."""
    error = over(
        aiohttp.ClientResponseError(REQUEST_INFO, (), status=400), aiohttp.http_exceptions.BadStatusLine("garbage")
    )
    assert classify(error).word is Word.PROTOCOL_ERROR


def test_a_reset_that_aiohttp_tells_in_a_text_is_a_reset() -> None:
    """In a body it keeps the system's error nowhere else."""
    text = "Response payload is not completed: <ContentLengthError: 400>. ConnectionResetError(104, 'reset by peer')"
    assert classify(through_aiohttp(aiohttp.ClientPayloadError(text))).word is Word.CONNECTION_RESET


BROKEN_BODIES = {
    "reset": ("ConnectionResetError(104, 'Connection reset by peer')", Word.CONNECTION_RESET, "ECONNRESET"),
    "reset without a number": ("ConnectionResetError('Connection lost')", Word.CONNECTION_RESET, None),
    "broken pipe": ("BrokenPipeError(32, 'Broken pipe')", Word.CONNECTION_RESET, "EPIPE"),
    "timed out": ("TimeoutError(110, 'Connection timed out')", Word.READ_TIMEOUT, "ETIMEDOUT"),
    "no route": ("OSError(113, 'No route to host')", Word.NETWORK_UNREACHABLE, "EHOSTUNREACH"),
    "reset on Windows": (
        "ConnectionResetError(10054, 'An existing connection was forcibly closed', None, 10054, None)",
        Word.CONNECTION_RESET,
        "ECONNRESET",
    ),
    "timed out on Windows": (
        "OSError(22, 'The semaphore timeout period has expired', None, 121, None)",
        Word.READ_TIMEOUT,
        "ETIMEDOUT",
    ),
    "TLS": ("SSLError(1, '[SSL: DECRYPTION_FAILED_OR_BAD_RECORD_MAC] (_ssl.c:2580)')", Word.TLS_ERROR, None),
    "nothing more": ("", Word.INCOMPLETE_BODY, None),
}


@pytest.mark.parametrize("kind", BROKEN_BODIES)
def test_what_aiohttp_quotes_of_a_broken_body_counts(kind: str) -> None:
    """It keeps what broke the connection only at the end of the text of its own exception."""
    quoted, word, name = BROKEN_BODIES[kind]
    text = "Response payload is not completed: <TransferEncodingError: 400, message='Not enough data'>."
    origin = aiohttp.http_exceptions.TransferEncodingError("Not enough data")
    error = over(aiohttp.ClientPayloadError(f"{text} {quoted}".rstrip()), origin)
    assert isinstance(error, Exception)
    for outer in (error, through_aiohttp(error)):
        assert classify(outer, phase=Phase.RECEIVE) == Cause(word, name, None)


def test_a_handshake_that_asyncio_gives_up_is_a_tls_timeout() -> None:
    """After a minute, where the app has set no shorter time."""
    text = "SSL handshake is taking longer than 60.0 seconds: aborting the connection"
    aborted = ConnectionAbortedError(text)
    connector = over(aiohttp.ClientConnectorError(KEY, aborted), aborted)
    assert isinstance(connector, Exception)
    assert classify(through_aiohttp(connector)).word is Word.TLS_TIMEOUT
    broken = over(anyio.BrokenResourceError(), aborted)
    assert classify(chain(STACKS[1], "ConnectError", broken), phase=Phase.TLS).word is Word.TLS_TIMEOUT


def test_a_connection_that_is_closed_in_aiohttps_handshake_is_a_tls_error() -> None:
    """asyncio makes a reset without an errno of it."""
    origin = ConnectionResetError()
    error = over(aiohttp.ClientConnectorError(KEY, origin), origin)
    assert isinstance(error, Exception)
    assert classify(through_aiohttp(error)).word is Word.TLS_ERROR


def test_a_reset_inside_an_aiohttp_body_keeps_its_errno() -> None:
    """The system's error decides, not the payload error that is raised from it."""
    error = over(aiohttp.ClientPayloadError("Response payload is not completed"), os_error(errno.ECONNRESET))
    assert classify(error) == Cause(Word.CONNECTION_RESET, "ECONNRESET", None)


# -- the proxy rule ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", [Phase.CONNECT, Phase.TLS])
def test_a_refusal_on_the_way_to_a_proxy_is_the_proxys(stack: Stack, phase: Phase) -> None:
    """It says nothing about the API's own host; the errno stays beside it."""
    error = chain(stack, "ConnectError", os_error(errno.ECONNREFUSED))
    assert classify(error, phase=phase, through_proxy=True) == Cause(Word.PROXY_ERROR, "ECONNREFUSED", Phase.CONNECT)


@pytest.mark.parametrize(
    ("name", "number"),
    [("ConnectError", errno.EHOSTUNREACH), ("ConnectError", errno.ECONNRESET), ("ReadError", errno.ECONNRESET)],
)
def test_a_proxy_that_cannot_be_reached_is_a_proxy_error(stack: Stack, name: str, number: int) -> None:
    """Whatever the system says while connecting, it says of the proxy."""
    error = chain(stack, name, os_error(number))
    assert classify(error, phase=Phase.CONNECT, through_proxy=True).word is Word.PROXY_ERROR


def test_a_proxy_whose_name_does_not_resolve_is_a_proxy_error(stack: Stack) -> None:
    """The API's own host name has not been looked up: the proxy does that."""
    error = chain(stack, "ConnectError", socket.gaierror(socket.EAI_NONAME, ""))
    assert classify(error, phase=Phase.CONNECT, through_proxy=True).word is Word.PROXY_ERROR


def test_a_proxy_that_closes_the_connection_is_a_proxy_error(stack: Stack) -> None:
    """The answer to `CONNECT` is missing, and the API's own host has not been asked."""
    error = chain(stack, "RemoteProtocolError", message="Server disconnected without sending a response.")
    assert classify(error, phase=Phase.CONNECT, through_proxy=True).word is Word.PROXY_ERROR


@pytest.mark.parametrize("wire", [b"SSH-2.0-OpenSSH_9.6\r\n\r\n", b"\x05\xff"])
def test_what_answers_as_no_proxy_is_a_proxy_error(stack: Stack, wire: bytes) -> None:
    """It may speak SOCKS. The API's own host has not been asked, so that its base URL is right or not."""
    assert classify(of_h11(stack, wire), phase=Phase.CONNECT, through_proxy=True).word is Word.PROXY_ERROR


@pytest.mark.parametrize(
    ("origin", "word"),
    [
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), Word.PROXY_ERROR),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), Word.PROXY_ERROR),
        (os_error(errno.ECONNRESET), Word.PROXY_ERROR),
        (certificate_error(), Word.TLS_CERTIFICATE_ERROR),
        (os_error(errno.ETIMEDOUT), Word.TLS_TIMEOUT),
    ],
    ids=repr,
)
def test_a_handshake_with_the_proxy_itself_is_the_proxys(stack: Stack, origin: Exception, word: Word) -> None:
    """A proxy whose URL begins with https by mistake speaks no TLS."""
    error = chain(stack, "ConnectError", origin)
    assert classify(error, phase=Phase.TLS, through_proxy=True, in_tunnel=False).word is word


@pytest.mark.parametrize("name", ["ReadTimeout", "WriteTimeout"])
def test_a_proxy_that_does_not_answer_in_time_is_a_connect_timeout(stack: Stack, name: str) -> None:
    """The client's read timeout strikes, but nothing was read of the API's host: there was no connection to it."""
    error = chain(stack, name, TimeoutError("timed out"))
    assert classify(error, phase=Phase.CONNECT, through_proxy=True).word is Word.CONNECT_TIMEOUT


def test_a_refusal_below_the_error_of_a_socks_library_is_the_proxys() -> None:
    """python-socks, which aiohttp-socks and httpx-socks use, raises its error from the system's."""

    class ProxyConnectionError(OSError):
        __module__ = "python_socks._errors"

    refused = os_error(errno.ECONNREFUSED)
    error = over(ProxyConnectionError(errno.ECONNREFUSED, "Couldn't connect to proxy"), refused)
    assert classify(error) == Cause(Word.PROXY_ERROR, "ECONNREFUSED", Phase.CONNECT)


def test_a_library_that_names_its_proxy_is_believed() -> None:
    """aiohttp raises its proxy error from the system's refusal, which would be the API host's otherwise."""
    origin = ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed")
    error = over(aiohttp.ClientProxyConnectionError(KEY, origin), origin)
    assert isinstance(error, Exception)
    assert classify(through_aiohttp(error)) == Cause(Word.PROXY_ERROR, "ECONNREFUSED", Phase.CONNECT)


@pytest.mark.parametrize(
    ("name", "origin", "phase", "word"),
    [
        ("ConnectError", certificate_error(), Phase.TLS, Word.TLS_CERTIFICATE_ERROR),
        ("ConnectTimeout", TimeoutError(), Phase.CONNECT, Word.CONNECT_TIMEOUT),
        ("ConnectError", os_error(errno.ECONNRESET), Phase.TLS, Word.CONNECTION_RESET),
        ("ReadError", os_error(errno.ECONNRESET), Phase.WAIT, Word.CONNECTION_RESET),
        ("ConnectError", ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER]"), Phase.TLS, Word.TLS_ERROR),
    ],
)
def test_a_proxy_is_not_blamed_for_what_has_a_word_of_its_own(
    stack: Stack, name: str, origin: BaseException, phase: Phase, word: Word
) -> None:
    """Only a failure to reach it is put down to the proxy, and once it may have let the request through, a refusal."""
    assert classify(chain(stack, name, origin), phase=phase, through_proxy=True).word is word


# -- what is never followed, and what never harms ----------------------------------------------------------------------


def test_the_context_is_never_followed(stack: Stack) -> None:
    """An exception that the app was handling when it made the call has nothing to do with the call."""

    def while_handling() -> None:
        try:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "of the app's own database")
        except ConnectionRefusedError:
            raise stack.http.ReadTimeout("timed out")  # noqa: B904

    error = raised(while_handling)
    assert isinstance(error.__context__, ConnectionRefusedError)
    assert classify(error, phase=Phase.WAIT) == Cause(Word.READ_TIMEOUT, None, None)


def test_the_cancellation_inside_a_timeout_is_not_seen(stack: Stack) -> None:
    """anyio implements a timeout by a cancellation, which is left in `__context__`."""
    error = chain(stack, "ReadTimeout", TimeoutError())
    assert error.__cause__ is not None
    error.__cause__.__context__ = asyncio.CancelledError()
    assert classify(error).word is Word.READ_TIMEOUT


def test_the_first_argument_of_other_libraries_is_not_followed() -> None:
    """Only httpcore keeps its origin in `args[0]`; the app's own exceptions may keep anything there."""
    assert classify(ValueError(os_error(errno.ECONNREFUSED))) == Cause(Word.OTHER, None, None)


def test_an_exception_of_nobody_we_know_is_other() -> None:
    """It is not guessed at by its message."""
    assert classify(RuntimeError("connection refused")) == Cause(Word.OTHER, None, None)


def test_a_cycle_ends(stack: Stack) -> None:
    """Exceptions that are each other's cause are looked at once each."""
    one, other = stack.http.ReadError("one"), os_error(errno.ECONNRESET)
    one.__cause__, other.__cause__ = other, one
    assert classify(one).word is Word.CONNECTION_RESET


def test_an_exception_that_is_its_own_first_argument_ends(stack: Stack) -> None:
    """`args[0]` may be the exception itself."""
    error = stack.core.ConnectError()
    error.args = (error,)
    assert classify(error) == Cause(Word.CONNECTION_ERROR, None, Phase.CONNECT)


def test_a_deep_chain_is_looked_at_to_a_bound(stack: Stack) -> None:
    """The outer types decide where the inside is too far away."""
    error: BaseException = os_error(errno.ECONNREFUSED)
    for _ in range(5_000):
        error = over(RuntimeError(), error)
    assert classify(over(stack.http.ReadTimeout(""), error)).word is Word.READ_TIMEOUT


def test_a_group_with_very_many_members_is_looked_at_to_a_bound() -> None:
    """Whoever made it, it costs no more than any other chain."""
    group = ExceptionGroup("many", [RuntimeError() for _ in range(10_000)])
    assert classify(group).word is Word.OTHER


@pytest.mark.parametrize("members", [None, 7, "text", {"a": 1}, object(), [1, None, "x"]])
def test_an_attribute_named_exceptions_may_be_anything(members: object) -> None:
    """Only exceptions in a tuple or a list are members of a group."""
    error = RuntimeError()
    error.exceptions = members  # type: ignore[attr-defined]
    assert classify(error).word is Word.OTHER


def test_a_list_named_exceptions_counts_as_a_group() -> None:
    """tenacity and others keep what they have caught in a list."""
    error = RuntimeError()
    error.exceptions = [os_error(errno.ECONNREFUSED)]  # type: ignore[attr-defined]
    assert classify(error).word is Word.CONNECTION_REFUSED


@pytest.mark.parametrize("number", [[1], {}, "ECONNRESET", 3.5, object(), 10**30, -(10**30), True])
def test_an_errno_may_be_anything(number: object) -> None:
    """Python checks nothing of the sort."""
    error = OSError(number, "text")
    cause = classify(error)
    assert cause.word is Word.OTHER
    assert cause.errno in (None, "EPERM")


def test_the_text_of_an_errno_may_be_anything() -> None:
    """The number says as much as without it."""

    class Text:
        def __str__(self) -> str:
            raise RuntimeError("hostile")

    for text in (Text(), b"(_ssl.c:1)", None, 7):
        assert classify(OSError(errno.ECONNREFUSED, text)) == Cause(Word.CONNECTION_REFUSED, "ECONNREFUSED", None)


class Hostile(OSError):
    """An exception of which every attribute raises."""

    @property
    def exceptions(self) -> object:
        raise RuntimeError("hostile")

    @property
    def errno(self) -> int:  # type: ignore[override]
        raise RuntimeError("hostile")

    def __str__(self) -> str:
        raise RuntimeError("hostile")


def test_an_exception_whose_attributes_raise_is_other() -> None:
    """Whatever a property of somebody's exception does, the attempt has an end."""
    assert classify(Hostile()) == Cause(Word.OTHER, None, None)


def test_an_exception_whose_attributes_raise_hides_no_other(stack: Stack) -> None:
    """What it was raised from, or what was raised from it, says as much as without it."""
    assert classify(over(Hostile(), os_error(errno.ECONNREFUSED))).errno == "ECONNREFUSED"

    class Numberless(Hostile):
        def __str__(self) -> str:
            return ""

    found = classify(chain(stack, "ReadError", Numberless()), phase=Phase.WAIT)
    assert found == Cause(Word.CONNECTION_ERROR, None, None)


def test_a_message_that_raises_is_no_message(stack: Stack) -> None:
    """The text of an exception is asked for, and its class may be anybody's. What its type says stays."""

    class Mute(stack.http.RemoteProtocolError):  # type: ignore[misc,name-defined]
        def __str__(self) -> str:
            raise RuntimeError("hostile")

    assert classify(Mute("x")).word is Word.PROTOCOL_ERROR
    assert classify(over(Hostile(), os_error(errno.ECONNREFUSED))).word is Word.CONNECTION_REFUSED


def test_a_class_without_a_module_is_of_no_library() -> None:
    """`__module__` is an attribute like any other."""
    cls = type("Homeless", (Exception,), {"__module__": None})
    assert classify(cls()).word is Word.OTHER


@pytest.mark.parametrize(("name", "word"), [("ReadTimeout", Word.READ_TIMEOUT), ("ReadError", Word.CONNECTION_ERROR)])
def test_a_subclass_counts_as_what_it_is_one_of(stack: Stack, name: str, word: Word) -> None:
    """A transport of the app's may raise classes of its own, derived from the library's."""
    cls = type("Own", (getattr(stack.http, name),), {"__module__": "app.transport"})
    assert classify(cls("x")).word is word


# -- names -------------------------------------------------------------------------------------------------------------


def test_the_errno_is_that_of_the_deepest_system_error(stack: Stack) -> None:
    """An outer error may carry a number too; what happened is the innermost one."""
    inner = over(os_error(errno.EIO), os_error(errno.ECONNRESET))
    assert classify(chain(stack, "ReadError", inner)).errno == "ECONNRESET"


def test_an_ssl_error_has_no_errno() -> None:
    """Its number is OpenSSL's, and would read as `EPERM`."""
    assert classify(ssl.SSLError(1, "x")).errno is None


def test_a_number_that_aiohttp_copied_from_openssl_has_no_name() -> None:
    """Its `ClientOSError` has the arguments of the TLS error that it is raised from, or had been raised from."""
    arguments = (1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required (_ssl.c:2580)")
    bare = aiohttp.ClientOSError(*arguments)
    chained = over(aiohttp.ClientOSError(*arguments), ssl.SSLError(*arguments))
    assert isinstance(chained, Exception)
    assert classify(bare).errno is None
    assert classify(through_aiohttp(chained), phase=Phase.WAIT) == Cause(Word.TLS_ERROR, None, None)


def test_a_resolver_error_has_the_resolvers_name() -> None:
    """`EAI_NONAME` and not what the system's number -2 would be."""
    assert classify(socket.gaierror(socket.EAI_NONAME, "x")).errno == "EAI_NONAME"


def test_a_number_without_a_name_is_absent() -> None:
    """No number is ever emitted: it means another thing on another system."""
    assert classify(OSError(99_999, "x")).errno is None


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (ValueError(), "ValueError"),
        (httpx.ReadTimeout(""), "httpx.ReadTimeout"),
        (httpx2.ReadTimeout(""), "httpx2.ReadTimeout"),
        (socket.gaierror(), "socket.gaierror"),
    ],
)
def test_a_type_is_named_with_its_module(error: BaseException, name: str) -> None:
    """Builtins go without."""
    assert type_name(error) == name


# -- any chain at all --------------------------------------------------------------------------------------------------

_ANY_ERROR: tuple[Callable[[], BaseException], ...] = (
    RuntimeError,
    Hostile,
    asyncio.CancelledError,
    KeyboardInterrupt,
    anyio.EndOfStream,
    anyio.BrokenResourceError,
    trio.BrokenResourceError,
    aiohttp.ServerDisconnectedError,
    aiohttp.ServerTimeoutError,
    lambda: aiohttp.ClientPayloadError("x"),
    lambda: socket.gaierror(-2, "x"),
    certificate_error,
    lambda: ssl.SSLEOFError(8, "x"),
    *(
        (lambda module=module, name=name: getattr(module, name)("x"))
        for stack in STACKS
        for module in stack
        for name in ("ConnectError", "ConnectTimeout", "ReadError", "ReadTimeout", "PoolTimeout", "ProxyError")
    ),
    *((lambda stack=stack: stack.http.RemoteProtocolError("x")) for stack in STACKS),
)


@st.composite
def chains(draw: st.DrawFn) -> BaseException:
    """Up to 25 exceptions, linked in any way that Python allows, cycles included."""
    made = st.sampled_from(_ANY_ERROR).map(lambda make: make())
    numbered = st.integers(-200, 200).map(os_error)
    errors = draw(st.lists(made | numbered, min_size=1, max_size=25))
    one = st.sampled_from(errors)
    for error in errors:
        error.__cause__ = draw(st.none() | one)
        error.__context__ = draw(st.none() | one)
        link = draw(st.integers(0, 3))
        if link == 1:
            error.args = (draw(one),)
        elif link == 2 and not isinstance(error, Hostile):
            error.exceptions = draw(st.lists(one, max_size=4) | st.text(max_size=2))  # type: ignore[attr-defined]
    return errors[0]


@given(chains(), st.none() | st.sampled_from(Phase), st.booleans())
def test_any_chain_has_exactly_one_word(error: BaseException, phase: Phase | None, through_proxy: bool) -> None:
    """`classify` answers for whatever exceptions there are, in words of the closed list."""
    cause = classify(error, phase=phase, through_proxy=through_proxy)
    assert isinstance(cause.word, Word)
    assert cause.word is not Word.INCOMPLETE_STREAM
    assert cause.phase is None or isinstance(cause.phase, Phase)
    assert cause.errno is None or cause.errno.startswith("E")


# -- several addresses -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("numbers", "word"),
    [
        ((errno.ECONNREFUSED, errno.ENETUNREACH), Word.CONNECTION_REFUSED),
        ((errno.ENETUNREACH, errno.ECONNREFUSED, errno.EHOSTUNREACH), Word.CONNECTION_REFUSED),
        ((errno.ETIMEDOUT, errno.EADDRNOTAVAIL), Word.CONNECT_TIMEOUT),
        ((errno.EHOSTUNREACH, errno.ENETUNREACH), Word.NETWORK_UNREACHABLE),
    ],
)
def test_an_address_without_a_route_says_least(numbers: tuple[int, ...], word: Word) -> None:
    """A machine without IPv6 has no route to some addresses of a host; what another one says is the cause.

    anyio raises a group for them, and asyncio an error that quotes them.
    """
    group = ExceptionGroup("multiple connection attempts failed", [os_error(number) for number in numbers])
    quoted = ", ".join(str(OSError(number, "Connect call failed ('::1', 1, 0, 0)")) for number in numbers)
    for stack in STACKS:
        for origin in (
            over(OSError("All connection attempts failed"), group),
            OSError(f"Multiple exceptions: {quoted}"),
        ):
            found = classify(chain(stack, "ConnectError", origin), phase=Phase.CONNECT)
            assert (found.word, found.phase) == (word, Phase.CONNECT)
            assert found.errno in {errno.errorcode[number] for number in numbers}


@pytest.mark.parametrize("text", ["Multiple exceptions: ", "Multiple exceptions: [Errno 99999999]", "[Errno 111]", "x"])
def test_a_text_with_no_number_of_the_system_says_nothing(text: str) -> None:
    """Only what asyncio quotes is read."""
    assert classify(chain(STACKS[0], "ConnectError", OSError(text))).word is Word.CONNECTION_ERROR


def test_a_transport_of_others_may_raise_the_base_classes() -> None:
    """Those of the libraries have a word, though nothing more is known."""
    for error in (httpx.RequestError("x"), httpx2.RequestError("x"), aiohttp.ClientError("x")):
        assert classify(error).word is Word.CONNECTION_ERROR
    assert classify(trio.TooSlowError(), phase=Phase.WAIT).word is Word.READ_TIMEOUT
