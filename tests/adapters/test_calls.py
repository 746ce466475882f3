"""Which requests are attempts of a call, and what is kept of the calls of one SDK client."""

from __future__ import annotations

import gc
import math
import os
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Final
from unittest import mock

import anthropic
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

import anthropic_otel
from anthropic_otel._adapters import message_threads, messages
from anthropic_otel._adapters.current import RunningCall, only_call_on
from anthropic_otel._adapters.invocations import Invocations
from anthropic_otel._core import instruments, semconv
from anthropic_otel._core.invocation import Invocation
from anthropic_otel._core.runtime import Runtime
from anthropic_otel.simulator import Endpoint, Simulator
from anthropic_otel.testing import capture
from support.apps import API_KEY, MODEL, SdkApp, request_of
from support.driver import Driver
from support.stacks import SDK_STACKS, Stack
from support.telemetry import Telemetry
from support.versions import TRACES_ITSELF
from support.waiting import collect_garbage

pytestmark = pytest.mark.usefixtures("waits")

OWN_SPAN: dict[str, Any] = {"open_telemetry": {"traces": {"enabled": False}}} if TRACES_ITSELF else {}
"""Options of a client whose call spans are the library's."""


@pytest.fixture(params=[stack for stack in SDK_STACKS if not stack.aiohttp], ids=lambda stack: stack.name)
def stack(request: pytest.FixtureRequest) -> Stack:
    """The stacks that the SDK uses by itself."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def app(stack: Stack, sim: Simulator, recorded: Telemetry) -> Iterator[SdkApp]:
    """An app that is not instrumented yet, at `127.0.0.1`."""
    with Driver(asynchronous=stack.asynchronous) as driver:
        app = SdkApp(stack, Endpoint(sim.base_url), driver, recorded, **OWN_SPAN)
        yield app
        app.close()


def _by_name(sim: Simulator) -> str:
    """The simulator's URL under another host name."""
    return sim.base_url.replace("127.0.0.1", "localhost")


def _post(app: SdkApp, url: str) -> Any:
    """Calls an absolute URL through the SDK, which takes one in the place of a path."""
    return app.driver(app.client.post(url, cast_to=anthropic.types.Message, body=request_of()))


