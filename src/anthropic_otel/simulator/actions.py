"""What the simulator can do to a request, as data.

Rule: an action says what the server does, never how; it is a frozen value that can be compared, hashed and
replaced field by field. `Action` is a closed union: `perform.py` carries out the first half of it (what can befall a
request on any HTTP listener), `endpoints.py` the second half (what needs an address of its own).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NoReturn, TypeAlias

from anthropic_otel.simulator import checks

Headers: TypeAlias = tuple[tuple[str, str], ...]


def assert_never(value: NoReturn) -> NoReturn:
    """Close a union: the type checker proves that this is never reached. Python 3.10 has none of its own."""
    raise AssertionError(f"unhandled: {value!r}")


class Encoding(str, Enum):
    """How a body is encoded: only for a client that accepts it, but for the broken one, which is always sent."""

    IDENTITY = "identity"
    GZIP = "gzip"
    DEFLATE = "deflate"
    BROKEN_GZIP = "broken gzip"


class Framing(str, Enum):
    """How the end of a body is told to the client."""

    LENGTH = "content-length"
    CHUNKED = "chunked"


class Point(str, Enum):
    """How far an exchange gets before it breaks."""

    REQUEST = "the request head has come, its body has not been read"
    HEADERS = "the whole request has come, nothing has been answered"
    BODY = "the response's headers and a part of its body have been sent"


class Ending(str, Enum):
    """How an exchange or a handshake breaks."""

    RESET = "a TCP RST"
    CLOSE = "a TCP FIN"
    STALL = "silence, with the connection held open"
    GARBAGE = "bytes that are not of the protocol"
    CLEAN = "a well-formed end of the body, too early"


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a body travels: it never changes what the body says.

    `pace` is the pause before each event in seconds; `segment` the size of the TCP segments in bytes, 0 for one
    segment an event; `pings` is how many `ping` events come before each delta of a stream.
    """

    encoding: Encoding = Encoding.IDENTITY
    newline: str = "\n"
    pace: float = 0.0
    segment: int = 0
    pings: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole, well-formed HTTP response.

    With neither `error_type` nor `body` it is what the API answers to that request, and `status` is the API's own.
    With `error_type` it is the API's error body. With `body` it is that body, of that `content_type`. `headers` replace
    those of the same name that would be sent. `request_id` False leaves out all headers that only the API itself sends.
    """

    status: int = 200
    error_type: str | None = None
    message: str = ""
    body: bytes | None = None
    content_type: str | None = "application/json"
    headers: Headers = ()
    request_id: bool = True
    delivery: Delivery = Delivery()
    error_code: str | None = None
    interim: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Raises `TypeError` or `ValueError` for what can be no response."""
        checks.whole("status", self.status, 200, 999)
        if not isinstance(self.error_type, (str, type(None))) or not isinstance(self.message, str):
            raise TypeError(f"error_type and message must be text, not {self.error_type!r} and {self.message!r}")
        if not isinstance(self.body, (bytes, type(None))):
            raise TypeError(f"body must be bytes, not {self.body!r}")


@dataclass(frozen=True, slots=True)
class Chunks:
    """A body that is exactly these bytes, whatever the request asked for; each item is an HTTP chunk of its own.

    `content_type` `None` sends no such header. `ending` is what comes after them: CLEAN is the end that HTTP wants.
    """

    chunks: tuple[bytes, ...]
    content_type: str | None = "text/event-stream; charset=utf-8"
    ending: Ending = Ending.CLEAN
    delivery: Delivery = Delivery()
    request_id: bool = True


@dataclass(frozen=True, slots=True)
class Raw:
    """These bytes on the connection in the place of a response, and then `ending`."""

    data: bytes
    ending: Ending = Ending.CLOSE


@dataclass(frozen=True, slots=True)
class Cut:
    """An exchange that breaks at `point`, in the way of `ending`.

    `after` counts the pieces of a body that are sent before: events of a stream, or halves of another body. `framing`
    applies to other bodies than streams, which are always chunked.
    """

    point: Point
    ending: Ending
    after: int = 4
    framing: Framing = Framing.CHUNKED


@dataclass(frozen=True, slots=True)
class ErrorEvent:
    """A stream that begins with status 200 and then has the API's `error` event, after `after` events.

    A request that asks for no stream gets an ordinary reply: the API has no such thing for it.
    """

    error_type: str
    message: str
    after: int = 4
    delivery: Delivery = Delivery()


@dataclass(frozen=True, slots=True)
class Redirect:
    """A 307 to the same server, `hops` times and then an ordinary reply. `hops` None redirects for ever."""

    hops: int | None = 1


class Place(Enum):
    """Addresses at which nobody can be reached. But for the look-up of a name, nothing leaves the machine."""

    UNKNOWN_NAME = "a host name that does not exist"
    REFUSED = "a port that nobody listens on"
    UNREACHABLE = "an address that the kernel has no way to"
    FULL_BACKLOG = "a listener that accepts nobody, its backlog full"


@dataclass(frozen=True, slots=True)
class Address:
    """A base URL at which no server answers."""

    place: Place


class Certificate(Enum):
    """The certificate that a TLS listener shows."""

    TRUSTED = "signed by the CA that the client is told to trust"
    UNTRUSTED = "signed by a CA that the client does not know"
    WRONG_HOST = "trusted, but for another host name"
    EXPIRED = "trusted once, expired since"
    NOT_YET = "trusted from tomorrow on"


@dataclass(frozen=True, slots=True)
class Tls:
    """An https server, and what befalls requests that get through its handshake.

    `client_certificate` is whether it asks, within the handshake, for a certificate of the client's, which has none.
    """

    certificate: Certificate
    then: Reply | Cut | Raw = Reply()
    client_certificate: bool = False


@dataclass(frozen=True, slots=True)
class Handshake:
    """An https address at which the TLS handshake goes no further than `ending`. GARBAGE is a plain HTTP server.

    `alert` is the number of a fatal TLS alert that is sent before, as RFC 8446 has it.
    """

    ending: Ending
    alert: int | None = None


class ProxyAnswer(Enum):
    """What a client meets that goes through the proxy."""

    REFUSED = "nobody listens at the proxy's address"
    UNAUTHORIZED = "407 Proxy Authentication Required"
    FORBIDDEN = "403 Forbidden"
    BAD_GATEWAY = "502 Bad Gateway"
    NOTHING = "a TCP FIN without an answer"
    GARBAGE = "bytes that are not HTTP"
    NOT_ALLOWED = "the SOCKS reply 2, connection not allowed by ruleset"
    UNKNOWN_NAME = "the proxy's host name does not exist"


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that does not let the client through. `scheme` is the proxy's, `target` that of the URL behind it."""

    answer: ProxyAnswer
    scheme: str = "http"
    target: str = "https"


ExchangeAction: TypeAlias = Reply | Chunks | Raw | Cut | ErrorEvent | Redirect


@dataclass(frozen=True, slots=True)
class Detour:
    """A redirect to another host or port, and what the client meets there. The redirect itself has a request id."""

    to: Place | ExchangeAction
    status: int = 307


AddressAction: TypeAlias = Address | Tls | Handshake | Proxy | Detour
Action: TypeAlias = ExchangeAction | AddressAction
