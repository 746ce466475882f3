"""Event hooks on clients of every library: what they see of an attempt, and what they cannot see."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import StatusCode

import anthropic_otel
from anthropic_otel._core import semconv
from anthropic_otel.simulator import FAULTS, Endpoint, Raw, Reply, Simulator
from anthropic_otel.testing import capture
from support import identities
from support.apps import API_KEY, PROMPT, BareApp, SdkApp, quietly, request_of
from support.driver import Driver
from support.marks import BREAKS_CONNECTIONS
from support.stacks import HTTPCORE_STACKS, SDK_STACKS, STACKS, Stack, http_client
from support.telemetry import Telemetry
from support.waiting import collect_garbage

pytestmark = [pytest.mark.usefixtures("waits"), *BREAKS_CONNECTIONS]
SEEN = (
    "ok",
    "ok_gzip",
    "http_429",
    "http_529",
    "connection_refused",
    "name_resolution_error",
    "tls_untrusted",
    "tls_timeout",
    "connection_reset",
    "connection_reset_in_request",
    "server_disconnected",
    "read_timeout",
    "protocol_error",
    "body_reset",
    "body_timeout",
    "stream_overloaded",
    "stream_overloaded_gzip",
    "stream_reset",
    "stream_incomplete",
)


@pytest.fixture
def driver(stack: Stack) -> Iterator[Driver]:
    with Driver(asynchronous=stack.asynchronous) as driver:
        yield driver


def _app(stack: Stack, endpoint: Endpoint, driver: Driver, telemetry: Telemetry) -> BareApp:
    http = http_client(stack, endpoint, event_hooks=telemetry.event_hooks())
    return BareApp(stack, endpoint, driver, http=http)


def _error_of(app: BareApp, content: str = PROMPT, *, stream: bool = False) -> type[Exception] | None:
    """The type of what the app gets to see; the exception itself is forgotten, and its request with it."""
    try:
        app.meet(content, stream=stream)
    except Exception as error:
        app.witness.raised.clear()
        return type(error)
    return None


def _of(stacks: tuple[Stack, ...]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("stack", stacks, ids=lambda stack: stack.name)


@pytest.mark.without_sdk
@_of(HTTPCORE_STACKS)
@pytest.mark.parametrize("name", SEEN)
def test_hooks_report_what_send_reports(
    name: str, stack: Stack, sim: Simulator, driver: Driver, recorded: Telemetry
) -> None:
    """Error type, cause, outcome and status are those of the catalogue, though nothing is patched."""
    fault = FAULTS[name]
    app = _app(stack, sim.endpoint(fault), driver, recorded)
    error = _error_of(app, PROMPT + "x" * fault.needs.request_bytes, stream=bool(fault.stream))
    quietly(app)
    assert (error is not None) == (fault.cause not in (None, semconv.NetworkCause.INCOMPLETE_STREAM))
    [span] = recorded.attempts
    attributes = dict(span.attributes or {})
    assert attributes[semconv.ATTEMPT_OUTCOME] == fault.outcome.value
    assert attributes.get(semconv.ERROR_TYPE) == fault.error_type
    assert attributes.get(semconv.NETWORK_CAUSE) == fault.cause_word
    if fault.phase is not None:
        assert attributes[semconv.NETWORK_PHASE] == fault.phase.value
    assert attributes.get(semconv.HTTP_RESPONSE_STATUS_CODE) == fault.status
    assert (span.status.status_code is StatusCode.ERROR) == (fault.error_type is not None)
    assert len(recorded.logs) == (1 if fault.error_type else 0)
    identities.check(recorded, calls=0)


@_of(HTTPCORE_STACKS)
@pytest.mark.parametrize(
    "name", ["ok", "ok_gzip", "http_529", "connection_refused", "body_reset", "stream_overloaded_gzip"]
)
def test_a_capture_leaves_the_hooks_their_attempts(
    name: str, stack: Stack, sim: Simulator, driver: Driver, recorded: Telemetry
) -> None:
    """What the app exports while a test captures is what it exports without, and the test sees the attempt too."""
    fault = FAULTS[name]
    with capture() as calls:
        app = _app(stack, sim.endpoint(fault), driver, recorded)
        _error_of(app, stream=bool(fault.stream))
        quietly(app)
    [span] = recorded.attempts
    attributes = dict(span.attributes or {})
    [attempt] = calls.attempts
    for seen in (
        (attributes[semconv.ATTEMPT_OUTCOME], attributes.get(semconv.ERROR_TYPE)),
        (attempt.outcome, attempt.error_type),
    ):
        assert seen == (fault.outcome.value, fault.error_type)
    identities.check(recorded, calls=0)


@_of(HTTPCORE_STACKS)
def test_a_pool_that_is_full_is_an_attempt_of_an_unknown_end(
    stack: Stack, sim: Simulator, driver: Driver, recorded: Telemetry
) -> None:
    """The transport has no event for it: the attempt ends with its request, and is counted."""
    endpoint = sim.endpoint("pool_timeout")
    http = http_client(stack, endpoint)
    app = BareApp(stack, endpoint, driver, http=http)
    app.occupy(1)
    http.event_hooks = recorded.event_hooks()
    assert _error_of(app) is stack.module.PoolTimeout
    collect_garbage()
    quietly(app)
    [span] = recorded.attempts
    assert (span.attributes or {})[semconv.ERROR_TYPE] == "_OTHER"
    identities.check_every_attempt_ended_once(recorded, 0)


@_of(STACKS)
def test_a_redirect_that_is_followed_is_one_attempt(
    stack: Stack, sim: Simulator, driver: Driver, recorded: Telemetry
) -> None:
    """The HTTP library calls the hooks for each hop, and the hops are one attempt with the answer of the last."""
    app = _app(stack, sim.endpoint("ok_redirected"), driver, recorded)
    app.meet()
    quietly(app)
    [span] = recorded.attempts
    attributes = dict(span.attributes or {})
    assert (attributes[semconv.HTTP_RESPONSE_STATUS_CODE], attributes[semconv.ATTEMPT_OUTCOME]) == (200, "completed")
    identities.check_every_attempt_ended_once(recorded, 0)


@_of(STACKS)
def test_a_redirect_that_is_not_followed_has_failed(
    stack: Stack, sim: Simulator, driver: Driver, recorded: Telemetry
) -> None:
    """Its status is the failure, when its request is dropped and no hop has followed."""
    endpoint = sim.endpoint("ok_redirected")
    http = http_client(stack, endpoint, event_hooks=recorded.event_hooks())
    http.follow_redirects = False
    app = BareApp(stack, endpoint, driver, http=http)
    _error_of(app)
    quietly(app)
    collect_garbage()
    [span] = recorded.attempts
    attributes = dict(span.attributes or {})
    assert (attributes[semconv.ERROR_TYPE], attributes[semconv.HTTP_RESPONSE_STATUS_CODE]) == ("307", 307)
    identities.check_every_attempt_ended_once(recorded, 0)


def _retrying(stack: Stack) -> Any:
    """A transport that sends up to three times."""
    base: Any = stack.module.AsyncHTTPTransport if stack.asynchronous else stack.module.HTTPTransport
    if stack.asynchronous:

        class AsyncRetrying(base):  # type: ignore[misc]
            async def handle_async_request(self, request: Any) -> Any:
                for _ in range(2):
                    try:
                        response = await super().handle_async_request(request)
                    except stack.module.TransportError:
                        continue
                    if response.status_code < 500:
                        return response
                    await response.aclose()
                return await super().handle_async_request(request)

        return AsyncRetrying()

    class Retrying(base):  # type: ignore[misc]
        def handle_request(self, request: Any) -> Any:
            for _ in range(2):
                try:
                    response = super().handle_request(request)
                except stack.module.TransportError:
                    continue
                if response.status_code < 500:
                    return response
                response.close()
            return super().handle_request(request)

    return Retrying()


@_of(HTTPCORE_STACKS)
@pytest.mark.parametrize(
    ("met", "told"),
    [
        (("http_503", "connection_reset", "ok"), ["503", "connection_reset", None]),
        (("connection_reset", "http_529", "http_529"), ["connection_reset", "529", "529"]),
        (("connection_reset", "connection_reset", "connection_reset"), ["connection_reset"] * 3),
        (("connection_reset", "ok"), ["connection_reset", None]),
    ],
    ids=["at_503", "at_last", "never", "after_a_reset"],
)
def test_each_send_of_a_transport_that_retries_is_an_attempt(
    met: tuple[str, ...], told: list[str | None], stack: Stack, sim: Simulator, driver: Driver, recorded: Telemetry
) -> None:
    """As with every other door: an answer at the end is not lost behind the failure before it."""
    http = http_client(stack, transport=_retrying(stack), event_hooks=recorded.event_hooks())
    app = BareApp(stack, Endpoint(sim.base_url), driver, http=http)
    sim.play(*met)
    _error_of(app)
    assert not trace.get_current_span().get_span_context().is_valid
    quietly(app)
    spans = [dict(span.attributes or {}) for span in recorded.attempts]
    assert [each.get(semconv.ERROR_TYPE) for each in spans] == told
    reasons = [each.get(semconv.RETRY_REASON) for each in spans]
    assert reasons == [None, *told[:-1]]
    assert [each.get(semconv.RETRY_SOURCE) for each in spans] == [None, *["transport"] * (len(told) - 1)]
    assert len(recorded.logs) == len([each for each in told if each])
    identities.check_every_attempt_ended_once(recorded, 0)


def _message(http: Any, sim: Simulator, **options: Any) -> Any:
    """A request for a message, as an app without the SDK builds it."""
    headers = {"x-api-key": API_KEY, "anthropic-version": "2023-06-01"}
    return http.build_request("POST", f"{sim.base_url}/v1/messages", json=request_of(), headers=headers, **options)


@_of(STACKS)
def test_a_request_that_the_app_sends_twice_is_two_attempts(
    stack: Stack, sim: Simulator, driver: Driver, recorded: Telemetry
) -> None:
    """What the first attempt has left on a request is not taken for the second."""
    http = http_client(stack, event_hooks=recorded.event_hooks())
    request = _message(http, sim)
    for _ in range(2):
        driver(http.send(request))
    driver.close(http)
    assert [(span.attributes or {})[semconv.ATTEMPT_OUTCOME] for span in recorded.attempts] == ["completed"] * 2
    identities.check_every_attempt_ended_once(recorded, 0)


@_of(SDK_STACKS)
def test_the_attempts_of_the_sdk_have_their_numbers(
    stack: Stack, sim: Simulator, driver: Driver, recorded: Telemetry
) -> None:
    """The SDK tells in a header which attempt of a call a request is."""
    http = http_client(stack, event_hooks=recorded.event_hooks())
    app = SdkApp(stack, Endpoint(sim.base_url), driver, recorded, http=http)
    sim.play("http_529", "http_503")
    app.create()
    app.close()
    assert [(span.attributes or {}).get(semconv.HTTP_REQUEST_RESEND_COUNT) for span in recorded.attempts] == [
        None,
        1,
        2,
    ]
    assert [(span.attributes or {}).get(semconv.ERROR_TYPE) for span in recorded.attempts] == ["529", "503", None]


@_of(HTTPCORE_STACKS)
def test_hooks_and_trace_functions_of_the_app_go_on(
    stack: Stack, sim: Simulator, driver: Driver, recorded: Telemetry
) -> None:
    """The app's own hooks are called, and so is its own `trace` function."""
    seen: list[str] = []
    hooks = recorded.event_hooks()
    if stack.asynchronous:

        async def hook(_: Any) -> None:
            seen.append("hook")

        async def trace(name: str, _: Any) -> None:
            seen.append(name)
    else:

        def hook(_: Any) -> None:  # type: ignore[misc]
            seen.append("hook")

        def trace(name: str, _: Any) -> None:  # type: ignore[misc]
            seen.append(name)

    mixed = {name: [hook, *those, hook] for name, those in hooks.items()}
    http = http_client(stack, event_hooks=mixed)
    driver(
        http.post(
            f"{sim.base_url}/v1/messages",
            json=request_of(),
            headers={"x-api-key": API_KEY, "anthropic-version": "2023-06-01"},
            extensions={"trace": trace},
        )
    )
    driver.close(http)
    assert seen.count("hook") == 4
    assert "http11.send_request_headers.started" in seen
    assert len(recorded.attempts) == 1