def test_a_call_ends_though_an_interrupt_comes_while_its_failure_is_looked_at(
    app: SdkApp, sim: Simulator, recorded: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The app gets the interrupt, and the call is counted as one that failed with its attempt."""

    def interrupted(error: BaseException) -> bool:
        raise KeyboardInterrupt from error

    sim.play("http_400")
    recorded.instrument()
    monkeypatch.setattr(message_threads, "sends_again", interrupted)
    with pytest.raises(KeyboardInterrupt):
        app.create()
    [duration] = recorded.points(instruments.CALL_DURATION)
    assert (duration.count, duration.attributes[semconv.CALL_OUTCOME]) == (1, "failed")


def test_the_retry_count_makes_a_request_an_attempt_at_any_host(app: SdkApp, sim: Simulator) -> None:
    """The SDK sends a call to another host than the client's, and each of its requests is an attempt of that call."""
    sim.play("http_529", "ok")
    with capture() as telemetry:
        _post(app, f"{_by_name(sim)}/v1/messages")
    [call] = telemetry.calls
    assert [(attempt.server_address, attempt.status) for attempt in call.attempts] == [
        ("localhost", 529),
        ("localhost", 200),
    ]
    assert call.outcome == "recovered"


def test_a_request_of_the_app_to_another_host_is_no_attempt(app: SdkApp, sim: Simulator) -> None:
    """A hook that asks another host within a call, by the same HTTP client, is not part of the call."""

    def ask(response: Any) -> Any:
        if response.url.host == "localhost":
            return None
        return app.http.get(f"{_by_name(sim)}/v1/models")

    async def aask(response: Any) -> None:
        asked = ask(response)
        if asked is not None:
            await asked

    app.http.event_hooks = {"response": [aask if app.driver.asynchronous else ask]}
    with capture() as telemetry:
        app.create()
    [call] = telemetry.calls
    assert len(sim.requests) == 2
    assert [attempt.server_address for attempt in call.attempts] == ["127.0.0.1"]
    assert telemetry.started == 1


@pytest.fixture
def other_sim() -> Iterator[Simulator]:
    """Another server on the same machine."""
    with Simulator() as running:
        yield running


def _asks_in_a_hook(app: SdkApp, ask: Callable[[], Any]) -> None:
    """Has the app ask somebody once, while it looks at the first response of a call."""
    asked: list[bool] = []

    def hook(response: Any) -> Any:
        if not asked:
            asked.append(True)
            return ask()
        return None

    async def ahook(response: Any) -> None:
        awaitable = hook(response)
        if awaitable is not None:
            await awaitable

    app.http.event_hooks = {"response": [ahook if app.driver.asynchronous else hook]}


def test_a_request_to_another_port_of_the_same_host_is_no_attempt(
    app: SdkApp, sim: Simulator, other_sim: Simulator
) -> None:
    """Where the API is a gateway on this machine, the services beside it have the same host."""
    _asks_in_a_hook(app, lambda: app.http.get(f"{other_sim.base_url}/v1/models"))
    with capture() as telemetry:
        app.create()
    [call] = telemetry.calls
    assert (len(sim.requests), len(other_sim.requests)) == (1, 1)
    assert (len(call.attempts), telemetry.started) == (1, 1)


_VERSION: Final = "2023-06-01"
_WITHOUT_SDK: Final[dict[str, tuple[dict[str, str], dict[str, Any]]]] = {
    "/v1/messages": ({"anthropic-version": _VERSION, "x-api-key": API_KEY}, {"model": MODEL}),
    f"/model/us.anthropic.{MODEL}-v1%3A0/invoke": ({}, {"anthropic_version": "bedrock-2023-05-31"}),
}
"""Headers and a part of the body of a request to each path. Bedrock's has no header that tells whose it is."""


@pytest.mark.parametrize("path", _WITHOUT_SDK)
@pytest.mark.parametrize("sdk_only", [False, True])
def test_a_request_without_the_sdk_within_a_call_is_an_attempt_of_its_own(
    app: SdkApp, sim: Simulator, recorded: Telemetry, path: str, *, sdk_only: bool
) -> None:
    """A hook asks the API by another library: that is not for credentials, and no attempt of the call either."""
    other = type(app.http)()
    headers, told = _WITHOUT_SDK[path]
    body = {name: value for name, value in request_of().items() if name != "model"} | told
    _asks_in_a_hook(app, lambda: other.post(f"{sim.base_url}{path}", json=body, headers=headers))
    recorded.instrument(sdk_only=sdk_only)
    with capture() as telemetry:
        app.create()
    app.driver.close(other)
    [call] = telemetry.calls
    alone = [attempt.operation for attempt in telemetry.attempts if attempt.call is None]
    assert (len(sim.requests), len(call.attempts)) == (2, 1)
    assert alone == ([] if sdk_only else ["messages.create"])


class _OtherSdk:
    """An SDK of another API that is made by the generator of the Anthropic SDK, and so sends the same headers."""

    def __init__(self, app: SdkApp, url: str) -> None:
        self._app, self._url = app, url
        self._http = type(app.http)()

    def ask(self) -> Any:
        """A request as that SDK sends it. Async clients return an awaitable."""
        headers = {"x-stainless-retry-count": "0", "x-stainless-lang": "python"}
        return self._http.post(self._url, json={"model": "another"}, headers=headers)

    def close(self) -> None:
        self._app.driver.close(self._http)


@pytest.mark.parametrize("sdk_only", [False, True])
def test_requests_of_other_sdks_with_the_same_headers_are_no_attempts(
    app: SdkApp, sim: Simulator, recorded: Telemetry, *, sdk_only: bool
) -> None:
    """OpenAI's and Groq's SDKs send a retry count too. They are not recorded, and no trace context goes to them."""
    other = _OtherSdk(app, f"{_by_name(sim)}/v1/chat/completions")
    recorded.instrument(sdk_only=sdk_only)
    app.driver(other.ask())
    other.close()
    assert len(sim.requests) == 1
    assert not sim.requests[0].header("traceparent")
    assert not recorded.attempts
    assert not recorded.points(instruments.ATTEMPT_STARTED)


def test_a_request_of_another_sdk_within_a_call_is_none_of_the_call(app: SdkApp, sim: Simulator) -> None:
    """A hook asks another API whether an answer may be shown: the call has one attempt, and one only is counted."""
    other = _OtherSdk(app, f"{_by_name(sim)}/v1/chat/completions")

    def ask(response: Any) -> None:
        other.ask()

    async def aask(response: Any) -> None:
        await other.ask()

    app.http.event_hooks = {"response": [aask if app.driver.asynchronous else ask]}
    with capture() as telemetry:
        app.create()
    other.close()
    [call] = telemetry.calls
    assert [attempt.server_address for attempt in call.attempts] == ["127.0.0.1"]
    assert (len(sim.requests), telemetry.started) == (2, 1)


def test_a_client_with_a_new_base_url_calls_the_new_host(app: SdkApp, sim: Simulator, recorded: Telemetry) -> None:
    """The span of a call starts with the host that the client's `base_url` names at that time."""
    recorded.instrument()
    app.create()
    app.client.base_url = _by_name(sim)
    app.create()
    addresses = [(span.attributes or {}).get(semconv.SERVER_ADDRESS) for span in recorded.calls]
    assert addresses == ["127.0.0.1", "localhost"]


def test_a_request_that_takes_no_headers_is_one_attempt_of_nested_sends(
    sim: Simulator, recorded: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The `send` of a subclass calls that of its base, and the attempt lacks its trace context alone."""
    recorded.instrument()
    monkeypatch.setattr(messages, "set_headers", _fail)
    client = anthropic.Anthropic(base_url=sim.base_url, api_key=API_KEY, http_client=_nested_client(), **OWN_SPAN)
    with client:
        client.messages.create(**request_of())
    assert len(recorded.attempts) == 1
    assert any("Telemetry failed in Sending" in record.getMessage() for record in recorded.records)
    # It is the test's own.
    recorded.clear()


def _fail(*_: object) -> None:
    raise ValueError("no headers")


def _nested_client() -> Any:
    base: Any = anthropic.DefaultHttpxClient

    class Nested(base):  # type: ignore[misc]
        def send(self, request: Any, **options: Any) -> Any:
            return super().send(request, **options)

    return Nested()


@pytest.mark.skipif(not (3, 11) <= sys.version_info < (3, 13), reason="it is always there, or cannot be seen")
def test_a_stream_stays_without_a_dictionary(app: SdkApp, recorded: Telemetry) -> None:
    """Python makes one when it is asked for. It takes memory, and attributes are read more slowly then."""
    recorded.instrument()
    stream = app.driver(app.client.messages.create(**request_of(), stream=True))
    assert not _has_dictionary(stream)
    assert "response" in vars(stream)
    assert _has_dictionary(stream)
    app.driver(stream.close())


def _has_dictionary(instance: Any) -> bool:
    return any(isinstance(each, dict) and "response" in each for each in gc.get_referents(instance))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_knows_nothing_of_its_parents_calls() -> None:
    """A call that runs in the child on the same HTTP client is the only one there."""
    client, runtime = object(), Runtime()
    parents = RunningCall(runtime.begin_call(Invocation()), client, runtime)
    child = os.fork()
    if not child:
        wrong = 1
        try:
            own = RunningCall(runtime.begin_call(Invocation()), client, runtime)
            wrong = int(only_call_on(client, None) is not own)
            own.leave()
            parents.leave()
        finally:
            os._exit(wrong)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert only_call_on(client, None) is parents
    parents.leave()
    assert only_call_on(client, None) is None


class _Model(str):
    """A model's name whose lifetime can be watched."""


@pytest.mark.any_model
def test_what_is_kept_of_the_calls_of_one_client_is_bounded(app: SdkApp) -> None:
    """A client that calls 150 models is alive, and no more than 100 of their names are."""
    unsampled = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    anthropic_otel.instrument(tracer_provider=unsampled, metrics=False)
    alive: list[weakref.ref[_Model]] = []
    for number in range(150):
        model = _Model(f"model-{number}")
        alive.append(weakref.ref(model))
        app.create(model=model)
        del model
    collect_garbage()
    assert len([name for name in alive if name() is not None]) <= 100
    unsampled.shutdown()


@pytest.mark.parametrize(
    ("version", "longest"),
    [("0.40.0", 60.0), ("1.5.9", 60.0), ("1.6.0", math.inf), ("2.0.0", math.inf), ("", math.inf)],
)
def test_the_sdks_version_says_how_long_a_retry_after_may_be(version: str, longest: float) -> None:
    """An SDK up to 1.5 obeys a `retry-after` of 60 s at most. A newer one obeys any, and so an unknown one counts."""
    with anthropic.Anthropic(api_key=API_KEY) as client:
        assert Invocations(version).of(client, object(), False).max_retry_after == longest


def test_a_method_that_the_app_takes_off_its_client_again_counts_no_more() -> None:
    """Also if the client has as many attributes as before, as it gets one at the first use of each resource."""
    invocations = Invocations("2.0.0")
    with anthropic.Anthropic(api_key=API_KEY) as client:
        with mock.patch.object(client, "_should_retry", return_value=False):
            assert invocations.of(client, object(), False).own_retry_rule
        vars(client)["another"] = object()
        assert not invocations.of(client, object(), False).own_retry_rule
