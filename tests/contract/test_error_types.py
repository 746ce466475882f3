"""The `error.type` of a call is the word that the SDK's own span has, for every exception class there is."""

from __future__ import annotations

import errno
import importlib
import inspect
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.cause import classify, type_name
from anthropic_otel._core.ending import Ending
from anthropic_otel._core.errors import body_error_type, call_error_type
from anthropic_otel._core.semconv import API_ERROR_TYPES, OTHER, AttemptOutcome, Phase
from support.versions import SDK_LIBRARY, TRACES_ITSELF

LIBRARY: Any = importlib.import_module(SDK_LIBRARY)
REQUEST = LIBRARY.Request("POST", "http://127.0.0.1/v1/messages")
pytestmark = pytest.mark.skipif(not TRACES_ITSELF, reason="this SDK has no word for an error")


def their_word(error: BaseException) -> str:
    return str(importlib.import_module("anthropic._tracing").error_type(error))


def classes_of(module: Any, base: type[BaseException]) -> list[type[BaseException]]:
    found = [each for each in vars(module).values() if inspect.isclass(each) and issubclass(each, base)]
    return sorted(set(found), key=lambda cls: cls.__name__)


def status_error(cls: type[Any], status: int, body: object) -> Any:
    return cls("failed", response=LIBRARY.Response(status, request=REQUEST), body=body)


BODIES: list[object] = [None, "text", {}, {"error": {}}, {"error": {"type": "overloaded_error"}}]


def errors() -> Iterator[Any]:
    """One of every class, and of the API's errors one of every type with every status that there may be."""
    for cls in classes_of(anthropic, anthropic.AnthropicError):
        yield from of_sdk(cls)
    for cls in classes_of(LIBRARY, LIBRARY.HTTPError):
        yield unmade(cls)
    yield from (ValueError("bad"), KeyError("bad"), TimeoutError("slow"), ConnectionResetError(104, "reset"))


def of_sdk(cls: type[Any]) -> Iterator[Any]:
    if issubclass(cls, anthropic.APIStatusError):
        for status in (200, 400, 429, 500, 529):
            yield from (status_error(cls, status, body) for body in BODIES)
    else:
        yield unmade(cls)


def unmade(cls: type[BaseException]) -> BaseException:
    """An exception of that class, whatever its constructor wants."""
    made = cls.__new__(cls)
    made.args = ("failed",)
    return made


def test_every_exception_has_the_sdks_word() -> None:
    """The SDK's classes, the HTTP library's, and those of the standard library that pass through."""
    different = [
        (error, their_word(error), call_error_type(error))
        for error in errors()
        if their_word(error) != call_error_type(error)
    ]
    assert not different


@pytest.mark.parametrize("kind", sorted(API_ERROR_TYPES))
@pytest.mark.parametrize("status", [200, 400, 529])
def test_an_error_of_the_api_has_its_type(kind: str, status: int) -> None:
    """Each documented type, also of an event in a stream that had begun with 200."""
    error = status_error(anthropic.APIStatusError, status, {"error": {"type": kind}})
    assert call_error_type(error) == their_word(error) == kind


def test_only_a_type_that_is_not_documented_differs() -> None:
    """The SDK passes it on; a metric cannot have it, so its status stands in, or `_OTHER` where that is no error."""
    body = {"error": {"type": "brand_new_error"}}
    assert their_word(status_error(anthropic.APIStatusError, 418, body)) == "brand_new_error"
    assert call_error_type(status_error(anthropic.APIStatusError, 418, body)) == "418"
    assert call_error_type(status_error(anthropic.APIStatusError, 200, body)) == OTHER


def test_the_documented_types_are_those_of_the_sdk() -> None:
    """Every type that the SDK's own types list is one that is passed on."""
    told = importlib.import_module("anthropic.types.shared.error_object")
    kinds = {cls.model_fields["type"].annotation.__args__[0] for cls in told.ErrorObject.__args__[0].__args__}
    assert kinds <= set(API_ERROR_TYPES)


def over(outer: BaseException, inner: BaseException) -> BaseException:
    outer.__cause__ = inner
    return outer


def failed_bodies() -> tuple[BaseException, ...]:
    """What the reading of a body may raise, which reaches the app as it is."""
    return (
        LIBRARY.ReadTimeout("slow"),
        LIBRARY.ReadError("reset"),
        LIBRARY.DecodingError("no gzip"),
        LIBRARY.RemoteProtocolError("<StreamReset stream_id:1, error_code:2>"),
        LIBRARY.RemoteProtocolError("<ConnectionTerminated error_code:0, last_stream_id:1>"),
        over(LIBRARY.ReadError("the system's own timeout"), OSError(errno.ETIMEDOUT, "Connection timed out")),
        over(LIBRARY.ReadError("closed by another thread"), OSError(errno.EBADF, "Bad file descriptor")),
        RuntimeError("Event loop is closed"),
        ConnectionResetError(errno.ECONNRESET, "reset"),
        KeyError("of the app's own"),
    )


@pytest.mark.parametrize("error", failed_bodies(), ids=repr)
def test_a_body_that_fails_has_the_sdks_word(error: BaseException) -> None:
    """The call's word follows from the cause and the exception's class, as the exception itself is not kept."""
    attempt = Attempt.__new__(Attempt)
    cause = classify(error, phase=Phase.RECEIVE)
    attempt.ending = Ending(AttemptOutcome.FAILED, cause=cause, exception_type=type_name(error))
    assert body_error_type(attempt) == their_word(error)
