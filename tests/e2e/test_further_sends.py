"""Transports and auth flows that send again below the client: how many attempts that is, and what each of them has.

Rule: a further send is an attempt of its own if the one before it failed: it raised, or got a status from 400 that is
neither 401 nor 407. A hop of a redirect and a second send of an auth flow are the same attempt, as its last response.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from typing import Any

import anthropic
import httpx2
import pytest

from anthropic_otel.simulator import Chunks, Ending, Reply, Simulator
from anthropic_otel.testing import Attempt, Captured, capture
from support.apps import API_KEY, request_of
from support.credentials import SlowProvider
from support.marks import BREAKS_CONNECTIONS
from support.streams import LAST_DELTA, START, STOP, delta, sse
from support.telemetry import Telemetry
from support.versions import SDK_LIBRARY, TRACES_ITSELF

pytestmark = [
    pytest.mark.usefixtures("waits"),
    pytest.mark.skipif(SDK_LIBRARY != "httpx2", reason="the transports here are of the SDK's present library"),
    *BREAKS_CONNECTIONS,
]


class Retrying(httpx2.HTTPTransport):
    """Sends up to three times, as pydantic-ai's and others do. `gives_up_with` is what it raises in the end."""

    def __init__(self, gives_up_with: type[Exception] | None = None) -> None:
        super().__init__()
        self._gives_up_with = gives_up_with

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        for _ in range(3):
            try:
                response = super().handle_request(request)
            except httpx2.TransportError:
                continue
            if response.status_code < 500:
                return response
            response.close()
        if self._gives_up_with is not None:
            raise self._gives_up_with("no attempt is left")
        return response


class FailingOver(httpx2.HTTPTransport):
    """Sends to the next host of a pool where one cannot be reached or answers with 5xx."""

    def __init__(self, *ports: int) -> None:
        super().__init__()
        self._ports = ports

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        for port in self._ports[:-1]:
            request.url = request.url.copy_with(port=port)
            try:
                response = super().handle_request(request)
            except httpx2.TransportError:
                continue
            if response.status_code < 500:
                return response
            response.close()
        request.url = request.url.copy_with(port=self._ports[-1])
        return super().handle_request(request)


def port_of(url: str) -> int:
    return int(url.rsplit(":", 1)[1])


def call(base_url: str, **http: Any) -> Captured:
    """What is captured of one call, without retries of the SDK's own, whatever comes of it."""
    http_client = anthropic.DefaultHttpxClient(**http)
    with (
        capture() as telemetry,
        anthropic.Anthropic(base_url=base_url, api_key=API_KEY, http_client=http_client, max_retries=0) as client,
    ):
        try:
            client.messages.create(**request_of())
        except anthropic.AnthropicError:
            pass
        except RuntimeError as error:
            assert str(error) == "no attempt is left"  # noqa: PT017 - a transport's own exception, or none
    return telemetry


def told(attempts: list[Attempt]) -> list[tuple[int | None, str | None]]:
    """The status and the error type of each attempt."""
    return [(attempt.status, attempt.error_type) for attempt in attempts]


def test_each_send_of_a_retrying_transport_is_an_attempt(sim: Simulator) -> None:
    """Two failures and an answer are three attempts of one call, and what sent again was the transport."""
    sim.play("http_503", "http_529", "ok")
    telemetry = call(sim.base_url, transport=Retrying())
    assert told(telemetry.attempts) == [(503, "503"), (529, "529"), (200, None)]
    assert [attempt.retry_source for attempt in telemetry.attempts] == [None, "transport", "transport"]
    assert [each.outcome for each in telemetry.calls] == ["recovered"]


def test_a_broken_connection_that_a_transport_retries_is_an_attempt(sim: Simulator) -> None:
    """The reset is not lost because the transport swallowed it."""
    sim.play("connection_reset", "ok")
    telemetry = call(sim.base_url, transport=Retrying())
    assert told(telemetry.attempts) == [(None, "connection_reset"), (200, None)]


