"""From the exception that ended an attempt to the one word that says why: `classify`.

The rule: whatever decides a cause is here, and it is decided from types, `errno` and, where a library leaves nothing
else, from its own fixed messages. No text of an exception ever leaves this module.

How the objects are found (measured on httpx, httpx2, aiohttp; sync and async): an exception's `__cause__`; from an
httpcore exception, which is raised `from None`, its `args[0]`, which is the operating system's error; the members of
an exception group, which anyio raises when several addresses were tried. `__context__` is never followed: it
leads into exceptions that the app has handled, and into the cancellation by which a timeout is implemented.
"""

from __future__ import annotations

import errno
import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from anthropic_otel._core.guard import guarded
from anthropic_otel._core.semconv import NetworkCause, Phase

_MAX_DEPTH: Final = 16
_HTTPCORE: Final = frozenset({"httpcore", "httpcore2"})
_HTTPX: Final = frozenset({"httpx", "httpx2", "httpcore", "httpcore2"})
_AIOHTTP: Final = frozenset({"aiohttp"})
_ANYIO: Final = frozenset({"anyio", "trio"})


@dataclass(frozen=True)
class Cause:
    """Why the network failed an attempt.

    `errno` is the name of the operating system's error (`ECONNREFUSED`, or `EAI_NONAME` from the resolver), `None`
    where there was none. `phase` is what the exception alone says of the phase, `None` where it says nothing.
    """

    word: NetworkCause
    errno: str | None
    phase: Phase | None


@guarded(Cause(NetworkCause.OTHER, None, None))
def classify(error: BaseException, *, phase: Phase | None = None, through_proxy: bool = False) -> Cause:
    """The cause of `error`, as `http_client.send` or a body raised it. Never raises for any exception object.

    `phase` is the phase that was under way as the transport told it, `None` if it did not. `through_proxy` is whether
    the transport was connecting to another host than the request's.
    """
    chain = list(_chain(error))
    word = _from_leaf(chain, phase) or _from_type(chain, phase) or NetworkCause.OTHER
    if through_proxy and phase in (Phase.CONNECT, Phase.TLS) and word in _BLAMED_ON_A_PROXY:
        word = NetworkCause.PROXY_ERROR
    return Cause(word, _errno_name(chain), _phase_of(chain))


def type_name(error: BaseException) -> str:
    """The qualified class name of `error`, as the OpenTelemetry conventions write `exception.type`."""
    cls = type(error)
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


_BLAMED_ON_A_PROXY: Final = frozenset({NetworkCause.CONNECTION_REFUSED, NetworkCause.CONNECTION_ERROR})
"""A refusal met on the way to a proxy says nothing about the API's own host. Its `errno` is kept beside it."""


def _chain(error: BaseException) -> Iterator[BaseException]:
    """`error` and what caused it, outermost first, each once."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting and len(seen) < _MAX_DEPTH:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting.extend(_below(current))


def _below(error: BaseException) -> Iterator[BaseException]:
    members = getattr(error, "exceptions", None)
    if isinstance(members, (tuple, list)):
        yield from (member for member in members if isinstance(member, BaseException))
    if error.__cause__ is not None:
        yield error.__cause__
    elif _root(type(error)) in _HTTPCORE and error.args and isinstance(error.args[0], BaseException):
        yield error.args[0]


def _root(cls: type[BaseException]) -> str:
    return str(cls.__module__).partition(".")[0]


def _is_a(error: BaseException, libraries: frozenset[str], *names: str) -> bool:
    """Whether `error` is an instance of a class with one of `names` that one of `libraries` defines.

    By name, as the libraries are not dependencies and two generations of them may be loaded at once.
    """
    return any(cls.__name__ in names and _root(cls) in libraries for cls in type(error).__mro__)


# -- what the innermost objects say: exact, whatever was raised around them --------------------------------------------


def _from_leaf(chain: list[BaseException], phase: Phase | None) -> NetworkCause | None:
    for error in reversed(chain):
        word = _of_leaf(error, phase, chain)
        if word is not None:
            return word
    return None


def _of_leaf(error: BaseException, phase: Phase | None, chain: list[BaseException]) -> NetworkCause | None:
    # Not at the top of the module: their import takes longer than that of this whole package.
    import socket
    import ssl

    # The order matters: gaierror and SSLError are OSErrors, with an errno that is not the system's.
    if isinstance(error, socket.gaierror) or _is_a(error, _AIOHTTP, "ClientConnectorDNSError"):
        return NetworkCause.NAME_RESOLUTION_ERROR
    if isinstance(error, ssl.SSLCertVerificationError) or _is_a(error, _AIOHTTP, "ClientConnectorCertificateError"):
        return NetworkCause.TLS_CERTIFICATE_ERROR
    if isinstance(error, ssl.SSLError) or _is_a(
        error, _AIOHTTP, "ClientConnectorSSLError", "ServerFingerprintMismatch"
    ):
        return NetworkCause.TLS_ERROR
    if _is_a(error, _AIOHTTP, "ClientProxyConnectionError", "ClientHttpProxyError"):
        return NetworkCause.PROXY_ERROR
    if isinstance(error, OSError) and isinstance(error.errno, int):
        return _timed_out(phase, chain) if error.errno == errno.ETIMEDOUT else _BY_ERRNO.get(error.errno)
    if type(error) is ConnectionResetError and any(_is_a(outer, _AIOHTTP, "ClientConnectorError") for outer in chain):
        # What asyncio makes of a connection that is closed in the handshake. A real reset has its errno.
        return NetworkCause.TLS_ERROR
    return None


def _timed_out(phase: Phase | None, chain: list[BaseException]) -> NetworkCause:
    """The system's own timeout, met when the other side has answered nothing for minutes, whatever was under way."""
    if phase is None and any(_is_a(error, _HTTPX, "ReadError") for error in chain):
        return NetworkCause.READ_TIMEOUT
    return _TIMEOUTS.get(phase or _phase_of(chain) or Phase.CONNECT, NetworkCause.READ_TIMEOUT)


