"""Chooses the `error.type` of a call: the word that the SDK's own span uses, so that both agree.

It also finds out what an exception of the SDK tells besides: whether it asks for a retry, which response it is for, and
whether it comes from parsing, from a backoff or from an event. The API's own error types are listed in `semconv`. The
`error.type` of an attempt is in `ending`.

Rule: the words and their order are those of `error_type` in the SDK's `_tracing.py` (1.14 and later), held by a
contract test. One thing differs: the word is on a metric too, so a type that is documented neither for the API nor for
Bedrock is replaced by the status, or by `_OTHER`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from anthropic_otel._core.cause_chain import CLIENTS, SDK_OR_CLIENTS, chain, frames, is_a, raised_in, root
from anthropic_otel._core.event_json import member
from anthropic_otel._core.guard import guarded
from anthropic_otel._core.headers import should_retry
from anthropic_otel._core.semconv import (
    API_ERROR_TYPES,
    BEDROCK_EXCEPTIONS,
    INVALID_EVENT,
    OTHER,
    UNEXPECTED_CONTENT,
    NetworkCause,
)
from anthropic_otel._core.stack import module_of, package_of, stack

if TYPE_CHECKING:
    from anthropic_otel._core.attempt import Attempt

CLIENT_TIMEOUT_ERROR: Final = "client_timeout_error"
CONNECTION_ERROR: Final = "connection_error"
CLIENT_ERROR: Final = "client_error"


@guarded(CLIENT_ERROR)
def call_error_type(error: BaseException) -> str:
    """Returns the `error.type` of a call whose SDK method or whose body raised `error`. Never raises.

    The class of `error`, or a base of it, decides if it is one of the SDK or an HTTP library:

    - `client_timeout_error` for an `APITimeoutError` or a `TimeoutException`, `connection_error` for any other
      `APIConnectionError` or `TransportError`;
    - for an `APIStatusError` the type that the server sent if `API_ERROR_TYPES` or `BEDROCK_EXCEPTIONS` has it, else
      the status if that is 400 or more, else `_OTHER` if the server sent any type;
    - `client_error` for everything else.
    """
    names = {cls.__name__ for cls in type(error).__mro__ if root(cls) in SDK_OR_CLIENTS}
    if names & {"APITimeoutError", "TimeoutException"}:
        return CLIENT_TIMEOUT_ERROR
    if names & {"APIConnectionError", "TransportError"}:
        return CONNECTION_ERROR
    if "APIStatusError" in names:
        return _status_error_type(error)
    return CLIENT_ERROR


@guarded(False)
def asks_for_retry(error: BaseException) -> bool:
    """Returns whether the SDK retries for `error`, if it has a retry left. An SDK method has raised `error`.

    As in the SDK, `error` is looked at, and then its chain of causes. The first one of any of these classes decides:

    - `RetryableError` and `APIConnectionError`: `True`.
    - `APIStatusError`: what `should_retry` returns for its status and its header `x-should-retry`.

    `False` if none is found. Never raises.
    """
    for each in chain(error):
        if is_a(each, "anthropic.RetryableError", "anthropic.APIConnectionError"):
            return True
        if is_a(each, "anthropic.APIStatusError"):
            told = each.response.headers.get("x-should-retry")  # type: ignore[attr-defined]
            headers = {b"x-should-retry": told.encode()} if isinstance(told, str) else {}
            return should_retry(each.status_code, headers)  # type: ignore[attr-defined]
    return False


@guarded(None)
def answer_of(error: BaseException) -> tuple[int, str | None] | None:
    """Returns status and request id of the response that an `APIStatusError` was raised for; `None` for another error.

    The request id is as the server sent it, `None` if the response has none. Never raises.
    """
    if not is_a(error, "anthropic.APIStatusError"):
        return None
    status, told = error.response.status_code, error.response.headers.get("request-id")  # type: ignore[attr-defined]
    return (status, told if isinstance(told, str) else None) if isinstance(status, int) else None


@guarded(False)
def is_of_parsing(error: BaseException) -> bool:
    """Returns whether `error`, which the SDK method raised, says that a body that came whole could not be parsed.

    `True` for these:

    - A `ValueError` or `RecursionError` that came through the HTTP library's `Response.json`: the body is no JSON, no
      UTF-8, or nested too deeply.
    - An `APIResponseValidationError`: a client that validates strictly got JSON of another form.
    - An `AttributeError` that the SDK raised when it made a reply of JSON of another form, as of a list.

    Never raises.
    """
    if is_a(error, "anthropic.APIResponseValidationError"):
        return True
    if isinstance(error, AttributeError):
        return _PARSES in frames(error) and raised_in(error)[0] == "anthropic"
    came_through = frames(error) if isinstance(error, _UNPARSED) else ()
    return any(package in CLIENTS and function == "json" for package, function in came_through)


_PARSES: Final = ("anthropic", "parse")
"""The method of the SDK's responses that parses the body, and then calls what makes the app's reply of it."""


@guarded(False)
def is_of_backoff(error: BaseException) -> bool:
    """Returns whether `error` was raised while the SDK waited before a retry, as by a signal's handler.

    Always `False` with an old SDK, such as 0.40, which has no `_sleep_for_retry`. Never raises.
    """
    return _WAITS in frames(error)


_WAITS: Final = ("anthropic", "_sleep_for_retry")


@guarded(False)
def is_of_an_event(error: BaseException | None) -> bool:
    """Returns whether `error` says that the SDK could not take an event of a stream.

    Which code has raised it is seen from its traceback, where functions of the standard library are skipped. `True` in
    two cases:

    - The SDK's or botocore's decoder of streams has raised it, and its class is of the standard library or botocore's
      `ParserError`.
    - Any code of the SDK has, such as what collects a message, while a stream was read. Its class is of the standard
      library or `APIResponseValidationError`, which a client raises that validates strictly.

    `False` for a `MemoryError`, an `OSError`, what is no `Exception`, and `None`. Never raises.
    """
    if not isinstance(error, Exception) or isinstance(error, (MemoryError, OSError)):
        return False
    own = [frame for frame in stack(error) if package_of(frame) not in sys.stdlib_module_names]
    if not own:
        return False
    builtin = root(type(error)) in sys.stdlib_module_names
    if module_of(own[-1]).startswith(_DECODERS) and (builtin or is_a(error, "platform.ParserError")):
        return True
    if package_of(own[-1]) != "anthropic" or not (builtin or is_a(error, "anthropic.APIResponseValidationError")):
        return False
    return any(frame.f_code.co_name == _READS and module_of(frame).startswith(_STREAMS) for frame in own)


_DECODERS: Final = ("anthropic._streaming", "anthropic.lib.bedrock", "botocore.eventstream")
"""The beginnings of the names of the modules that decode the events of streams."""
_STREAMS: Final = ("anthropic._streaming", "anthropic.lib.streaming")
"""The beginnings of the names of the modules with the SDK's streams of events, and with what collects a message."""
_READS: Final = "__stream__"
"""The method of these streams that reads event by event. Other methods may fail because of how the app calls them."""
_UNPARSED: Final = (ValueError, RecursionError)
"""What parsing of JSON raises: for invalid JSON, invalid UTF-8 or a number with too many digits; for deep nesting."""