@_of(HTTPCORE_STACKS)
def test_hooks_within_an_instrumented_client_make_no_second_attempt(
    stack: Stack, sim: Simulator, driver: Driver, recorded: Telemetry
) -> None:
    """An app that has both has one span for each attempt."""
    app = _app(stack, Endpoint(sim.base_url), driver, recorded)
    recorded.instrument_http_client(app.http)
    app.meet()
    app.close()
    assert len(recorded.attempts) == 1


@_of(HTTPCORE_STACKS)
@pytest.mark.parametrize("own", [True, False], ids=["own_trace", "no_trace"])
def test_a_request_is_sent_again_by_its_client_that_was_instrumented_meanwhile(
    own: bool, stack: Stack, sim: Simulator, driver: Driver, recorded: Telemetry
) -> None:
    """Each time it is one attempt, has phases, and its own `trace` function is called: also after `uninstrument`."""
    seen: list[str] = []
    if stack.asynchronous:

        async def trace(name: str, _: Any) -> None:
            seen.append(name)
    else:

        def trace(name: str, _: Any) -> None:  # type: ignore[misc]
            seen.append(name)

    http = http_client(stack, event_hooks=recorded.event_hooks())
    request = _message(http, sim, extensions={"trace": trace} if own else {})
    driver(http.send(request))
    recorded.instrument_http_client(http)
    driver(http.send(request))
    anthropic_otel.uninstrument()
    driver(http.send(request))
    driver.close(http)
    assert [semconv.Phase.WAIT.attribute in (span.attributes or {}) for span in recorded.attempts] == [True] * 3
    assert seen.count("http11.send_request_headers.started") == 3 * own
    identities.check_every_attempt_ended_once(recorded, 0)


