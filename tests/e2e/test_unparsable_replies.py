"""Replies that only the SDK's own parsing tells from an answer: what is said of the attempt, the call and the reply.

Rule: no body is looked at a second time. What the SDK method raises or returns decides.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import anthropic
import pytest

from anthropic_otel.simulator import Endpoint, Reply, Simulator
from anthropic_otel.testing import Captured, capture
from support.apps import SdkApp
from support.driver import Driver
from support.stacks import SDK_STACKS, Stack, each_of
from support.streams import MESSAGE

pytestmark = pytest.mark.usefixtures("waits")
stack = each_of(each for each in SDK_STACKS if not each.aiohttp)

WHOLE = json.dumps({**MESSAGE, "stop_reason": "end_turn"}).encode()
BROKEN = WHOLE.replace(b'"role":', b'"role"', 1)


@pytest.fixture
def captured() -> Iterator[Captured]:
    with capture() as found:
        yield found


def app_of(stack: Stack, sim: Simulator, driver: Driver, *replies: Reply, **options: Any) -> SdkApp:
    """An app that is answered so."""
    sim.play(*replies)
    return SdkApp(stack, Endpoint(sim.base_url), driver, max_retries=1, **options)


def test_a_reply_that_is_no_json_fails_its_attempt(
    stack: Stack, sim: Simulator, driver: Driver, captured: Captured
) -> None:
    """JSON that is wrong only in its middle is no answer, and the SDK does not send again for it."""
    app = app_of(stack, sim, driver, Reply(body=BROKEN))
    with pytest.raises(json.JSONDecodeError):
        app.create()
    [call] = captured.calls
    [attempt] = call.attempts
    assert (attempt.outcome, attempt.error_type, attempt.status) == ("failed", "unexpected_content", 200)
    assert (call.outcome, call.error_type) == ("failed", "client_error")
    app.close()


def test_strict_validation_that_fails_is_no_answer(
    stack: Stack, sim: Simulator, driver: Driver, captured: Captured
) -> None:
    """A client that validates strictly raises for JSON that is no message: that reply was no answer either."""
    app = app_of(stack, sim, driver, Reply(body=b'{"id": 5}'), _strict_response_validation=True)
    with pytest.raises(anthropic.APIResponseValidationError):
        app.create()
    [call] = captured.calls
    assert [(each.outcome, each.error_type) for each in call.attempts] == [("failed", "unexpected_content")]
    app.close()


@pytest.mark.parametrize(
    ("body", "content_type"), [(b"[]", "application/json"), (b'"none"', "application/json"), (b"{cut", "text/plain")]
)
def test_what_no_page_of_a_list_can_be_made_of_is_no_answer(
    body: bytes, content_type: str, stack: Stack, sim: Simulator, driver: Driver, captured: Captured
) -> None:
    """The SDK takes what it gets for a page of batches, and raises when it completes that page."""
    app = app_of(stack, sim, driver, Reply(body=body, content_type=content_type))
    with pytest.raises(AttributeError):
        driver(_listed(app.client))
    [call] = captured.calls
    assert (call.outcome, call.error_type) == ("failed", "client_error")
    assert [(each.outcome, each.error_type) for each in call.attempts] == [("failed", "unexpected_content")]
    app.close()


def _listed(client: Any) -> Any:
    """The first page of the batches. That of an async client is awaited by a method of its own."""
    page = client.beta.messages.batches.list()
    return page if not hasattr(page, "__await__") else _awaited(page)


async def _awaited(page: Any) -> Any:
    return await page


@pytest.mark.parametrize("body", [b"[]", b"3", b"null"])
@pytest.mark.parametrize("raw", [False, True])
def test_json_that_is_no_object_answers_no_operation(
    stack: Stack, sim: Simulator, driver: Driver, captured: Captured, body: bytes, raw: bool
) -> None:
    """The SDK returns a list, a number or `null` as the reply: the app has nothing of what it asked for."""
    app = app_of(stack, sim, driver, Reply(body=body))
    request = {name: value for name, value in _request().items() if name != "max_tokens"}
    messages = app.client.messages
    messages = messages if hasattr(messages, "count_tokens") else app.client.beta.messages
    driver((messages.with_raw_response if raw else messages).count_tokens(**request))
    [call] = captured.calls
    assert [(each.outcome, each.error_type) for each in call.attempts] == [("failed", "unexpected_content")]
    assert (call.outcome, call.error_type) == ("failed", "unexpected_content")
    app.close()


def test_null_is_an_answer_to_a_poll(stack: Stack, sim: Simulator, driver: Driver, captured: Captured) -> None:
    """A worker that polls while there is no work for it gets `null`, and nothing has failed."""
    app = app_of(stack, sim, driver, Reply(body=b"null"))
    driver(app.client.get("/v1/environments/env_1/work/poll", cast_to=object))
    [call] = captured.calls
    assert (call.operation, call.outcome) == ("environments.work.poll", "succeeded")
    assert [each.outcome for each in call.attempts] == ["completed"]
    app.close()


def test_a_status_without_a_body_is_an_answer(stack: Stack, sim: Simulator, driver: Driver, captured: Captured) -> None:
    """The SDK makes an empty text of a 204, as a gateway may answer a cancellation: nothing has failed."""
    app = app_of(stack, sim, driver, Reply(204, content_type=None))
    driver(app.client.beta.messages.batches.cancel("msgbatch_1"))
    [call] = captured.calls
    assert (call.outcome, call.error_type) == ("succeeded", None)
    assert [(each.outcome, each.status) for each in call.attempts] == [("completed", 204)]
    app.close()


def test_what_no_output_can_be_parsed_of_is_no_answer(
    stack: Stack, sim: Simulator, driver: Driver, captured: Captured
) -> None:
    """The SDK takes a text for the message whose output it parses."""
    app = app_of(stack, sim, driver, Reply(body=b'{"no": json}', content_type="text/plain"))
    if not hasattr(app.client.messages, "parse"):
        pytest.skip("this SDK parses no output")
    with pytest.raises(AttributeError):
        driver(app.client.messages.parse(**_request()))
    [call] = captured.calls
    assert call.outcome == "failed"
    assert [(each.outcome, each.error_type) for each in call.attempts] == [("failed", "unexpected_content")]
    app.close()


def test_a_recovered_call_that_cannot_be_parsed_has_failed(
    stack: Stack, sim: Simulator, driver: Driver, captured: Captured
) -> None:
    """After a retry the unparsable reply decides."""
    app = app_of(stack, sim, driver, Reply(529, "overloaded_error"), Reply(body=BROKEN))
    with pytest.raises(json.JSONDecodeError):
        app.create()
    [call] = captured.calls
    assert [each.error_type for each in call.attempts] == ["529", "unexpected_content"]
    assert call.outcome == "failed"
    app.close()


def test_text_that_the_app_has_asked_for_is_an_answer(
    stack: Stack, sim: Simulator, driver: Driver, captured: Captured
) -> None:
    """An app that has the SDK return a response's text gets what it wants, whatever the text is."""
    app = app_of(stack, sim, driver, Reply(body=BROKEN, content_type="text/plain"))
    assert driver(app.client.post("/v1/messages", body={}, cast_to=str)) == BROKEN.decode()
    [call] = captured.calls
    assert (call.outcome, [each.outcome for each in call.attempts]) == ("succeeded", ["completed"])
    app.close()