def _status_error_type(error: Any) -> str:
    """Returns the `error.type` for an `APIStatusError`: the type that the server sent if it is known, else the status.

    Known are `API_ERROR_TYPES` and `BEDROCK_EXCEPTIONS`. Without a status of 400 or more it is `_OTHER` for an unknown
    type, and `client_error` for none.
    """
    # `type` is on the error since 0.87; before that it has to be looked up in the body that the SDK has parsed.
    name = getattr(error, "type", None) or member(member(getattr(error, "body", None), "error"), "type")
    if name in API_ERROR_TYPES or name in BEDROCK_EXCEPTIONS:
        return str(name)
    status = getattr(error, "status_code", None)
    if isinstance(status, int) and status >= 400:
        return f"{status}"
    return OTHER if name else CLIENT_ERROR


def body_error_type(attempt: Attempt) -> str:
    """Returns the `error.type` of a call whose SDK method returned, but whose reply or body failed.

    `attempt` is the failed attempt that the reply or body belongs to. The first of these that applies decides:

    - The attempt has a `cause`: the word of `_of_cause`.
    - The SDK could not take an event (`invalid_event`), or the body should be a message's stream and is no event
      stream: `api_error` if the body was read to its end, else `client_error`.
    - An `error` event came: the word of `_of_error_event`.
    - Anything else, for which the SDK's span has no word: the attempt's own `error.type`, or `_OTHER` without one.
    """
    if attempt.cause is not None:
        # The SDK does not wrap an exception of the body, and its span goes by the exception's class, or a base of it.
        return _of_cause(attempt.cause.word, attempt.ending.exception_base or attempt.exception_type)
    end = attempt.reading.end if attempt.reading is not None else None
    read_to_end = end is not None and end.read_to_end
    streamed = attempt.response is not None and attempt.response.is_asked_for_as_stream
    is_no_stream = attempt.error_type == UNEXPECTED_CONTENT and streamed and attempt.is_message
    if attempt.error_type == INVALID_EVENT or is_no_stream:
        # The SDK's span ends with the body. What the SDK cannot decode then comes too late for it.
        # Read to its end, what is no stream is one without its end event to the SDK. Bedrock's decoder raises before.
        return API_ERROR if read_to_end else CLIENT_ERROR
    if attempt.api_error is not None and attempt.api_error.type == attempt.error_type:
        return _of_error_event(attempt.api_error.raw_type)
    return attempt.error_type or OTHER


