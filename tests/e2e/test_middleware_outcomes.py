"""Middlewares that send more or less often than the app asked: fallback, hedge, stale answers, threads of their own.

Rule: a call's outcome is what the app got, whichever attempt ended last. An attempt has the model of its own request.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any, Final

import anthropic
import pytest
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult

from anthropic_otel._core import instruments, semconv
from anthropic_otel.simulator import Reply, Simulator
from anthropic_otel.testing import capture
from support.apps import API_KEY, CREDENTIALS, MODEL, request_of
from support.marks import BREAKS_CONNECTIONS
from support.stacks import SDK_STACKS
from support.streams import refusal
from support.telemetry import Telemetry, recording
from support.versions import KEEPS_PARSED_REPLIES, PROPAGATES_ITSELF, TRACES_ITSELF
from support.waiting import until

middlewares: Any = pytest.importorskip("anthropic.lib.middleware", reason="this SDK has no middleware")
pytestmark = [pytest.mark.usefixtures("waits"), *BREAKS_CONNECTIONS]

OTHER_MODEL: Final = "claude-opus-5-5"
REFUSAL: Final = Reply(body=refusal(MODEL), content_type="text/event-stream")
Next = Callable[[Any], Any]


def fallback(request: Any, call_next: Next) -> Any:
    """Asks another model where the first is overloaded."""
    response = call_next(request)
    if response.status_code != 529:
        return response
    return call_next(request.copy(body={**request.json, "model": OTHER_MODEL}))


def in_a_thread(request: Any, call_next: Next) -> Any:
    """Sends in a thread of its own, in which nothing is current."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call_next, request).result()


@pytest.fixture
def client_with(sim: Simulator, recorded: Telemetry) -> Iterator[Callable[..., anthropic.Anthropic]]:
    """Makes an instrumented client that does not retry and has that middleware."""
    opened: list[anthropic.Anthropic] = []

    def make(middleware: Any, **options: Any) -> anthropic.Anthropic:
        if TRACES_ITSELF:
            options.setdefault("open_telemetry", {"tracer_provider": recorded.tracer_provider})
        recorded.instrument()
        options = {"max_retries": 0, **options}
        client = anthropic.Anthropic(base_url=sim.base_url, api_key=API_KEY, middleware=[middleware], **options)
        opened.append(client)
        return client

    yield make
    for client in opened:
        client.close()


def outcomes(telemetry: Telemetry) -> list[tuple[str, str | None]]:
    """The outcome of every call, with its error type."""
    return [
        (point.attributes["anthropic.client.call.outcome"], point.attributes.get("error.type"))
        for point in telemetry.points(instruments.CALL_DURATION)
        for _ in range(int(point.count))
    ]


def models(telemetry: Telemetry, metric: instruments.Metric) -> dict[str, int]:
    """How many measurements of a metric each model has."""
    return {str(point.attributes.get("gen_ai.request.model")): point.count for point in telemetry.points(metric)}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_fallback_that_answers_has_recovered_the_call(
    sim: Simulator, recorded: Telemetry, client_with: Callable[..., anthropic.Anthropic], *, stream: bool
) -> None:
    """The first model is overloaded, the second answers. Of a stream, the first response is open until the end."""
    refused: list[Any] = []

    def late(request: Any, call_next: Next) -> Any:
        refused.append(call_next(request))
        return call_next(request.copy(body={**request.json, "model": OTHER_MODEL}))

    sim.play("http_529", "ok")
    answer: Any = client_with(late).messages.create(**request_of(), stream=stream)
    if stream:
        list(answer)
    refused[0].http_response.close()
    assert [(span.attributes or {}).get("error.type") for span in recorded.attempts] == ["529", None]
    assert (recorded.attempts[1].attributes or {})["anthropic.client.retry.reason"] == "529"
    assert outcomes(recorded) == [("recovered", None)]


