"""Actions: what the simulator can do with a request on any listener, as data, and the values that they are made of.

Rule: an action says what the server does, never how; it is a frozen value that can be compared, hashed and changed with
`dataclasses.replace`.

Each action here is an `ExchangeAction`. What needs a listener or an address of its own is in `addresses.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import NoReturn, TypeAlias

from anthropic_otel.simulator import checks
from anthropic_otel.simulator.statuses import BODILESS, error_type_of

Headers: TypeAlias = tuple[tuple[str, str], ...]


def assert_never(value: NoReturn) -> NoReturn:
    """Marks a branch that the type checker proves unreachable; raises `AssertionError` if it is reached.

    Python 3.10 has no `typing.assert_never`.
    """
    raise AssertionError(f"unhandled: {value!r}")


class Encoding(str, Enum):
    """The content encoding of a response body. A 204 and a 304, which have no body, get IDENTITY.

    GZIP and DEFLATE are used only if the request's `accept-encoding` names them, else IDENTITY. BROKEN_GZIP declares
    gzip and sends bytes that are not gzip, whatever the request accepts.
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
    """How a body is sent.

    - `encoding`: the content encoding.
    - `newline`: CR LF, LF or CR; ends the lines of server-sent events, but not of Bedrock's frames and given bytes.
    - `pace`: seconds of pause before each piece of a body. A piece is an event or a chunk of a stream, the last chunk
      of a compressed stream, a whole body, or each half of a whole body that is to break between them.
    - `segment`: the size of the TCP segments in bytes, also of the headers; 0 sends each piece as a whole.
    - `pings`: how many `ping` events are sent before each delta of the simulated API's streams.
    """

    encoding: Encoding = Encoding.IDENTITY
    newline: str = "\n"
    pace: float = 0.0
    segment: int = 0
    pings: int = 0

    def __post_init__(self) -> None:
        """Checks all fields. Raises `TypeError` for a wrong type, `ValueError` for a wrong value."""
        checks.member("encoding", self.encoding, Encoding)
        if checks.text("newline", self.newline) not in ("\r\n", "\n", "\r"):
            raise ValueError(f"newline must be CR LF, LF or CR, not {self.newline!r}")
        checks.number("pace", self.pace)
        checks.whole("segment", self.segment, 0)
        checks.whole("pings", self.pings, 0)


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole, well-formed HTTP response.

    With `status` 200 and neither `error_type` nor `body`, the default, it is the simulated API's answer to the request,
    which may be a refusal such as a 401. Otherwise it has `status` and a body that does not depend on the request, and
    takes one request and no tokens from the rate limits.

    - `error_type`: the body is the API's error object of this type, `message` and `error_code`, or what Bedrock or
      Vertex makes of that on its paths. Default without `body` from status 400 on: the API's for the status, or else
      `invalid_request_error` and, from 500 on, `api_error`.
    - `body`: the body is exactly these bytes, also if there is an `error_type`. For a status from 201 to 399, the
      default without `error_type` is no byte. A 204 and a 304 must have no other body.
    - `content_type`: that of a body that is not a stream; `None` sends no such header.
    - `headers`: sent too, in place of any headers of the same name.
    - `request_id`: `False` leaves out the headers that only the API itself or a platform sends (request id,
      organization, its edge, rate limits) and the request id in an error body, and takes nothing from the rate limits.
    - `delivery`: how the body is sent.
    - `interim`: 1xx statuses of responses without headers that are sent before this one, in that order.
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
        """Checks all fields but `request_id`; sets the defaults of `error_type` and `body`.

        Raises `TypeError` for a wrong type, and `ValueError` for a status that is not from 200 to 999, for a 204 or 304
        with a body, for an interim status that is not from 100 to 199 or is 101, which ends HTTP, for texts that UTF-8
        cannot encode, and for headers that HTTP cannot carry or that say how the body is framed.
        """
        checks.whole("status", self.status, 200, 999)
        checks.instance("interim", self.interim, tuple, "a tuple of statuses")
        for status in self.interim:
            if checks.whole("an interim status", status, 100, 199) == HTTPStatus.SWITCHING_PROTOCOLS:
                raise ValueError("an interim status must not be 101: no response follows it")
        for name in ("error_type", "message", "error_code"):
            if name == "message" or getattr(self, name) is not None:
                checks.text(name, getattr(self, name))
        checks.instance("body", self.body, (bytes, type(None)), "bytes or None")
        checks.content_type(self.content_type)
        checks.headers(self.headers)
        checks.instance("delivery", self.delivery, Delivery, "a Delivery")
        if self.status != 200 and self.error_type is None and self.body is None:
            if self.status < 400:
                object.__setattr__(self, "body", b"")
            else:
                object.__setattr__(self, "error_type", error_type_of(self.status))
        if self.status in BODILESS and self.body != b"":
            raise ValueError(f"a response with status {self.status} has no body: leave out body and error_type")


