"""The `error.type` of a call, by what the SDK method raised or what its body did."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import httpx2
import pytest

from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.cause import Cause
from anthropic_otel._core.ending import Ending
from anthropic_otel._core.errors import body_error_type, call_error_type, is_of_an_event
from anthropic_otel._core.event_json import ApiError
from anthropic_otel._core.semconv import API_ERROR_TYPES, AttemptOutcome, NetworkCause


def sdk_error(name: str, *bases: type, **attributes: object) -> BaseException:
    """An error as the SDK defines it: its class hierarchy and the attributes that are read."""
    cls = type(name, bases or (Exception,), {"__module__": "anthropic._exceptions", **attributes})
    error = cls()
    assert isinstance(error, BaseException)
    return error


def status_error(status: object = 529, kind: object = None, body: object = None) -> BaseException:
    base = type("APIStatusError", (Exception,), {"__module__": "anthropic._exceptions"})
    return sdk_error("OverloadedError", base, status_code=status, type=kind, body=body)


CONNECTION = type("APIConnectionError", (Exception,), {"__module__": "anthropic"})


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (sdk_error("APITimeoutError", CONNECTION), "client_timeout_error"),
        (httpx.ReadTimeout(""), "client_timeout_error"),
        (httpx2.PoolTimeout(""), "client_timeout_error"),
        (CONNECTION(), "connection_error"),
        (httpx.ReadError(""), "connection_error"),
        (httpx2.RemoteProtocolError(""), "connection_error"),
        (httpx.DecodingError(""), "client_error"),
        (sdk_error("APIResponseValidationError"), "client_error"),
        (ValueError(), "client_error"),
        (TimeoutError(), "client_error"),
        (type("APITimeoutError", (Exception,), {"__module__": "app"})(), "client_error"),
        (type("Homeless", (Exception,), {"__module__": None})(), "client_error"),
    ],
)
def test_an_exception_has_the_sdks_word(error: BaseException, expected: str) -> None:
    """A timeout before a broken connection before anything else; a class of the app's is of no library."""
    assert call_error_type(error) == expected


@pytest.mark.parametrize("kind", API_ERROR_TYPES)
def test_a_status_error_has_the_apis_type(kind: str) -> None:
    """On the error itself since 0.87, in its body before."""
    assert call_error_type(status_error(kind=kind)) == kind
    assert call_error_type(status_error(body={"type": "error", "error": {"type": kind}})) == kind


@pytest.mark.parametrize("body", [None, "text", 7, [], {}, {"error": None}, {"error": "x"}, {"error": {"type": None}}])
def test_without_a_type_the_status_stands_in(body: object) -> None:
    """A gateway's own error has none."""
    assert call_error_type(status_error(502, body=body)) == "502"


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [
        (529, "brand_new_error", "529"),
        (200, "brand_new_error", "_OTHER"),
        (200, None, "client_error"),
        (None, None, "client_error"),
    ],
)
def test_a_type_that_is_not_documented_is_not_passed_on(status: object, kind: object, expected: str) -> None:
    """It is on a metric too; an error event in a stream has no status to stand in."""
    assert call_error_type(status_error(status, kind)) == expected


@pytest.mark.parametrize("cause", [cause for cause in NetworkCause if cause is not NetworkCause.APP_EXCEPTION])
def test_each_cause_of_a_body_is_a_word_of_the_sdks(attempt: Attempt, cause: NetworkCause) -> None:
    """The app meets the raw exception of the HTTP library; the SDK's span has one of four words."""
    attempt.ending = Ending(AttemptOutcome.FAILED, cause=Cause(cause, None, None))
    expected = {
        NetworkCause.READ_TIMEOUT: "client_timeout_error",
        NetworkCause.WRITE_TIMEOUT: "client_timeout_error",
        NetworkCause.DECODING_ERROR: "client_error",
        NetworkCause.OTHER: "client_error",
        NetworkCause.INCOMPLETE_STREAM: "api_error",
    }
    assert body_error_type(attempt) == expected.get(cause, "connection_error")


@pytest.mark.parametrize(
    ("raised", "word"),
    [
        ("billiard.exceptions.SoftTimeLimitExceeded", "client_error"),
        ("TimeoutError", "client_error"),
        ("httpx2.ReadTimeout", "client_timeout_error"),
        ("httpx.RemoteProtocolError", "connection_error"),
    ],
)
def test_what_the_app_raised_has_the_word_of_its_type(attempt: Attempt, raised: str, word: str) -> None:
    """An HTTP library may have made one of its own of it."""
    cause = Cause(NetworkCause.APP_EXCEPTION, None, None)
    attempt.ending = Ending(AttemptOutcome.FAILED, cause=cause, exception_type=raised)
    assert body_error_type(attempt) == word


