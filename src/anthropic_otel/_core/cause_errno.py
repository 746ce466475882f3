"""The operating system's errors: their names, and what each says of the network.

Rule: a name is the operating system's (`ECONNREFUSED`) or the resolver's (`EAI_NONAME`). OpenSSL, h2 and others have
numbers too, and aiohttp copies OpenSSL's into an `OSError` of its own, where it reads as `EPERM`: those have no name.

Windows has two numbers for most of them. Both have the name that every other system has: `ECONNRESET` for `WinError 64`
(ERROR_NETNAME_DELETED) and for 10054 (WSAECONNRESET).
"""

from __future__ import annotations

import errno
import functools
from typing import Final

from anthropic_otel._core.cause_chain import AIOHTTP, HTTPX, Failure, is_a
from anthropic_otel._core.semconv import NetworkCause, Phase


def errno_name(failure: Failure) -> str | None:
    """The name of the deepest error of the system that has a number."""
    return next(filter(None, map(_name, reversed(failure.errors))), None)


def of_errno(error: BaseException, failure: Failure) -> NetworkCause | None:
    """What the number of a system error says, `None` where it has none or says nothing."""
    name = _name(error)
    if name is None or _is_resolver_error(error):
        return None
    if name in _TIMED_OUT:
        return timed_out(failure)
    if name in _LOCAL_FILE:
        return _of_denied(name, failure)
    return _BY_NAME.get(name)


def of_other_errno(error: BaseException, failure: Failure) -> NetworkCause | None:
    """An error of the system that has no word of its own, such as `EMFILE`."""
    return NetworkCause.CONNECTION_ERROR if isinstance(error, OSError) and _name(error) is not None else None


_BY_NAME: Final = {
    "ECONNREFUSED": NetworkCause.CONNECTION_REFUSED,
    "ECONNRESET": NetworkCause.CONNECTION_RESET,
    "ECONNABORTED": NetworkCause.CONNECTION_RESET,
    "EPIPE": NetworkCause.CONNECTION_RESET,
    "ENETRESET": NetworkCause.CONNECTION_RESET,
    "ENOTCONN": NetworkCause.CONNECTION_RESET,
    "ESHUTDOWN": NetworkCause.CONNECTION_RESET,
    "ENETUNREACH": NetworkCause.NETWORK_UNREACHABLE,
    "EHOSTUNREACH": NetworkCause.NETWORK_UNREACHABLE,
    "EHOSTDOWN": NetworkCause.NETWORK_UNREACHABLE,
    "ENETDOWN": NetworkCause.NETWORK_UNREACHABLE,
    "ENONET": NetworkCause.NETWORK_UNREACHABLE,
    "EADDRNOTAVAIL": NetworkCause.NETWORK_UNREACHABLE,
    # This process has closed the socket while it was in use: the app has closed its client.
    "EBADF": NetworkCause.CLIENT_CLOSED,
    "ENOTSOCK": NetworkCause.CLIENT_CLOSED,
    "ECANCELED": NetworkCause.CLIENT_CLOSED,
}

_TIMED_OUT: Final = frozenset({"ETIMEDOUT", "EINPROGRESS", "EAGAIN", "EWOULDBLOCK"})
"""The last three are what a socket says that was given no time: of a timeout of 0, or by an option of its own."""

_LOCAL_FILE: Final = frozenset({"ENOENT", "EACCES", "EPERM", "EISDIR", "ENOTDIR", "ELOOP"})
"""Of a file that the client needs, such as a CA bundle or a token; or, while connecting, of the address."""


def _of_denied(name: str, failure: Failure) -> NetworkCause | None:
    phase = failure.network_phase
    if failure.answered:
        return None
    if phase not in (None, Phase.POOL) and name in ("EACCES", "EPERM"):
        # A firewall, a sandbox or a route of this machine forbids it. Nobody at the address has refused.
        return NetworkCause.NETWORK_UNREACHABLE
    # While connecting it is the path of a Unix socket.
    return NetworkCause.CONNECTION_REFUSED if phase is Phase.CONNECT else NetworkCause.REQUEST_NOT_SENT


