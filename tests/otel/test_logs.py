"""One record per failed attempt, under the names of its span."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import httpx
import pytest
from opentelemetry import trace

from anthropic_otel._core import semconv
from anthropic_otel._core.ending import End
from anthropic_otel._core.settings import Settings
from anthropic_otel._otel import logs, spans
from anthropic_otel._otel.recorder import OpenTelemetryRecorder
from core.notes import FACTS, OVERLOADED, ManualClock
from otel.scene import Scene
from support.telemetry import Telemetry

LOGGER = "anthropic_otel.attempt"


@pytest.fixture(autouse=True)
def _info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, LOGGER)


def fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if "." in name}


def test_a_retried_attempt_is_information_and_a_fatal_one_a_warning(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """A retried attempt is INFO, one that fails its call is a WARNING, and both have the request id in the text."""
    call = scene.call(max_retries=1)
    scene.answer(scene.attempt(call), 529, 1.5, {b"request-id": b"req_1"})
    scene.clock.pass_seconds(0.25)
    scene.answer(scene.attempt(call), 529, 2.0)
    call.method_raised(ValueError())
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        (
            "INFO",
            "messages.create attempt 1 of 2 failed after 1.500 s: 529, retried after 0.250 s, "
            "api.anthropic.com:443, request id req_1",
        ),
        (
            "WARNING",
            "messages.create attempt 2 of 2 failed after 2.000 s: 529, not retried (exhausted), "
            "api.anthropic.com:443, request id none, see: anthropic-otel why 529",
        ),
    ]


def test_a_record_has_the_fields_of_its_span(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """A record has every field of its attempt's span, and the number of a first attempt too."""
    scene.fail(scene.attempt(), refused())
    [record] = caplog.records

    assert fields(record) == {
        semconv.OPERATION_NAME: "messages.create",
        semconv.HTTP_REQUEST_METHOD: "POST",
        semconv.SERVER_ADDRESS: "api.anthropic.com",
        semconv.SERVER_PORT: 443,
        semconv.URL_FULL: "https://api.anthropic.com/v1/messages",
        semconv.URL_TEMPLATE: "/v1/messages",
        semconv.HTTP_REQUEST_RESEND_COUNT: 0,
        semconv.ERROR_TYPE: "connection_refused",
        semconv.EXCEPTION_TYPE: "httpx.ConnectError",
        semconv.NETWORK_CAUSE: "connection_refused",
        semconv.NETWORK_PHASE: "connect",
        semconv.NETWORK_ERRNO: "ECONNREFUSED",
        semconv.ATTEMPT_OUTCOME: "failed",
    }
    assert "secret" not in record.getMessage()
    assert record.exc_info is None


def refused() -> httpx.ConnectError:
    error = httpx.ConnectError("secret")
    error.__cause__ = ConnectionRefusedError(111, "secret")
    return error