@pytest.mark.parametrize("error", [httpx2.ReadError, RuntimeError])
def test_a_transport_that_gives_up_has_failed_by_its_last_status(error: type[Exception], sim: Simulator) -> None:
    """Three times 529 is `529`, whatever exception the transport makes of it."""
    sim.play("http_529", "http_529", "http_529")
    telemetry = call(sim.base_url, transport=Retrying(error))
    assert told(telemetry.attempts)[-1] == (529, "529")
    assert {attempt.error_type for attempt in telemetry.attempts} == {"529"}


def test_each_host_of_a_pool_is_an_attempt(sim: Simulator) -> None:
    """The host that refuses is one, the host that answers another."""
    ports = [port_of(sim.endpoint(name).base_url) for name in ("connection_refused", "ok")]
    telemetry = call(sim.base_url, transport=FailingOver(*ports))
    assert told(telemetry.attempts) == [(None, "connection_refused"), (200, None)]


def test_a_503_before_a_network_failure_is_not_on_the_failure(sim: Simulator) -> None:
    """The last attempt has no response, so neither a status nor a request id."""
    ports = [port_of(sim.endpoint(name).base_url) for name in ("http_503", "connection_refused")]
    [*_, last] = call(sim.base_url, transport=FailingOver(*ports)).attempts
    assert (last.status, last.request_id, last.error_type) == (None, None, "connection_refused")