_TIMEOUTS: Final = {
    Phase.POOL: NetworkCause.CONNECT_TIMEOUT,
    Phase.CONNECT: NetworkCause.CONNECT_TIMEOUT,
    Phase.TLS: NetworkCause.TLS_TIMEOUT,
    Phase.SEND: NetworkCause.WRITE_TIMEOUT,
}


_BY_ERRNO: Final = {
    errno.ECONNREFUSED: NetworkCause.CONNECTION_REFUSED,
    errno.ECONNRESET: NetworkCause.CONNECTION_RESET,
    errno.ECONNABORTED: NetworkCause.CONNECTION_RESET,
    errno.EPIPE: NetworkCause.CONNECTION_RESET,
    errno.ENETUNREACH: NetworkCause.NETWORK_UNREACHABLE,
    errno.EHOSTUNREACH: NetworkCause.NETWORK_UNREACHABLE,
    errno.ENETDOWN: NetworkCause.NETWORK_UNREACHABLE,
    errno.EADDRNOTAVAIL: NetworkCause.NETWORK_UNREACHABLE,
}


# -- what the outer types say, where nothing inside was exact ----------------------------------------------------------


def _from_type(chain: list[BaseException], phase: Phase | None) -> NetworkCause | None:
    # The aiohttp transport wraps everything into a few types of httpx; what it wrapped decides.
    of_aiohttp = map(_of_aiohttp, chain)
    of_httpx = (_of_httpx(error, phase, chain) for error in chain)
    return next(filter(None, itertools.chain(of_aiohttp, of_httpx)), None)


def _of_aiohttp(error: BaseException) -> NetworkCause | None:
    if _is_a(error, _AIOHTTP, "ClientPayloadError") and "ConnectionResetError(" in str(error):
        # The reset in a body that aiohttp keeps in its text alone.
        return NetworkCause.CONNECTION_RESET
    return next((word for name, word in _AIOHTTP_TYPES if _is_a(error, _AIOHTTP, name)), None)


_AIOHTTP_TYPES: Final = (
    ("ServerDisconnectedError", NetworkCause.SERVER_DISCONNECTED),
    ("ConnectionTimeoutError", NetworkCause.CONNECT_TIMEOUT),
    ("SocketTimeoutError", NetworkCause.READ_TIMEOUT),
    ("ServerTimeoutError", NetworkCause.READ_TIMEOUT),
    ("ContentEncodingError", NetworkCause.DECODING_ERROR),
    ("ClientPayloadError", NetworkCause.INCOMPLETE_BODY),
    ("TransferEncodingError", NetworkCause.INCOMPLETE_BODY),
    ("ContentLengthError", NetworkCause.INCOMPLETE_BODY),
    ("BadStatusLine", NetworkCause.PROTOCOL_ERROR),
    ("BadHttpMessage", NetworkCause.PROTOCOL_ERROR),
    ("ClientResponseError", NetworkCause.PROTOCOL_ERROR),
    ("TooManyRedirects", NetworkCause.TOO_MANY_REDIRECTS),
    ("ClientConnectionResetError", NetworkCause.CONNECTION_RESET),
    ("ClientConnectionError", NetworkCause.CONNECTION_ERROR),
)
"""aiohttp's own exceptions, most special first."""