@pytest.mark.parametrize("raw", [False, True], ids=["message", "raw_response"])
@pytest.mark.parametrize("kept", [0, 1], ids=["the_first_is_kept", "the_last_is_kept"])
def test_the_tokens_of_every_reply_that_a_middleware_parses_count(
    sim: Simulator, recorded: Telemetry, client_with: Callable[..., anthropic.Anthropic], kept: int, *, raw: bool
) -> None:
    """It asks two models and keeps the better answer: both are billed, each for its own model."""
    parsed: list[Any] = []

    def better(request: Any, call_next: Next) -> Any:
        responses = [call_next(request), call_next(request.copy(body={**request.json, "model": OTHER_MODEL}))]
        parsed.extend(response.parse() for response in responses)
        return responses[kept]

    messages = client_with(better).messages
    request = request_of("A prompt of a few words more. " * (5 + kept))
    reply = messages.with_raw_response.create(**request).parse() if raw else messages.create(**request)
    assert reply == parsed[kept]
    assert reply is parsed[kept] or (raw and not KEEPS_PARSED_REPLIES)
    counted = {
        str(point.attributes.get("gen_ai.request.model")): point.sum
        for point in recorded.points(instruments.USAGE_OUTPUT)
    }
    assert counted == {
        model: reply.usage.output_tokens for model, reply in zip((MODEL, OTHER_MODEL), parsed, strict=True)
    }
    assert sum(point.sum for point in recorded.points(instruments.USAGE_INPUT)) == sum(
        reply.usage.input_tokens for reply in parsed
    )


def test_a_reply_that_a_middleware_drops_counts(
    sim: Simulator, recorded: Telemetry, client_with: Callable[..., anthropic.Anthropic]
) -> None:
    """It does not like what it has parsed, and raises: the API has billed it all the same."""
    parsed: list[Any] = []

    def dislikes(request: Any, call_next: Next) -> Any:
        parsed.append(call_next(request).parse())
        raise LookupError("no good")

    with pytest.raises(LookupError):
        client_with(dislikes).messages.create(**request_of())
    assert [point.sum for point in recorded.points(instruments.USAGE_OUTPUT)] == [parsed[0].usage.output_tokens]


def output_tokens(telemetry: Telemetry) -> int:
    """How many output tokens were counted."""
    return sum(int(point.sum) for point in telemetry.points(instruments.USAGE_OUTPUT))


@pytest.mark.parametrize("raw", [False, True], ids=["message", "raw_response"])
def test_an_answer_from_before_is_not_counted_again(
    sim: Simulator, recorded: Telemetry, client_with: Callable[..., anthropic.Anthropic], *, raw: bool
) -> None:
    """A cache sends to have a newer answer for the next one, and returns what it has kept of another call."""
    kept: list[Any] = []

    def refreshing(request: Any, call_next: Next) -> Any:
        kept.append(call_next(request))
        return kept[-2] if len(kept) > 1 else kept[-1]

    messages = client_with(refreshing).messages
    requests = (request_of(), request_of("A longer prompt. " * 5))
    first, second = (
        messages.with_raw_response.create(**request).parse() if raw else messages.create(**request)
        for request in requests
    )
    assert first.id == second.id
    assert [(span.attributes or {}).get("error.type") for span in recorded.attempts] == [None, None]
    assert output_tokens(recorded) == first.usage.output_tokens
    assert outcomes(recorded) == [("succeeded", None), ("succeeded", None)]


@pytest.mark.parametrize("named", [True, False], ids=["with its request id", "without one"])
def test_an_answer_that_a_middleware_makes_anew_counts_once(
    sim: Simulator, recorded: Telemetry, client_with: Callable[..., anthropic.Anthropic], *, named: bool
) -> None:
    """As one that takes a name out of the text. It is known by its request id; without one it is the last attempt's."""

    def redacted(request: Any, call_next: Next) -> Any:
        answer = call_next(request)
        original = answer.http_response
        http = type(original)(
            200,
            headers={"content-type": "application/json", **({"request-id": answer.request_id} if named else {})},
            content=original.content.replace(b"quick", b"*****"),
            request=original.request,
        )
        options = {name: getattr(answer, f"_{name}") for name in ("client", "cast_to", "stream_cls", "options")}
        return type(answer)(raw=http, stream=False, **options)

    reply = client_with(redacted).messages.create(**request_of())
    assert output_tokens(recorded) == reply.usage.output_tokens > 0


def test_each_attempt_of_a_fallback_has_its_own_model(
    sim: Simulator, recorded: Telemetry, client_with: Callable[..., anthropic.Anthropic]
) -> None:
    """The call has the model that the app asked for, the second attempt the one that it was sent with."""
    sim.play("http_529", "ok")
    client_with(fallback).messages.create(**request_of())
    assert [json.loads(request.body)["model"] for request in sim.requests] == [MODEL, OTHER_MODEL]
    assert models(recorded, instruments.CALL_DURATION) == {MODEL: 1}
    assert models(recorded, instruments.ATTEMPT_DURATION) == {MODEL: 1, OTHER_MODEL: 1}