@_of(HTTPCORE_STACKS)
def test_a_request_whose_redirect_broke_is_sent_again_by_the_app(
    stack: Stack, sim: Simulator, driver: Driver, recorded: Telemetry
) -> None:
    """It is no next hop of the attempt that has failed, and no transport has retried that."""
    http = http_client(stack, event_hooks=recorded.event_hooks())
    http.follow_redirects = True
    request = http.build_request("GET", f"{sim.base_url}/v1/models", headers={"anthropic-version": "2023-06-01"})
    sim.play(Raw(b"HTTP/1.1 302 Found\r\nlocation: /v1/models\r\ncontent-length: 9\r\n\r\ncut"), Reply(body=b"{}"))
    with pytest.raises(stack.module.RemoteProtocolError):
        driver(http.send(request))
    assert driver(http.send(request)).status_code == 200
    driver.close(http)
    told = [dict(span.attributes or {}) for span in recorded.attempts]
    assert [each.get(semconv.ERROR_TYPE) for each in told] == ["incomplete_body", None]
    assert [each.get(semconv.RETRY_REASON) for each in told] == [None, None]
    assert len({span.context.trace_id for span in recorded.attempts if span.context is not None}) == 2
    identities.check_every_attempt_ended_once(recorded, 0)


# -- what hooks of a sync client take for something else ---------------------------------------------------------------