class Resuming(httpx2.HTTPTransport):
    """Goes on with a stream that breaks by another request, of which it leaves out what had come before."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        response = super().handle_request(request)
        send_again = super().handle_request

        class Resumed(httpx2.SyncByteStream):
            def __iter__(self) -> Iterator[bytes]:
                came = 0
                try:
                    for chunk in response.iter_raw():
                        came += len(chunk)
                        yield chunk
                except httpx2.TransportError:
                    yield send_again(request).read()[came:]

            def close(self) -> None:
                response.close()

        return httpx2.Response(response.status_code, headers=response.headers, stream=Resumed())


def test_a_stream_that_a_transport_resumes_is_one_attempt_that_ends_as_the_app_sees_it(sim: Simulator) -> None:
    """The app gets a whole stream, and the library looks at nothing that is sent while it reads."""
    events = [sse(str(event["type"]), event) for event in (START, delta("hello"), LAST_DELTA, STOP)]
    sim.play(Chunks(tuple(events[:2]), ending=Ending.CLOSE), Chunks(tuple(events)))
    client = anthropic.Anthropic(
        base_url=sim.base_url, api_key=API_KEY, http_client=anthropic.DefaultHttpxClient(transport=Resuming())
    )
    with capture() as telemetry, client, client.messages.create(**request_of(stream=True)) as stream:
        assert [event.type for event in stream][-1] == "message_stop"
    [attempt] = telemetry.attempts
    assert (attempt.outcome, attempt.stream_complete, len(sim.requests)) == ("completed", True, 2)


class FullNextTime(httpx2.HTTPTransport):
    """Sends what has failed once more, by a pool whose only connection is in use."""

    def __init__(self) -> None:
        super().__init__()
        self._other = httpx2.HTTPTransport(limits=httpx2.Limits(max_connections=1))

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        super().handle_request(request).close()
        unread = self._other.handle_request(httpx2.Request("GET", request.url.copy_with(path="/")))
        request.extensions["timeout"] = {"pool": 0.01}
        try:
            return self._other.handle_request(request)
        finally:
            unread.close()

    def close(self) -> None:
        self._other.close()
        super().close()


def test_a_503_before_a_full_pool_is_an_attempt_of_its_own(sim: Simulator) -> None:
    """The next request got no connection, so that the 503 was no answer to it."""
    sim.play("http_503")
    told = [(one.status, one.error_type, one.phase) for one in call(sim.base_url, transport=FullNextTime()).attempts]
    assert told == [(503, "503", None), (None, "pool_timeout", "pool")]


def test_a_hook_that_finds_its_own_pool_full_sends_nothing_again(sim: Simulator) -> None:
    """It may report a failure elsewhere. The attempt has failed by its status, as for any exception of a hook."""

    def report(response: httpx2.Response) -> None:
        raise httpx2.PoolTimeout("of a client of the app")

    sim.play("http_503")
    telemetry = call(sim.base_url, event_hooks={"response": [report]})
    assert told(telemetry.attempts) == [(503, "503")]


class Reporting(httpx2.Auth):
    """Reports each response elsewhere, by a client that has no connection for that."""

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        yield request
        raise httpx2.PoolTimeout("of a client of the app")


def test_an_authentication_that_finds_its_own_pool_full_sends_nothing_again(sim: Simulator) -> None:
    """A status that demands no credentials is what the attempt has failed by."""
    sim.play("http_529")
    assert told(call(sim.base_url, auth=Reporting()).attempts) == [(529, "529")]


def test_a_body_that_waits_for_a_connection_in_vain_keeps_its_status(sim: Simulator) -> None:
    """As of a transport that fetches the rest of a body that broke by another request: the body had begun."""

    class Body(httpx2.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield b"event: ping\ndata: {}\n\n"
            raise httpx2.PoolTimeout("no connection for the rest")

    headers = {"content-type": "text/event-stream", "request-id": "req_1"}
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, headers=headers, stream=Body()))
    http_client = httpx2.Client(transport=transport)
    with (
        capture() as telemetry,
        anthropic.Anthropic(base_url=sim.base_url, api_key=API_KEY, http_client=http_client) as client,
        pytest.raises(httpx2.PoolTimeout),
    ):
        list(client.messages.create(**request_of(), stream=True))
    [attempt] = telemetry.attempts
    assert (attempt.status, attempt.request_id, attempt.error_type) == (200, "req_1", "pool_timeout")


@pytest.mark.parametrize("status", [401, 200])
def test_an_answer_before_a_full_pool_is_not_on_the_failure(sim: Simulator, status: int) -> None:
    """The request that it was to be followed by is of the same attempt."""
    sim.play(Reply(status))
    [attempt] = call(sim.base_url, transport=FullNextTime()).attempts
    assert (attempt.status, attempt.request_id) == (None, None)
    assert (attempt.error_type, attempt.phase) == ("pool_timeout", "pool")


def test_a_redirect_to_a_host_that_refuses_is_a_refused_connection(sim: Simulator) -> None:
    """One attempt, no proxy, and no status: there was no response to what was sent last."""
    target = sim.endpoint("connection_refused").base_url.replace("127.0.0.1", "localhost")
    sim.play(Reply(307, body=b"", headers=(("location", f"{target}/v1/messages"),)))
    [attempt] = call(sim.base_url, follow_redirects=True).attempts
    assert (attempt.status, attempt.error_type) == (None, "connection_refused")


class AskedFirst(httpx2.Auth):
    """Sends again where the first request is turned away, as a digest does."""

    def auth_flow(self, request: httpx2.Request) -> Any:
        response = yield request
        if response.status_code in (401, 407):
            request.headers["authorization"] = "Digest x"
            yield request


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ("ok", (200, None)),
        ("http_529", (529, "529")),
        ("connection_reset", (None, "connection_reset")),
    ],
)
def test_a_401_of_an_auth_flow_is_within_its_attempt(
    second: str, expected: tuple[int | None, str | None], sim: Simulator
) -> None:
    """One attempt, which has what the second send got."""
    sim.play("http_401", second)
    telemetry = call(sim.base_url, auth=AskedFirst())
    assert told(telemetry.attempts) == [expected]
    assert len(sim.requests) == 2


# -- credentials that are fetched inside the send ----------------------------------------------------------------------


def _authenticated(
    sim: Simulator, recorded: Telemetry, provider: Callable[..., Any], **options: Any
) -> list[dict[str, Any]]:
    """The attributes of the attempts of a call whose token comes from the provider."""
    if TRACES_ITSELF:
        options["open_telemetry"] = {"tracer_provider": recorded.tracer_provider}
    recorded.instrument()
    client = anthropic.Anthropic(base_url=sim.base_url, credentials=provider, max_retries=0, **options)
    with client, suppress(anthropic.AnthropicError, httpx2.HTTPError):
        client.messages.create(**request_of())
    return [dict(attempt.attributes or {}) for attempt in recorded.attempts]


def test_a_slow_provider_of_credentials_is_a_phase_of_its_own(sim: Simulator, recorded: Telemetry) -> None:
    """What it took is `phase.auth`, and nothing of it is `phase.pool`."""
    provider = SlowProvider()
    [attempt] = _authenticated(sim, recorded, provider)
    assert attempt["anthropic.client.phase.auth"] >= provider.took[0]
    phases = {name: value for name, value in attempt.items() if name.startswith("anthropic.client.phase.")}
    assert phases.get("anthropic.client.phase.pool", 0) <= sum(phases.values()) - provider.took[0]


def test_a_provider_that_cannot_be_reached_fails_in_its_phase(sim: Simulator, recorded: Telemetry) -> None:
    """The API's address was never tried: the phase says so."""
    pytest.importorskip("anthropic.lib.credentials", reason="this SDK fetches no credentials")
    address = sim.endpoint("connection_refused").base_url

    def provider(*, force_refresh: bool = False) -> Any:
        return httpx2.post(f"{address}/token")

    [attempt] = _authenticated(sim, recorded, provider)
    assert attempt["anthropic.client.network.phase"] == "auth"
    assert sim.requests == []


