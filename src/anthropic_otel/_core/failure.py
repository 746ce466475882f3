"""Holds the exceptions of one failure, and tells from them in which phase the network failed.

Rule: classes are compared by name, and functions of a traceback too, as the libraries are not dependencies.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from anthropic_otel._core.cause_chain import by_class, frames, is_a, root
from anthropic_otel._core.semconv import Phase


@dataclass(frozen=True)
class Failure:
    """A send that raised, or a response body whose reading raised.

    - `errors`: the exception and those that caused it, outermost first, as by `cause_chain.chain`. Never empty.
    - `phase`: the phase that was under way, by the transport's trace events or what else shows it; `None` if it is not
      known. `AUTH` if credentials were being fetched.
    """

    errors: tuple[BaseException, ...]
    phase: Phase | None

    def has(self, *names: str) -> bool:
        """Returns whether one of `errors` is an instance of a class in `names`, or of a subclass of one.

        A name is `package.Class`, such as `httpx.ReadError`; see `cause_chain.is_a`.
        """
        return any(is_a(error, *names) for error in self.errors)

    @property
    def sent_whole(self) -> bool:
        """Whether the request is known to have been sent whole: `phase` is `WAIT` or `RECEIVE`.

        An answer need not have come.
        """
        return self.phase in (Phase.WAIT, Phase.RECEIVE)

    @property
    def network_phase(self) -> Phase | None:
        """The phase in which the network failed, `None` if it is unknown.

        This is `phase`, or `own_phase` if `phase` is `None` or `AUTH`: in `AUTH` the request for credentials failed,
        and the exceptions show its phase.
        """
        return self.own_phase if self.phase in (None, Phase.AUTH) else self.phase

    @property
    def is_before_proxy(self) -> bool:
        """Whether one of `errors` was raised while aiohttp or python_socks connected to a proxy or asked it to connect.

        By the traceback. `False` for httpcore, whose trace events tell it.
        """
        return any(
            step == called and step in _BEFORE_PROXY and inner in _BEFORE_PROXY[step].get(function, ())
            for error in self.errors
            for (step, function), (called, inner) in itertools.pairwise(frames(error))
        )

    @property
    def own_phase(self) -> Phase | None:
        """The phase that the classes of `errors` show, or else their tracebacks; `None` if neither does.

        `phase` is ignored. The result is `POOL`, `CONNECT`, `TLS` or `SEND`: `errors` show no other phase. It is
        `CONNECT` for a TLS handshake that aiohttp makes by itself, and `TLS` for one that aiohttp_socks makes.
        """
        if any(root(type(error)) == "aiohttp" for error in self.errors):
            if self.has("aiohttp.ClientConnectionResetError"):
                # Raised only where a request is written.
                return Phase.SEND
            # The aiohttp transport raises httpx's exceptions of connecting for later failures too.
            shown = Phase.CONNECT if self.has(*_AIOHTTP_CONNECTING) else None
        else:
            shown = next(filter(None, (by_class(error, _PHASES) for error in self.errors)), None)
        if shown is not None:
            return shown
        if self.is_before_proxy:
            return Phase.CONNECT
        in_handshake = any(function in _HANDSHAKES for error in self.errors for _, function in frames(error))
        return Phase.TLS if in_handshake else None


_HANDSHAKES: Final = ("start_tls", "do_handshake")
"""The names of the functions, of any library, that make a TLS handshake."""

_PHASES: Final = {
    "httpx": {
        Phase.POOL: "PoolTimeout",
        Phase.CONNECT: "ConnectTimeout ConnectError ProxyError",
        Phase.SEND: "WriteTimeout WriteError",
    },
    "platform": {
        Phase.CONNECT: "ProxyError NewConnectionError ConnectTimeout ConnectTimeoutError EndpointConnectionError",
    },
    "socks": {Phase.CONNECT: "SOCKSError ProxyError ProxyConnectionError ProxyTimeoutError"},
}

_AIOHTTP_CONNECTING: Final = (
    "aiohttp.ClientConnectorError",
    "aiohttp.ClientHttpProxyError",
    "aiohttp.ConnectionTimeoutError",
    "aiohttp.ServerFingerprintMismatch",
)
"""The exceptions that aiohttp raises before it has a connection."""

BY_PROXY: Final = {"_create_proxy_connection": ("_create_direct_connection", "send", "start")}
"""aiohttp's function for a connection through a proxy: those that it calls to connect to the proxy and to ask it."""
_BEFORE_PROXY: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "aiohttp": BY_PROXY,
    "python_socks": dict.fromkeys(("connect", "_connect"), ("connect", "connect_tcp")),
}
