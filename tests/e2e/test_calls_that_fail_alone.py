"""Calls that fail although no attempt has failed: each has a warning of its own, or nobody would be told.

Rule: for every call that failed there is at least one warning, and never two for the same thing.
"""

from __future__ import annotations

import importlib
import json
import logging
from pathlib import Path
from typing import Any

import anthropic
import pydantic
import pytest

from anthropic_otel._core import semconv as s
from anthropic_otel.simulator import Endpoint, Reply, Simulator
from anthropic_otel.testing import capture
from support.apps import SdkApp, quietly, request_of
from support.driver import Driver
from support.stacks import SDK_STACKS, Stack, each_of
from support.streams import MESSAGE
from support.telemetry import recording
from support.versions import HAS_MIDDLEWARE, TRACES_ITSELF

pytestmark = pytest.mark.usefixtures("waits")
stack = each_of(each for each in SDK_STACKS if not each.aiohttp)


class CannotUse(Exception):
    """What an app raises for an answer that it does not like."""


class Wanted(pydantic.BaseModel):
    """What the app has the SDK parse the text of a reply into."""

    number: int


def not_json() -> Reply:
    """A reply whose text is no JSON."""
    text = {"type": "text", "text": "not JSON", "citations": None}
    return Reply(body=json.dumps({**MESSAGE, "content": [text], "stop_reason": "end_turn"}).encode())


def warned(records: list[logging.LogRecord]) -> list[str]:
    return [record.getMessage() for record in records if record.levelno >= logging.WARNING]


def test_a_call_that_sends_nothing_is_a_warning(stack: Stack, sim: Simulator, driver: Driver) -> None:
    """As where the SDK finds no key: the exception's class is told, its text is not."""
    with recording() as telemetry:
        telemetry.instrument()
        app = SdkApp(stack, Endpoint(sim.base_url), driver, api_key=None)
        app.client.api_key = None
        with pytest.raises(TypeError):
            app.create()
        [record] = telemetry.logs
        assert record.levelname == "WARNING"
        told = record.getMessage()
        assert told.startswith("messages.create failed after ")
        assert ": client_error (TypeError), before any attempt, 127.0.0.1:" in told
        assert told.endswith("request id none, see: anthropic-otel why client_error")
        assert vars(record)[s.CALL_OUTCOME] == "failed"
        app.close()


@pytest.mark.skipif(not HAS_MIDDLEWARE, reason="this SDK has no middlewares")
def test_a_middleware_that_rejects_an_answer_is_a_warning(stack: Stack, sim: Simulator, driver: Driver) -> None:
    """The attempt has completed and the call has failed: the request id is that of the answer."""

    def rejecting(request: Any, call_next: Any) -> Any:
        call_next(request)
        raise CannotUse("a secret")

    async def async_rejecting(request: Any, call_next: Any) -> Any:
        await call_next(request)
        raise CannotUse("a secret")

    with recording() as telemetry:
        telemetry.instrument()
        middleware = async_rejecting if stack.asynchronous else rejecting
        app = SdkApp(stack, Endpoint(sim.base_url), driver, telemetry, max_retries=0, middleware=[middleware])
        with pytest.raises(CannotUse):
            app.create()
        [told] = warned(telemetry.logs)
        assert f"client_error ({__name__}.CannotUse), though its last attempt did not fail" in told
        assert "request id req_" in told
        app.close()


async def passes_on(request: Any, call_next: Any) -> Any:
    return await call_next(request)


class TimeLimit(Exception):
    """What a task queue's signal handler raises in a task that takes too long."""


@pytest.mark.parametrize("fault", ["http_529", "connection_reset"])
@pytest.mark.parametrize(
    ("retries", "middleware"),
    [(1, False), (2, False), pytest.param(1, True, marks=pytest.mark.skipif(not HAS_MIDDLEWARE, reason="none"))],
)
def test_what_is_raised_before_a_retry_is_the_calls_own(
    stack: Stack,
    sim: Simulator,
    driver: Driver,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
    retries: int,
    middleware: bool,
) -> None:
    """As a time limit in the last backoff: the app does not get what the attempts failed by, which is no warning."""
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == retries:
            raise TimeLimit("a secret")

    async def asleep(seconds: float) -> None:
        sleep(seconds)

    monkeypatch.setattr(
        f"anthropic._base_client.{'anyio' if stack.asynchronous else 'time'}.sleep",
        asleep if stack.asynchronous else sleep,
    )
    with recording() as telemetry, capture() as captured:
        telemetry.instrument()
        options: dict[str, Any] = {"middleware": [lambda request, call_next: call_next(request)]} if middleware else {}
        if middleware and stack.asynchronous:
            options["middleware"] = [passes_on]
        app = SdkApp(stack, Endpoint(sim.base_url), driver, telemetry, max_retries=retries, **options)
        sim.play(*[fault] * retries)
        with pytest.raises(TimeLimit):
            app.create()
        [told] = warned(telemetry.logs)
        assert f": client_error ({__name__}.TimeLimit), before attempt {retries} was retried, 127.0.0.1:" in told
        assert ("request id req_" in told) == (fault == "http_529")
        assert len(telemetry.logs) == retries + 1
        [call] = captured.calls
        assert (call.outcome, call.error_type, call.cause) == ("failed", "client_error", None)
        assert len(call.attempts) == retries
        quietly(app)