def test_a_failure_of_the_network_says_where_and_why(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """The text has errno, phase and proxy; without a call nobody knows how many attempts there may be."""
    scene.fail(scene.attempt(request=replace(FACTS, proxy="proxy.test:3128")), refused())
    assert caplog.messages == [
        "messages.create attempt 1 failed after 1.000 s: connection_refused (ECONNREFUSED, phase connect), "
        "api.anthropic.com:443 by proxy proxy.test:3128, request id none, see: anthropic-otel why connection_refused"
    ]


def test_an_ipv6_address_is_in_brackets(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """Else its port reads as a part of it."""
    target = replace(FACTS.target, address="::1")
    scene.fail(scene.attempt(request=replace(FACTS, target=target)), refused())
    assert ", [::1]:443, " in caplog.messages[0]


@pytest.mark.parametrize(
    ("status", "body", "beside"),
    [
        (429, b'{"error": {"type": "rate_limit_error"}}', "429 (rate_limit_error)"),
        (429, b'{"error": {"type": "rate_limit_error", "details": {"error_code": "x"}}}', "429 (rate_limit_error, x)"),
        (400, b'{"error": {"type": "a_secret", "details": {"error_code": "x"}, "message": "secret"}}', "400 (x)"),
        (502, b"<html>secret", "502"),
    ],
)
def test_the_apis_own_error_is_beside_the_status(
    scene: Scene, caplog: pytest.LogCaptureFixture, status: int, body: bytes, beside: str
) -> None:
    """The text has type and code of the API's error as far as they are words of a closed list or a code."""
    scene.answer(scene.attempt(), status, body=body)
    [message] = caplog.messages
    assert f" s: {beside}, api.anthropic.com:443" in message
    assert "secret" not in message


def test_a_limit_on_spending_leads_to_its_own_page(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """A code of the API's with a page of its own says more than the status under which it comes."""
    body = b'{"error": {"type": "rate_limit_error", "details": {"error_code": "enforced_spend_limit_reached"}}}'
    scene.answer(scene.attempt(), 429, body=body)
    [message] = caplog.messages
    assert message.endswith("see: anthropic-otel why enforced_spend_limit_reached")


@pytest.mark.parametrize("name", [b"cf-ray", b"x-amzn-requestid", b"x-request-id", b"apim-request-id"])
def test_a_response_without_a_request_id_has_that_of_who_sent_it(
    scene: Scene, caplog: pytest.LogCaptureFixture, name: bytes
) -> None:
    """The id of an edge or a platform is in the text, as its support asks for that; beside a request id it is not."""
    scene.answer(scene.attempt(), 502, headers={name: b"8f-CDG"})
    scene.answer(scene.attempt(), 502, headers={name: b"8f-CDG", b"request-id": b"req_1"})
    first, second = caplog.messages
    assert ", request id none, response id 8f-CDG, see: " in first
    assert ", request id req_1, see: " in second


def test_an_error_event_is_named_once(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """An `error` event whose type is the failure itself is not repeated beside it."""
    call = scene.call(stream=True)
    attempt = scene.attempt(call)
    scene.stream(attempt).on_chunk(OVERLOADED)
    call.method_returned("stream", attempt)
    attempt.end(End.CLOSED)
    assert caplog.messages == [
        "messages.create attempt 1 of 3 failed after 1.000 s: overloaded_error, not retried (stream_started), "
        "api.anthropic.com:443, request id none, see: anthropic-otel why overloaded_error"
    ]


@pytest.mark.parametrize("error", [None, KeyboardInterrupt()])
def test_a_failure_that_did_not_fail_its_call_is_information(
    scene: Scene, caplog: pytest.LogCaptureFixture, error: BaseException | None
) -> None:
    """A failed attempt of a call that was cancelled in its backoff, or answered in another way, was not retried."""
    call = scene.call()
    scene.answer(scene.attempt(call), 529, 1.5)
    if error is None:
        call.method_returned("cached", None)
    else:
        call.method_raised(error)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        (
            "INFO",
            "messages.create attempt 1 of 3 failed after 1.500 s: 529, api.anthropic.com:443, request id none",
        ),
    ]


def test_a_call_that_fails_alone_has_host_and_port_of_its_last_attempt(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """A middleware has sent its request to another server than the client's."""
    call = scene.call(address="localhost", port=8080)
    scene.answer(scene.attempt(call))
    call.method_raised(ValueError())
    [record] = caplog.records
    told = fields(record)
    assert (told[semconv.SERVER_ADDRESS], told[semconv.SERVER_PORT]) == ("api.anthropic.com", 443)
    assert ", api.anthropic.com:443, " in record.getMessage()


def test_an_attempt_that_did_not_fail_is_not_logged(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """Neither an answered attempt nor one that the app stops is logged."""
    scene.answer(scene.attempt())
    scene.fail(scene.attempt(), KeyboardInterrupt())
    assert caplog.records == []


def test_a_level_that_is_off_costs_nothing(
    scene: Scene, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is computed for a record whose level is off."""
    caplog.set_level(logging.ERROR, LOGGER)
    monkeypatch.setattr(logs, "_sentence", None)
    scene.answer(scene.attempt(), 529)
    assert caplog.records == []


def test_logs_can_be_left_out(clock: ManualClock, caplog: pytest.LogCaptureFixture) -> None:
    """An option turns the records off."""
    scene = Scene(OpenTelemetryRecorder(Settings(logs=False)), clock)
    scene.answer(scene.attempt(), 529)
    assert caplog.records == []


def test_a_record_is_written_in_its_attempts_span(scene: Scene, telemetry: Telemetry) -> None:
    """The attempt's span is current while its record is written, so that an exporting handler ties the two."""
    current: list[int] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            current.append(trace.get_current_span().get_span_context().span_id)

    handler = Handler()
    logging.getLogger(LOGGER).addHandler(handler)
    try:
        scene.answer(scene.attempt(), 529)
    finally:
        logging.getLogger(LOGGER).removeHandler(handler)
    [span] = telemetry.attempts
    assert current == [span.context.span_id]


def test_an_attempt_without_a_span_is_logged(
    clock: ManualClock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attempt whose span could not be started is logged when it fails, as that is known all the same."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(spans, "start_attempt", fail)
    scene = Scene(OpenTelemetryRecorder(Settings()), clock)
    scene.fail(scene.attempt(), httpx.ReadTimeout(""))
    assert [record.levelname for record in caplog.records if record.name == LOGGER] == ["WARNING"]


def test_an_app_without_logging_prints_no_attempt() -> None:
    """The attempts' logger has a `NullHandler`; the library's own has none, so that its warnings reach stderr."""
    assert [type(handler) for handler in logging.getLogger(LOGGER).handlers] == [logging.NullHandler]
    assert logging.getLogger("anthropic_otel").handlers == []


def test_whether_a_handler_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler counts on any logger that ours propagates to, unless it is a `NullHandler`."""
    root, ours = logging.getLogger(), logging.getLogger("anthropic_otel")
    monkeypatch.setattr(root, "handlers", [])
    assert not logs.has_handler()
    monkeypatch.setattr(root, "handlers", [logging.NullHandler()])
    assert not logs.has_handler()
    monkeypatch.setattr(root, "handlers", [logging.StreamHandler()])
    assert logs.has_handler()
    monkeypatch.setattr(ours, "propagate", False)
    assert not logs.has_handler()