def test_a_reply_that_the_app_has_asked_to_be_left_out_is_an_answer(
    stack: Stack, sim: Simulator, driver: Driver, captured: Captured
) -> None:
    """An app that has the SDK make nothing of a response gets `None`, though the message has come."""
    app = app_of(stack, sim, driver, Reply())
    driver(app.client.post("/v1/messages", body=_request(), cast_to=type(None)))
    [call] = captured.calls
    assert (call.outcome, [each.outcome for each in call.attempts]) == ("succeeded", ["completed"])
    app.close()


def test_tokens_of_a_reply_are_counted_once_it_is_parsed(
    stack: Stack, sim: Simulator, driver: Driver, captured: Captured
) -> None:
    """That an attempt ends only when its reply is parsed costs none of its tokens, raw responses included."""
    app = app_of(stack, sim, driver, Reply(), Reply())
    replies = [
        app.create(),
        driver(driver(app.client.messages.with_raw_response.create(**_request())).parse()),
    ]
    [parsed, raw] = captured.attempts
    for attempt, reply in zip((parsed, raw), replies, strict=True):
        assert attempt.usage is not None
        assert attempt.usage.output_tokens == reply.usage.output_tokens > 0
    app.close()


def _request() -> dict[str, Any]:
    return {"model": "claude-sonnet-5-5", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]}


