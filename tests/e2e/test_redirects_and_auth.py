"""An attempt is what the SDK sends, however many requests the HTTP client makes of it: redirects and authentication."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import pytest

from anthropic_otel._core import instruments, semconv
from anthropic_otel.simulator import Cut, Ending, Framing, Point, Redirect, Reply, Simulator
from support import identities
from support.apps import API_KEY, SdkApp, request_of
from support.driver import Driver
from support.stacks import HTTPCORE_STACKS, SDK_STACKS, Stack, client_class_returning, each_of, http_client
from support.telemetry import Telemetry
from support.versions import TRACES_ITSELF

pytestmark = pytest.mark.usefixtures("waits")

SECRET = "a-token-that-nobody-may-see"


stack = each_of(stack for stack in SDK_STACKS if not stack.aiohttp)


def attributes(span: Any) -> dict[str, Any]:
    return dict(span.attributes or {})


def app_on(sim: Simulator, stack: Stack, driver: Driver, telemetry: Telemetry, **options: Any) -> SdkApp:
    """An instrumented app that meets what the simulator plays."""
    telemetry.instrument()
    made = SdkApp(stack, sim.endpoint("ok"), driver, telemetry, **options)
    made.client.base_url = sim.base_url
    return made


# -- redirects ---------------------------------------------------------------------------------------------------------


def test_a_redirect_is_within_its_attempt(sim: Simulator, stack: Stack, driver: Driver, recorded: Telemetry) -> None:
    """Three requests, one attempt: of the URL that the SDK asked for, and the status of the last one."""
    app = app_on(sim, stack, driver, recorded)
    sim.play(Redirect(hops=2))
    app.create()
    [attempt] = recorded.attempts
    assert len(sim.requests) == 3
    assert len({request.target for request in sim.requests}) == 3
    assert attributes(attempt)[semconv.URL_FULL] == f"{sim.base_url}/v1/messages"
    assert attributes(attempt)[semconv.HTTP_RESPONSE_STATUS_CODE] == 200
    assert attributes(attempt)[semconv.ATTEMPT_OUTCOME] == "completed"
    identities.check(recorded, calls=1)
    app.close()


def test_a_redirect_carries_its_attempts_trace_context(
    sim: Simulator, stack: Stack, driver: Driver, recorded: Telemetry
) -> None:
    """Each of its requests has the same one."""
    app = app_on(sim, stack, driver, recorded)
    sim.play(Redirect(hops=1))
    app.create()
    [attempt] = recorded.attempts
    sent = {request.header("traceparent") for request in sim.requests}
    assert {each.split("-")[2] for each in sent} == {f"{attempt.context.span_id:016x}"}
    app.close()


def test_a_redirected_response_that_the_app_has_made_anew_reaches_it(
    sim: Simulator, stack: Stack, driver: Driver, recorded: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    """A client of the app's own builds one of what came, as a cache does: with its history, and without a request."""

    def made_anew(response: Any) -> Any:
        return stack.module.Response(response.status_code, content=response.content, history=response.history)

    client = http_client(
        stack,
        sim.endpoint("ok"),
        cls=client_class_returning(stack, made_anew),
        headers={"x-api-key": API_KEY, "anthropic-version": "2023-06-01"},
    )
    recorded.instrument_http_client(client)
    sim.play(Redirect(hops=1))
    response = driver(client.post(f"{sim.base_url}/v1/messages", json=request_of()))
    assert (response.status_code, len(response.history)) == (200, 1)
    [attempt] = recorded.attempts
    assert attributes(attempt)[semconv.HTTP_RESPONSE_STATUS_CODE] == 200
    assert all("trace" not in hop.request.extensions for hop in response.history)
    assert not caplog.records
    driver(client.aclose() if stack.asynchronous else client.close())


