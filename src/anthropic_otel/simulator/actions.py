"""Actions: what the simulator can do with a request, as data.

Rule: an action says what the server does, never how; it is a frozen value that can be compared, hashed and changed with
`dataclasses.replace`.

`Action` is a closed union. `perform.py` carries out `ExchangeAction`, which any HTTP listener can do; `endpoints.py`
carries out `AddressAction`, which needs a listener or an address of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, NoReturn, TypeAlias

from anthropic_otel.simulator import checks

Headers: TypeAlias = tuple[tuple[str, str], ...]


def assert_never(value: NoReturn) -> NoReturn:
    """Marks a branch that the type checker proves unreachable; raises `AssertionError` if it is reached.

    Python 3.10 has no `typing.assert_never`.
    """
    raise AssertionError(f"unhandled: {value!r}")


class Encoding(str, Enum):
    """The content encoding of a response body.

    GZIP and DEFLATE are used only if the request accepts them, else IDENTITY. BROKEN_GZIP always declares gzip and
    sends bytes that are not gzip.
    """

    IDENTITY = "identity"
    GZIP = "gzip"
    DEFLATE = "deflate"
    BROKEN_GZIP = "broken gzip"


class Framing(str, Enum):
    """How a response tells the client where its body ends: by `content-length`, or by chunked transfer encoding."""

    LENGTH = "content-length"
    CHUNKED = "chunked"


class Point(str, Enum):
    """How far a request and its response get before the exchange breaks."""

    REQUEST = "the request's head has been read, its body has not"
    HEADERS = "the whole request has been read, nothing has been sent"
    BODY = "the response's headers and a part of its body have been sent"


class Ending(str, Enum):
    """How a connection, an exchange or a TLS handshake ends."""

    RESET = "a TCP RST"
    CLOSE = "a TCP FIN"
    STALL = "silence, with the connection held open"
    GARBAGE = "bytes that are not of the protocol"
    CLEAN = "a well-formed end of the body, too early"


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a body is sent; nothing here changes its decoded content.

    - `encoding`: the content encoding.
    - `newline`: the line ending of server-sent events.
    - `pace`: seconds of pause before each event of a stream, or before another body.
    - `segment`: the size of the TCP segments in bytes; 0 sends each event as a whole.
    - `pings`: how many `ping` events are sent before each delta of a stream.
    """

    encoding: Encoding = Encoding.IDENTITY
    newline: str = "\n"
    pace: float = 0.0
    segment: int = 0
    pings: int = 0


_ERROR_TYPES: Final = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""The API's error types by status; the others are `invalid_request_error` below 500, and `api_error`."""


def _error_type(status: int) -> str:
    return _ERROR_TYPES.get(status) or ("invalid_request_error" if status < 500 else "api_error")


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole, well-formed HTTP response.

    - `status`: 200 without `error_type` and `body` is what the simulated API answers to the request.
    - `error_type`: sends the API's error body, with this type, `message` and `error_code`. From status 400 on, without
      `body`, the default is the type that the API has for the status.
    - `body`: sends these bytes instead, with `content_type` (`None`: no such header). The default for the statuses 201
      to 399 is no byte.
    - `headers`: replace headers of the same name that would be sent.
    - `request_id`: `False` leaves out the headers that only the API itself sends, the request id among them.
    - `interim`: 1xx statuses to send before the response.
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
        """Raises `TypeError` or `ValueError` if `status`, `error_type`, `message` or `body` is not valid."""
        checks.whole("status", self.status, 200, 999)
        if not isinstance(self.error_type, (str, type(None))) or not isinstance(self.message, str):
            raise TypeError(f"error_type and message must be text, not {self.error_type!r} and {self.message!r}")
        if not isinstance(self.body, (bytes, type(None))):
            raise TypeError(f"body must be bytes, not {self.body!r}")
        if self.status != 200 and self.error_type is None and self.body is None:
            if self.status < 400:
                object.__setattr__(self, "body", b"")
            else:
                object.__setattr__(self, "error_type", _error_type(self.status))


@dataclass(frozen=True, slots=True)
class Chunks:
    """A 200 response with exactly these bytes as its body, whatever was requested; each item is one HTTP chunk.

    `content_type` `None` sends no such header. `ending` is how the body ends: CLEAN sends the last chunk, as HTTP
    requires.
    """

    chunks: tuple[bytes, ...]
    content_type: str | None = "text/event-stream; charset=utf-8"
    ending: Ending = Ending.CLEAN
    delivery: Delivery = Delivery()
    request_id: bool = True


