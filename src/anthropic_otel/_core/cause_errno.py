"""Rules for the operating system's errors: their names, and the cause that each stands for.

Rule: a name is the operating system's (`ECONNREFUSED`) or the resolver's (`EAI_NONAME`). OpenSSL, h2 and others have
numbers too, and aiohttp copies OpenSSL's into an `OSError` of its own, where it reads as `EPERM`: those have no name.

Windows has two numbers for most of them. Both have the name that every other system has: `ECONNRESET` for `WinError 64`
(ERROR_NETNAME_DELETED) and for 10054 (WSAECONNRESET).
"""

from __future__ import annotations

import errno
import functools
from typing import Final

from anthropic_otel._core.cause_chain import Failure, is_a
from anthropic_otel._core.semconv import NetworkCause, Phase


def errno_name(failure: Failure) -> str | None:
    """Returns the name of the innermost system or resolver error of the chain that has one, such as `ECONNREFUSED`.

    `None` if the chain has no such error.
    """
    return next(filter(None, map(_name, reversed(failure.errors))), None)


def of_errno(error: BaseException, failure: Failure) -> NetworkCause | None:
    """Returns the cause that the errno of `error` stands for; for a timeout or a local file the phase decides.

    `None` if `error` has no errno, if it is a resolver's error, or if its errno has no cause of its own, such as
    `EMFILE`, or one of a local file once the request was sent.
    """
    name = _name(error)
    if name is None or is_resolver_error(error):
        return None
    if name in _TIMED_OUT:
        return timed_out(failure)
    if name in _LOCAL_FILE:
        return _of_denied(name, failure)
    return next((word for word, names in _CAUSES.items() if name in names.split()), None)


def of_other_errno(error: BaseException, failure: Failure) -> NetworkCause | None:
    """Returns `CONNECTION_ERROR` if `error` is an `OSError` with an errno of a known name, else `None`.

    Applied after `of_errno`, for what that has no cause for, such as `EMFILE`. From the connect phase on
    `CONNECTION_ERROR` too for an `OSError` without an errno: before, or in an unknown phase, it may be the app's own,
    or of the configuration of a library that fetches credentials.
    """
    if not isinstance(error, OSError):
        return None
    unnumbered = error.errno is None and failure.phase in _ON_THE_CONNECTION
    return NetworkCause.CONNECTION_ERROR if unnumbered or _name(error) is not None else None


_ON_THE_CONNECTION: Final = (Phase.CONNECT, Phase.TLS, Phase.SEND, Phase.WAIT, Phase.RECEIVE)

_CAUSES: Final = {
    NetworkCause.CONNECTION_REFUSED: "ECONNREFUSED",
    NetworkCause.CONNECTION_RESET: "ECONNRESET ECONNABORTED EPIPE ENETRESET ENOTCONN ESHUTDOWN",
    NetworkCause.NETWORK_UNREACHABLE: "ENETUNREACH EHOSTUNREACH EHOSTDOWN ENETDOWN ENONET EADDRNOTAVAIL",
    # This process has closed the socket while it was in use: the app has closed its client.
    NetworkCause.CLIENT_CLOSED: "EBADF ENOTSOCK ECANCELED",
}

_TIMED_OUT: Final = frozenset({"ETIMEDOUT", "EINPROGRESS", "EAGAIN", "EWOULDBLOCK"})
"""The errors of a timeout. A socket raises the last three if its timeout is 0 or set by a socket option."""

_LOCAL_FILE: Final = frozenset({"ENOENT", "EACCES", "EPERM", "EISDIR", "ENOTDIR", "ELOOP"})
"""The errors of a file that the client needs, such as a CA bundle or a token, or of the address while connecting."""


