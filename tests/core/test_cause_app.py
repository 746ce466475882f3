"""Whose an exception is, read off its traceback."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from anthropic_otel._core.cause import Cause, classify
from anthropic_otel._core.semconv import NetworkCause as Word
from anthropic_otel._core.semconv import Phase


class TimeLimit(Exception):
    """An exception that no library has."""


def function(module: str, name: str, body: Callable[[], Any]) -> Callable[[], Any]:
    """A function of that name, as if that module had it, which calls `body`."""
    made: dict[str, Any] = {"__name__": module, "body": body}
    exec(f"def {name}():\n    return body()", made)
    return made[name]  # type: ignore[no-any-return]


def raising(error: BaseException, module: str) -> Callable[[], Any]:
    """A function of that module that raises."""
    made: dict[str, Any] = {"__name__": module, "error": error}
    exec("def run():\n    raise error", made)
    return made["run"]  # type: ignore[no-any-return]


def caught(run: Callable[[], Any]) -> BaseException:
    try:
        run()
    except BaseException as error:
        return error
    raise AssertionError


@pytest.mark.parametrize("module", ["httpcore2._backends.sync", "ssl", "anthropic_otel._core.timeline", "h11._state"])
def test_a_library_that_raises_what_it_does_not_have_was_interrupted(module: str) -> None:
    """Another thread has set an exception of the app's in the middle of the library."""
    error = caught(function("httpx2._client", "send", raising(TimeLimit(), module)))
    assert classify(error, phase=Phase.WAIT) == Cause(Word.APP_EXCEPTION, None, None)


@pytest.mark.parametrize("error", [KeyError("x"), MemoryError(), AssertionError()], ids=repr)
def test_a_bug_of_a_library_is_no_exception_of_the_app(error: Exception) -> None:
    """What any code may raise says nothing of the app."""
    found = caught(function("httpx2._client", "_send_single_request", raising(error, "httpcore2._sync.http11")))
    assert classify(found).word is Word.OTHER


@pytest.mark.parametrize("error", [TypeError("x"), ValueError("x"), OverflowError("x")], ids=repr)
def test_what_a_library_cannot_use_was_not_sent(error: Exception) -> None:
    """A timeout that is a text or NaN: unless the request is known to have gone out."""
    found = caught(function("httpx2._client", "_send_single_request", raising(error, "httpcore2._backends.sync")))
    assert classify(found, phase=Phase.CONNECT).word is Word.REQUEST_NOT_SENT


@pytest.mark.parametrize("read", [functools.partial(int, "abc"), b"\xff".decode])
def test_what_a_library_cannot_read_is_no_http(read: Callable[[], Any]) -> None:
    """An HTTP/2 status that is no number, or bytes that are no text, but not a timeout that is NaN."""
    found = caught(function("httpx2._client", "send", function("httpcore2._sync.http2", "_receive_response", read)))
    assert classify(found, phase=Phase.WAIT).word is Word.PROTOCOL_ERROR
    found = caught(function("httpx2._client", "send", function("httpcore2._backends.sync", "read", read)))
    assert classify(found, phase=Phase.WAIT).word is Word.OTHER


@pytest.mark.parametrize("error", [TypeError("x"), OverflowError("x")], ids=repr)
def test_a_bug_of_a_library_after_the_request_was_sent_is_other(error: Exception) -> None:
    """Neither the request nor what came in return is known to have caused it."""
    found = caught(function("httpx2._client", "_send_single_request", raising(error, "httpcore2._backends.sync")))
    assert classify(found, phase=Phase.WAIT).word is Word.OTHER


def test_what_a_transport_raises_is_not_the_apps() -> None:
    """Neither if the transport is the app's own."""
    found = caught(function("httpx2._client", "_send_single_request", raising(TimeLimit(), "app.transport")))
    assert classify(found).word is Word.OTHER


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("httpx2._client", "_send_handling_redirects"),
        ("httpx._client", "_send_handling_redirects"),
        ("httpcore2._trace", "trace"),
        ("httpcore._trace", "atrace"),
        ("anthropic_otel._adapters.trace_functions", "__call__"),
    ],
)
def test_a_hook_is_the_apps(module: str, name: str) -> None:
    """Whatever it raises, an error of the network in something that it has called included."""
    for error in (TimeLimit(), ConnectionRefusedError(111, "refused")):
        found = caught(function(module, name, function("app", "hook", raising(error, "socket"))))
        assert classify(found, phase=Phase.POOL).word is Word.APP_EXCEPTION