@pytest.mark.skipif(not hasattr(anthropic.Anthropic(api_key="none").messages, "parse"), reason="no such method")
def test_an_earlier_failure_that_was_retried_is_not_the_calls(stack: Stack, sim: Simulator, driver: Driver) -> None:
    """A reset was retried, the answer came, and the app cannot use it: the call has not failed by the reset."""
    with capture() as captured:
        sim.play("connection_reset", not_json())
        app = SdkApp(stack, Endpoint(sim.base_url), driver, max_retries=1)
        with pytest.raises(pydantic.ValidationError):
            driver(app.client.messages.parse(**request_of(), output_format=Wanted))
        [call] = captured.calls
        assert [attempt.cause for attempt in call.attempts] == ["connection_reset", None]
        assert (call.outcome, call.error_type, call.cause) == ("failed", "client_error", None)
        quietly(app)


@pytest.mark.skipif(not hasattr(anthropic.Anthropic(api_key="none").messages, "parse"), reason="no such method")
def test_a_reply_that_does_not_fit_the_apps_model_is_a_warning(stack: Stack, sim: Simulator, driver: Driver) -> None:
    """The SDK parses the text of a reply into a model of the app's, and raises where it does not fit."""

    with recording() as telemetry:
        telemetry.instrument()
        sim.play(not_json())
        app = SdkApp(stack, Endpoint(sim.base_url), driver, telemetry)
        with pytest.raises(pydantic.ValidationError):
            driver(app.client.messages.parse(**request_of(), output_format=Wanted))
        [told] = warned(telemetry.logs)
        assert (
            "client_error (pydantic_core._pydantic_core.ValidationError), though its last attempt did not fail" in told
        )
        assert "request id req_" in told
        app.close()


@pytest.mark.parametrize("fault", ["http_401", "http_503"])
def test_credentials_of_google_that_cannot_be_had_are_a_warning(
    fault: str, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK asks for them before it sends: there is no attempt, whatever their server has answered."""
    google = pytest.importorskip("google.oauth2.credentials")
    backoff = pytest.importorskip("google.auth._exponential_backoff")
    monkeypatch.setattr(backoff.time, "sleep", lambda _: None)
    credentials = google.Credentials(
        None,
        refresh_token="none",
        token_uri=f"{sim.endpoint(fault).base_url}/token",
        client_id="none",
        client_secret="none",
    )
    with recording() as telemetry:
        telemetry.instrument()
        client = anthropic.AnthropicVertex(
            region="us-east5", project_id="a-project", credentials=credentials, base_url=f"{sim.base_url}/v1"
        )
        with client, pytest.raises(importlib.import_module("google.auth.exceptions").RefreshError):
            client.messages.create(**request_of())
        [told] = warned(telemetry.logs)
        assert "client_error (google.auth.exceptions.RefreshError), before any attempt" in told
        assert not telemetry.attempts
    assert {request.target for request in sim.requests} == {"/token"}


def test_a_call_whose_host_was_never_known_names_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A client of Google Cloud without a project asks the credentials for it, and then knows its URL."""
    pytest.importorskip("google.auth")
    cls = getattr(anthropic, "AnthropicGoogleCloud", None)
    if cls is None:
        pytest.skip("this SDK has no client for Google Cloud")
    for name in ("ANTHROPIC_GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_PROJECT", "ANTHROPIC_GOOGLE_CLOUD_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    with recording() as telemetry:
        telemetry.instrument()
        options: dict[str, Any] = {"open_telemetry": False} if TRACES_ITSELF else {}
        failure = importlib.import_module("google.auth.exceptions").DefaultCredentialsError
        with cls(workspace_id="wrkspc_1", **options) as client, pytest.raises(failure):
            client.messages.create(**request_of())
        [told] = warned(telemetry.logs)
        assert ", before any attempt, request id none, " in told
        [call] = telemetry.calls
        assert not {"server.address", "server.port"} & (call.attributes or {}).keys()
        assert not hasattr(telemetry.logs[0], "server.address")


def test_a_call_that_fails_with_its_attempt_has_one_warning(stack: Stack, sim: Simulator, driver: Driver) -> None:
    """That of the attempt, and none beside it."""
    with recording() as telemetry:
        telemetry.instrument()
        sim.play("http_400")
        app = SdkApp(stack, Endpoint(sim.base_url), driver, telemetry)
        with pytest.raises(anthropic.BadRequestError):
            app.create()
        [told] = warned(telemetry.logs)
        assert told.startswith("messages.create attempt 1 of ")
        app.close()


def test_without_logs_there_is_none(stack: Stack, sim: Simulator, driver: Driver) -> None:
    """`logs=False` turns these off too."""
    with recording() as telemetry:
        telemetry.instrument(logs=False)
        app = SdkApp(stack, Endpoint(sim.base_url), driver, api_key=None)
        app.client.api_key = None
        with pytest.raises(TypeError):
            app.create()
        assert not telemetry.logs
        app.close()