def _of_cause(cause: NetworkCause, raised: str | None) -> str:
    """Returns the `error.type` of a call whose returned body failed with `cause`.

    `raised` is the name of the class of the exception that the app got, or of the base by which the SDK knows it, such
    as `httpx.ReadTimeout`; `None` if the app got none. The first of these that applies:

    - `connection_error` for a class named `ReadError` or `WriteError`;
    - `client_error` for a class that neither the SDK nor an HTTP library defines;
    - if `cause` is `app_exception`, `client_timeout_error` for a class whose name ends in `Timeout`, else
      `connection_error`: the app's own code has raised, and `raised` is the class that wraps its exception;
    - the word that `_BY_CAUSE` has for `cause`, else `connection_error`.
    """
    if raised is not None and raised.endswith((".ReadError", ".WriteError")):
        return CONNECTION_ERROR
    if raised is not None and raised.partition(".")[0] not in SDK_OR_CLIENTS:
        return CLIENT_ERROR
    if cause is NetworkCause.APP_EXCEPTION:
        return CLIENT_TIMEOUT_ERROR if raised is not None and raised.endswith("Timeout") else CONNECTION_ERROR
    return _BY_CAUSE.get(cause, CONNECTION_ERROR)


def _of_error_event(told: str | None) -> str:
    """Returns the `error.type` for an `error` event. `told` is its `ApiError.raw_type`.

    It is `told` if `API_ERROR_TYPES` or `BEDROCK_EXCEPTIONS` has it, else `_OTHER`; `client_error` for `None`.
    """
    if told is None:
        return CLIENT_ERROR
    return told if told in API_ERROR_TYPES or told in BEDROCK_EXCEPTIONS else OTHER


API_ERROR: Final = "api_error"
_BY_CAUSE: Final = {
    NetworkCause.READ_TIMEOUT: CLIENT_TIMEOUT_ERROR,
    NetworkCause.WRITE_TIMEOUT: CLIENT_TIMEOUT_ERROR,
    NetworkCause.DECODING_ERROR: CLIENT_ERROR,
    NetworkCause.OTHER: CLIENT_ERROR,
    # The app sees no error here; the SDK's span has this word for it.
    NetworkCause.INCOMPLETE_STREAM: API_ERROR,
}
