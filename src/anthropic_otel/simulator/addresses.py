"""Actions that need an address of their own: places without a server, TLS, proxies and redirects elsewhere, as data.

Rule: as in `actions.py`, an action is a frozen value that says what the server does, never how.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias, get_args

from anthropic_otel.simulator import checks
from anthropic_otel.simulator.actions import Cut, Ending, ExchangeAction, Raw, Reply

_ANSWER: Final = Reply()


class Place(Enum):
    """Addresses at which no server can be reached. Only the name look-up leaves this machine."""

    UNKNOWN_NAME = "a host name that does not exist"
    REFUSED = "a port that nothing listens on"
    UNREACHABLE = "an address that the kernel has no route to"
    FULL_BACKLOG = "a listener that accepts no connection and whose backlog is full"


@dataclass(frozen=True, slots=True)
class Address:
    """Stands for a base URL at which no server can be reached; `place` is why none can."""

    place: Place

    def __post_init__(self) -> None:
        """Raises `TypeError` if `place` is no `Place`."""
        checks.member("place", self.place, Place)


class Certificate(Enum):
    """The certificate that a TLS listener presents."""

    TRUSTED = "signed by the CA of `Endpoint.ca_file`"
    UNTRUSTED = "signed by another CA, which the client does not know"
    WRONG_HOST = "as TRUSTED, but for another host name"
    EXPIRED = "as TRUSTED, but expired yesterday"
    NOT_YET = "as TRUSTED, but valid from tomorrow on"


@dataclass(frozen=True, slots=True)
class Tls:
    """An https listener with that certificate; `then` is the action for each request after its handshake.

    With `client_certificate` the handshake fails unless the client shows a certificate of the CA of `Endpoint.ca_file`,
    and TLS is 1.2 at most.
    """

    certificate: Certificate
    then: Reply | Cut | Raw = _ANSWER
    client_certificate: bool = False

    def __post_init__(self) -> None:
        """Raises `TypeError` if `certificate` is no `Certificate`, or `then` no action of an exchange."""
        checks.member("certificate", self.certificate, Certificate)
        checks.instance("then", self.then, get_args(ExchangeAction), "an action, such as Reply()")


@dataclass(frozen=True, slots=True)
class Handshake:
    """An https address that breaks the TLS handshake in the manner of `ending`, after it has read the ClientHello.

    GARBAGE answers as a plain HTTP server would, with a 400. `alert` is the number (RFC 8446) of a fatal TLS alert that
    is sent first; `None` sends none.
    """

    ending: Ending
    alert: int | None = None

    def __post_init__(self) -> None:
        """Raises `TypeError` for a wrong type, and `ValueError` for an alert that is not from 0 to 255."""
        checks.member("ending", self.ending, Ending)
        if self.alert is not None:
            checks.whole("alert", self.alert, 0, 255)


class ProxyAnswer(Enum):
    """What a client gets from the proxy in place of a connection to its target."""

    REFUSED = "nothing listens at the proxy's address"
    UNAUTHORIZED = "407 Proxy Authentication Required"
    FORBIDDEN = "403 Forbidden"
    BAD_GATEWAY = "502 Bad Gateway"
    NOTHING = "a TCP FIN without an answer"
    SILENCE = "no answer, on a connection that stays open"
    GARBAGE = "bytes that are not HTTP"
    NOT_ALLOWED = "the SOCKS reply 2, connection not allowed by ruleset"
    UNKNOWN_NAME = "the proxy's host name does not exist"


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that never connects the client to its target, and gives it `answer` instead.

    `scheme` is the scheme of the proxy's URL; `target` is the scheme of the base URL that the client asks the proxy
    for.
    """

    answer: ProxyAnswer
    scheme: str = "http"
    target: str = "https"

    def __post_init__(self) -> None:
        """Raises `TypeError` if `answer` is no `ProxyAnswer` or a scheme no text.

        Raises `ValueError` for a scheme that UTF-8 cannot encode.
        """
        checks.member("answer", self.answer, ProxyAnswer)
        checks.text("scheme", self.scheme)
        checks.text("target", self.target)


@dataclass(frozen=True, slots=True)
class Detour:
    """A redirect with `status` to `/v1/messages` at another host or port, and what the client meets there (`to`).

    The response with the redirect has the API's request id, also where `to` is a place without a server.
    """

    to: Place | ExchangeAction
    status: int = 307

    def __post_init__(self) -> None:
        """Raises `TypeError` for a wrong type, and `ValueError` for a status that is not from 300 to 399."""
        checks.instance("to", self.to, (Place, *get_args(ExchangeAction)), "a Place, or an action such as Reply()")
        checks.whole("status", self.status, 300, 399)


AddressAction: TypeAlias = Address | Tls | Handshake | Proxy | Detour
"""What needs a listener or an address of its own. `endpoints.py` carries it out."""
Action: TypeAlias = ExchangeAction | AddressAction