def test_a_failure_behind_a_redirect_is_the_attempts(
    sim: Simulator, stack: Stack, driver: Driver, recorded: Telemetry
) -> None:
    """And its retry is another attempt."""
    app = app_on(sim, stack, driver, recorded, max_retries=1)
    target = sim.endpoint("connection_reset").base_url
    sim.play(Reply(307, "api_error", headers=(("location", f"{target}/v1/messages"),)), "ok")
    app.create()
    first, second = map(attributes, recorded.attempts)
    assert (first[semconv.ERROR_TYPE], first[semconv.NETWORK_PHASE]) == ("connection_reset", "wait")
    assert first[semconv.URL_FULL] == second[semconv.URL_FULL] == f"{sim.base_url}/v1/messages"
    assert second[semconv.RETRY_REASON] == "connection_reset"
    identities.check(recorded, calls=1)
    app.close()


@pytest.mark.parametrize("stack", SDK_STACKS, ids=lambda stack: stack.name)
@pytest.mark.parametrize("location", ["ftp://example.invalid/", "javascript:alert(1)"])
def test_a_redirect_to_what_is_no_address_is_the_servers(
    location: str, sim: Simulator, stack: Stack, driver: Driver, recorded: Telemetry
) -> None:
    """Nothing is wrong with the app's own base URL."""
    app = app_on(sim, stack, driver, recorded, max_retries=0)
    sim.play(Reply(307, "api_error", headers=(("location", location),)))
    with pytest.raises(anthropic.APIConnectionError):
        app.create()
    [attempt] = map(attributes, recorded.attempts)
    assert attempt[semconv.ERROR_TYPE] == "protocol_error"
    assert attempt[semconv.NETWORK_PHASE] == "receive"
    app.close()


def test_a_redirect_that_cannot_be_read_as_one_has_its_status(
    sim: Simulator, stack: Stack, driver: Driver, recorded: Telemetry
) -> None:
    """No further request was made of it, so it is what the attempt ended with: its request id says whom to ask."""
    app = app_on(sim, stack, driver, recorded, max_retries=0)
    sim.play(Reply(307, "api_error", headers=(("location", "http://[::1/"),)))
    with pytest.raises(anthropic.APIConnectionError):
        app.create()
    [attempt] = map(attributes, recorded.attempts)
    assert (attempt[semconv.ERROR_TYPE], attempt[semconv.HTTP_RESPONSE_STATUS_CODE]) == ("protocol_error", 307)
    assert attempt[semconv.REQUEST_ID] == sim.request_ids[-1]
    app.close()


@pytest.mark.parametrize("stack", HTTPCORE_STACKS, ids=lambda stack: stack.name)
def test_a_redirect_behind_event_hooks_is_one_attempt(
    sim: Simulator, stack: Stack, driver: Driver, recorded: Telemetry
) -> None:
    """Hooks are called for each hop: the attempt has the URL of the first one and the status of the last one."""
    sim.play(Redirect(hops=1))
    client = http_client(stack, event_hooks=recorded.event_hooks())
    request = client.build_request(
        "POST",
        f"{sim.base_url}/v1/messages",
        json=request_of(),
        headers={"x-api-key": "none", "anthropic-version": "2023-06-01"},
    )
    driver(client.send(request))
    [attempt] = map(attributes, recorded.attempts)
    assert len(sim.requests) == 2
    assert attempt[semconv.URL_FULL] == f"{sim.base_url}/v1/messages"
    assert attempt[semconv.HTTP_RESPONSE_STATUS_CODE] == 200
    assert attempt[semconv.REQUEST_ID] == sim.request_ids[-1]
    identities.check(recorded)
    driver.close(client)


# -- authentication ----------------------------------------------------------------------------------------------------


def asking_first(stack: Stack) -> Any:
    """An authentication that sends again with a token where the first request is turned away."""

    class Auth(stack.module.Auth):  # type: ignore[misc, name-defined]
        def auth_flow(self, request: Any) -> Any:
            response = yield request
            if response.status_code == 401:
                request.headers["authorization"] = f"Bearer {SECRET}"
                yield request

    return Auth()


