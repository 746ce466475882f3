"""What four observers of one call may say of it together: the table, and the exceptions to it.

Rule: a row is data. Whatever is not in the table is a contradiction; what has to be allowed beside it is an exception
with its reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from anthropic_otel._core.semconv import AttemptOutcome, CallOutcome
from support.versions import ROUTES_FRAMES


class App(Enum):
    """What the app got in the end."""

    ANSWERED = "the answer: a message, or a stream up to `message_stop`"
    ODD = "something else than an answer, and no exception: a page, a stream without `message_stop`"
    REFUSED = "a status that the SDK raises for"
    EVENT = "the API's error from inside a response of 200"
    UNANSWERED = "the error of a connection, raised by the method"
    BROKEN = "the error of a connection, raised while it read the body"
    UNREADABLE = "another exception: what came cannot be used"
    LEFT = "a part of a stream: it stopped reading"
    UNREAD = "a response, of which it read nothing"


class Server(Enum):
    """How far the server came with a request."""

    UNREACHED = "no request has come"
    HALF_ASKED = "a part of the request has come"
    SILENT = "the request has come, and nothing was answered"
    CUT = "a part of a 2xx was sent"
    SENT = "a whole 2xx was sent"
    REFUSED = "3xx, 4xx or 5xx was sent"
    CLIENT_LEFT = "the client closed before the answer was sent"
    RAW = "bytes were sent that are no well-formed response"


class Error(Enum):
    """The kind of an attempt's `error.type`."""

    NONE = "none"
    STATUS = "a status"
    EVENT = "the API's word in an `error` event"
    NETWORK = "the cause in the network"
    CONTENT = "a 2xx that is no answer, or a stream that is not whole"
    CLIENT = "the client itself could not do it"


class Span(Enum):
    """The status of the call's span: the SDK's own where the SDK makes one, else ours."""

    OK = "no error"
    ERROR = "an error"


class Log(Enum):
    """The level of an attempt's log record."""

    NONE = "no record"
    INFO = "INFO: it is retried"
    WARNING = "WARNING: the call fails with it"


@dataclass(frozen=True)
class Row:
    """What may come together. `last` and `error` are of the call's last attempt; a tuple is any of its words.

    `only` are the attempt's `error.type`s that the row is for, empty for any; `why` is the reason of a row that would
    surprise.
    """

    app: App
    server: tuple[Server, ...]
    last: AttemptOutcome
    error: tuple[Error, ...]
    call: tuple[CallOutcome, ...]
    span: tuple[Span, ...]
    log: Log
    only: tuple[str, ...] = ()
    why: str = ""


_WELL: Final = (CallOutcome.SUCCEEDED, CallOutcome.RECOVERED)
_GONE: Final = (CallOutcome.ABANDONED,)
_FAIL: Final = (CallOutcome.FAILED,)
_OVER: Final = (CallOutcome.FAILED, CallOutcome.EXHAUSTED)
_LOST: Final = (Server.UNREACHED, Server.HALF_ASKED, Server.SILENT, Server.CUT, Server.CLIENT_LEFT, Server.RAW)
_CAME: Final = (Server.SENT, Server.CUT, Server.CLIENT_LEFT, Server.RAW)
_GOOD: Final = (Server.SENT, Server.RAW)
_SAID: Final = (Server.REFUSED, Server.RAW)
_NONE, _STATUS, _EVENT, _CLIENT = (Error.NONE,), (Error.STATUS,), (Error.EVENT,), (Error.CLIENT,)
_NET, _BODY = (Error.NETWORK,), (Error.CONTENT, Error.NETWORK)
_OK, _ERROR, _SILENCE, _WARNING = (Span.OK,), (Span.ERROR,), Log.NONE, Log.WARNING
_A: Final = AttemptOutcome

