"""Which model a call and its attempts have, and how many names of models are kept.

Rule: a call has the model that the app asked for, an attempt the one that its own request was sent with.
"""

from __future__ import annotations

import enum
import importlib
import json
import tracemalloc
from contextlib import suppress
from typing import Any, Final
from unittest import mock

import anthropic
import pytest

from anthropic_otel._core import instruments, semconv
from anthropic_otel.simulator import Simulator
from support.apps import API_KEY, request_of
from support.telemetry import Telemetry
from support.versions import HAS_MIDDLEWARE, SDK_LIBRARY, TRACES_ITSELF
from support.waiting import collect_garbage

MEGABYTE: Final = 1024 * 1024
MODEL: Final = "gen_ai.request.model"
NO_SPAN_OF_THE_SDK: Final[dict[str, Any]] = {"open_telemetry": False} if TRACES_ITSELF else {}


def client_of(
    sim: Simulator, telemetry: Telemetry, client_class: type[anthropic.Anthropic] = anthropic.Anthropic, **options: Any
) -> anthropic.Anthropic:
    """An instrumented client that does not retry."""
    telemetry.instrument()
    if TRACES_ITSELF:
        options.setdefault("open_telemetry", {"tracer_provider": telemetry.tracer_provider})
    return client_class(base_url=sim.base_url, api_key=API_KEY, max_retries=0, **options)


def models(telemetry: Telemetry, metric: instruments.Metric) -> dict[str | None, float]:
    """How much of a metric each model has."""
    return {point.attributes.get(MODEL): point.count for point in telemetry.points(metric)}


@pytest.mark.any_model
def test_a_model_in_extra_body_is_the_attempts_model(sim: Simulator, recorded: Telemetry) -> None:
    """What is sent is what the attempt has, though the argument of the call says another model."""
    with client_of(sim, recorded) as client:
        client.messages.create(**request_of(), extra_body={"model": "claude-of-the-body"})
    assert json.loads(sim.requests[0].body)["model"] == "claude-of-the-body"
    assert list(models(recorded, instruments.ATTEMPT_DURATION)) == ["claude-of-the-body"]


class Preparing(anthropic.Anthropic):
    """A client of an app that sends every request to another model, by the SDK's hook for that."""

    def _prepare_options(self, options: Any) -> Any:
        options.json_data = {**options.json_data, "model": "claude-of-the-hook"}
        return options


class Building(anthropic.Anthropic):
    """The same, where the request is built."""

    def _build_request(self, options: Any, **more: Any) -> Any:
        options.json_data = {**options.json_data, "model": "claude-of-the-hook"}
        return super()._build_request(options, **more)


class Attempting(anthropic.Anthropic):
    """The same, around what the SDK does for one attempt, or in old SDKs for all of a call."""


def _attempt(self: Any, *args: Any, **kwargs: Any) -> Any:
    [options] = [each for each in (*args, *kwargs.values()) if hasattr(each, "json_data")]
    options.json_data = {**options.json_data, "model": "claude-of-the-hook"}
    return getattr(anthropic.Anthropic, _ATTEMPTS)(self, *args, **kwargs)


_ATTEMPTS: Final = next(
    (name for name in ("_attempt_request", "_request") if hasattr(anthropic.Anthropic, name)), "_prepare_options"
)
setattr(Attempting, _ATTEMPTS, _attempt)


@pytest.mark.any_model
@pytest.mark.parametrize("client_class", [Preparing, Building, Attempting])
def test_a_model_that_the_apps_client_puts_in_is_the_attempts_model(
    sim: Simulator, recorded: Telemetry, client_class: type[anthropic.Anthropic]
) -> None:
    """The call has the model that it was made with."""
    with client_of(sim, recorded, client_class) as client:
        client.messages.create(**request_of())
    assert json.loads(sim.requests[0].body)["model"] == "claude-of-the-hook"
    assert list(models(recorded, instruments.ATTEMPT_DURATION)) == ["claude-of-the-hook"]
    assert list(models(recorded, instruments.CALL_DURATION)) == [request_of()["model"]]


@pytest.mark.any_model
def test_a_hook_that_the_app_puts_on_its_client_later_counts_from_then_on(sim: Simulator, recorded: Telemetry) -> None:
    """A client whose first calls were plain sends another model once it has the hook, and the first one without it."""

    def prepare(options: Any) -> Any:
        options.json_data = {**options.json_data, "model": "claude-of-the-hook"}
        return options

    with client_of(sim, recorded) as client:
        client.messages.create(**request_of())
        with mock.patch.object(client, "_prepare_options", prepare):
            client.messages.create(**request_of())
        client.messages.create(**request_of())
    assert models(recorded, instruments.ATTEMPT_DURATION) == {request_of()["model"]: 2, "claude-of-the-hook": 1}


class FallingBack(anthropic.Anthropic):
    """A client of an app that asks another model after a failure."""

    def _sleep_for_retry(self, *, options: Any, **_: Any) -> None:
        options.json_data = {**options.json_data, "model": "claude-of-the-hook"}