@pytest.mark.parametrize("refused", [False, True], ids=["at_once", "at_the_retry"])
def test_credentials_that_the_sdk_cannot_have_are_not_retried(
    sim: Simulator, recorded: Telemetry, waits: list[float], *, refused: bool
) -> None:
    """Its own error is raised as it is, with retries left or none: none is used up for it."""
    credentials = pytest.importorskip("anthropic.lib.credentials", reason="this SDK fetches no credentials")
    if not hasattr(credentials._cache, "valid_access_token"):
        pytest.skip("this SDK takes whatever a provider returns, and retries what comes of it")
    tokens = iter([credentials.AccessToken(token="a-token", expires_at=0)] if refused else [])

    def provider(*, force_refresh: bool = False) -> Any:
        return next(tokens, "no token at all")

    recorded.instrument()
    sim.play("http_529")
    client = anthropic.Anthropic(base_url=sim.base_url, credentials=provider, max_retries=1)
    with client, capture() as telemetry, pytest.raises(anthropic.AnthropicError):
        client.messages.create(**request_of())
    [call] = telemetry.calls
    assert (call.outcome, call.retries) == ("failed", int(refused))
    last = call.attempts[-1]
    assert (last.error_type, last.phase, last.retry_stop_reason) == ("request_not_sent", "auth", "not_retryable")


def mirrored(request: httpx2.Request) -> None:
    """Sends a copy of a request to the same place, by a client of its own."""
    copy = httpx2.Request(request.method, request.url, headers=request.headers, content=request.content)
    with httpx2.Client(trust_env=False) as client:
        client.send(copy)


class MirroringAuth(httpx2.Auth):
    def auth_flow(self, request: httpx2.Request) -> Any:
        mirrored(request)
        yield request


class Twice(httpx2.HTTPTransport):
    """Sends each request twice, as to compare the answers."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        super().handle_request(request).read()
        return super().handle_request(request)


class Delegating(httpx2.BaseTransport):
    """Sends by another client."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        copy = httpx2.Request(request.method, request.url, headers=request.headers, content=request.content)
        with httpx2.Client(trust_env=False) as client:
            answer: httpx2.Response = client.send(copy)
            return answer


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({"event_hooks": {"request": [mirrored]}}, 2),
        ({"event_hooks": {"response": [lambda response: mirrored(response.request)]}}, 2),
        ({"auth": MirroringAuth()}, 2),
        ({"transport": Twice()}, 2),
        ({"transport": Delegating()}, 1),
    ],
    ids=["request hook", "response hook", "auth", "transport", "another client"],
)
def test_each_request_of_one_that_is_mirrored_is_an_attempt(options: dict[str, Any], sent: int, sim: Simulator) -> None:
    """As many attempts as requests have reached the server; that of another client in the transport's place is one."""
    telemetry = call(sim.base_url, **options)
    assert len(sim.requests) == sent
    assert told(telemetry.attempts) == [(200, None)] * sent
    assert [(each.outcome, each.retries) for each in telemetry.calls] == [("succeeded", 0)]