TABLE: Final = (
    #   app saw         server saw           last attempt  of kind  call   its span  last record
    Row(App.ANSWERED,   _GOOD,               _A.COMPLETED, _NONE,   _WELL, _OK,      _SILENCE),
    Row(App.UNREAD,     _CAME,               _A.ABANDONED, _NONE,   _GONE, _OK,      _SILENCE),
    Row(App.LEFT,       _CAME,               _A.ABANDONED, _NONE,   _GONE, _OK,      _SILENCE),
    Row(App.REFUSED,    _SAID,               _A.FAILED,    _STATUS, _OVER, _ERROR,   _WARNING),
    Row(App.EVENT,      _CAME,               _A.FAILED,    _EVENT,  _FAIL, _ERROR,   _WARNING),
    Row(App.ODD,        _GOOD,               _A.FAILED,    _BODY,   _FAIL, _ERROR,   _WARNING),
    Row(App.UNREADABLE, _CAME,               _A.FAILED,    _BODY,   _OVER, _ERROR,   _WARNING),
    Row(App.BROKEN,     _CAME,               _A.FAILED,    _NET,    _FAIL, _ERROR,   _WARNING),
    Row(App.UNANSWERED, _LOST,               _A.FAILED,    _NET,    _OVER, _ERROR,   _WARNING),
    Row(App.UNANSWERED, (Server.UNREACHED,), _A.FAILED,    _CLIENT, _OVER, _ERROR,   _WARNING),

    Row(App.ANSWERED,   (Server.CLIENT_LEFT,), _A.COMPLETED, _NONE, _WELL, _OK, _SILENCE,
        why="`message_stop` is the end for the app, which need not wait for that of the body."),
    Row(App.LEFT, _CAME, _A.COMPLETED, _NONE, _WELL, _OK, _SILENCE,
        why="One read of the connection may bring the end of a stream before the app has taken its first event."),
    Row(App.LEFT, _CAME, _A.FAILED, _EVENT, _FAIL, (*_OK, *_ERROR), _WARNING,
        why="One read may bring the `error` event too; the SDK's span has what the app took."),
    Row(App.LEFT, _CAME, _A.FAILED, _BODY, _FAIL, (*_OK, *_ERROR), _WARNING, only=("invalid_event",),
        why="One read may bring an event that cannot be decoded, too."),
    Row(App.BROKEN, _CAME, _A.FAILED, _NET, _FAIL, (*_OK, *_ERROR), _WARNING, only=("decoding_error",),
        why="httpx2 closes a body before it raises what its decoder met, and the SDK's span ends with that."),
    Row(App.UNANSWERED, (Server.SENT,), _A.FAILED, _NET, _OVER, _ERROR, _WARNING, only=("decoding_error",),
        why="That a body is not encoded as its headers say is seen by the client alone."),
    Row(App.UNANSWERED, (Server.REFUSED,), _A.FAILED, _NET, _OVER, _ERROR, _WARNING, only=("too_many_redirects",),
        why="The last 3xx of a loop is no answer: the client gives up with an exception."),
    Row(App.UNANSWERED, (Server.REFUSED,), _A.FAILED, _STATUS, _OVER, _ERROR, _WARNING,
        why="A status that is the failure wins over the exception that its unread body, or a transport, ended in."),
    Row(App.REFUSED, (Server.UNREACHED,), _A.FAILED, _STATUS, _OVER, _ERROR, _WARNING, only=("407",),
        why="A proxy has answered in the server's place."),
    Row(App.ODD, _GOOD, _A.FAILED, _BODY, _FAIL, _OK, _WARNING, only=("unexpected_content",),
        why="A 2xx that is no answer is handed to the app as it is; the SDK's span knows no error."),
    Row(App.ODD, _GOOD, _A.FAILED, _EVENT, (), (), _WARNING, only=("_OTHER",),
        why="Without the SDK: by the standard of server-sent events one without data is none. To the SDK it is one."),
    Row(App.UNREADABLE, _GOOD, _A.FAILED, _BODY, _FAIL, _OK, _WARNING, only=("unexpected_content",),
        why="The app itself fails to parse a raw response that is no answer, when the SDK's span has ended."),
    Row(App.UNREADABLE, (Server.SENT,), _A.FAILED, _EVENT, _FAIL, _ERROR, _WARNING, only=("rate_limit_error",),
        why="Bedrock names the exception in a frame's headers; the SDK fails to decode what the frame says of it."),
    Row(App.UNREADABLE, _CAME, _A.COMPLETED, _NONE, _WELL, _ERROR, _SILENCE,
        why="After `message_stop` a stream is complete, also where the SDK fails to decode what a gateway adds to it."),
    Row(App.UNREADABLE, (Server.UNREACHED,), _A.FAILED, _NET, _OVER, _ERROR, _WARNING, only=("proxy_error",),
        why="httpx passes on what socksio raises for a proxy that does not speak SOCKS, as it is."),
    Row(App.UNREADABLE, (Server.UNREACHED,), _A.FAILED, _NET, _OVER, _ERROR, _WARNING, only=("protocol_error",),
        why="The aiohttp transport passes on what aiohttp raises for a proxy that does not speak HTTP, as it is."),
    Row(App.UNANSWERED, (Server.REFUSED,), _A.FAILED, _NET, _OVER, _ERROR, _WARNING,
        why="A redirect was followed, and the network failed after it: to a host that is no server of the table."),
    *(() if ROUTES_FRAMES else (
        Row(app, _GOOD, _A.FAILED, _EVENT, _FAIL, _ERROR, _WARNING,
            why="`messages.stream()` of an SDK that does not look into `chunk` frames drops the API's error in one.")
        for app in (App.ODD, App.ANSWERED)
    )),
)  # fmt: skip
"""What may come together at the end of a call. RAW is allowed with much: no server knows what such bytes pass for."""


@dataclass(frozen=True)
class Retried:
    """What may come together in an attempt that another one follows."""

    server: tuple[Server, ...]
    outcome: AttemptOutcome
    error: tuple[Error, ...]
    log: Log
    only: tuple[str, ...] = ()
    why: str = ""


RETRIED: Final = (
    #       server saw  attempt    of kind  its record
    Retried(_SAID,      _A.FAILED, _STATUS, Log.INFO),
    Retried(_LOST,      _A.FAILED, _NET,    Log.INFO),
    Retried((Server.SENT,), _A.FAILED, _NET, Log.INFO, only=("decoding_error",),
            why="That a body is not encoded as its headers say is seen by the client alone."),
    Retried((Server.REFUSED,), _A.FAILED, _NET, Log.INFO, only=("too_many_redirects",),
            why="The last 3xx of a loop is no answer: the client gives up with an exception."),
    Retried((Server.REFUSED,), _A.FAILED, _NET, Log.INFO,
            why="A redirect was followed, and the network failed after it."),
)  # fmt: skip
"""What may come together before the end of a call."""