PLATFORMS: Final[dict[str, dict[str, Any]]] = {
    "AnthropicBedrock": CREDENTIALS["AnthropicBedrock"],
    "AnthropicVertex": {"project_id": "a-project", "region": "us-east5", "access_token": API_KEY},
}
"""The platforms whose clients move the model from the body to the URL, and what a client is made with."""


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("by", ["a_fallback", "extra_body"])
def test_an_attempt_has_its_own_model_where_the_url_has_it(
    sim: Simulator, recorded: Telemetry, platform: str, by: str
) -> None:
    """The platform's client has moved it there before the request is built."""
    if platform == "AnthropicBedrock":
        pytest.importorskip("botocore")
    made = getattr(anthropic, platform)
    url = sim.base_url + ("/v1" if platform == "AnthropicVertex" else "")
    recorded.instrument()
    sim.play(*(["http_529"] if by == "a_fallback" else []), "ok")
    client: Any = made(base_url=url, middleware=[fallback], max_retries=0, **PLATFORMS[platform])
    with client, capture() as telemetry:
        client.messages.create(**request_of(), extra_body={"model": OTHER_MODEL} if by == "extra_body" else None)
    # Older SDKs leave the model of the URL as it was where the app gives another one as an extra field of the body.
    [asked] = [model for model in (MODEL, OTHER_MODEL) if model in sim.requests[-1].target]
    assert asked == OTHER_MODEL or by == "extra_body"
    assert telemetry.attempts[-1].model == asked
    assert models(recorded, instruments.CALL_DURATION) == {MODEL: 1}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_fallback_to_another_platform_has_the_tokens_of_that(
    sim: Simulator, recorded: Telemetry, platform: str, stream: bool
) -> None:
    """Its client is not instrumented. So it is an attempt of the call that falls back, but of its own platform."""
    if platform == "AnthropicBedrock":
        pytest.importorskip("botocore")
    url = sim.base_url + ("/v1" if platform == "AnthropicVertex" else "")
    sim.play("http_529", "ok")
    with getattr(anthropic, platform)(base_url=url, **PLATFORMS[platform]) as other:

        def falls_back(request: Any, call_next: Next) -> Any:
            if call_next(request).status_code != 529:
                raise AssertionError
            return other.messages.create(**request_of(stream=stream))

        with anthropic.Anthropic(
            base_url=sim.base_url, api_key=API_KEY, middleware=[falls_back], max_retries=0
        ) as client:
            recorded.instrument(client)
            answer = client.messages.create(**request_of())
            if stream:
                list(answer)
    assert outcomes(recorded) == [("recovered", None)]
    used = {
        point.attributes[semconv.GEN_AI_PROVIDER_NAME]: point.sum for point in recorded.points(instruments.USAGE_OUTPUT)
    }
    platform_name = "aws.bedrock" if platform == "AnthropicBedrock" else "gcp.vertex_ai"
    assert used.pop("anthropic") == 0
    assert used.keys() == {platform_name}
    assert used[platform_name] > 0


@pytest.mark.parametrize("traced", ["by_us", "by_the_sdk_around", "by_the_sdk_within"])
def test_a_call_within_a_call_has_a_span_of_its_own(
    sim: Simulator, recorded: Telemetry, client_with: Callable[..., anthropic.Anthropic], traced: str
) -> None:
    """A middleware asks another client: each call has one span with its own attempts, whoever makes the spans."""
    off: dict[str, Any] = {"traces": {"enabled": False}}
    on: dict[str, Any] = {"tracer_provider": recorded.tracer_provider}
    around, within = {"by_us": (off, off), "by_the_sdk_around": (on, off), "by_the_sdk_within": (off, on)}[traced]
    if not TRACES_ITSELF and traced != "by_us":
        pytest.skip("this SDK makes no spans")
    options: list[dict[str, Any]] = [{"open_telemetry": one} if TRACES_ITSELF else {} for one in (around, within)]
    with anthropic.Anthropic(base_url=sim.base_url, api_key=API_KEY, **options[1]) as other:

        def ask(request: Any, call_next: Next) -> Any:
            call_next(request)
            return other.messages.create(**request_of(), extra_body={"model": OTHER_MODEL})

        sim.play("http_529", "ok")
        client_with(ask, **options[0]).messages.create(**request_of())
    first, second = recorded.calls
    assert [span.parent for span in recorded.attempts] == [first.context, second.context]
    assert second.parent == first.context
    assert outcomes(recorded) == [("succeeded", None), ("recovered", None)]