_SYNC = tuple(stack for stack in HTTPCORE_STACKS if not stack.asynchronous)


@_of(_SYNC)
def test_a_request_that_is_sent_again_during_a_capture_keeps_no_trace_function_of_an_earlier_send(
    stack: Stack, sim: Simulator, driver: Driver, recorded: Telemetry
) -> None:
    """The app's `trace` function is called as deep in the stack by the last send of a request as by its first one."""
    depths: list[int] = []

    def trace(name: str, _: Any) -> None:
        if name == "http11.send_request_headers.started":
            depths.append(len(inspect.stack(0)))

    http = http_client(stack, event_hooks=recorded.event_hooks())
    url, headers = f"{sim.base_url}/v1/messages", {"x-api-key": API_KEY, "anthropic-version": "2023-06-01"}
    request = http.build_request("POST", url, json=request_of(), headers=headers, extensions={"trace": trace})
    with capture():
        for _ in range(3):
            driver(http.send(request))
    driver.close(http)
    assert depths == [depths[0]] * 3


@_of(_SYNC)
def test_a_stream_that_is_left_early_is_abandoned(
    stack: Stack, sim: Simulator, driver: Driver, recorded: Telemetry
) -> None:
    """The app stops reading of its own will."""
    http = http_client(stack, event_hooks=recorded.event_hooks())
    url, headers = f"{sim.base_url}/v1/messages", {"x-api-key": API_KEY, "anthropic-version": "2023-06-01"}
    with http.stream("POST", url, json=request_of(stream=True), headers=headers) as response:
        next(response.iter_raw())
    driver.close(http)
    [span] = recorded.attempts
    assert (span.attributes or {})[semconv.ATTEMPT_OUTCOME] == "abandoned"


@_of(_SYNC)
@pytest.mark.parametrize("name", ["body_bad_gzip", "stream_bad_gzip"])
def test_a_body_that_cannot_be_decoded_has_failed(
    name: str, stack: Stack, sim: Simulator, driver: Driver, recorded: Telemetry
) -> None:
    """The error is the library's, above the transport."""
    app = _app(stack, sim.endpoint(name), driver, recorded)
    _error_of(app, stream=bool(FAULTS[name].stream))
    quietly(app)
    [span] = recorded.attempts
    attributes = dict(span.attributes or {})
    assert (attributes[semconv.ATTEMPT_OUTCOME], attributes.get(semconv.ERROR_TYPE)) == ("failed", "decoding_error")