def timed_out(failure: Failure) -> NetworkCause:
    """A timeout that does not say of what, such as the system's own after minutes without an answer."""
    if failure.phase is None and failure.has(HTTPX, "ReadError"):
        return NetworkCause.READ_TIMEOUT
    return _TIMEOUTS.get(failure.network_phase or Phase.CONNECT, NetworkCause.READ_TIMEOUT)


_TIMEOUTS: Final = {
    Phase.POOL: NetworkCause.CONNECT_TIMEOUT,
    Phase.CONNECT: NetworkCause.CONNECT_TIMEOUT,
    Phase.TLS: NetworkCause.TLS_TIMEOUT,
    Phase.SEND: NetworkCause.WRITE_TIMEOUT,
}


# -- names -------------------------------------------------------------------------------------------------------------


def _name(error: BaseException) -> str | None:
    if not isinstance(error, OSError) or _is_of_openssl(error):
        return None
    if _is_resolver_error(error):
        return _resolver_name(error.errno)
    return _windows_name(getattr(error, "winerror", None)) or _system_name(error.errno)


def _windows_name(number: object) -> str | None:
    return _WINDOWS.get(number) if type(number) is int else None


def _system_name(number: object) -> str | None:
    if type(number) is not int:
        return None
    # No other system has numbers as high as those of Windows' sockets.
    return _windows_name(number) if number >= 10_000 else errno.errorcode.get(number)


def _resolver_name(number: object) -> str | None:
    if type(number) is not int:
        return None
    return _resolver_errors().get(number) or _WINDOWS_RESOLVER.get(number)


def _is_of_openssl(error: OSError) -> bool:
    import ssl

    text = error.strerror
    return isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError) or "(_ssl.c:" in str(text)


def _is_resolver_error(error: BaseException) -> bool:
    import socket

    return isinstance(error, socket.gaierror) or is_a(error, AIOHTTP, "ClientConnectorDNSError")


@functools.cache
def _resolver_errors() -> dict[int, str]:
    """The names of the resolver's errors by number. Where two names share one, the alphabetically first stays."""
    import socket

    return {getattr(socket, name): name for name in sorted(dir(socket), reverse=True) if name.startswith("EAI_")}


_WINDOWS_RESOLVER: Final = {11001: "EAI_NONAME", 11002: "EAI_AGAIN", 11003: "EAI_FAIL", 11004: "EAI_NODATA"}

_WINDOWS: Final = {
    2: "ENOENT",
    3: "ENOENT",
    4: "EMFILE",
    5: "EACCES",
    6: "EBADF",
    64: "ECONNRESET",
    109: "EPIPE",
    121: "ETIMEDOUT",
    995: "ECANCELED",
    1225: "ECONNREFUSED",
    1229: "ENOTCONN",
    1231: "ENETUNREACH",
    1232: "EHOSTUNREACH",
    1236: "ECONNABORTED",
    1460: "ETIMEDOUT",
    10009: "EBADF",
    10013: "EACCES",
    10022: "EINVAL",
    10024: "EMFILE",
    10035: "EWOULDBLOCK",
    10038: "ENOTSOCK",
    10048: "EADDRINUSE",
    10049: "EADDRNOTAVAIL",
    10050: "ENETDOWN",
    10051: "ENETUNREACH",
    10052: "ENETRESET",
    10053: "ECONNABORTED",
    10054: "ECONNRESET",
    10055: "ENOBUFS",
    10057: "ENOTCONN",
    10058: "ESHUTDOWN",
    10060: "ETIMEDOUT",
    10061: "ECONNREFUSED",
    10064: "EHOSTDOWN",
    10065: "EHOSTUNREACH",
}
"""The numbers of Windows and of its sockets. The continuous integration has no Windows: tests build the exceptions."""
