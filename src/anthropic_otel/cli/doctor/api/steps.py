"""Records the steps of a request that the transport reports: how long each took, and which one failed.

httpx passes the `trace` extension of a request to httpcore, which calls it at the start and at the end of each step.

Rule: a call may get the request, which contains the key. Of that, only whether its method is CONNECT is kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from anthropic_otel._core.guard import guarded
from anthropic_otel._core.raw_response import peer_of


class Kind(Enum):
    """The kinds of step of a request. The value is the name on the screen."""

    TCP = "TCP"
    PROXY_TLS = "TLS to proxy"
    CONNECT = "CONNECT"
    SOCKS = "SOCKS"
    TLS = "TLS"
    HTTP = "HTTP"


@dataclass(slots=True)
class Step:
    """One step of a request.

    - `hop`: how many redirects came before it.
    - `started`: by `time.perf_counter`; `seconds`: how long it took, `None` while it runs.
    - `failed`: whether the transport reported a failure, or the proxy answered CONNECT with a status other than 2xx.
    - `host`, `port`: what a TCP step connects to; `peer`: the IP address and port of the connection, `None` until there
      is one and if it is not known.
    - `status`: of the response of the proxy (CONNECT) or of the API (HTTP); `None` until there is one.
    - `version`, `issuer`: of a TLS handshake: the protocol's version, and who signed the certificate; empty until it
      has ended, and if not known.

    Other kinds of step have the default values in these fields.
    """

    kind: Kind
    hop: int
    started: float
    host: str = ""
    port: int = 0
    seconds: float | None = None
    failed: bool = False
    peer: tuple[str, int] | None = None
    status: int | None = None
    version: str = ""
    issuer: str = ""

    @property
    def worked(self) -> bool:
        """Whether the step has ended and did not fail."""
        return self.seconds is not None and not self.failed

    def end(self, *, failed: bool = False) -> None:
        """Records that the step ended now, and whether it failed."""
        self.seconds, self.failed = time.perf_counter() - self.started, failed


@dataclass
class Steps:
    """The steps of one request, redirects included. Called with each event of the `trace` extension, it records them.

    - `proxied`: whether the client uses a proxy.
    - `on_tls`: called with httpcore's stream after a TLS handshake that is not with the proxy; `None` for no call. An
      `Exception` that it raises is logged, and the request goes on.
    - `found`: the steps in order.
    - `hop`: how many redirects came before the current request; -1 before the first request.
    """

    proxied: bool = False
    on_tls: Callable[[Any], None] | None = None
    found: list[Step] = field(default_factory=list)
    hop: int = -1

    def listen_to(self, request: Any) -> None:
        """Adds this object to the request's `trace` extension, beside what is there, unless it is there already.

        Counts the request in `hop`. Call it with each request before it is sent, also with those of redirects.
        """
        self.hop += 1
        before = request.extensions.get("trace")
        # The request of a redirect has the extensions of the request before it.
        if not (isinstance(before, _Both) and before.steps is self):
            request.extensions["trace"] = _Both(before, self)

    @property
    def last(self) -> Step | None:
        """The step that began last; `None` if none has begun."""
        return self.found[-1] if self.found else None

    @guarded(None)
    def __call__(self, name: str, info: Mapping[str, Any]) -> None:
        step, _, moment = name.partition(".")[2].partition(".")
        begin, end = _EVENTS.get(step, (None, None))
        if moment == "started" and begin is not None:
            begin(self, name, info)
        elif moment == "complete" and end is not None:
            end(self, info)
        elif moment == "failed" and self.last is not None and self.last.seconds is None:
            self.last.end(failed=True)

    def _begin(self, kind: Kind, **facts: Any) -> None:
        self.found.append(Step(kind, self.hop, time.perf_counter(), **facts))

    def _connect_begins(self, name: str, info: Mapping[str, Any]) -> None:
        self._begin(Kind.TCP, host=_text(info.get("host")), port=int(info.get("port") or 0))

    def _connected(self, info: Mapping[str, Any]) -> None:
        if self.last is not None:
            self.last.peer = peer_of(info.get("return_value"))
            self.last.end()

    def _socks_begins(self, name: str, info: Mapping[str, Any]) -> None:
        self._begin(Kind.SOCKS)

    def _tls_begins(self, name: str, info: Mapping[str, Any]) -> None:
        # httpcore names a handshake by where it happens: on the connection, or inside a proxy's tunnel.
        to_proxy = self.proxied and name.startswith("connection.")
        self._begin(Kind.PROXY_TLS if to_proxy else Kind.TLS)

    def _tls_ends(self, info: Mapping[str, Any]) -> None:
        connection = info["return_value"].get_extra_info("ssl_object")
        if self.last is None:
            return
        self.last.version = str(connection.version() or "")
        self.last.issuer = issuer_of(connection.getpeercert())
        kind = self.last.kind
        self.last.end()
        if self.on_tls is not None and kind is Kind.TLS:
            self.on_tls(info["return_value"])

    def _request_begins(self, name: str, info: Mapping[str, Any]) -> None:
        tunnel = getattr(info.get("request"), "method", None) == b"CONNECT"
        self._begin(Kind.CONNECT if tunnel else Kind.HTTP)

    def _answered(self, info: Mapping[str, Any]) -> None:
        if self.last is not None:
            answer = info.get("return_value")
            self.last.status = int(answer[1] if len(answer) > 2 else answer[0]) if isinstance(answer, tuple) else None
            refused = self.last.kind is Kind.CONNECT and not 200 <= (self.last.status or 0) < 300
            self.last.end(failed=refused)

    def _over(self, info: Mapping[str, Any]) -> None:
        if self.last is not None:
            self.last.end()


@dataclass(frozen=True, slots=True)
class _Both:
    """A `trace` function that calls two others: `library`, which was there before, unless it is `None`, and `steps`."""

    library: Callable[[str, Mapping[str, Any]], None] | None
    steps: Steps

    def __call__(self, name: str, info: Mapping[str, Any]) -> None:
        if self.library is not None:
            self.library(name, info)
        self.steps(name, info)


_Begin = Callable[[Steps, str, Mapping[str, Any]], None]
_End = Callable[[Steps, Mapping[str, Any]], None]
_EVENTS: Final[dict[str, tuple[_Begin | None, _End | None]]] = {
    "connect_tcp": (Steps._connect_begins, Steps._connected),
    "setup_socks5_connection": (Steps._socks_begins, Steps._over),
    "start_tls": (Steps._tls_begins, Steps._tls_ends),
    "send_request_headers": (Steps._request_begins, None),
    "receive_response_headers": (None, Steps._answered),
}
"""What to do at a step's start and end, by the middle part of an event's name like `connection.connect_tcp.started`."""


def issuer_of(certificate: Mapping[str, Any] | None) -> str:
    """Returns who signed a certificate that `getpeercert()` returned: a name of the issuer.

    That is the common name, or else the organizational unit. The organization follows in parentheses, unless it is part
    of that name; without a name, it stands alone. At most 60 characters, unprintable ones as `?`; empty if unknown, and
    for `None`.
    """
    names = dict(pair for group in (certificate or {}).get("issuer", ()) for pair in group)
    common = names.get("commonName") or names.get("organizationalUnitName") or ""
    whose = names.get("organizationName") or ""
    text = f"{common} ({whose})" if common and whose and whose not in common else common or whose
    return "".join(character if character.isprintable() else "?" for character in text)[:60]


def _text(value: object) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value or "")