@dataclass(frozen=True, slots=True)
class Raw:
    """Writes `data` to the connection in place of a response, then ends the connection as `ending` says."""

    data: bytes
    ending: Ending = Ending.CLOSE


@dataclass(frozen=True, slots=True)
class Cut:
    """Breaks an exchange at `point`, in the manner of `ending`.

    For `Point.BODY`, `after` counts the pieces of the body that are sent first: events of a stream, or halves of any
    other body. `framing` is that of a body that is no stream; streams are always chunked. `reply` is the response whose
    body breaks, such as an error; `None` is what the API answers.
    """

    point: Point
    ending: Ending
    after: int = 4
    framing: Framing = Framing.CHUNKED
    reply: Reply | None = None


@dataclass(frozen=True, slots=True)
class ErrorEvent:
    """A stream with status 200 that ends in the API's `error` event, sent after `after` events of an ordinary reply.

    A request without `"stream": true` gets an ordinary reply, because the API has error events in streams only.
    """

    error_type: str
    message: str
    after: int = 4
    delivery: Delivery = Delivery()


@dataclass(frozen=True, slots=True)
class Redirect:
    """Redirects (307) to the same server `hops` times, then gives an ordinary reply.

    `hops` `None` redirects for ever.
    """

    hops: int | None = 1


class Place(Enum):
    """Addresses at which no server can be reached. Only the name look-up leaves this machine."""

    UNKNOWN_NAME = "a host name that does not exist"
    REFUSED = "a port that nothing listens on"
    UNREACHABLE = "an address that the kernel has no route to"
    FULL_BACKLOG = "a listener that accepts no connection and whose backlog is full"


@dataclass(frozen=True, slots=True)
class Address:
    """A base URL at which no server can be reached."""

    place: Place


class Certificate(Enum):
    """The certificate that a TLS listener presents."""

    TRUSTED = "signed by the CA of `Endpoint.ca_file`"
    UNTRUSTED = "signed by a CA that the client does not know"
    WRONG_HOST = "signed by that CA, but for another host name"
    EXPIRED = "signed by that CA, but expired"
    NOT_YET = "signed by that CA, but valid from tomorrow on"


@dataclass(frozen=True, slots=True)
class Tls:
    """An https listener with that certificate; `then` is the action for each request after its handshake.

    With `client_certificate` it demands a certificate from the client during the handshake.
    """

    certificate: Certificate
    then: Reply | Cut | Raw = Reply()
    client_certificate: bool = False


@dataclass(frozen=True, slots=True)
class Handshake:
    """An https address that breaks the TLS handshake in the manner of `ending`, after the ClientHello.

    GARBAGE answers as a plain HTTP server would. `alert`, if given, is the number (RFC 8446) of a fatal TLS alert that
    is sent first.
    """

    ending: Ending
    alert: int | None = None


class ProxyAnswer(Enum):
    """What a client gets from the proxy in place of a connection to its target."""

    REFUSED = "nothing listens at the proxy's address"
    UNAUTHORIZED = "407 Proxy Authentication Required"
    FORBIDDEN = "403 Forbidden"
    BAD_GATEWAY = "502 Bad Gateway"
    NOTHING = "a TCP FIN without an answer"
    GARBAGE = "bytes that are not HTTP"
    NOT_ALLOWED = "the SOCKS reply 2, connection not allowed by ruleset"
    UNKNOWN_NAME = "the proxy's host name does not exist"


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that never connects the client to its target.

    `scheme` is that of the proxy's URL; `target` is that of the base URL that the client asks the proxy for.
    """

    answer: ProxyAnswer
    scheme: str = "http"
    target: str = "https"


ExchangeAction: TypeAlias = Reply | Chunks | Raw | Cut | ErrorEvent | Redirect


@dataclass(frozen=True, slots=True)
class Detour:
    """A redirect with `status` to another host or port, and what the client meets there (`to`).

    The redirect's own response has the API's request id.
    """

    to: Place | ExchangeAction
    status: int = 307


AddressAction: TypeAlias = Address | Tls | Handshake | Proxy | Detour
Action: TypeAlias = ExchangeAction | AddressAction