def test_an_answer_that_a_middleware_turns_down_is_retried_by_the_sdk(
    sim: Simulator, recorded: Telemetry, client_with: Callable[..., anthropic.Anthropic]
) -> None:
    """It raises what has the SDK retry: a retry with its backoff, and neither a fallback nor a success at once."""
    again = getattr(anthropic, "RetryableError", None)
    if again is None:
        pytest.skip("this SDK retries for no exception of a middleware")
    verdicts = iter([False, True, False, False])

    def strict(request: Any, call_next: Next) -> Any:
        response = call_next(request)
        if next(verdicts):
            return response
        raise again("not good enough")

    client = client_with(strict, max_retries=1)
    with capture() as telemetry:
        client.messages.create(**request_of())
        with pytest.raises(again):
            client.messages.create(**request_of())
    assert outcomes(recorded) == [("recovered", None), ("exhausted", "client_error")]
    assert [(call.retries, call.outcome) for call in telemetry.calls] == [(1, "recovered"), (1, "exhausted")]
    for call in telemetry.calls:
        first, second = call.attempts
        assert (first.outcome, second.outcome) == ("completed", "completed")
        assert (second.retry_reason, second.retry_source, second.retry_delay) == ("app_exception", "backoff", 1.0)
    assert sum(point.count for point in recorded.points(instruments.RETRY_DELAY)) == 2


def test_what_a_middleware_sends_again_uses_up_no_retry_of_the_sdk(
    sim: Simulator, recorded: Telemetry, client_with: Callable[..., anthropic.Anthropic]
) -> None:
    """It asks three times before the SDK gets the failure and retries: each attempt says what the SDK has left."""

    def stubborn(request: Any, call_next: Next) -> Any:
        for _ in range(2):
            response = call_next(request)
            if response.status_code != 529:
                return response
        return call_next(request)

    sim.play(*["http_529"] * 6)
    with capture() as telemetry, pytest.raises(anthropic.APIStatusError):
        client_with(stubborn, max_retries=1).messages.create(**request_of())
    [call] = telemetry.calls
    assert [attempt.retry_stop_reason for attempt in call.attempts] == [None] * 3 + ["exhausted"] * 3
    assert (call.outcome, call.retries) == ("exhausted", 5)


@pytest.mark.parametrize("at_once", [True, False], ids=["hedge", "another_call"])
def test_a_call_that_was_not_retried_is_not_exhausted(
    sim: Simulator, recorded: Telemetry, client_with: Callable[..., anthropic.Anthropic], *, at_once: bool
) -> None:
    """Two requests of a call that has no retry fail, of which none follows the failure of the other."""
    both = threading.Barrier(2)

    def twice(request: Any, call_next: Next) -> Any:
        with ThreadPoolExecutor(2) as pool:
            sent = [pool.submit(contextvars.copy_context().run, call_next, request) for _ in range(2)]
        return sent[0].result()

    def refused_after_an_answer(request: Any, call_next: Next) -> Any:
        call_next(request)
        return call_next(request)

    # The HTTP client tells its hook of a request within the attempt, so that neither fails before both have begun.
    begun: list[Callable[[Any], Any]] = [lambda _: both.wait()] if at_once else []
    sim.play(*(["http_529", "http_529"] if at_once else ["ok", "http_529"]))
    with capture() as telemetry, anthropic.DefaultHttpxClient(event_hooks={"request": begun}) as http_client:
        client = client_with(twice if at_once else refused_after_an_answer, http_client=http_client)
        with pytest.raises(anthropic.APIStatusError):
            client.messages.create(**request_of())
    [call] = telemetry.calls
    assert (call.outcome, call.retries) == ("failed", 0)


def test_without_the_number_of_a_retry_attempts_are_counted(
    sim: Simulator, recorded: Telemetry, client_with: Callable[..., anthropic.Anthropic]
) -> None:
    """The app has taken the header away by which the SDK's retries are told from others."""

    def passive(request: Any, call_next: Next) -> Any:
        return call_next(request)

    client = client_with(passive, max_retries=1, default_headers={"x-stainless-retry-count": omitted()})
    sim.play("http_529", "http_529")
    with capture() as telemetry, pytest.raises(anthropic.APIStatusError):
        client.messages.create(**request_of())
    [call] = telemetry.calls
    assert [attempt.retry_stop_reason for attempt in call.attempts] == [None, "exhausted"]
    assert (call.outcome, call.retries) == ("exhausted", 1)


def omitted() -> Any:
    """What the SDK takes for a header that is not to be sent."""
    return getattr(anthropic, "Omit")()  # noqa: B009