@pytest.mark.parametrize("stream", [False, True])
def test_a_flow_of_authentication_is_within_its_attempt(
    sim: Simulator, stack: Stack, driver: Driver, recorded: Telemetry, stream: bool
) -> None:
    """Turned away with 401 and sent again by the HTTP client: one attempt, with the status of the last response."""
    app = app_on(sim, stack, driver, recorded, http=http_client(stack, auth=asking_first(stack)))
    sim.play("http_401", "ok")
    app.meet(stream=stream)
    [attempt] = recorded.attempts
    assert [SECRET in request.header("authorization") for request in sim.requests] == [False, True]
    assert attributes(attempt)[semconv.HTTP_RESPONSE_STATUS_CODE] == 200
    assert attributes(attempt)[semconv.REQUEST_ID] == sim.request_ids[-1]
    assert semconv.ERROR_TYPE not in attributes(attempt)
    assert SECRET not in attempt.to_json()
    identities.check(recorded, calls=1)
    app.close()


def test_a_demand_for_credentials_whose_body_breaks_is_the_networks_failure(
    sim: Simulator, stack: Stack, driver: Driver, recorded: Telemetry
) -> None:
    """The client reads it before it sends the token: the status is the demand's, and nothing is wrong with a key."""
    app = app_on(sim, stack, driver, recorded, http=http_client(stack, auth=asking_first(stack)), max_retries=0)
    demand = Reply(401, "authentication_error")
    sim.play(Cut(Point.BODY, Ending.CLOSE, after=1, framing=Framing.LENGTH, reply=demand))
    with pytest.raises(anthropic.APIConnectionError):
        app.create()
    [attempt] = map(attributes, recorded.attempts)
    assert (attempt[semconv.ERROR_TYPE], attempt[semconv.HTTP_RESPONSE_STATUS_CODE]) == ("incomplete_body", 401)
    assert (attempt[semconv.NETWORK_PHASE], attempt[semconv.REQUEST_ID]) == ("receive", sim.request_ids[-1])
    app.close()


def fetching(stack: Stack, url: str, *, first: bool) -> Any:
    """An authentication that has the client fetch a token at `url`: `first`, or after a 401.

    `took` is how many seconds that took by the client's own clock.
    """

    class Auth(stack.module.Auth):  # type: ignore[misc, name-defined]
        requires_response_body = True
        took = 0.0

        def auth_flow(self, request: Any) -> Any:
            if first or (yield request).status_code == 401:
                self.took = (yield stack.module.Request("POST", url)).elapsed.total_seconds()
                request.headers["authorization"] = f"Bearer {SECRET}"
                yield request

    return Auth()


@pytest.mark.parametrize("stack", SDK_STACKS, ids=lambda stack: stack.name)
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize(
    ("fault", "cause"), [("connection_refused", "connection_refused"), ("server_disconnected", "server_disconnected")]
)
def test_a_token_that_the_client_cannot_fetch_is_not_the_apis_failure(
    sim: Simulator, stack: Stack, driver: Driver, recorded: Telemetry, first: bool, fault: str, cause: str
) -> None:
    """The phase is `auth`, and a 401 that demanded the token is not the status: the network failed after it."""
    url = f"{sim.endpoint(fault).base_url}/token"
    auth = fetching(stack, url, first=first)
    app = app_on(sim, stack, driver, recorded, http=http_client(stack, auth=auth), max_retries=0)
    sim.play("http_401")
    with pytest.raises(anthropic.APIConnectionError):
        app.create()
    [attempt] = map(attributes, recorded.attempts)
    assert (attempt[semconv.ERROR_TYPE], attempt[semconv.NETWORK_PHASE]) == (cause, "auth")
    assert not {semconv.HTTP_RESPONSE_STATUS_CODE, semconv.REQUEST_ID} & attempt.keys()
    assert attempt[semconv.Phase.AUTH.attribute] > 0
    [record] = recorded.logs
    assert f", credentials for {sim.base_url.removeprefix('http://')}, " in record.getMessage()
    identities.check(recorded, calls=1)
    app.close()