@dataclass(frozen=True, slots=True)
class Chunks:
    """A 200 response with exactly these bytes as its decoded body, whatever was requested.

    - `chunks`: the body. Each item is one HTTP chunk; an empty one is none, unless its encoding gives it bytes.
    - `content_type`: `None` sends no such header.
    - `ending`: how the body ends after the items. CLEAN sends the last chunk, as HTTP requires; others break the
      connection without it.
    - `delivery`: how the items are sent; `newline` and `pings` are not used. GZIP and DEFLATE add a last chunk, which
      ends the compressed data. BROKEN_GZIP puts a text before each item.
    - `request_id`: as in `Reply`. The response takes nothing from the rate limits in either case.
    """

    chunks: tuple[bytes, ...]
    content_type: str | None = "text/event-stream; charset=utf-8"
    ending: Ending = Ending.CLEAN
    delivery: Delivery = Delivery()
    request_id: bool = True

    def __post_init__(self) -> None:
        """Checks all fields but `request_id`. Raises `TypeError` for a wrong type, also for chunks that are no tuple.

        Raises `ValueError` for a `content_type` that HTTP cannot carry.
        """
        checks.instance("chunks", self.chunks, tuple, "a tuple of bytes")
        for chunk in self.chunks:
            checks.instance("a chunk", chunk, bytes, "bytes")
        checks.content_type(self.content_type)
        checks.member("ending", self.ending, Ending)
        checks.instance("delivery", self.delivery, Delivery, "a Delivery")


@dataclass(frozen=True, slots=True)
class Raw:
    """Reads the request, writes `data` in place of a response, then ends the connection as `ending` says.

    CLEAN is the same as CLOSE.
    """

    data: bytes
    ending: Ending = Ending.CLOSE

    def __post_init__(self) -> None:
        """Raises `TypeError` if `data` is not bytes or `ending` is no `Ending`."""
        checks.instance("data", self.data, bytes, "bytes")
        checks.member("ending", self.ending, Ending)


@dataclass(frozen=True, slots=True)
class Cut:
    """Breaks an exchange at `point`, in the manner of `ending`.

    The other fields are for `Point.BODY` only:

    - `after`: how many pieces of the body are sent first: events of a stream, or halves of any other body. If it has
      no more, all are sent; with `Framing.LENGTH` the body is then whole.
    - `framing`: how the response tells the end of a body that is no stream; streams are always chunked.
    - `reply`: the response whose body breaks, such as an error; `None` is what the API answers.

    CLEAN ends a chunked body in a well-formed way, so it is refused with a `content-length`. At the other points it
    is the same as CLOSE. At `Point.REQUEST` STALL resets the connection after a second; CLOSE resets it at once, and
    GARBAGE after its bytes, if the server has left a part of the body unread.
    """

    point: Point
    ending: Ending
    after: int = 4
    framing: Framing = Framing.CHUNKED
    reply: Reply | None = None

    def __post_init__(self) -> None:
        """Checks all fields. Raises `TypeError` for a wrong type.

        Raises `ValueError` if `after` is negative, and for a CLEAN end of a body that is framed by its length.
        """
        checks.member("point", self.point, Point)
        checks.member("ending", self.ending, Ending)
        checks.member("framing", self.framing, Framing)
        checks.whole("after", self.after, 0)
        checks.instance("reply", self.reply, (Reply, type(None)), "a Reply or None")
        if self.point is Point.BODY and self.ending is Ending.CLEAN and self.framing is Framing.LENGTH:
            raise ValueError("a body with a content-length cannot end cleanly too early: use Framing.CHUNKED")


@dataclass(frozen=True, slots=True)
class ErrorEvent:
    """A stream with status 200 that ends with the API's `error` event, after the first `after` events of a reply.

    `error_type` and `message` are those of the event, and `delivery` says how the stream is sent. The reply's other
    events are not sent. A request that does not ask for a stream, or that the API refuses, gets the API's ordinary
    answer, because the API has error events in streams only.
    """

    error_type: str
    message: str
    after: int = 4
    delivery: Delivery = Delivery()

    def __post_init__(self) -> None:
        """Checks all fields. Raises `TypeError` for a wrong type.

        Raises `ValueError` if `after` is negative, and for a text that UTF-8 cannot encode.
        """
        checks.text("error_type", self.error_type)
        checks.text("message", self.message)
        checks.whole("after", self.after, 0)
        checks.instance("delivery", self.delivery, Delivery, "a Delivery")


@dataclass(frozen=True, slots=True)
class Redirect:
    """Redirects (307) to other paths of the same server, `hops` times in a row, then gives an ordinary reply.

    `hops` is from 1 to 10**9; `None` redirects for ever. A redirect has none of the headers that only the API sends.
    """

    hops: int | None = 1

    def __post_init__(self) -> None:
        """Raises `TypeError` if `hops` is a `bool` or neither `None` nor an `int`, `ValueError` if out of bounds."""
        if self.hops is not None:
            checks.whole("hops", self.hops, 1, 10**9)  # the paths count what is left, in nine digits


ExchangeAction: TypeAlias = Reply | Chunks | Raw | Cut | ErrorEvent | Redirect
"""What any HTTP listener can do with a request. `perform.py` carries it out."""