def test_a_call_whose_middleware_leaves_failures_unread_has_one_warning(
    sim: Simulator, recorded: Telemetry, client_with: Callable[..., anthropic.Anthropic]
) -> None:
    """It asks three times for a stream and closes no response: two were retried, with the third one the call fails."""
    kept: list[Any] = []

    def stubborn(request: Any, call_next: Next) -> Any:
        kept.extend(call_next(request) for _ in range(3))
        return kept[-1]

    sim.play("http_529", "http_529", Reply(429, error_code="enforced_spend_limit_reached"))
    client = client_with(stubborn)
    with capture() as telemetry:
        with pytest.raises(anthropic.APIStatusError):
            client.messages.create(stream=True, **request_of())
        for response in kept:
            response.http_response.close()
    assert sorted(record.levelname for record in recorded.logs) == ["INFO", "INFO", "WARNING"]
    [warning] = [record.getMessage() for record in recorded.logs if record.levelname == "WARNING"]
    assert "attempt 3 of 3" in warning
    assert "retried after" not in warning
    for record in recorded.logs:
        assert record.levelname == "WARNING" or " of " not in record.getMessage()
    [call] = telemetry.calls
    assert (call.error_type, call.api_error_code) == ("rate_limit_error", "enforced_spend_limit_reached")


@pytest.mark.parametrize("reached", [True, False])
def test_a_call_that_fails_with_another_clients_failure_has_not_its_own_attempts_code(
    sim: Simulator, recorded: Telemetry, client_with: Callable[..., anthropic.Anthropic], *, reached: bool
) -> None:
    """The spend limit of the first account is the attempt's. What the app got is of the second, which has none."""
    options: dict[str, Any] = {"max_retries": 0, "api_key": API_KEY}
    url = sim.base_url if reached else "http://127.0.0.1:9"
    with anthropic.Anthropic(base_url=url, **options) as other:

        def elsewhere(request: Any, call_next: Next) -> Any:
            response = call_next(request)
            return response if response.status_code == 200 else other.messages.create(**request_of())

        sim.play(Reply(429, error_code="enforced_spend_limit_reached"), "http_500")
        client = client_with(elsewhere)
        with capture() as telemetry, pytest.raises((anthropic.APIStatusError, anthropic.APIConnectionError)):
            client.messages.create(**request_of())
    [outer, _] = telemetry.calls
    assert outer.attempts[0].api_error_code == "enforced_spend_limit_reached"
    assert (outer.error_type, outer.api_error_code) == ("api_error" if reached else "connection_error", None)


