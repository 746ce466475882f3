"""What the library looks up in the SDK: the boundary of a call, what a call is made with, and the client below it."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from anthropic_otel._adapters import message_threads
from anthropic_otel.simulator import Simulator
from support.apps import API_KEY, MODEL, SdkApp, request_of
from support.driver import Driver
from support.stacks import SDK_STACKS, Stack, each_of, http_client
from support.versions import HAS_MESSAGE_THREADS, HAS_MIDDLEWARE, NAMES_OPERATIONS, TRACES_ITSELF

CLIENTS: list[Any] = [
    pytest.param(getattr(anthropic, name), id=name)
    for name in sorted(dir(anthropic))
    if name.startswith(("Anthropic", "AsyncAnthropic"))
    and isinstance(getattr(anthropic, name), type)
    and hasattr(getattr(anthropic, name), "request")
]
"""Every client class that the SDK exports, of every platform."""


def definer(cls: type[Any]) -> type[Any]:
    return next(each for each in cls.__mro__ if "request" in each.__dict__)


stack = each_of(stack for stack in SDK_STACKS if not stack.aiohttp)


@pytest.fixture
def app(stack: Stack, sim: Simulator) -> Iterator[SdkApp]:
    """An app that nothing is instrumented of."""
    with Driver(asynchronous=stack.asynchronous) as driver:
        made = SdkApp(stack, sim.endpoint("ok"), driver)
        yield made
        made.close()


# -- the boundary of a call --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", CLIENTS)
def test_every_client_class_has_its_request_from_the_same_two_classes(cls: type[Any]) -> None:
    """One sync, one async: what is put on them is on the clients of every platform."""
    expected = definer(anthropic.AsyncAnthropic if cls.__name__.startswith("Async") else anthropic.Anthropic)
    assert definer(cls) is expected
    assert expected.__module__ == "anthropic._base_client"


@pytest.mark.parametrize("cls", [anthropic.Anthropic, anthropic.AsyncAnthropic])
def test_request_takes_its_options_second(cls: type[Any]) -> None:
    """The first arguments are the type to return and the options; `stream` is given by name."""
    request = definer(cls).__dict__["request"]
    parameters = inspect.signature(request).parameters
    assert list(parameters)[:3] == ["self", "cast_to", "options"]
    assert parameters["stream"].kind is inspect.Parameter.KEYWORD_ONLY
    assert inspect.iscoroutinefunction(request) is (cls is anthropic.AsyncAnthropic)


def entered(app: SdkApp, monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Every entry into `request` from here on: its arguments."""
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    cls = definer(type(app.client))
    original = cls.__dict__["request"]

    def request(self: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append((args, kwargs))
        return original(self, *args, **kwargs)

    monkeypatch.setattr(cls, "request", request)
    return calls


@pytest.mark.parametrize("stream", [False, True])
def test_the_options_tell_what_is_asked_for(app: SdkApp, monkeypatch: pytest.MonkeyPatch, stream: bool) -> None:
    """Method, URL, JSON body, the call's own `max_retries`, and since 1.14 the name of the operation."""
    calls = entered(app, monkeypatch)
    client = app.client.with_options(max_retries=7)
    result = app.driver(client.messages.create(**request_of(stream=stream)))
    if stream:
        app.driver.read(result)
    [(args, kwargs)] = calls
    options = args[1] if len(args) > 1 else kwargs["options"]
    assert (options.method, options.url) == ("post", "/v1/messages")
    assert options.json_data["model"] == MODEL
    assert bool(kwargs["stream"]) is stream
    assert client.max_retries == 7
    assert hasattr(options, "max_retries")
    assert getattr(options, "span_name", None) == ("anthropic.messages.create" if NAMES_OPERATIONS else None)


def test_a_list_that_is_awaited_is_one_call(app: SdkApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page comes through `request` too, whatever object the method returns first."""
    calls = entered(app, monkeypatch)
    app.driver(app.client.beta.messages.batches.list())
    assert len(calls) == 1


@pytest.mark.usefixtures("waits")
def test_retries_are_within_one_request(app: SdkApp, monkeypatch: pytest.MonkeyPatch, sim: Simulator) -> None:
    """A call enters it once, however many attempts it has."""
    app.client.base_url = sim.base_url
    sim.play("http_529", "http_529", "ok")
    calls = entered(app, monkeypatch)
    app.create()
    assert len(calls) == 1
    assert len(sim.requests) == 3


# -- the client --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [anthropic.Anthropic, anthropic.AsyncAnthropic])
def test_a_client_has_its_http_client_from_the_beginning(cls: type[Any]) -> None:
    """In `_client`, an object with a `send` of its class and attributes of its own."""
    client = cls(api_key="none")._client
    assert "send" not in client.__dict__
    assert callable(type(client).send)
    assert inspect.iscoroutinefunction(type(client).send) is (cls is anthropic.AsyncAnthropic)


def test_an_http_client_of_the_apps_own_is_used_as_it_is(stack: Stack) -> None:
    """The same object, and shared by what `with_options` makes."""
    with Driver(asynchronous=stack.asynchronous) as driver:
        own = http_client(stack)
        cls = anthropic.AsyncAnthropic if stack.asynchronous else anthropic.Anthropic
        client = cls(api_key="none", http_client=own)
        assert client._client is own
        assert client.with_options(max_retries=1)._client is own
        assert client.copy(timeout=3)._client is own
        driver.close(own)


def test_a_base_url_is_one_object_until_another_is_set() -> None:
    """It has scheme, host and port, and may be compared by identity."""
    client = anthropic.Anthropic(api_key="none", base_url="http://127.0.0.1:81/gateway")
    before = client.base_url
    assert client.base_url is before
    assert (before.scheme, before.host, before.port) == ("http", "127.0.0.1", 81)
    client.base_url = "https://api.example"
    assert client.base_url is not before
    assert (client.base_url.scheme, client.base_url.host, client.base_url.port) == ("https", "api.example", None)


def test_a_client_can_be_referred_to_weakly_and_told_apart() -> None:
    """Clients are kept as weak keys, so they must be hashable by identity."""
    one, other = (anthropic.Anthropic(api_key="none") for _ in range(2))
    assert dict(weakref.WeakKeyDictionary({one: 1, other: 2}).items()) == {one: 1, other: 2}


@pytest.mark.skipif(not TRACES_ITSELF, reason="this SDK does not trace itself")
@pytest.mark.parametrize(
    ("option", "traces", "propagates"),
    [
        (None, True, True),
        (False, False, True),
        ({"traces": {"enabled": False}}, False, True),
        ({"propagation": False}, True, False),
    ],
)
def test_a_client_tells_whether_it_traces_itself(option: Any, traces: bool, propagates: bool) -> None:
    """`open_telemetry` has every field, whatever the app gave, and cannot be set later."""
    client = anthropic.Anthropic(api_key="none", open_telemetry=option)
    assert client.open_telemetry["traces"]["enabled"] is traces
    assert (client.open_telemetry["propagation"] is not False) is propagates
    with pytest.raises(AttributeError):
        client.open_telemetry = None  # type: ignore[misc,assignment]


@pytest.mark.skipif(not TRACES_ITSELF, reason="this SDK does not trace itself")
@pytest.mark.parametrize(("option", "has_one"), [(None, True), (False, False), ({"tracer_provider": object()}, False)])
def test_a_client_has_its_tracer_or_none_as__tracer(option: Any, has_one: bool) -> None:
    """`_tracer` raises for no provider. A client without one makes no span, whatever `open_telemetry` says."""
    client: Any = anthropic.Anthropic(api_key="none", open_telemetry=option)
    assert (client._tracer is not None) is has_one


@pytest.mark.skipif(TRACES_ITSELF, reason="this SDK traces itself")
def test_a_client_that_does_not_trace_itself_says_nothing_of_it() -> None:
    """Then there is no such option, and the call span is ours."""
    assert not hasattr(anthropic.Anthropic(api_key="none"), "open_telemetry")


# -- the attempts ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("stream", [False, True])
def test_every_attempt_passes_send_and_says_which_one_it_is(
    app: SdkApp, sim: Simulator, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    """`send` of the HTTP client, once for each request that arrives; the header counts from 0."""
    app.client.base_url = sim.base_url
    sim.play("http_529", "connection_reset", "ok")
    sent: list[Any] = []
    original = type(app.http).send

    def send(self: Any, request: Any, **options: Any) -> Any:
        sent.append(request.headers["x-stainless-retry-count"])
        return original(self, request, **options)

    monkeypatch.setattr(type(app.http), "send", send)
    app.meet(stream=stream)
    assert sent == ["0", "1", "2"]
    assert [request.header("x-stainless-retry-count") for request in sim.requests] == sent


def test_a_request_has_extensions_that_can_be_replaced(app: SdkApp) -> None:
    """A mapping on the request, which the transport is given."""
    request = app.http.build_request("GET", "http://127.0.0.1")
    request.extensions = {**request.extensions, "anthropic_otel.attempt": True}
    assert request.extensions["anthropic_otel.attempt"] is True


# -- what a request is built of ----------------------------------------------------------------------------------------


def built(app: SdkApp, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any, Any]]:
    """The models of the options that `_build_request` is given from here on, plain and extra, and of the request."""
    made: list[tuple[Any, Any, Any]] = []
    cls = next(each for each in type(app.client).__mro__ if "_build_request" in each.__dict__)
    original = cls.__dict__["_build_request"]

    def _build_request(self: Any, options: Any, *args: Any, **kwargs: Any) -> Any:
        # Before, as what is built may change the options.
        asked = tuple((getattr(options, name, None) or {}).get("model") for name in ("json_data", "extra_json"))
        request = original(self, options, *args, **kwargs)
        made.append((*asked, json.loads(request.content)["model"]))
        return request

    monkeypatch.setattr(cls, "_build_request", _build_request)
    return made


@pytest.mark.any_model
def test_the_model_of_a_request_is_that_of_its_options(app: SdkApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """`_build_request` takes it from `extra_json`, which is the app's `extra_body`, and else from `json_data`."""
    made = built(app, monkeypatch)
    app.create()
    app.create(extra_body={"model": "another"})
    assert [sent for *_, sent in made] == [MODEL, "another"]
    # Where the SDK has merged the two by then, there is no `extra_json` any more.
    assert [extra or plain for plain, extra, _ in made] == [MODEL, "another"]


@pytest.mark.usefixtures("waits")
def test_a_request_is_built_for_each_attempt(app: SdkApp, sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A retry is a request of its own."""
    app.client.base_url = sim.base_url
    sim.play("http_529", "ok")
    made = built(app, monkeypatch)
    app.create()
    assert [model for *_, model in made] == [MODEL, MODEL]


@pytest.mark.usefixtures("waits")
def test_the_requests_of_a_call_have_one_idempotency_key(
    app: SdkApp, sim: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The options have it, also where no header is sent for it. Another call has another one."""
    if not HAS_MIDDLEWARE:
        pytest.skip("this SDK has no middleware that could send in a thread")
    keys: list[Any] = []
    cls = next(each for each in type(app.client).__mro__ if "_build_request" in each.__dict__)
    original = cls.__dict__["_build_request"]

    def _build_request(self: Any, options: Any, *args: Any, **kwargs: Any) -> Any:
        keys.append(options.idempotency_key)
        return original(self, options, *args, **kwargs)

    monkeypatch.setattr(cls, "_build_request", _build_request)
    app.client.base_url = sim.base_url
    sim.play("http_529", "ok", "ok")
    for _ in range(2):
        app.create()
    first, retry, second = keys
    assert first == retry != second
    assert isinstance(first, str)


def test_what_a_middleware_gets_has_the_idempotency_key(sim: Simulator) -> None:
    """The SDK makes it where the method runs, of options that have the key already."""
    if not HAS_MIDDLEWARE:
        pytest.skip("this SDK has no middleware")
    made: list[Any] = []

    class Request(anthropic.APIRequest):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            made.append((threading.get_ident(), self.options.idempotency_key))

    def keeps(request: Any, call_next: Any) -> Any:
        made.append((threading.get_ident(), request.options.idempotency_key))
        return call_next(request)

    with (
        pytest.MonkeyPatch.context() as patched,
        anthropic.Anthropic(base_url=sim.base_url, api_key=API_KEY, middleware=[keeps]) as client,
    ):
        patched.setattr("anthropic._base_client.APIRequest", Request)
        client.messages.create(**request_of())
    first, second = made
    assert first == second
    assert isinstance(first[1], str)


_AUTH = importlib.util.find_spec("anthropic.lib.credentials")


@pytest.mark.skipif(_AUTH is None, reason="this SDK fetches no credentials")
@pytest.mark.parametrize("cls", [anthropic.Anthropic, anthropic.AsyncAnthropic])
def test_the_auth_that_fetches_credentials_is_of_the_sdk(cls: type[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """By the module of its class it is told from the auth of an app, and a client with a key has none."""
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    token = importlib.import_module("anthropic.lib.credentials").StaticToken("token")
    auth = cls(credentials=token).custom_auth
    assert type(auth).__module__.partition(".")[0] == "anthropic"
    assert cls(api_key="none").custom_auth is None


def test_a_client_names_its_provider() -> None:
    """`_gen_ai_provider_name` of the SDK's spans, where it has spans."""
    names = {
        name: getattr(getattr(anthropic, name, None), "_gen_ai_provider_name", None)
        for name in ("Anthropic", "AsyncAnthropic", "AnthropicBedrock", "AnthropicVertex")
    }
    bedrock, vertex = ("aws.bedrock", "gcp.vertex_ai") if TRACES_ITSELF else (None, None)
    own = "anthropic" if TRACES_ITSELF else None
    assert names == {"Anthropic": own, "AsyncAnthropic": own, "AnthropicBedrock": bedrock, "AnthropicVertex": vertex}


# -- message threads ---------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not HAS_MESSAGE_THREADS, reason="this SDK has no message threads")
def test_a_message_thread_sends_its_turn_in_a_function_whose_state_says_whether_it_sends_again() -> None:
    """Where one of these names is gone, a turn that the SDK sends again is a failed call."""
    threads = importlib.import_module("anthropic.lib.threads._beta_threads")
    states = importlib.import_module("anthropic.lib.threads._thread_state")
    for name in ("BetaMessageThread", "BetaAsyncMessageThread"):
        assert callable(getattr(threads, name)._create_with_recovery)
    assert message_threads.REPLAYED == states._REPLAY_ERROR_CODES
    client = anthropic.Anthropic(api_key=API_KEY)
    state = client.beta.messages.thread(model=MODEL, max_tokens=1)._state
    assert (state.threading, state.previous_message_id, state.unsupported_request_behavior) == (True, None, "error")
    of_runner = client.beta.messages.tool_runner(model=MODEL, max_tokens=1, messages=[], tools=[])
    assert of_runner._thread._state.unsupported_request_behavior == "continue_unthreaded"
    client.close()
