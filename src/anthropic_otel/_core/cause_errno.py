"""Rules for the operating system's errors: their names, and the cause that each stands for.

Rule: a name is the operating system's (`ECONNREFUSED`) or the resolver's (`EAI_NONAME`). OpenSSL, h2 and others have
numbers too, and aiohttp copies OpenSSL's into an `OSError` of its own, where it reads as `EPERM`: those have no name.

Windows has several numbers for some of them. Each has the name that every other system has: `ECONNRESET` for
`WinError 64` (ERROR_NETNAME_DELETED) and for 10054 (WSAECONNRESET).
"""

from __future__ import annotations

import errno
import functools
from collections.abc import Mapping
from typing import Final

from anthropic_otel._core.cause_chain import attribute_of, frames, is_a
from anthropic_otel._core.failure import Failure
from anthropic_otel._core.semconv import NetworkCause, Phase


def errno_name(failure: Failure) -> str | None:
    """Returns the name of the innermost exception of the chain that has one (`_name`), such as `ECONNREFUSED`.

    `None` if none has one.
    """
    return next(filter(None, map(_name, reversed(failure.errors))), None)


def of_errno(error: BaseException, failure: Failure) -> NetworkCause | None:
    """Returns the cause that the errno of `error` stands for; for a timeout or a local file the phase decides.

    `None` if `error` has no name (`_name`) or `is_resolver_error`, or if its errno has no cause of its own, such as
    `EMFILE`. `None` too for the errno of a local file once the request was sent (`failure.sent_whole`).
    """
    name = _name(error)
    if name is None or is_resolver_error(error):
        return None
    if name in _TIMED_OUT:
        return timed_out(failure)
    if name in _LOCAL_FILE:
        return _of_local_file(name, failure)
    return next((word for word, names in _CAUSES.items() if name in names.split()), None)


def of_other_errno(error: BaseException, failure: Failure) -> NetworkCause | None:
    """Returns `CONNECTION_ERROR` for most of the `OSError`s for which `of_errno` has no cause, such as `EMFILE`.

    These are the ones with a name (`_name`), and the ones without an errno if `failure.phase` is `CONNECT` or a later
    one. In an earlier or unknown phase, an `OSError` without an errno may be the app's own, or of the configuration of
    a library that fetches credentials. `None` for all other exceptions. Applied after `of_errno`.
    """
    if not isinstance(error, OSError):
        return None
    unnumbered = attribute_of(error, "errno") is None and failure.phase in _ON_THE_CONNECTION
    return NetworkCause.CONNECTION_ERROR if unnumbered or _name(error) is not None else None


_ON_THE_CONNECTION: Final = (Phase.CONNECT, Phase.TLS, Phase.SEND, Phase.WAIT, Phase.RECEIVE)

_CAUSES: Final = {
    NetworkCause.CONNECTION_REFUSED: "ECONNREFUSED",
    NetworkCause.CONNECTION_RESET: "ECONNRESET ECONNABORTED EPIPE ENETRESET ENOTCONN ESHUTDOWN",
    NetworkCause.NETWORK_UNREACHABLE: (
        "ENETUNREACH EHOSTUNREACH EHOSTDOWN ENETDOWN ENONET EADDRNOTAVAIL EAFNOSUPPORT EPFNOSUPPORT"
    ),
    # This process has closed the socket while it was in use: the app has closed its client.
    NetworkCause.CLIENT_CLOSED: "EBADF ENOTSOCK ECANCELED",
}

_TIMED_OUT: Final = frozenset({"ETIMEDOUT", "EINPROGRESS", "EAGAIN", "EWOULDBLOCK"})
"""The errors of a timeout. A socket raises the last three if its timeout is 0 or set by a socket option."""

_LOCAL_FILE: Final = frozenset({"ENOENT", "EACCES", "EPERM", "EISDIR", "ENOTDIR", "ELOOP"})
"""The errors of a file that the client needs, such as a CA bundle or a token, or of the address while connecting."""


def _of_local_file(name: str, failure: Failure) -> NetworkCause | None:
    """Returns the cause of the error `name`, one in `_LOCAL_FILE`, by the phase; `None` if `failure.sent_whole`.

    The phase is `failure.network_phase`. `EACCES` and `EPERM` are `NETWORK_UNREACHABLE` in `CONNECT` and every later
    phase. The other errors are `CONNECTION_REFUSED` in `CONNECT` itself. All else is `REQUEST_NOT_SENT`, also in an
    unknown phase.
    """
    phase = failure.network_phase
    if failure.sent_whole:
        return None
    if phase not in (None, Phase.POOL) and name in ("EACCES", "EPERM"):
        # A firewall, a sandbox or a route of this machine forbids the connection; the address has not refused it.
        return NetworkCause.NETWORK_UNREACHABLE
    # While connecting, the file is the path of a Unix socket.
    return NetworkCause.CONNECTION_REFUSED if phase is Phase.CONNECT else NetworkCause.REQUEST_NOT_SENT


