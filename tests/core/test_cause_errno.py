"""The operating system's errors by name, by built exceptions: there is no Windows here to provoke its own on."""

from __future__ import annotations

import errno
import http.client
import socket
from typing import Any

import anyio
import pytest

from anthropic_otel._core.cause import Cause, classify
from anthropic_otel._core.semconv import NetworkCause as Word
from anthropic_otel._core.semconv import Phase
from support.chains import STACKS, Stack, chain, raised


class WindowsError(OSError):
    """An `OSError` as Windows makes it, with a number of its own beside the one of C."""

    def __init__(self, winerror: int, number: int = errno.EINVAL) -> None:
        super().__init__(number, "text of the system")
        self.winerror = winerror


WINDOWS = {
    64: (Word.CONNECTION_RESET, "ECONNRESET"),
    121: (Word.CONNECT_TIMEOUT, "ETIMEDOUT"),
    232: (Word.CONNECTION_RESET, "EPIPE"),
    1225: (Word.CONNECTION_REFUSED, "ECONNREFUSED"),
    1231: (Word.NETWORK_UNREACHABLE, "ENETUNREACH"),
    1232: (Word.NETWORK_UNREACHABLE, "EHOSTUNREACH"),
    1233: (Word.NETWORK_UNREACHABLE, "ENETUNREACH"),
    1234: (Word.CONNECTION_REFUSED, "ECONNREFUSED"),
    1236: (Word.CONNECTION_RESET, "ECONNABORTED"),
    10013: (Word.NETWORK_UNREACHABLE, "EACCES"),
    10024: (Word.CONNECTION_ERROR, "EMFILE"),
    10038: (Word.CLIENT_CLOSED, "ENOTSOCK"),
    10046: (Word.NETWORK_UNREACHABLE, "EPFNOSUPPORT"),
    10047: (Word.NETWORK_UNREACHABLE, "EAFNOSUPPORT"),
    10048: (Word.CONNECTION_ERROR, "EADDRINUSE"),
    10049: (Word.NETWORK_UNREACHABLE, "EADDRNOTAVAIL"),
    10050: (Word.NETWORK_UNREACHABLE, "ENETDOWN"),
    10051: (Word.NETWORK_UNREACHABLE, "ENETUNREACH"),
    10052: (Word.CONNECTION_RESET, "ENETRESET"),
    10053: (Word.CONNECTION_RESET, "ECONNABORTED"),
    10054: (Word.CONNECTION_RESET, "ECONNRESET"),
    10055: (Word.CONNECTION_ERROR, "ENOBUFS"),
    10056: (Word.CONNECTION_ERROR, "EISCONN"),
    10057: (Word.CONNECTION_RESET, "ENOTCONN"),
    10058: (Word.CONNECTION_RESET, "ESHUTDOWN"),
    10059: (Word.CONNECTION_ERROR, "ETOOMANYREFS"),
    10060: (Word.CONNECT_TIMEOUT, "ETIMEDOUT"),
    10061: (Word.CONNECTION_REFUSED, "ECONNREFUSED"),
    10064: (Word.NETWORK_UNREACHABLE, "EHOSTDOWN"),
    10065: (Word.NETWORK_UNREACHABLE, "EHOSTUNREACH"),
}


@pytest.mark.parametrize("number", WINDOWS)
def test_an_error_of_windows_has_the_name_that_others_have(number: int) -> None:
    """Numbers of Windows and of its sockets become a word and a name without `WSA`."""
    word, name = WINDOWS[number]
    for stack in STACKS:
        error = chain(stack, "ConnectError", WindowsError(number))
        assert classify(error, phase=Phase.CONNECT) == Cause(word, name, Phase.CONNECT)


@pytest.mark.parametrize("number", [number for number in WINDOWS if number > 10_000])
def test_a_socket_error_of_windows_is_known_by_its_errno_too(number: int) -> None:
    """There `errno` has the number of the socket error, beside `winerror` or without it."""
    word, name = WINDOWS[number]
    error = chain(STACKS[0], "ConnectError", OSError(number, "text of the system"))
    assert classify(error, phase=Phase.CONNECT) == Cause(word, name, Phase.CONNECT)


def test_a_number_of_windows_that_is_unknown_leaves_the_errno() -> None:
    """C's number stands beside it."""
    assert classify(WindowsError(87, errno.ECONNRESET)) == Cause(Word.CONNECTION_RESET, "ECONNRESET", None)


@pytest.mark.parametrize(
    ("number", "name"), [(11001, "EAI_NONAME"), (11002, "EAI_AGAIN"), (11003, "EAI_FAIL"), (11004, "EAI_NODATA")]
)
def test_a_resolver_error_of_windows_has_the_resolvers_name(number: int, name: str) -> None:
    """`getaddrinfo failed` has numbers of its own there."""
    error = chain(STACKS[0], "ConnectError", socket.gaierror(number, "getaddrinfo failed"))
    assert classify(error) == Cause(Word.NAME_RESOLUTION_ERROR, name, Phase.CONNECT)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_out_of_file_descriptors_is_a_connection_error(number: int) -> None:
    """The errno says which limit; the network is not at fault."""
    error = chain(STACKS[1], "ConnectError", OSError(number, "Too many open files"))
    assert classify(error, phase=Phase.CONNECT) == Cause(Word.CONNECTION_ERROR, errno.errorcode[number], Phase.CONNECT)