@pytest.mark.parametrize("second", ["http_500", "ok"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_call_whose_middleware_passes_on_an_earlier_failure_has_that_ones_code(
    sim: Simulator,
    recorded: Telemetry,
    client_with: Callable[..., anthropic.Anthropic],
    second: str,
    *,
    stream: bool,
) -> None:
    """Another model is no help, so that the app gets the first answer: why it was refused is what the call says."""

    def in_vain(request: Any, call_next: Next) -> Any:
        first = call_next(request)
        call_next(request.copy(body={**request.json, "model": OTHER_MODEL})).http_response.close()
        return first

    sim.play(Reply(429, error_code="enforced_spend_limit_reached"), second)
    client = client_with(in_vain)
    with capture() as telemetry, pytest.raises(anthropic.RateLimitError):
        client.messages.create(**request_of(), stream=stream)
    [call] = telemetry.calls
    assert (call.error_type, call.api_error_code) == ("rate_limit_error", "enforced_spend_limit_reached")
    assert sum(record.levelname == "WARNING" for record in recorded.logs) == 1


def test_answers_that_a_middleware_makes_failures_of_use_up_the_retries(
    sim: Simulator, recorded: Telemetry, client_with: Callable[..., anthropic.Anthropic]
) -> None:
    """It gives the SDK a 503 in place of what came, which the SDK retries until it may not."""
    made: list[anthropic.Anthropic] = []

    def turned_down(request: Any, call_next: Next) -> Any:
        answer = call_next(request)
        http = type(answer.http_response)(503, json={}, request=answer.http_response.request)
        more = {"cast_to": request.cast_to, "stream": False, "stream_cls": None, "options": request.options}
        return type(answer)(raw=http, client=made[0], **more)

    made.append(client_with(turned_down, max_retries=1))
    with capture() as telemetry, pytest.raises(anthropic.InternalServerError):
        made[0].messages.create(**request_of())
    [call] = telemetry.calls
    assert ([attempt.status for attempt in call.attempts], call.retries) == ([200, 200], 1)
    assert (call.outcome, call.error_type) == ("exhausted", "503")


def test_an_attempt_that_a_middleware_gave_up_has_a_backoff_after_it(sim: Simulator, recorded: Telemetry) -> None:
    """It stops what takes too long and has the SDK retry: the wait since then is the backoff."""
    again = getattr(anthropic, "RetryableError", None)
    if again is None:
        pytest.skip("this SDK retries for no exception of a middleware")

    async def impatient(request: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
        if sim.requests:
            return await call_next(request)
        waiting = asyncio.ensure_future(call_next(request))
        while not sim.requests:
            await asyncio.sleep(0.001)
        waiting.cancel()
        try:
            return await waiting
        except asyncio.CancelledError as error:
            raise again("too slow") from error

    async def app() -> None:
        async with anthropic.AsyncAnthropic(
            base_url=sim.base_url, api_key=API_KEY, middleware=[impatient], max_retries=1
        ) as client:
            await client.messages.create(**request_of())

    recorded.instrument()
    sim.play("read_timeout", "ok")
    with capture() as telemetry:
        asyncio.run(app())
    [call] = telemetry.calls
    first, second = call.attempts
    assert (first.outcome, second.retry_reason) == ("cancelled", "app_exception")
    assert second.retry_delay is not None
    assert (call.outcome, call.retries) == ("recovered", 1)


@pytest.mark.parametrize("who", ["a_middleware", "the_client"])
def test_a_retry_after_that_nobody_waits_for_has_not_set_the_backoff(
    sim: Simulator, recorded: Telemetry, client_with: Callable[..., anthropic.Anthropic], who: str
) -> None:
    """A middleware that retries at once, and a client class with a backoff of its own."""

    def at_once(request: Any, call_next: Next) -> Any:
        response = call_next(request)
        return call_next(request) if response.status_code == 429 else response

    def as_it_comes(request: Any, call_next: Next) -> Any:
        return call_next(request)

    client = client_with(at_once if who == "a_middleware" else as_it_comes, max_retries=1)
    if who == "the_client":
        setattr(client, "_calculate_retry_timeout", lambda *_, **__: 0.0)  # noqa: B010
    sim.play(Reply(429, headers=(("retry-after", "30"),)), "ok")
    with capture() as telemetry:
        client.messages.create(**request_of())
    assert [attempt.retry_source for attempt in telemetry.attempts] == [None, "backoff"]


def test_a_stale_answer_is_a_call_that_succeeded(
    sim: Simulator, recorded: Telemetry, client_with: Callable[..., anthropic.Anthropic]
) -> None:
    """The API is overloaded and the app gets what was kept from before: its attempt failed, its call did not."""
    kept: list[Any] = []

    def serve_stale(request: Any, call_next: Next) -> Any:
        response = call_next(request)
        if response.status_code == 529:
            return kept[-1]
        kept.append(response)
        return response

    client = client_with(serve_stale)
    sim.play("ok", "http_529")
    for _ in range(2):
        assert client.messages.create(**request_of()).content
    assert [(span.attributes or {}).get("error.type") for span in recorded.attempts] == [None, "529"]
    assert outcomes(recorded) == [("succeeded", None), ("recovered", None)]


def test_a_hedge_that_answers_is_a_call_that_succeeded(
    sim: Simulator, recorded: Telemetry, client_with: Callable[..., anthropic.Anthropic]
) -> None:
    """The same request is sent twice, and the one that hangs times out last: the app got the other's answer."""
    answered = threading.Event()

    class Late(SDK_STACKS[0].module.HTTPTransport):  # type: ignore[misc]
        """Raises once the other request is answered, however soon it has failed."""

        def handle_request(self, request: Any) -> Any:
            try:
                return super().handle_request(request)
            except SDK_STACKS[0].module.TransportError:
                answered.wait()
                raise

    def hedge(request: Any, call_next: Next) -> Any:
        with ThreadPoolExecutor(1) as pool:
            hanging = pool.submit(contextvars.copy_context().run, call_next, request.copy(timeout=0.2))
            try:
                until(lambda: bool(sim.requests), every=0.001)
                answer = call_next(request)
            finally:
                answered.set()
            assert isinstance(hanging.exception(), anthropic.APITimeoutError)
        return answer

    sim.play("read_timeout", "ok")
    client = client_with(hedge, http_client=anthropic.DefaultHttpxClient(transport=Late()))
    assert client.messages.create(**request_of()).content
    assert sorted(str((span.attributes or {}).get("error.type")) for span in recorded.attempts) == [
        "None",
        "read_timeout",
    ]
    [(outcome, error)] = outcomes(recorded)
    assert (outcome, error) == ("succeeded", None)


def test_a_middleware_that_sends_from_its_own_thread_has_its_attempt(
    sim: Simulator, recorded: Telemetry, client_with: Callable[..., anthropic.Anthropic]
) -> None:
    """The request belongs to its client's one open call."""

    client_with(in_a_thread).messages.create(**request_of())
    assert len(sim.requests) == len(recorded.attempts) == 1
    assert outcomes(recorded) == [("succeeded", None)]
    assert sum(point.sum for point in recorded.points(instruments.ATTEMPT_STARTED)) == 1


def then_in_a_thread(request: Any, call_next: Next) -> Any:
    """Sends once more, in a thread."""
    call_next(request)
    return in_a_thread(request, call_next)


def first_in_a_thread(request: Any, call_next: Next) -> Any:
    """Sends in a thread, then once more where the method runs."""
    in_a_thread(request, call_next)
    return call_next(request)


@pytest.mark.parametrize("within_the_apps", [False, True])
def test_an_attempt_in_a_middlewares_own_thread_is_a_child_of_the_call(
    recorded: Telemetry, client_with: Callable[..., anthropic.Anthropic], within_the_apps: bool
) -> None:
    """Its call's span is known from the attempt before, also where the call has no other parent."""
    tracer = recorded.tracer_provider.get_tracer("app")
    with tracer.start_as_current_span("a request of the app") if within_the_apps else nullcontext():
        client_with(then_in_a_thread).messages.create(**request_of())
    [call] = recorded.calls
    assert [attempt.parent for attempt in recorded.attempts] == [call.context] * 2


@pytest.mark.parametrize("within_the_apps", [False, True])
@pytest.mark.parametrize("propagation", [True, False])
def test_a_first_attempt_in_a_middlewares_own_thread_is_a_child_of_the_call(
    recorded: Telemetry, client_with: Callable[..., anthropic.Anthropic], *, propagation: bool, within_the_apps: bool
) -> None:
    """The SDK's span is not seen from there, but its context is on the request. Without that it is in the app's trace.

    The next attempt is made where the SDK's span is current.
    """
    options: dict[str, Any] = {}
    if TRACES_ITSELF:
        options["open_telemetry"] = {"tracer_provider": recorded.tracer_provider, "propagation": propagation}
    tracer = recorded.tracer_provider.get_tracer("app")
    with tracer.start_as_current_span("a request of the app") if within_the_apps else nullcontext():
        client_with(first_in_a_thread, **options).messages.create(**request_of())
    [call] = recorded.calls
    first, second = recorded.attempts
    is_known = not TRACES_ITSELF or (PROPAGATES_ITSELF and propagation)
    assert first.parent == (call.context if is_known else call.parent)
    assert second.parent == call.context


def test_attempts_of_calls_beside_each_other_are_children_of_their_own(
    recorded: Telemetry, client_with: Callable[..., anthropic.Anthropic]
) -> None:
    """Two calls of a client send in threads at once, before either has sent anything. Each has its own attempt."""
    both = threading.Barrier(2)

    def together(request: Any, call_next: Next) -> Any:
        both.wait()
        answer = in_a_thread(request, call_next)
        both.wait()
        return answer

    client = client_with(together)
    with capture() as telemetry, ThreadPoolExecutor(2) as pool:
        for sent in [pool.submit(lambda: client.messages.create(**request_of())) for _ in range(2)]:
            sent.result()
    assert [len(call.attempts) for call in telemetry.calls] == [1, 1]
    parents = [attempt.parent for attempt in recorded.attempts]
    assert len(parents) == 2
    assert {ids.span_id for ids in parents if ids} == {call.context.span_id for call in recorded.calls if call.context}


def test_attempts_beside_each_other_are_of_their_own_calls_also_without_a_model(
    client_with: Callable[..., anthropic.Anthropic],
) -> None:
    """As uploads of files have none."""
    both = threading.Barrier(2)

    def together(request: Any, call_next: Next) -> Any:
        both.wait()
        return in_a_thread(request, call_next)

    client = client_with(together)
    with capture() as telemetry, ThreadPoolExecutor(2) as pool:
        for sent in [pool.submit(lambda: client.beta.files.upload(file=("a.txt", b"a"))) for _ in range(2)]:
            sent.result()
    assert [len(call.attempts) for call in telemetry.calls] == [1, 1]


def test_what_a_thread_sends_after_its_call_is_no_attempt_of_another(
    sim: Simulator, recorded: Telemetry, client_with: Callable[..., anthropic.Anthropic]
) -> None:
    """A middleware tries another model aside and does not wait for it. It is sent while a second call runs."""
    aside: list[Any] = []

    def tries_another(request: Any, call_next: Next) -> Any:
        answer = call_next(request)
        if not aside:
            aside.append((request.copy(body={**request.json, "model": OTHER_MODEL}), call_next))
        else:
            in_a_thread(*aside[0])
        return answer

    client = client_with(tries_another)
    with capture() as telemetry:
        for _ in range(2):
            client.messages.create(**request_of())
    assert [[attempt.model for attempt in call.attempts] for call in telemetry.calls] == [[MODEL], [MODEL]]
    assert [attempt.model for attempt in telemetry.attempts if attempt.call is None] == [OTHER_MODEL]
    if PROPAGATES_ITSELF:
        first, _ = recorded.calls
        assert [attempt.parent for attempt in recorded.attempts][2] == first.context


def test_attempts_in_threads_are_of_the_call_that_they_are_sent_for(
    recorded: Telemetry, client_with: Callable[..., anthropic.Anthropic]
) -> None:
    """Two calls of a client at once: each has sent before, so that it is known which one another request is of."""
    both = threading.Barrier(2)

    def together(request: Any, call_next: Next) -> Any:
        call_next(request)
        both.wait()
        answer = in_a_thread(request, call_next)
        both.wait()
        return answer

    client = client_with(together)
    with capture() as telemetry, ThreadPoolExecutor(2) as pool:
        for sent in [pool.submit(lambda: client.messages.create(**request_of())) for _ in range(2)]:
            sent.result()
    assert [len(call.attempts) for call in telemetry.calls] == [2, 2]


class _NoCalls(Sampler):
    """Drops the spans of calls alone."""

    def should_sample(self, parent_context: Any, trace_id: int, name: str, *args: Any, **kwargs: Any) -> SamplingResult:
        return SamplingResult(Decision.DROP if name.startswith("anthropic.") else Decision.RECORD_AND_SAMPLE)

    def get_description(self) -> str:
        return "drops calls"


@pytest.mark.parametrize("propagation", [True, False])
def test_a_call_that_is_dropped_has_no_span_from_a_middlewares_own_thread(sim: Simulator, propagation: bool) -> None:
    """The sampler is not asked again for the attempt in the thread."""
    options: dict[str, Any] = {}
    with recording(sampler=_NoCalls()) as recorded:
        if TRACES_ITSELF:
            tracing = {"tracer_provider": recorded.tracer_provider, "propagation": propagation}
            options["open_telemetry"] = tracing
        recorded.instrument()
        with anthropic.Anthropic(
            base_url=sim.base_url, api_key=API_KEY, middleware=[then_in_a_thread], **options
        ) as client:
            client.messages.create(**request_of())
        assert recorded.spans == []
        assert sum(point.sum for point in recorded.points(instruments.ATTEMPT_STARTED)) == 2


def test_a_refusal_that_is_read_to_its_end_is_a_call_that_succeeded(
    sim: Simulator, recorded: Telemetry, client_with: Callable[..., anthropic.Anthropic]
) -> None:
    """The second model is overloaded, so the app reads the first one's refusal: it got a whole stream."""
    sim.play(REFUSAL, "http_529")
    client = client_with(middlewares.BetaRefusalFallbackMiddleware([{"model": OTHER_MODEL}]))
    with middlewares.BetaFallbackState():
        events = [event.type for event in client.beta.messages.create(stream=True, **request_of())]
    assert events[-1] == "message_stop"
    [(outcome, error)] = outcomes(recorded)
    assert (outcome, error) == ("succeeded", None)


def test_a_fallback_after_a_refusal_is_no_retry(
    sim: Simulator, recorded: Telemetry, client_with: Callable[..., anthropic.Anthropic]
) -> None:
    """Nothing failed: the second attempt has the reason `fallback`, and the call no retries."""
    sim.play(REFUSAL, "ok")
    client = client_with(middlewares.BetaRefusalFallbackMiddleware([{"model": OTHER_MODEL}]))
    with middlewares.BetaFallbackState():
        list(client.beta.messages.create(stream=True, **request_of()))
    assert [(span.attributes or {}).get("anthropic.client.retry.reason") for span in recorded.attempts] == [
        None,
        "fallback",
    ]
    assert sum(point.sum for point in recorded.points(instruments.CALL_RETRIES)) == 0