def _of_denied(name: str, failure: Failure) -> NetworkCause | None:
    """Returns the cause of an error in `_LOCAL_FILE` by `failure.network_phase`; `None` if it is `failure.answered`.

    `EACCES` and `EPERM` are `NETWORK_UNREACHABLE` in `CONNECT` and every later phase. The other errors are
    `CONNECTION_REFUSED` in `CONNECT` itself. All else is `REQUEST_NOT_SENT`, also in an unknown phase.
    """
    phase = failure.network_phase
    if failure.answered:
        return None
    if phase not in (None, Phase.POOL) and name in ("EACCES", "EPERM"):
        # A firewall, a sandbox or a route of this machine forbids the connection; the address has not refused it.
        return NetworkCause.NETWORK_UNREACHABLE
    # While connecting, the file is the path of a Unix socket.
    return NetworkCause.CONNECTION_REFUSED if phase is Phase.CONNECT else NetworkCause.REQUEST_NOT_SENT


def timed_out(failure: Failure) -> NetworkCause:
    """Returns the cause of a timeout whose exception does not say what timed out, by `failure.network_phase`.

    Pool or connecting: `CONNECT_TIMEOUT`. TLS: `TLS_TIMEOUT`. Sending: `WRITE_TIMEOUT`. Later: `READ_TIMEOUT`. Unknown
    phase: `CONNECT_TIMEOUT`. Without trace events, httpx's `ReadError` makes it `READ_TIMEOUT`.
    """
    if failure.phase is None and failure.has("httpx.ReadError"):
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
    """Returns the name of a system or resolver error, `None` for a number without a name.

    `None` too for any other exception, as OpenSSL's `OSError`.
    """
    if not isinstance(error, OSError) or _is_of_openssl(error):
        return None
    if is_resolver_error(error):
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


def is_resolver_error(error: BaseException) -> bool:
    """Returns whether `error` is that of a failed look-up of a name, whose number, if any, is the resolver's."""
    import socket

    return isinstance(error, socket.gaierror) or is_a(error, *_RESOLVERS)


_RESOLVERS: Final = ("aiohttp.ClientConnectorDNSError", "aiodns.DNSError", "pycares.AresError", "dns.DNSException")


@functools.cache
def _resolver_errors() -> dict[int, str]:
    """Returns the names (`EAI_…`) of the resolver's errors by number; of two with one number, the first by alphabet."""
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
    232: "EPIPE",
    233: "EPIPE",
    995: "ECANCELED",
    1225: "ECONNREFUSED",
    1229: "ENOTCONN",
    1231: "ENETUNREACH",
    1232: "EHOSTUNREACH",
    1233: "ENETUNREACH",
    1234: "ECONNREFUSED",
    1236: "ECONNABORTED",
    1460: "ETIMEDOUT",
    10004: "EINTR",
    10009: "EBADF",
    10013: "EACCES",
    10014: "EFAULT",
    10022: "EINVAL",
    10024: "EMFILE",
    10035: "EWOULDBLOCK",
    10037: "EALREADY",
    10038: "ENOTSOCK",
    10039: "EDESTADDRREQ",
    10040: "EMSGSIZE",
    10042: "ENOPROTOOPT",
    10043: "EPROTONOSUPPORT",
    10044: "ESOCKTNOSUPPORT",
    10045: "EOPNOTSUPP",
    10046: "EPFNOSUPPORT",
    10047: "EAFNOSUPPORT",
    10048: "EADDRINUSE",
    10049: "EADDRNOTAVAIL",
    10050: "ENETDOWN",
    10051: "ENETUNREACH",
    10052: "ENETRESET",
    10053: "ECONNABORTED",
    10054: "ECONNRESET",
    10055: "ENOBUFS",
    10056: "EISCONN",
    10057: "ENOTCONN",
    10058: "ESHUTDOWN",
    10059: "ETOOMANYREFS",
    10060: "ETIMEDOUT",
    10061: "ECONNREFUSED",
    10063: "ENAMETOOLONG",
    10064: "EHOSTDOWN",
    10065: "EHOSTUNREACH",
}
"""The POSIX names by the error numbers of Windows and its sockets. CI has no Windows, so tests build the exceptions."""