def timed_out(failure: Failure) -> NetworkCause:
    """Returns the cause of a timeout whose exception does not say what timed out, by `failure.network_phase`.

    Pool or connecting: `CONNECT_TIMEOUT`. TLS: `TLS_TIMEOUT`. Sending: `WRITE_TIMEOUT`. Later: `READ_TIMEOUT`. Unknown
    phase: `CONNECT_TIMEOUT`. But if `failure.phase` is `None`, a `ReadError` of httpx among the exceptions of `failure`
    makes it `READ_TIMEOUT`.
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


def server_gone(failure: Failure) -> NetworkCause:
    """Returns the cause for a connection that the server closed: `INCOMPLETE_BODY` if `failure.phase` is `RECEIVE`.

    In any other phase, or if it is not known, it is `SERVER_DISCONNECTED`.
    """
    in_body = failure.phase is Phase.RECEIVE
    return NetworkCause.INCOMPLETE_BODY if in_body else NetworkCause.SERVER_DISCONNECTED


# -- names -------------------------------------------------------------------------------------------------------------


def _name(error: BaseException) -> str | None:
    """Returns the name of an `OSError` by its number: the resolver's for `is_resolver_error`, else the system's.

    `None` without a number, for a number without a name, for an error of OpenSSL (`_is_of_openssl`), for
    `is_host_error`, and for what is no `OSError`.
    """
    if not isinstance(error, OSError) or _is_of_openssl(error) or is_host_error(error):
        return None
    if is_resolver_error(error):
        return _of_number(attribute_of(error, "errno"), _resolver_errors())
    windows = _of_number(attribute_of(error, "winerror"), _WINDOWS)
    return windows or _of_number(attribute_of(error, "errno"), _SYSTEM)


def _of_number(number: object, names: Mapping[int, str]) -> str | None:
    """Returns the name of an exception's number in `names`, else `None`. An app may have set it to any object."""
    return names.get(number) if type(number) is int else None


def _is_of_openssl(error: OSError) -> bool:
    import ssl

    text = attribute_of(error, "strerror")
    copied = isinstance(text, str) and "(_ssl.c:" in text
    return copied or isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError)


def is_resolver_error(error: BaseException) -> bool:
    """Returns whether `error` is a `socket.gaierror`, or of a class in `_RESOLVERS`, such as `aiodns.DNSError`.

    Its number, if it has one, is the resolver's. Two other kinds of failed look-ups of a host name are not such errors:
    a `socket.herror` (`is_host_error`), and an error of the system that the resolver met (`is_raised_by_resolver`).
    """
    import socket

    return isinstance(error, socket.gaierror) or is_a(error, *_RESOLVERS)


def is_host_error(error: BaseException) -> bool:
    """Returns whether `error` is a `socket.herror`, of an older function for look-ups. Its number has no name here."""
    import socket

    return isinstance(error, socket.herror)


def is_raised_by_resolver(error: BaseException) -> bool:
    """Returns whether `error` is an `OSError` that `socket.getaddrinfo` raised, by the traceback.

    It may be an error of the system, which has no class of the resolver's (`EAI_SYSTEM`).
    """
    steps = list(frames(error)) if isinstance(error, OSError) else []
    return bool(steps) and steps[-1] == _LOOKS_UP


_LOOKS_UP: Final = ("socket", "getaddrinfo")


_RESOLVERS: Final = ("aiohttp.ClientConnectorDNSError", "aiodns.DNSError", "pycares.AresError", "dns.DNSException")


@functools.cache
def _resolver_errors() -> dict[int, str]:
    """Returns the names (`EAI_…`) of the resolver's errors by number; of two with one number, the first by alphabet.

    On every system, the errors of Windows' resolver are among them: no other resolver has numbers as high.
    """
    import socket

    names = [name for name in sorted(dir(socket), reverse=True) if name.startswith("EAI_")]
    return {**_WINDOWS_RESOLVER, **{getattr(socket, name): name for name in names}}


_WINDOWS_RESOLVER: Final = {11001: "EAI_NONAME", 11002: "EAI_AGAIN", 11003: "EAI_FAIL", 11004: "EAI_NODATA"}

_WINDOWS: Final = {
    number: name
    for name, numbers in {
        "ENOENT": (2, 3),
        "EINTR": (10004,),
        "EBADF": (6, 10009),
        "EACCES": (5, 10013),
        "EFAULT": (10014,),
        "EINVAL": (10022,),
        "EMFILE": (4, 10024),
        "EPIPE": (109, 232, 233),
        "EWOULDBLOCK": (10035,),
        "EALREADY": (10037,),
        "ENOTSOCK": (10038,),
        "EDESTADDRREQ": (10039,),
        "EMSGSIZE": (10040,),
        "ENOPROTOOPT": (10042,),
        "EPROTONOSUPPORT": (10043,),
        "ESOCKTNOSUPPORT": (10044,),
        "EOPNOTSUPP": (10045,),
        "EPFNOSUPPORT": (10046,),
        "EAFNOSUPPORT": (10047,),
        "EADDRINUSE": (10048,),
        "EADDRNOTAVAIL": (10049,),
        "ENETDOWN": (10050,),
        "ENETUNREACH": (1231, 1233, 10051),
        "ENETRESET": (10052,),
        "ECONNABORTED": (1236, 10053),
        "ECONNRESET": (64, 10054),
        "ENOBUFS": (10055,),
        "EISCONN": (10056,),
        "ENOTCONN": (1229, 10057),
        "ESHUTDOWN": (10058,),
        "ETOOMANYREFS": (10059,),
        "ETIMEDOUT": (121, 1460, 10060),
        "ECANCELED": (995,),
        "ECONNREFUSED": (1225, 1234, 10061),
        "ENAMETOOLONG": (10063,),
        "EHOSTDOWN": (10064,),
        "EHOSTUNREACH": (1232, 10065),
    }.items()
    for number in numbers
}
"""The POSIX names by the error numbers of Windows and its sockets. CI has no Windows, so tests build the exceptions."""
_SOCKETS: Final = 10_000
"""The error numbers of Windows' sockets are above this. No other system has numbers as high."""
_SYSTEM: Final = {
    **{number: name for number, name in errno.errorcode.items() if number < _SOCKETS},
    **{number: name for number, name in _WINDOWS.items() if number >= _SOCKETS},
}