def test_an_error_event_has_its_type(attempt: Attempt) -> None:
    """And what has none is `_OTHER`."""
    attempt.ending = Ending(AttemptOutcome.FAILED, "overloaded_error")
    assert body_error_type(attempt) == "overloaded_error"
    attempt.ending = Ending(AttemptOutcome.FAILED)
    assert body_error_type(attempt) == "_OTHER"


def test_an_error_event_without_a_type_is_an_error_of_the_client(attempt: Attempt) -> None:
    """The SDK's error has no type then, and no status of its own."""
    attempt.ending, attempt.api_error = Ending(AttemptOutcome.FAILED, "_OTHER"), ApiError("_OTHER")
    assert body_error_type(attempt) == "client_error"
    attempt.api_error = ApiError("_OTHER", raw_type="brand_new_error")
    assert body_error_type(attempt) == "_OTHER"


def raised(raising: Callable[[], Any]) -> BaseException | None:
    """What `raising` raised, with its traceback; `None` for nothing."""
    try:
        raising()
    except BaseException as error:
        return error
    return None


@pytest.mark.parametrize(
    ("module", "data", "expected"),
    [
        ("anthropic._streaming", b"{", True),
        ("anthropic._streaming", b"\xff", True),
        ("anthropic.lib.bedrock._stream_decoder", b"{", True),
        ("anthropic._base_client", b"{", False),
        ("anthropic.lib.streaming._messages", b"{", False),
        ("app", b"{", False),
        ("anthropic._streaming", b"{}", False),
    ],
)
def test_an_exception_of_the_sdks_decoder_of_streams_is_of_an_event(module: str, data: bytes, expected: bool) -> None:
    """What Python's decoders raise is told by the code that called them: the SDK's for streams, or any other."""
    names: dict[str, Any] = {"__name__": module, "json": json}
    exec("def decode(data): return json.loads(data.decode())", names)
    assert is_of_an_event(raised(lambda: names["decode"](data))) is expected


@pytest.mark.parametrize(
    ("stream", "method", "raiser", "error", "expected"),
    [
        ("anthropic.lib.streaming._messages", "__stream__", "anthropic.lib.streaming._messages", IndexError(), True),
        ("anthropic.lib.streaming._messages", "__stream__", "anthropic._models", TypeError(), True),
        ("anthropic._streaming", "__stream__", "anthropic._base_client", sdk_error("APIResponseValidationError"), True),
        ("anthropic.lib.streaming._messages", "__stream__", "anthropic._models", sdk_error("AnthropicError"), False),
        ("anthropic.lib.streaming._messages", "__stream__", "app", IndexError(), False),
        ("anthropic.lib.streaming._messages", "snapshot", "anthropic.lib.streaming._messages", IndexError(), False),
        ("app", "__stream__", "anthropic._models", IndexError(), False),
    ],
)
def test_an_exception_of_the_sdk_while_it_reads_a_stream_is_of_an_event(
    stream: str, method: str, raiser: str, error: BaseException, expected: bool
) -> None:
    """What collects a message fails over an event. The same code may fail because of how the app calls it."""
    inner: dict[str, Any] = {"__name__": raiser, "error": error}
    exec("def collect(): raise error", inner)
    outer: dict[str, Any] = {"__name__": stream, "collect": inner["collect"]}
    exec(f"def {method}(): collect()", outer)
    assert is_of_an_event(raised(outer[method])) is expected


@pytest.mark.parametrize("error", [MemoryError(), KeyboardInterrupt(), OSError(5, ""), status_error()])
def test_what_a_decoder_does_not_raise_is_not_of_an_event(error: BaseException) -> None:
    """An interrupt, an error of the system or the SDK's own exception in its code for streams is no invalid event."""
    names: dict[str, Any] = {"__name__": "anthropic._streaming", "error": error}
    exec("def stop(): raise error", names)
    assert not is_of_an_event(raised(names["stop"]))


def test_an_exception_that_was_not_raised_is_not_of_an_event() -> None:
    """Nothing tells where it is from."""
    assert not is_of_an_event(ValueError())