@pytest.mark.any_model
@pytest.mark.skipif(not hasattr(anthropic.Anthropic, "_sleep_for_retry"), reason="the old SDK retries another way")
def test_a_model_that_the_apps_client_falls_back_to_is_the_retrys_model(sim: Simulator, recorded: Telemetry) -> None:
    """The first attempt has that of the call."""
    sim.play("http_529")
    with client_of(sim, recorded, FallingBack) as client:
        client.with_options(max_retries=1).messages.create(**request_of())
    assert [json.loads(request.body)["model"] for request in sim.requests][1:] == ["claude-of-the-hook"]
    assert models(recorded, instruments.ATTEMPT_DURATION) == {request_of()["model"]: 1, "claude-of-the-hook": 1}


@pytest.mark.any_model
def test_a_request_of_another_client_within_a_call_has_its_own_model(sim: Simulator, recorded: Telemetry) -> None:
    """As where a hook counts tokens by a client that is not instrumented: the call's model is not that of its count."""
    asked: list[Any] = []

    def count(request: Any) -> None:
        if not asked:
            asked.append(request)
            tokens = getattr(other.messages, "count_tokens", None) or other.beta.messages.count_tokens
            tokens(model="claude-of-the-count", messages=request_of()["messages"])

    http_client = importlib.import_module(SDK_LIBRARY).Client(event_hooks={"request": [count]})
    options: dict[str, Any] = {"base_url": sim.base_url, "api_key": API_KEY, "max_retries": 0, **NO_SPAN_OF_THE_SDK}
    with anthropic.Anthropic(**options) as other, anthropic.Anthropic(**options, http_client=http_client) as client:
        recorded.instrument(client=client)
        client.messages.create(**request_of())
    assert sorted(map(str, models(recorded, instruments.ATTEMPT_DURATION))) == [
        "claude-of-the-count",
        request_of()["model"],
    ]


class Model(str, enum.Enum):
    """The models of an app, as many write them down."""

    FAST = "claude-of-the-enum"


@pytest.mark.any_model
def test_a_model_of_an_enum_is_its_value(sim: Simulator, recorded: Telemetry) -> None:
    """Its value is sent, and is a label of its own type: an exporter would show the member's name."""
    with client_of(sim, recorded) as client:
        client.messages.create(**request_of() | {"model": Model.FAST})
        client.messages.create(**request_of(), extra_body={"model": Model.FAST})
    assert json.loads(sim.requests[0].body)["model"] == "claude-of-the-enum"
    for metric in (instruments.ATTEMPT_STARTED, instruments.ATTEMPT_DURATION, instruments.CALL_DURATION):
        for name in models(recorded, metric):
            assert type(name) is str, metric.name
            assert str(name) in ("claude-of-the-enum", request_of()["model"])


def test_the_input_of_a_tool_is_no_model_and_no_stream(sim: Simulator, recorded: Telemetry) -> None:
    """It is content of the app, and the reply to a request with it is one as any other."""
    given = {"model": "a-model-of-the-prompt", "stream": True}
    messages = [
        {"role": "user", "content": "Go on."},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "rent", "input": given}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "ok"}]},
    ]
    tools = [{"name": "rent", "input_schema": {"type": "object"}}]
    options: dict[str, Any] = {"base_url": sim.base_url, "api_key": API_KEY, "max_retries": 0, **NO_SPAN_OF_THE_SDK}
    with anthropic.Anthropic(**options, http_client=_hooked(recorded)) as client:
        client.messages.create(**request_of() | {"messages": messages, "tools": tools})
    with _bedrock(sim, http_client=_hooked(recorded), **NO_SPAN_OF_THE_SDK) as client:
        client.messages.create(**request_of() | {"messages": messages, "tools": tools})
    assert models(recorded, instruments.ATTEMPT_DURATION) == {None: 1, request_of()["model"]: 1}
    assert [(span.attributes or {})[semconv.ATTEMPT_OUTCOME] for span in recorded.attempts] == ["completed"] * 2


@pytest.mark.skipif(not HAS_MIDDLEWARE, reason="this SDK has no middleware")
def test_tokens_that_vertex_counts_are_those_of_the_calls_model(sim: Simulator, recorded: Telemetry) -> None:
    """The path has the operation in the place of a model."""
    recorded.instrument()
    with _vertex(sim, middleware=[lambda request, call_next: call_next(request)]) as client:
        client.messages.count_tokens(model=request_of()["model"], messages=request_of()["messages"])
    for metric in (instruments.ATTEMPT_STARTED, instruments.ATTEMPT_DURATION, instruments.CALL_DURATION):
        assert list(models(recorded, metric)) == [request_of()["model"]]


def test_a_model_that_cannot_be_encoded_is_told_all_the_same(sim: Simulator, recorded: Telemetry) -> None:
    """Half of a surrogate pair is no UTF-8: the app's call fails, and what is told of it can be exported."""
    with client_of(sim, recorded, **NO_SPAN_OF_THE_SDK) as client, suppress(UnicodeEncodeError, anthropic.APIError):
        client.messages.create(**request_of() | {"model": "claude-\ud800"})
    for name in models(recorded, instruments.CALL_DURATION):
        assert str(name).encode()
    for span in recorded.spans:
        assert str((span.attributes or {}).get(MODEL)).encode()