def test_a_system_error_that_nothing_wraps_is_a_connection_error() -> None:
    """A transport of the app's may raise it bare."""
    assert classify(OSError(errno.EIO, "Input/output error")) == Cause(Word.CONNECTION_ERROR, "EIO", None)


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOENT])
def test_a_file_error_after_the_request_was_sent_is_no_unsent_request(number: int) -> None:
    """Nothing that fails while the server is waited for says that the request was not sent."""
    assert classify(OSError(number, "text"), phase=Phase.WAIT).word is Word.CONNECTION_ERROR


@pytest.mark.parametrize(
    ("error", "phase", "word"),
    [
        (ConnectionRefusedError(), None, Word.CONNECTION_REFUSED),
        (ConnectionResetError(), None, Word.CONNECTION_RESET),
        (ConnectionAbortedError(), None, Word.CONNECTION_RESET),
        (BrokenPipeError(), None, Word.CONNECTION_RESET),
        (ConnectionError(), None, Word.CONNECTION_ERROR),
        (EOFError(), None, Word.SERVER_DISCONNECTED),
        (EOFError(), Phase.RECEIVE, Word.INCOMPLETE_BODY),
        (anyio.EndOfStream(), Phase.RECEIVE, Word.INCOMPLETE_BODY),
        (anyio.BrokenResourceError(), Phase.RECEIVE, Word.CONNECTION_RESET),
        (http.client.RemoteDisconnected("x"), None, Word.SERVER_DISCONNECTED),
        (http.client.IncompleteRead(b"x"), None, Word.INCOMPLETE_BODY),
        (http.client.BadStatusLine("x"), None, Word.PROTOCOL_ERROR),
        (http.client.LineTooLong("x"), None, Word.PROTOCOL_ERROR),
        (http.client.CannotSendRequest(), None, Word.CONNECTION_ERROR),
        (http.client.InvalidURL("x"), None, Word.REQUEST_NOT_SENT),
        (OSError("a text without a number"), Phase.CONNECT, Word.CONNECTION_ERROR),
        (OSError("Tunnel connection failed: 407 Proxy Authentication Required"), None, Word.PROXY_ERROR),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_an_exception_of_python_without_a_number_goes_by_its_type(
    error: BaseException, phase: Phase | None, word: Word
) -> None:
    """Transports and credential providers may let them through as they are."""
    assert classify(error, phase=phase) == Cause(word, None, Phase.SEND if word is Word.REQUEST_NOT_SENT else None)


@pytest.mark.parametrize(
    ("text", "word", "name"),
    [
        ("[WinError 121] The semaphore timeout period has expired", Word.CONNECT_TIMEOUT, "ETIMEDOUT"),
        ("[WinError 1225] The remote computer refused it", Word.CONNECTION_REFUSED, "ECONNREFUSED"),
        ("[Errno 10061] Connect call failed ('127.0.0.1', 1)", Word.CONNECTION_REFUSED, "ECONNREFUSED"),
    ],
)
def test_several_addresses_on_windows_are_read_too(text: str, word: Word, name: str) -> None:
    """asyncio quotes the numbers of Windows itself; an address without a route says least there as well."""
    error = OSError(f"Multiple exceptions: [WinError 1231] The network location cannot be reached, {text}")
    assert classify(error, phase=Phase.CONNECT) == Cause(word, name, None)


@pytest.mark.parametrize("phase", [None, Phase.POOL])
def test_an_error_without_a_number_before_there_is_a_connection_is_none_of_the_networks(phase: Phase | None) -> None:
    """A hook or a middleware of the app may raise one, and so may a library that only looks like one of the network."""
    assert classify(OSError("disk on fire"), phase=phase).word is Word.OTHER


def test_an_error_without_a_number_while_credentials_are_fetched_is_of_the_configuration() -> None:
    """requests raises one for a path of a CA bundle that leads nowhere."""
    error = OSError("Could not find a suitable TLS CA certificate bundle, invalid path: /nowhere")
    assert classify(error, phase=Phase.AUTH).word is Word.REQUEST_NOT_SENT


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EMFILE, errno.ETIMEDOUT])
@pytest.mark.parametrize("stack", STACKS, ids=lambda stack: stack.http.__name__)
def test_an_error_of_the_system_that_the_resolver_met_is_the_resolvers(stack: Stack, number: int) -> None:
    """Python raises it for `EAI_SYSTEM`, without a class for it: the name was not resolved, the errno says why."""
    made: dict[str, Any] = {"__name__": "socket", "error": OSError(number, "text of the system")}
    exec("def getaddrinfo():\n    raise error", made)
    error = chain(stack, "ConnectError", raised(made["getaddrinfo"]))
    assert classify(error, phase=Phase.CONNECT) == Cause(
        Word.NAME_RESOLUTION_ERROR, errno.errorcode[number], Phase.CONNECT
    )


def test_a_number_of_a_host_has_no_name() -> None:
    """The numbers of `gethostbyname` are none of the system's."""
    error = chain(STACKS[0], "ConnectError", socket.herror(1, "Unknown host"))
    assert classify(error, phase=Phase.CONNECT) == Cause(Word.NAME_RESOLUTION_ERROR, None, Phase.CONNECT)


def test_a_resolver_error_without_a_number_has_no_name() -> None:
    """A resolver of the app's own may raise it with a text alone."""
    assert classify(socket.gaierror("no such name")) == Cause(Word.NAME_RESOLUTION_ERROR, None, None)