LINE = json.dumps({"custom_id": "one", "result": {"type": "canceled"}}).encode() + b"\n"


@pytest.mark.parametrize(
    ("body", "content_type", "error_type"),
    [
        (LINE * 3, "application/x-jsonl", None),
        (LINE, "binary/octet-stream", None),
        (b"<html>Sign in</html>", "text/html", "unexpected_content"),
        (b"upstream is not ready", "text/plain", "unexpected_content"),
        (b'{"type": "error", "error": {"type": "not_found_error"}}', "application/json", "unexpected_content"),
        (LINE * 2 + LINE[:20], "application/x-jsonl", "unexpected_content"),
        (LINE * 2 + b"{upstream is gone}\n", "application/x-jsonl", "unexpected_content"),
        (LINE + b"{upstream is gone}\n" + LINE * 2, "application/x-jsonl", "unexpected_content"),
    ],
    ids=["lines", "lines_of_another_type", "page", "text", "error", "cut", "broken_last", "broken_before"],
)
def test_results_of_a_batch_are_lines_of_json(
    stack: Stack, sim: Simulator, driver: Driver, captured: Captured, body: bytes, content_type: str, error_type: str
) -> None:
    """What is none is a failed attempt, also where the app gets by with it."""
    batch = {"id": "b", "type": "message_batch", "results_url": f"{sim.base_url}/v1/messages/batches/b/results"}
    app = app_of(
        stack, sim, driver, Reply(body=json.dumps(batch).encode()), Reply(body=body, content_type=content_type)
    )
    messages = app.client.messages
    # Older SDKs have it as a beta only.
    batches = messages.batches if hasattr(messages, "batches") else app.client.beta.messages.batches
    results = driver(batches.results("b"))
    with suppress(json.JSONDecodeError):
        driver.read(results)
    if hasattr(results, "close"):
        driver.close(results)
    last = captured.calls[-1]
    assert last.operation == "messages.batches.results"
    assert [attempt.error_type for attempt in last.attempts] == [error_type]
    assert last.outcome == ("failed" if error_type else "succeeded")
    app.close()


FOREIGN = (
    b'{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"}',
    b'{"base_resp": {"status_code": 1004, "status_msg": "login fail"}}',
    b'{"id": "m", "type": "message", "role": "assistant", "content": null}',
    b"{}",
)


@pytest.mark.parametrize("body", FOREIGN, ids=["amazon", "gateway", "null", "empty"])
@pytest.mark.parametrize("raw", [False, True])
def test_an_object_that_is_no_message_is_no_answer(
    stack: Stack, sim: Simulator, driver: Driver, captured: Captured, body: bytes, raw: bool
) -> None:
    """The SDK makes a message without content of any object: the app has got nothing, and nothing is retried."""
    app = app_of(stack, sim, driver, Reply(body=body))
    if raw:
        with suppress(AttributeError):
            with_streaming = app.client.messages.with_streaming_response
            response = driver.enter(manager := with_streaming.create(**_request()))
            reply = driver(response.parse())
            driver.leave(manager)
    else:
        reply = app.create()
    assert reply.content is None
    [call] = captured.calls
    assert [(each.outcome, each.error_type) for each in call.attempts] == [("failed", "unexpected_content")]
    assert (call.outcome, call.error_type) == ("failed", "unexpected_content")
    app.close()


def test_an_object_without_any_field_of_its_operation_is_no_answer(
    stack: Stack, sim: Simulator, driver: Driver, captured: Captured
) -> None:
    """Of other operations too: nothing of what a count of tokens returns is in a gateway's error."""
    app = app_of(stack, sim, driver, Reply(body=b'{"detail": "no"}'), Reply(body=b'{"input_tokens": 5}'))
    request = {name: value for name, value in _request().items() if name != "max_tokens"}
    messages = app.client.messages
    count = messages.count_tokens if hasattr(messages, "count_tokens") else app.client.beta.messages.count_tokens
    for _ in range(2):
        driver(count(**request))
    outcomes = [(call.outcome, call.attempts[0].error_type) for call in captured.calls]
    assert outcomes == [("failed", "unexpected_content"), ("succeeded", None)]
    app.close()


