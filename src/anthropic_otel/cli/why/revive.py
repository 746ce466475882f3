"""Constructs exceptions from printed ones, so that `_core.cause.classify` finds the cause as for real ones.

Rule: no rule about causes is here. This module only knows a printed exception's class and base classes, the system or
TLS error that its message quotes, and the phase and the proxy that its frames show.
"""

from __future__ import annotations

import builtins
import errno
import itertools
import re
import socket
import ssl
from collections.abc import Sequence
from typing import Final

from anthropic_otel._core.cause import Cause, classify
from anthropic_otel._core.cause_chain import HTTPCORE
from anthropic_otel._core.failure import BY_PROXY
from anthropic_otel._core.semconv import Phase
from anthropic_otel.cli.why.bases import bases_of
from anthropic_otel.cli.why.printed import Printed

_SYSTEM_ERROR: Final = "ClientOSError"
"""aiohttp's class that is a subclass of `OSError`."""


def cause(chain: Sequence[Printed]) -> Cause:
    """Returns the cause that `classify` finds for a printed exception chain, outermost exception first.

    If the message of the innermost exception quotes another error, the exception counts as raised from that error,
    unless the exception is a system error itself and the quoted one is not of TLS. The chain must not be empty.
    """
    error: BaseException | None = None
    for each in reversed(chain):
        made = _made(each)
        quoted = _quoted(each) if error is None else None
        own = isinstance(made, OSError) and not isinstance(quoted, ssl.SSLError)
        made.__cause__ = error if error is not None or own else quoted
        error = made
    assert error is not None
    return classify(error, phase=phase(chain), through_proxy=through_proxy(chain), in_tunnel=in_tunnel(chain))


# -- where it was raised -----------------------------------------------------------------------------------------------

_PHASES: Final = {
    "connect_tcp": Phase.CONNECT,
    "connect_unix_socket": Phase.CONNECT,
    "start_tls": Phase.TLS,
    "_send_request_headers": Phase.SEND,
    "_send_request_body": Phase.SEND,
    "_receive_response_headers": Phase.WAIT,
    "_receive_response": Phase.WAIT,
    "_receive_response_body": Phase.RECEIVE,
}
"""The phase of an attempt in which each of these functions of httpcore and httpcore2 runs."""


def phase(chain: Sequence[Printed]) -> Phase | None:
    """Returns the phase that the frames in the chain show, `None` if they show none.

    That is `CONNECT` if frames of aiohttp show a connect to a proxy, else the phase of the first frame of httpcore
    whose function is in `_PHASES`.
    """
    if _before_proxy(chain):
        return Phase.CONNECT
    functions = (frame.function for each in chain for frame in each.frames if "httpcore" in frame.file)
    return next((_PHASES[name.rpartition(".")[2]] for name in functions if name.rpartition(".")[2] in _PHASES), None)


def through_proxy(chain: Sequence[Printed]) -> bool:
    """Returns whether the frames of the chain show a proxy.

    They do if one is in httpcore's modules for proxies, or if those of aiohttp show a connect to one (`_before_proxy`).
    """
    return _before_proxy(chain) or any(
        frame.file.endswith(("http_proxy.py", "socks_proxy.py")) for each in chain for frame in each.frames
    )


def in_tunnel(chain: Sequence[Printed]) -> bool:
    """Returns `False` if the frames show a TLS handshake of httpcore that is not inside of a proxy's tunnel.

    Returns `True` for any other chain, also if its frames show no handshake.
    """
    steps = ([frame for frame in each.frames if "httpcore" in frame.file] for each in chain)
    pairs = (pair for each in steps for pair in itertools.pairwise(each))
    return not any(
        frame.file.endswith("connection.py") and called.function.rpartition(".")[2] == "start_tls"
        for frame, called in pairs
    )


def _before_proxy(chain: Sequence[Printed]) -> bool:
    """Returns whether aiohttp's frames show that it was still connecting to a proxy, or asking it for a connection.

    `_core.cause_chain` has the same rule for real exceptions.
    """
    steps = ([frame.function.rpartition(".")[2] for frame in each.frames if "aiohttp" in frame.file] for each in chain)
    return any(inner in BY_PROXY.get(function, ()) for each in steps for function, inner in itertools.pairwise(each))


# -- what it was -------------------------------------------------------------------------------------------------------


def _made(printed: Printed) -> BaseException:
    quoted = _quoted(printed)
    if quoted is not None and (printed.root in ("ssl", "socket") or _is_system_error(printed)):
        return quoted
    known = getattr(builtins, printed.name, None) if printed.root == "builtins" else None
    if printed.root in ("ssl", "socket"):
        known = getattr({"ssl": ssl, "socket": socket}[printed.root], printed.name, None)
    if isinstance(known, type) and issubclass(known, BaseException) and not printed.is_group:
        # Without `__init__`, which may require more than a message.
        error = known.__new__(known, printed.message)
        assert isinstance(error, BaseException)
        return error
    return _imitation(printed)


def _is_system_error(printed: Printed) -> bool:
    known = getattr(builtins, printed.name, None) if printed.root == "builtins" else None
    return isinstance(known, type) and issubclass(known, OSError)