@pytest.mark.parametrize("first", [True, False])
def test_a_token_that_the_client_fetches_takes_time_in_the_phase_auth(
    sim: Simulator, stack: Stack, driver: Driver, recorded: Telemetry, first: bool
) -> None:
    """The transport's events do not tell of it. The time is no longer that of the pool, or of the 401's body."""
    auth = fetching(stack, f"{sim.endpoint('ok_slow').base_url}/v1/messages", first=first)
    app = app_on(sim, stack, driver, recorded, http=http_client(stack, auth=auth))
    sim.play(*([] if first else ["http_401"]), "ok")
    app.create()
    [attempt] = map(attributes, recorded.attempts)
    assert attempt[semconv.Phase.AUTH.attribute] == pytest.approx(auth.took, abs=1e-6)
    identities.check(recorded, calls=1)
    app.close()


def raising_for_status(stack: Stack) -> dict[str, Any]:
    """A client's hooks that raise for a status, as apps have them."""

    def hook(response: Any) -> None:
        response.raise_for_status()

    async def async_hook(response: Any) -> None:
        response.raise_for_status()

    return {"event_hooks": {"response": [async_hook if stack.asynchronous else hook]}}


@pytest.mark.parametrize("stack", SDK_STACKS, ids=lambda stack: stack.name)
def test_a_status_of_a_token_is_not_the_apis(sim: Simulator, stack: Stack, driver: Driver, recorded: Telemetry) -> None:
    """The exception has a response there too, but of another request."""
    url = f"{sim.endpoint('http_503').base_url}/token"
    http = http_client(stack, auth=fetching(stack, url, first=True), **raising_for_status(stack))
    app = app_on(sim, stack, driver, recorded, http=http, max_retries=0)
    with pytest.raises(anthropic.APIConnectionError):
        app.create()
    [attempt] = map(attributes, recorded.attempts)
    assert semconv.HTTP_RESPONSE_STATUS_CODE not in attempt
    assert attempt[semconv.NETWORK_PHASE] == "auth"
    app.close()


def test_what_an_auth_flow_raises_after_a_401_is_not_the_apis_failure(
    sim: Simulator, stack: Stack, driver: Driver, recorded: Telemetry
) -> None:
    """It has no credentials to send the request again with."""

    class Auth(stack.module.Auth):  # type: ignore[misc, name-defined]
        def auth_flow(self, request: Any) -> Any:
            if (yield request).status_code == 401:
                raise PermissionError("log in again")

    app = app_on(sim, stack, driver, recorded, http=http_client(stack, auth=Auth()), max_retries=0)
    sim.play("http_401")
    with pytest.raises(anthropic.APIConnectionError):
        app.create()
    [attempt] = map(attributes, recorded.attempts)
    assert (attempt[semconv.ERROR_TYPE], attempt[semconv.NETWORK_PHASE]) == ("request_not_sent", "auth")
    assert semconv.HTTP_RESPONSE_STATUS_CODE not in attempt
    app.close()


def raising_after(stack: Stack, url: str | None = None, *, reads: bool = False) -> Any:
    """An authentication that raises after its answer: by itself, as it asks at `url`, or as it reads the answer."""

    class Auth(stack.module.Auth):  # type: ignore[misc, name-defined]
        def sync_auth_flow(self, request: Any) -> Any:
            response = yield request
            if reads:
                response.read()
            if url is not None:
                with stack.module.Client(trust_env=False) as own:
                    own.get(url)
            raise LookupError("a bug")

        async def async_auth_flow(self, request: Any) -> Any:
            response = yield request
            if reads:
                await response.aread()
            if url is not None:
                async with stack.module.AsyncClient(trust_env=False) as own:
                    await own.get(url)
            raise LookupError("a bug")

    return Auth()