@pytest.mark.any_model
def test_models_that_do_not_exist_do_not_crowd_out_a_real_one(sim: Simulator, recorded: Telemetry) -> None:
    """Sixty misspelt names, each answered by 404, leave room for a name that is answered."""
    with client_of(sim, recorded) as client:
        for number in range(60):
            sim.play("http_404")
            with pytest.raises(anthropic.NotFoundError):
                client.messages.create(**request_of() | {"model": f"claude-misspelt-{number}"})
        for _ in range(2):
            client.messages.create(**request_of() | {"model": "claude-that-exists"})
    assert "claude-that-exists" in models(recorded, instruments.CALL_DURATION)


def test_the_first_names_are_told_even_if_they_never_answered(sim: Simulator, recorded: Telemetry) -> None:
    """Half of the cap is open to any name: a model that only ever failed has a name of its own."""
    with client_of(sim, recorded) as client:
        sim.play("http_404")
        with pytest.raises(anthropic.NotFoundError):
            client.messages.create(**request_of() | {"model": "claude-misspelt"})
    assert list(models(recorded, instruments.CALL_DURATION)) == ["claude-misspelt"]


def test_enormous_model_names_are_not_kept(sim: Simulator, recorded: Telemetry) -> None:
    """Twelve names of 1 MB that were turned away leave less than 1 MB in all."""
    sim.reset()
    with client_of(sim, recorded) as client:
        for number in range(3):
            _turned_away(client, sim, f"short-{number}")
        tracemalloc.start()
        try:
            collect_garbage()
            before = tracemalloc.get_traced_memory()[0]
            for number in range(12):
                _turned_away(client, sim, f"{number}" + "x" * MEGABYTE)
            # The server of the connection keeps its latest request, and the simulator keeps all of them.
            _turned_away(client, sim, "short")
            sim.reset()
            recorded.clear()
            collect_garbage()
            kept = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
    assert kept < MEGABYTE


def _turned_away(client: anthropic.Anthropic, sim: Simulator, model: str) -> None:
    sim.play("http_404")
    with pytest.raises(anthropic.NotFoundError):
        client.messages.create(**request_of() | {"model": model})


def test_an_arn_is_told_by_its_last_part(sim: Simulator, recorded: Telemetry) -> None:
    """Bedrock's application inference profiles have the account's number in their name: metrics have none of it."""
    recorded.instrument()
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6"
    with _bedrock(sim) as client:
        client.messages.create(**request_of() | {"model": arn})
    [attempt] = recorded.attempts
    assert (attempt.attributes or {})[semconv.ATTEMPT_OUTCOME] == "completed"
    of_calls = (instruments.ATTEMPT_STARTED, instruments.ATTEMPT_DURATION, instruments.CALL_DURATION)
    for metric in (*of_calls, *instruments.USAGE):
        assert list(models(recorded, metric)) == ["a1b2c3d4e5f6"]
    # The URL is the one that was sent.
    told = [
        value
        for span in recorded.attempts
        for name, value in (span.attributes or {}).items()
        if name != semconv.URL_FULL
    ]
    assert not any("123456789012" in str(value) for value in told)


def _hooked(telemetry: Telemetry) -> Any:
    """An HTTP client with the event hooks, and nothing patched."""
    return importlib.import_module(SDK_LIBRARY).Client(event_hooks=telemetry.event_hooks())


def _bedrock(sim: Simulator, **options: Any) -> Any:
    pytest.importorskip("botocore", reason="needs anthropic[bedrock]")
    keys: dict[str, Any] = {"aws_access_key": "a", "aws_secret_key": "b", "aws_region": "us-east-1"}
    return anthropic.AnthropicBedrock(base_url=sim.base_url, max_retries=0, **keys, **options)


def _vertex(sim: Simulator, **options: Any) -> Any:
    pytest.importorskip("google.auth", reason="needs anthropic[vertex]")
    named: dict[str, Any] = {"access_token": "t", "region": "eu", "project_id": "p"}
    return anthropic.AnthropicVertex(base_url=f"{sim.base_url}/v1", max_retries=0, **named, **options)


@pytest.mark.skipif(not TRACES_ITSELF, reason="older SDKs have a call span of ours, which other tests hold")
@pytest.mark.parametrize(("make", "name"), [(_bedrock, "aws.bedrock"), (_vertex, "gcp.vertex_ai")])
def test_a_platforms_call_names_its_provider(make: Any, name: str, sim: Simulator, recorded: Telemetry) -> None:
    """The call's span has the platform by the name that the conventions have for it."""
    recorded.instrument()
    with make(sim, open_telemetry={"tracer_provider": recorded.tracer_provider}) as client:
        client.messages.create(**request_of())
    [call] = recorded.calls
    assert (call.attributes or {})["gen_ai.provider.name"] == name
