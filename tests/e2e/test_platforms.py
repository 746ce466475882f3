"""The clients of every platform that the installed SDK has, with credentials of nobody's, against the simulator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import anthropic
import pytest

from anthropic_otel._core import semconv as s
from anthropic_otel.simulator import Endpoint, Simulator
from support import identities
from support.apps import MODEL, SdkApp, request_of
from support.driver import Driver
from support.marks import BREAKS_CONNECTIONS
from support.stacks import SDK_STACKS, Stack
from support.telemetry import Telemetry
from support.versions import COPIES_EVERY_CLIENT

pytestmark = [
    pytest.mark.usefixtures("waits"),
    *BREAKS_CONNECTIONS,
    # What boto says of itself.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:botocore"),
]
_AWS = {"aws_access_key": "AKIANOBODY", "aws_secret_key": "nobody's", "aws_region": "us-east-1"}
_VERTEX = "/v1/projects/{project}/locations/{region}/publishers/anthropic/models/{model}"


def _token() -> str:
    return "a-token-of-nobodys"


async def _atoken() -> str:
    return "a-token-of-nobodys"


@dataclass(frozen=True)
class Platform:
    """A platform: the end of its clients' names, what they need, and the routes of a call, whole and streamed.

    `path` is that of the base URL; `token` names the option that takes a function, which an async client awaits.
    """

    name: str
    options: dict[str, Any]
    routes: tuple[str, str] = ("/v1/messages", "/v1/messages")
    path: str = ""
    token: str = ""


PLATFORMS = (
    Platform("Bedrock", _AWS, ("/model/{model}/invoke", "/model/{model}/invoke-with-response-stream")),
    Platform("BedrockMantle", _AWS),
    Platform("AWS", _AWS | {"workspace_id": "wrkspc_nobody"}),
    Platform(
        "Vertex",
        {"region": "us-east5", "project_id": "nobody", "access_token": "a-token-of-nobodys"},
        (f"{_VERTEX}:rawPredict", f"{_VERTEX}:streamRawPredict"),
        path="/v1",
    ),
    Platform("GoogleCloud", {"project": "nobody", "location": "us-east5", "workspace_id": "w"}, token="token_provider"),
    Platform("Foundry", {"api_key": "none"}),
)
THERE = [platform for platform in PLATFORMS if hasattr(anthropic, f"Anthropic{platform.name}")]


@pytest.fixture(params=[stack for stack in SDK_STACKS if not stack.aiohttp], ids=lambda stack: stack.name)
def stack(request: pytest.FixtureRequest) -> Stack:
    """The stacks that the SDK uses by itself."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(params=THERE, ids=lambda platform: platform.name)
def platform(request: pytest.FixtureRequest) -> Platform:
    """Each platform that the installed SDK has."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def app(platform: Platform, stack: Stack, sim: Simulator, recorded: Telemetry) -> Iterator[SdkApp]:
    """An instrumented app on that platform."""
    options = dict(platform.options)
    if platform.token:
        options[platform.token] = _atoken if stack.asynchronous else _token
    prefix = "AsyncAnthropic" if stack.asynchronous else "Anthropic"
    with Driver(asynchronous=stack.asynchronous) as driver:
        app = SdkApp(
            stack,
            Endpoint(sim.base_url + platform.path),
            driver,
            recorded,
            client_class=getattr(anthropic, prefix + platform.name),
            **options,
        )
        recorded.instrument()
        yield app
        app.close()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_call_of_a_platform_is_one_of_the_messages_api(
    stream: bool, app: SdkApp, platform: Platform, sim: Simulator, recorded: Telemetry
) -> None:
    """Same operation and model on every platform; the route is the platform's own, and a bounded one."""
    sim.play("http_529")
    app.meet(stream=stream)
    first, second = (dict(span.attributes or {}) for span in recorded.attempts)
    assert (first[s.ERROR_TYPE], second[s.HTTP_RESPONSE_STATUS_CODE]) == ("529", 200)
    assert second[s.RETRY_REASON] == "529"
    for attributes in (first, second):
        assert attributes[s.OPERATION_NAME] == "messages.create"
        assert attributes[s.URL_TEMPLATE] == platform.routes[stream]
    [call] = recorded.calls
    assert call.name == "anthropic.messages.create"
    [point] = recorded.points(s.CALL_DURATION)
    assert point.attributes[s.CALL_OUTCOME] == "recovered"
    assert point.attributes[s.GEN_AI_REQUEST_MODEL] == MODEL
    if stream:
        assert second[s.STREAM_COMPLETE] is True
        assert second[s.ATTEMPT_OUTCOME] == "completed"
    identities.check(recorded, calls=1)


def test_no_signed_header_is_changed(app: SdkApp, sim: Simulator, recorded: Telemetry) -> None:
    """What is added is the trace context, which no signature names."""
    app.create()
    [request] = sim.requests
    authorization = request.header("authorization")
    assert "traceparent" not in authorization.lower()
    assert request.header("traceparent")


def test_a_copy_of_a_platforms_client_is_seen(platform: Platform, app: SdkApp, recorded: Telemetry) -> None:
    """Some of them make a new HTTP client for a copy."""
    if platform.name == "Foundry" and not COPIES_EVERY_CLIENT:
        pytest.skip("this SDK cannot copy this client")
    copy = app.client.with_options(max_retries=0)
    app.driver(copy.messages.create(**request_of()))
    if copy._client is not app.client._client:
        app.driver(copy.close())
    assert len(recorded.attempts) == 1
    identities.check(recorded, calls=1)


def test_a_failure_in_a_platforms_stream_is_seen(app: SdkApp, sim: Simulator, recorded: Telemetry) -> None:
    """The stream's wire format differs; its failure does not."""
    sim.play("stream_reset")
    with pytest.raises(Exception, match=r".*"):
        app.events()
    [span] = recorded.attempts
    assert (span.attributes or {})[s.ERROR_TYPE] == "connection_reset"
    identities.check(recorded, calls=1)