@pytest.mark.parametrize("stack", SDK_STACKS, ids=lambda stack: stack.name)
@pytest.mark.parametrize("asks", [False, True], ids=["raises", "asks"])
def test_what_an_auth_flow_raises_after_an_answer_is_the_apps(
    sim: Simulator, stack: Stack, driver: Driver, recorded: Telemetry, asks: bool
) -> None:
    """The request was sent, the model has worked for it, and no credentials were wanted."""
    url = sim.endpoint("connection_refused").base_url if asks else None
    app = app_on(sim, stack, driver, recorded, http=http_client(stack, auth=raising_after(stack, url)), max_retries=0)
    with pytest.raises(anthropic.APIConnectionError):
        app.create()
    [attempt] = map(attributes, recorded.attempts)
    assert (attempt[semconv.ERROR_TYPE], attempt[semconv.NETWORK_PHASE]) == ("app_exception", "receive")
    assert attempt[semconv.HTTP_RESPONSE_STATUS_CODE] == 200
    assert attempt[semconv.REQUEST_ID] == sim.request_ids[-1]
    assert semconv.Phase.AUTH.attribute not in attempt
    identities.check(recorded, calls=1)
    app.close()


@pytest.mark.parametrize("stack", SDK_STACKS, ids=lambda stack: stack.name)
def test_a_status_that_demands_no_credentials_wins_over_an_auth_flow(
    sim: Simulator, stack: Stack, driver: Driver, recorded: Telemetry
) -> None:
    """The API was overloaded, whatever the flow made of it."""
    app = app_on(sim, stack, driver, recorded, http=http_client(stack, auth=raising_after(stack)), max_retries=0)
    sim.play("http_529")
    with pytest.raises(anthropic.APIConnectionError):
        app.create()
    [attempt] = map(attributes, recorded.attempts)
    assert attempt[semconv.ERROR_TYPE] == "529"
    assert attempt[semconv.HTTP_RESPONSE_STATUS_CODE] == 529
    assert attempt[semconv.REQUEST_ID] == sim.request_ids[-1]
    assert semconv.NETWORK_PHASE not in attempt
    app.close()


@pytest.mark.parametrize("stack", SDK_STACKS, ids=lambda stack: stack.name)
def test_an_answer_that_breaks_as_an_auth_flow_reads_it_is_the_networks(
    sim: Simulator, stack: Stack, driver: Driver, recorded: Telemetry
) -> None:
    """The flow has not raised what the network did to the body."""
    app = app_on(
        sim, stack, driver, recorded, http=http_client(stack, auth=raising_after(stack, reads=True)), max_retries=0
    )
    sim.play("body_reset")
    with pytest.raises(anthropic.APIConnectionError):
        app.create()
    [attempt] = map(attributes, recorded.attempts)
    assert (attempt[semconv.ERROR_TYPE], attempt[semconv.NETWORK_PHASE]) == ("connection_reset", "receive")
    assert attempt[semconv.HTTP_RESPONSE_STATUS_CODE] == 200
    app.close()


class Tokens:
    """The identity and the token endpoint's answers of a workload, which count."""

    def __init__(self) -> None:
        self.asked = 0

    def identity(self) -> str:
        self.asked += 1
        return f"{SECRET}-{self.asked}"

    @property
    def reply(self) -> Reply:
        token = {"access_token": SECRET, "token_type": "Bearer", "expires_in": 3600}
        return Reply(body=json.dumps(token).encode())


def test_the_exchange_of_a_workloads_identity_is_within_its_attempt(
    sim: Simulator, stack: Stack, driver: Driver, recorded: Telemetry
) -> None:
    """The SDK fetches a token inside `send`: that request is no attempt, and a new token after a 401 is none either."""
    credentials = pytest.importorskip("anthropic.lib.credentials", reason="this SDK exchanges no identities")
    tokens = Tokens()
    workload = credentials.WorkloadIdentityCredentials(
        identity_token_provider=tokens.identity, federation_rule_id="fdrl_1", organization_id="an-organization"
    )
    options: dict[str, Any] = {"open_telemetry": {"tracer_provider": recorded.tracer_provider}} if TRACES_ITSELF else {}
    cls = anthropic.AsyncAnthropic if stack.asynchronous else anthropic.Anthropic
    recorded.instrument()
    client = cls(base_url=sim.base_url, credentials=workload, http_client=http_client(stack), **options)
    sim.play(tokens.reply, "ok", "http_529", "ok")
    driver(client.messages.create(**request_of()))
    driver(client.messages.create(**request_of()))
    paths = [request.target for request in sim.requests]
    assert paths == ["/v1/oauth/token", *["/v1/messages"] * 3]
    assert [attributes(span).get(semconv.ERROR_TYPE) for span in recorded.attempts] == [None, "529", None]
    assert {span.name for span in recorded.attempts} == {"POST /v1/messages"}
    assert not [span for span in recorded.spans if SECRET in span.to_json()]
    identities.check(recorded, calls=2)
    driver.close(client)
    workload.close()