def _of_httpx(error: BaseException, phase: Phase | None, chain: list[BaseException]) -> NetworkCause | None:
    if _is_a(error, _HTTPX, "ConnectTimeout"):
        return NetworkCause.TLS_TIMEOUT if phase is Phase.TLS else NetworkCause.CONNECT_TIMEOUT
    if _is_a(error, _HTTPX, "RemoteProtocolError"):
        return _of_protocol_message(str(error))
    if _is_a(error, _HTTPX, "ConnectError", "ReadError", "WriteError", "CloseError", "NetworkError"):
        return _of_broken_connection(error, phase, chain)
    return next((word for name, word in _HTTPX_TYPES if _is_a(error, _HTTPX, name)), None)


_HTTPX_TYPES: Final = (
    ("ReadTimeout", NetworkCause.READ_TIMEOUT),
    ("WriteTimeout", NetworkCause.WRITE_TIMEOUT),
    ("PoolTimeout", NetworkCause.POOL_TIMEOUT),
    ("ProxyError", NetworkCause.PROXY_ERROR),
    ("DecodingError", NetworkCause.DECODING_ERROR),
    ("TooManyRedirects", NetworkCause.TOO_MANY_REDIRECTS),
    ("LocalProtocolError", NetworkCause.PROTOCOL_ERROR),
    ("ProtocolError", NetworkCause.PROTOCOL_ERROR),
    ("UnsupportedProtocol", NetworkCause.PROTOCOL_ERROR),
    ("ConnectionNotAvailable", NetworkCause.CONNECTION_ERROR),
)


def _of_protocol_message(message: str) -> NetworkCause:
    """httpcore and h11 tell these three apart only by their fixed messages."""
    if message.startswith("Server disconnected"):
        return NetworkCause.SERVER_DISCONNECTED
    if "without sending complete message body" in message:
        return NetworkCause.INCOMPLETE_BODY
    return NetworkCause.SERVER_DISCONNECTED if "ConnectionTerminated" in message else NetworkCause.PROTOCOL_ERROR


def _of_broken_connection(error: BaseException, phase: Phase | None, chain: list[BaseException]) -> NetworkCause:
    """An error of the connection without an errno: what anyio and trio leave when the other side went away."""
    if any(_is_a(inner, _ANYIO, "EndOfStream") for inner in chain):
        return NetworkCause.TLS_ERROR if _is_a(error, _HTTPX, "ConnectError") else NetworkCause.SERVER_DISCONNECTED
    if any(_is_a(inner, _ANYIO, "BrokenResourceError") for inner in chain):
        handshake = phase is Phase.TLS or _is_a(error, _HTTPX, "ConnectError")
        return NetworkCause.TLS_ERROR if handshake else NetworkCause.CONNECTION_RESET
    return NetworkCause.CONNECTION_ERROR


# -- errno and phase ---------------------------------------------------------------------------------------------------


def _errno_name(chain: list[BaseException]) -> str | None:
    """The name of the deepest operating system error that has a number."""
    import socket
    import ssl

    for error in reversed(chain):
        if isinstance(error, ssl.SSLError) or not isinstance(error, OSError) or not isinstance(error.errno, int):
            continue
        names = _resolver_errors() if isinstance(error, socket.gaierror) else errno.errorcode
        name = names.get(error.errno)
        if name is not None:
            return name
    return None


@functools.cache
def _resolver_errors() -> dict[int, str]:
    """The names of the resolver's errors by number. Where two names share one, the alphabetically first stays."""
    import socket

    return {getattr(socket, name): name for name in sorted(dir(socket), reverse=True) if name.startswith("EAI_")}


def _phase_of(chain: list[BaseException]) -> Phase | None:
    if any(_root(type(error)) in _AIOHTTP for error in chain):
        # Its transport raises what httpx raises for a connect also for what happens much later.
        connecting = any(_is_a(error, _AIOHTTP, *_CONNECTING) for error in chain)
        return Phase.CONNECT if connecting else None
    return next((phase for error in chain for name, phase in _PHASE_BY_TYPE if _is_a(error, _HTTPX, name)), None)


_PHASE_BY_TYPE: Final = (
    ("PoolTimeout", Phase.POOL),
    ("ConnectTimeout", Phase.CONNECT),
    ("ConnectError", Phase.CONNECT),
    ("ProxyError", Phase.CONNECT),
    ("WriteTimeout", Phase.SEND),
    ("WriteError", Phase.SEND),
)

_CONNECTING: Final = (
    "ClientConnectorError",
    "ClientHttpProxyError",
    "ConnectionTimeoutError",
    "ServerFingerprintMismatch",
)
"""What aiohttp raises before it has a connection."""