def test_an_authentication_of_the_app_is_a_phase() -> None:
    """What it could not reach keeps its word; what it raises itself leaves the request without credentials."""
    for error, word in (
        (ConnectionRefusedError(111, "refused"), Word.CONNECTION_REFUSED),
        (TimeLimit(), Word.REQUEST_NOT_SENT),
    ):
        flow = function("app.auth", "auth_flow", raising(error, "app.auth"))
        found = caught(function("httpx2._auth", "sync_auth_flow", flow))
        assert (classify(found).word, classify(found).phase) == (word, Phase.AUTH)


def test_a_write_that_fails_is_the_networks() -> None:
    """What the transport itself raises while it sends the body is not the body's."""
    refused = ConnectionResetError(104, "reset")
    for module, name in (("httpcore2._sync.http11", "_send_request_body"), ("aiohttp.payload", "write")):
        found = caught(function(module, name, raising(refused, module)))
        assert classify(found, phase=Phase.SEND).word is Word.CONNECTION_RESET


def test_an_exception_without_a_traceback_is_nobodys() -> None:
    """One that was built and never raised."""
    assert classify(TimeLimit()).word is Word.OTHER


@pytest.mark.parametrize("error", [TimeLimit(), RuntimeError("x")], ids=repr)
def test_a_hook_that_is_called_by_an_unknown_function_is_not_told_from_a_transport(error: Exception) -> None:
    """Where a library has renamed its private functions nobody is blamed: neither the app nor the network."""
    found = caught(function("httpx2._client", "_send_renamed", raising(error, "app.hooks")))
    assert classify(found).word is Word.OTHER
    assert classify(found, phase=Phase.SEND).word is Word.OTHER


def test_an_error_of_the_network_in_a_renamed_hook_keeps_its_cause() -> None:
    """Its type says what happened, though not to whom."""
    found = caught(function("httpx2._client", "_send_renamed", raising(ConnectionRefusedError(111, "x"), "app.hooks")))
    assert classify(found).word is Word.CONNECTION_REFUSED


@pytest.mark.parametrize("package", ["gevent._gevent_c_hub_primitives", "eventlet.hubs.hub"])
def test_what_is_thrown_into_a_waiting_greenlet_is_the_apps(package: str) -> None:
    """A limit of gevent's or eventlet's with an exception of the app's own, or one that a greenlet is killed with."""
    switch: dict[str, Any] = {"__name__": package}
    exec("def switch(error): raise error", switch)
    with pytest.raises(LookupError) as limit:
        switch["switch"](type("SoftTimeLimit", (LookupError,), {"__module__": "tasks"})())
    assert classify(limit.value).word is Word.APP_EXCEPTION
    with pytest.raises(LookupError) as own:
        switch["switch"](LookupError())
    assert classify(own.value).word is Word.OTHER


@pytest.mark.parametrize(
    ("module", "name", "base"),
    [
        ("vcr.errors", "CannotOverwriteExistingCassetteException", Exception),
        ("respx.models", "AllMockedAssertionError", AssertionError),
        ("pytest_socket", "SocketBlockedError", RuntimeError),
    ],
)
def test_what_a_test_double_raises_is_the_apps(module: str, name: str, base: type[Exception]) -> None:
    """A cassette without the request, a route that is not mocked and a forbidden socket are no network's failures.

    What a test has it raise in the network's place is one.
    """
    error = type(name, (base,), {"__module__": module})("a secret")
    assert classify(error).word is Word.APP_EXCEPTION
    forbidden = caught(raising(RuntimeError("Network is disabled"), "pytest_recording.network"))
    assert classify(forbidden).word is Word.APP_EXCEPTION
    raised = httpx.ConnectError("as a test wants it")
    raised.__cause__ = error
    assert classify(raised).word is Word.CONNECTION_ERROR