def _imitation(printed: Printed) -> BaseException:
    """Returns an exception of a new class with the printed module and name, and with the printed message.

    Its base classes are new too, and have the names of the real ones (`bases_of`). If the real class is an `OSError`,
    so is the exception, with the errno that the message quotes.
    """
    names = [printed.name, *bases_of(printed.root, printed.name)]
    cls: type[BaseException] = OSError if _SYSTEM_ERROR in names else Exception
    for name in reversed(names):
        cls = type(name, (cls,), {"__module__": printed.type.rpartition(".")[0]})
    made = cls(printed.message)
    quoted = _quoted(printed)
    if isinstance(made, OSError) and isinstance(quoted, OSError) and not isinstance(quoted, ssl.SSLError):
        made.errno = quoted.errno
    return made


# -- the error of the system that a message quotes ---------------------------------------------------------------------

_RESOLVER: Final = {
    "Name or service not known": "EAI_NONAME",
    "nodename nor servname provided, or not known": "EAI_NONAME",
    "Name does not resolve": "EAI_NONAME",
    "getaddrinfo failed": "EAI_NONAME",
    "No address associated with hostname": "EAI_NODATA",
    "Temporary failure in name resolution": "EAI_AGAIN",
    "Non-recoverable failure in name resolution": "EAI_FAIL",
    "Domain name not found": "EAI_NONAME",
}
"""The names of the resolver's errors, by the messages of Linux (glibc, musl), macOS, Windows and aiodns."""
_ELSEWHERE: Final = {
    51: "ENETUNREACH", 54: "ECONNRESET", 57: "ENOTCONN", 60: "ETIMEDOUT", 61: "ECONNREFUSED", 64: "EHOSTDOWN",
    65: "EHOSTUNREACH",
}  # fmt: skip
"""The names of macOS's numbers of network errors. On Linux, these numbers stand for errors of other kinds."""
_NUMBER: Final = re.compile(r"\[(Errno|WinError) (-?\d{1,6})\] ?([^\[\]()'\"]*)|\berrno=(\d{1,6})()")
_TEXTS: Final = {
    text: name
    for name, text in (
        ("ECONNREFUSED", "Connection refused"),
        ("ECONNREFUSED", "actively refused it"),
        ("ECONNRESET", "Connection reset by peer"),
        ("ECONNRESET", "forcibly closed by the remote host"),
        ("EPIPE", "Broken pipe"),
        ("ENETUNREACH", "Network is unreachable"),
        ("EHOSTUNREACH", "No route to host"),
        ("EHOSTUNREACH", "Host is unreachable"),
        ("ETIMEDOUT", "Connection timed out"),
        ("ETIMEDOUT", "Operation timed out"),
        ("EADDRNOTAVAIL", "Cannot assign requested address"),
        ("EADDRNOTAVAIL", "Can't assign requested address"),
        ("EMFILE", "Too many open files"),
        ("EACCES", "Permission denied"),
        ("EPERM", "Operation not permitted"),
        ("ENOENT", "No such file or directory"),
    )
}
"""The names of system errors, by their messages on the various systems, whose numbers for them differ."""


def _quoted(printed: Printed) -> BaseException | None:
    """Returns the TLS, resolver or system error that an exception's message quotes, as a new exception; else `None`.

    For httpcore's exceptions of a broken connection, without a message, returns an exception of anyio (`_of_anyio`).
    """
    text = printed.message
    return _of_ssl(text) or _of_resolver(text) or _of_system(text) or _of_anyio(printed)


def _of_anyio(printed: Printed) -> BaseException | None:
    """Returns anyio's `BrokenResourceError` if `printed` is one that httpcore raises from it: without a message.

    These are httpcore's `ConnectError`, `ReadError` and `WriteError`. Returns `None` for any other exception.
    """
    silent = printed.root in HTTPCORE and not printed.message
    if silent and printed.name in ("ConnectError", "ReadError", "WriteError"):
        return _imitation(Printed("anyio.BrokenResourceError", ""))
    return None


def _of_ssl(text: str) -> BaseException | None:
    lower = text.lower()
    if "certificate verify failed" in lower or "certificate_verify_failed" in lower:
        return ssl.SSLCertVerificationError(1, text)
    if "EOF occurred in violation of protocol" in text or "UNEXPECTED_EOF_WHILE_READING" in text:
        return ssl.SSLEOFError(8, text)
    if "[SSL" in text or "(_ssl.c:" in text or "[X509" in text:
        return ssl.SSLError(1, text)
    return None


def _of_resolver(text: str) -> BaseException | None:
    name = next((name for words, name in _RESOLVER.items() if words in text), None)
    number = _NUMBER.search(text)
    if name is None and number is not None and number[1] == "Errno" and int(number[2]) < 0:
        return socket.gaierror(int(number[2]), number[3].strip())
    return socket.gaierror(getattr(socket, name, 0), text) if name is not None else None


def _of_system(text: str) -> BaseException | None:
    name = next((name for words, name in _TEXTS.items() if words in text), None)
    number = _NUMBER.search(text)
    if name is not None and (number is not None or "[" in text or text in _TEXTS):
        return OSError(getattr(errno, name), text)
    if number is None:
        return None
    value = abs(int(number[2] or number[4]))
    named = _ELSEWHERE.get(value)
    return OSError(getattr(errno, named) if named is not None else value, number[3] or "")