def test_a_401_that_new_credentials_answer_is_retried(
    sim: Simulator, stack: Stack, driver: Driver, recorded: Telemetry
) -> None:
    """The SDK fetches new credentials after the first 401 of a call. After the second it is not retried."""
    credentials = pytest.importorskip("anthropic.lib.credentials", reason="this SDK fetches no credentials")

    def provider(*, force_refresh: bool = False) -> Any:
        return credentials.AccessToken(token=SECRET, expires_at=None)

    options: dict[str, Any] = {"open_telemetry": {"tracer_provider": recorded.tracer_provider}} if TRACES_ITSELF else {}
    cls = anthropic.AsyncAnthropic if stack.asynchronous else anthropic.Anthropic
    recorded.instrument()
    client = cls(base_url=sim.base_url, credentials=provider, http_client=http_client(stack), **options)
    sim.play("http_401", "ok", "http_401", "http_401")
    driver(client.messages.create(**request_of()))
    with pytest.raises(anthropic.AuthenticationError):
        driver(client.messages.create(**request_of()))
    stops = [attributes(span).get(semconv.RETRY_STOP_REASON) for span in recorded.attempts]
    assert stops == [None, None, None, "x_should_retry"]
    outcomes = {point.attributes[semconv.CALL_OUTCOME] for point in recorded.points(instruments.CALL_DURATION)}
    assert outcomes == {"recovered", "failed"}
    identities.check(recorded, calls=2)
    driver.close(client)


@pytest.mark.parametrize("fault", ["http_403", "http_503"])
def test_an_exchange_that_fails_is_a_failed_attempt(
    fault: str, sim: Simulator, stack: Stack, driver: Driver, recorded: Telemetry
) -> None:
    """It raises inside `send`, before anything of the attempt's own is sent; the app sees the SDK's own error.

    The status is in that, and not on the attempt: it is not the API's answer to the request, which was not sent.
    """
    credentials = pytest.importorskip("anthropic.lib.credentials", reason="this SDK exchanges no identities")
    workload = credentials.WorkloadIdentityCredentials(
        identity_token_provider=lambda: SECRET, federation_rule_id="fdrl_1", organization_id="an-organization"
    )
    options: dict[str, Any] = {"open_telemetry": {"tracer_provider": recorded.tracer_provider}} if TRACES_ITSELF else {}
    cls = anthropic.AsyncAnthropic if stack.asynchronous else anthropic.Anthropic
    recorded.instrument()
    client = cls(base_url=sim.base_url, credentials=workload, http_client=http_client(stack), max_retries=1, **options)
    sim.play(fault)
    with pytest.raises(anthropic.AnthropicError) as caught:
        driver(client.messages.create(**request_of()))
    assert getattr(caught.value, "status_code", None) == int(fault.removeprefix("http_"))
    [attempt] = recorded.attempts
    assert semconv.HTTP_RESPONSE_STATUS_CODE not in attributes(attempt)
    assert attributes(attempt)[semconv.RETRY_STOP_REASON] == "not_retryable"
    assert attributes(attempt)[semconv.ATTEMPT_OUTCOME] == "failed"
    assert attributes(attempt)[semconv.ERROR_TYPE] == "request_not_sent"
    assert attributes(attempt)[semconv.NETWORK_PHASE] == "auth"
    assert [request.target for request in sim.requests] == ["/v1/oauth/token"]
    identities.check(recorded, calls=1)
    driver.close(client)
    workload.close()