@_of(HTTPCORE_STACKS)
def test_a_hook_that_the_apps_own_hook_calls_knows_the_proxy(
    stack: Stack, sim: Simulator, driver: Driver, recorded: Telemetry
) -> None:
    """A proxy that refuses the connection is told from an API that does, with the proxy's address."""
    endpoint, [ours] = sim.endpoint("proxy_refused"), recorded.event_hooks()["request"]

    def hook(request: Any) -> Any:
        return ours(request)

    async def async_hook(request: Any) -> None:
        await ours(request)

    http = http_client(stack, endpoint, event_hooks={"request": [async_hook if stack.asynchronous else hook]})
    app = BareApp(stack, endpoint, driver, http=http)
    _error_of(app)
    quietly(app)
    [span] = recorded.attempts
    attributes = dict(span.attributes or {})
    assert attributes[semconv.ERROR_TYPE] == "proxy_error"
    assert f"http://{attributes[semconv.PROXY_ADDRESS]}" == endpoint.proxy


@_of(HTTPCORE_STACKS)
def test_hooks_that_no_client_calls_know_no_proxy_and_take_a_redirect_for_followed(
    stack: Stack, sim: Simulator, driver: Driver, recorded: Telemetry
) -> None:
    """An app may call them itself: the attempt ends with its status once the request is dropped."""
    hooks = recorded.event_hooks()
    http = http_client(stack)
    request = http.build_request("POST", f"{sim.base_url}/v1/messages", json=request_of())
    driver(hooks["request"][0](request))
    driver(hooks["response"][0](stack.module.Response(307, headers={"location": "/elsewhere"}, request=request)))
    assert not recorded.attempts
    del request
    collect_garbage()
    driver.close(http)
    [span] = recorded.attempts
    attributes = dict(span.attributes or {})
    assert (attributes[semconv.ERROR_TYPE], attributes.get(semconv.PROXY_ADDRESS)) == ("307", None)


@_of(_SYNC)
def test_an_exception_that_no_transport_of_the_library_translates_keeps_its_class(
    stack: Stack, sim: Simulator, driver: Driver, recorded: Telemetry
) -> None:
    """A transport of the app's own may use the connection pool: the app then gets the pool's exception."""
    pools = importlib.import_module(stack.library.replace("httpx", "httpcore"))

    class Pooled(stack.module.BaseTransport):  # type: ignore[misc, name-defined]
        def handle_request(self, request: Any) -> Any:
            with pools.ConnectionPool() as pool:
                pool.request(request.method, str(request.url), extensions=request.extensions)

    endpoint = sim.endpoint("connection_refused")
    http = http_client(stack, endpoint, transport=Pooled(), event_hooks=recorded.event_hooks())
    app = BareApp(stack, endpoint, driver, http=http)
    assert _error_of(app) is pools.ConnectError
    quietly(app)
    [span] = recorded.attempts
    assert (span.attributes or {})[semconv.EXCEPTION_TYPE] == f"{pools.__name__}.ConnectError"


@_of(_SYNC)
@pytest.mark.parametrize("name", ["proxy_407", "proxy_502"])
def test_a_refusal_of_a_proxy_is_the_proxys(
    name: str, stack: Stack, sim: Simulator, driver: Driver, recorded: Telemetry
) -> None:
    """As through every other door, once the request is gone: Python 3.12 leaves it to the garbage collector."""
    app = _app(stack, sim.endpoint(name), driver, recorded)
    _error_of(app)
    quietly(app)
    collect_garbage()
    [span] = recorded.attempts
    assert (span.attributes or {})[semconv.ERROR_TYPE] == "proxy_error"


@_of(_SYNC)
def test_a_loop_of_redirects_is_the_status_of_its_last_hop(
    stack: Stack, sim: Simulator, driver: Driver, recorded: Telemetry
) -> None:
    """No hook hears that the library gave up, so the one attempt has failed with the redirect that it ended at."""
    app = _app(stack, sim.endpoint("too_many_redirects"), driver, recorded)
    _error_of(app)
    quietly(app)
    collect_garbage()
    [span] = recorded.attempts
    assert (span.attributes or {}).get(semconv.ERROR_TYPE) in ("301", "302", "303", "307", "308")