@pytest.mark.parametrize(
    ("body", "content_type", "strict"),
    [(BROKEN, "application/json", False), (b'{"content": 5}', "application/json", True)],
    ids=["broken", "strict"],
)
def test_a_streaming_response_that_cannot_be_parsed_fails_its_attempt(
    stack: Stack, sim: Simulator, driver: Driver, captured: Captured, body: bytes, content_type: str, strict: bool
) -> None:
    """The app reads and parses it in one step: whether that worked is how the attempt and the call have ended."""
    app = app_of(stack, sim, driver, Reply(body=body, content_type=content_type), _strict_response_validation=strict)
    manager = app.client.messages.with_streaming_response.create(**_request())
    response = driver.enter(manager)
    with pytest.raises((json.JSONDecodeError, anthropic.APIResponseValidationError)) as caught:
        driver(response.parse())
    driver.leave(manager, caught.value)
    [call] = captured.calls
    assert [(each.outcome, each.error_type) for each in call.attempts] == [("failed", "unexpected_content")]
    assert (call.outcome, call.error_type) == ("failed", "unexpected_content")
    app.close()


def test_a_raw_response_that_the_app_cannot_parse_was_an_answer(
    stack: Stack, sim: Simulator, driver: Driver, captured: Captured
) -> None:
    """It had ended when the app began to parse it, and may never have been parsed: what `parse` raises is the app's."""
    app = app_of(stack, sim, driver, Reply(body=BROKEN))
    raw = driver(app.client.messages.with_raw_response.create(**_request()))
    [call] = captured.calls
    assert (call.outcome, [each.outcome for each in call.attempts]) == ("succeeded", ["completed"])
    with pytest.raises(json.JSONDecodeError):
        driver(raw.parse())
    assert captured.calls == [call]
    app.close()


@pytest.mark.parametrize("body", [b"<html>Sign in</html>", BROKEN[:-1], b""], ids=["page", "cut", "nothing"])
def test_a_raw_response_that_does_not_begin_and_end_as_an_answer_has_failed(
    body: bytes, stack: Stack, sim: Simulator, driver: Driver, captured: Captured
) -> None:
    """That is seen before the app parses it."""
    app = app_of(stack, sim, driver, Reply(body=body))
    driver(app.client.messages.with_raw_response.create(**_request()))
    [call] = captured.calls
    assert (call.outcome, call.error_type) == ("failed", "unexpected_content")
    assert [(each.outcome, each.error_type) for each in call.attempts] == [("failed", "unexpected_content")]
    app.close()


def test_a_page_in_a_streaming_response_is_named_so(
    stack: Stack, sim: Simulator, driver: Driver, captured: Captured
) -> None:
    """It was asked for as JSON, so the call's word is not that of a stream without an end."""
    app = app_of(stack, sim, driver, Reply(body=b"<html>Sign in</html>", content_type="text/html"))
    manager = app.client.messages.with_streaming_response.create(**_request())
    driver(driver.enter(manager).parse())
    driver.leave(manager)
    [call] = captured.calls
    assert (call.outcome, call.error_type) == ("failed", "unexpected_content")
    app.close()


def test_what_the_app_reads_of_a_streaming_response_by_itself_ends_when_it_is_read(
    stack: Stack, sim: Simulator, driver: Driver, captured: Captured
) -> None:
    """Without `parse` the end of the body is the end of the attempt, whether it is read before or left."""
    app = app_of(stack, sim, driver, Reply(), Reply())
    for read in (True, False):
        manager = app.client.messages.with_streaming_response.create(**_request())
        response = driver.enter(manager)
        if read:
            driver(response.read())
            assert [each.outcome for each in captured.calls] == ["succeeded"]
            assert driver(response.parse()).content
        driver.leave(manager)
    assert [each.outcome for each in captured.calls] == ["succeeded", "abandoned"]
    app.close()
