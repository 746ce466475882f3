"""What the other platforms put on the wire: routes of their own, signatures, and frames instead of events.

The credentials are made up; what is signed with them is signed by the SDK, and checked as the platform would.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import anthropic
import httpx
import pytest
from opentelemetry.trace import StatusCode

import anthropic_otel
from anthropic_otel._adapters import messages
from anthropic_otel._core import instruments, semconv
from anthropic_otel.simulator import Endpoint, ErrorEvent, Reply, Simulator
from support import identities, usage
from support.apps import MODEL, PROMPT, request_of
from support.driver import Driver
from support.stacks import STACKS, Stack, http_client
from support.telemetry import Telemetry
from support.versions import CLOSES_FAILED_STREAMS, COPIES_EVERY_CLIENT, TRACES_ITSELF
from support.waiting import collect_garbage

pytestmark = pytest.mark.usefixtures("waits")

SECRET = "a-secret-that-nobody-may-see"
AWS = {"aws_access_key": "AKIAIOSFODNN7EXAMPLE", "aws_secret_key": SECRET, "aws_region": "us-east-1"}


@dataclass(frozen=True)
class Platform:
    """A platform's clients, without the word `Anthropic`, and what they are made with.

    `prefix` is what the platform's base URL has behind the host; `whole` and `stream` are the templates of a message,
    where the stream has another one. `signs` is whether its requests are signed; `frames` whether its streams are AWS
    event streams.
    """

    name: str
    options: dict[str, Any]
    prefix: str = ""
    whole: str = "/v1/messages"
    stream: str = ""
    signs: bool = False
    frames: bool = False
    needs: str | None = None

    def client_class(self, *, asynchronous: bool) -> type[Any]:
        """Skips the test where the installed SDK has none."""
        if self.needs is not None:
            pytest.importorskip(self.needs)
        cls = getattr(anthropic, f"{'Async' if asynchronous else ''}Anthropic{self.name}", None)
        if cls is None:
            pytest.skip(f"this SDK has no client for {self.name}")
        found: type[Any] = cls
        return found


_PUBLISHER = "/v1/projects/{project}/locations/{region}/publishers/anthropic/models/{model}"

PLATFORMS = (
    Platform(
        "Bedrock",
        AWS,
        whole="/model/{model}/invoke",
        stream="/model/{model}/invoke-with-response-stream",
        signs=True,
        frames=True,
        needs="botocore",
    ),
    Platform(
        "Vertex",
        {"region": "us-east5", "project_id": "a-project", "access_token": SECRET},
        prefix="/v1",
        whole=f"{_PUBLISHER}:rawPredict",
        stream=f"{_PUBLISHER}:streamRawPredict",
        needs="google.auth",
    ),
    Platform("BedrockMantle", AWS, prefix="/anthropic", whole="/anthropic/v1/messages", signs=True, needs="botocore"),
    Platform("AWS", AWS | {"workspace_id": "wrkspc_1"}, signs=True, needs="botocore"),
    Platform("GoogleCloud", {"project": "a-project", "workspace_id": "wrkspc_1", "token_provider": lambda: SECRET}),
    Platform("Foundry", {"api_key": SECRET}, prefix="/anthropic", whole="/anthropic/v1/messages"),
)


class App:
    """A client of a platform, and the simulator that stands for it."""

    def __init__(self, platform: Platform, driver: Driver, sim: Simulator, telemetry: Telemetry) -> None:
        self.platform, self._driver = platform, driver
        options = dict(platform.options)
        if TRACES_ITSELF:
            options["open_telemetry"] = {"tracer_provider": telemetry.tracer_provider}
        cls = platform.client_class(asynchronous=driver.asynchronous)
        self.client = cls(base_url=sim.base_url + platform.prefix, max_retries=2, **options)

    def create(self, client: Any = None, **more: Any) -> Any:
        return self._driver((client or self.client).messages.create(**request_of(**more)))

    def events(self, **more: Any) -> list[Any]:
        return self._driver.read(self.create(stream=True, **more))


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def driver(request: pytest.FixtureRequest) -> Iterator[Driver]:
    with Driver(asynchronous=request.param) as made:
        yield made


@pytest.fixture(params=PLATFORMS, ids=lambda platform: platform.name)
def platform(request: pytest.FixtureRequest) -> Platform:
    found: Platform = request.param
    return found


@pytest.fixture
def app(platform: Platform, driver: Driver, sim: Simulator, recorded: Telemetry) -> Iterator[App]:
    """An app on that platform, instrumented."""
    recorded.instrument()
    made = App(platform, driver, sim, recorded)
    yield made
    driver.close(made.client)


def attributes(span: Any) -> dict[str, Any]:
    return dict(span.attributes or {})


def check_one_call(telemetry: Telemetry, *, template: str, attempts: int) -> None:
    """Exactly one call span, which every attempt is a child of; every attempt is named by the platform's route."""
    [call] = telemetry.calls
    assert call.name == "anthropic.messages.create"
    assert attributes(call)[semconv.GEN_AI_REQUEST_MODEL] == MODEL
    assert len(telemetry.spans) == attempts + 1
    assert [span.parent for span in telemetry.attempts] == [call.context] * attempts
    assert {span.name for span in telemetry.attempts} == {f"POST {template}"}
    assert {attributes(span)[semconv.URL_TEMPLATE] for span in telemetry.attempts} == {template}
    assert {attributes(span)[semconv.OPERATION_NAME] for span in telemetry.attempts} == {"messages.create"}
    assert {
        point.attributes[semconv.GEN_AI_REQUEST_MODEL] for point in telemetry.points(instruments.ATTEMPT_DURATION)
    } == {MODEL}
    assert {point.attributes[semconv.OPERATION_NAME] for point in telemetry.points(instruments.CALL_DURATION)} == {
        "messages.create"
    }
    identities.check(telemetry, calls=1)


def check_nothing_private_is_told(telemetry: Telemetry) -> None:
    """No key, no token, no signature and no prompt."""
    told = "".join(span.to_json() for span in telemetry.spans if semconv.ATTEMPT_OUTCOME in attributes(span))
    told += "".join(str(record.__dict__) for record in telemetry.records)
    assert not [secret for secret in (SECRET, AWS["aws_access_key"], "Signature=", PROMPT) if secret in told]


def test_a_request_of_the_sdk_is_told_from_those_of_other_sdks(app: App, sim: Simulator) -> None:
    """By its retry count, and by the version header that the API asks for, or the route of a platform without one."""
    app.create()
    app.events()
    for served in sim.requests:
        assert served.header("x-stainless-retry-count") == "0"
        request = httpx.Request(served.method, f"https://platform.test{served.target}")
        assert served.header("anthropic-version") or messages.has_platform_route(request)


def test_a_recovered_call(app: App, sim: Simulator, recorded: Telemetry) -> None:
    """Two attempts that fail, one that does not, one call: as on the first-party API."""
    sim.play("http_529", "connection_reset", "ok")
    message = app.create()
    assert message.content[0].text
    check_one_call(recorded, template=app.platform.whole, attempts=3)
    assert [attributes(span).get(semconv.ERROR_TYPE) for span in recorded.attempts] == ["529", "connection_reset", None]
    [point] = recorded.points(instruments.CALL_RETRIES)
    assert (point.sum, point.attributes[semconv.CALL_OUTCOME]) == (2, "recovered")
    check_nothing_private_is_told(recorded)


def test_a_stream(app: App, recorded: Telemetry) -> None:
    """Its attempt lasts to its end event, which is found in the platform's own framing."""
    assert len(app.events()) > 10
    check_one_call(recorded, template=app.platform.stream or app.platform.whole, attempts=1)
    [attempt] = recorded.attempts
    assert attributes(attempt)[semconv.ATTEMPT_OUTCOME] == "completed"
    assert attributes(attempt)[semconv.STREAM_COMPLETE] is True
    assert attributes(attempt)[semconv.STREAM_TIME_TO_FIRST_CHUNK] > 0


ERRORS = ("overloaded_error", "rate_limit_error", "timeout_error", "api_error")
STREAM_ERRORS = [
    pytest.param(platform, error_type, id=f"{platform.name}-{error_type}")
    for platform in PLATFORMS
    for error_type in (ERRORS if platform.frames else ERRORS[:1])
]


@pytest.mark.parametrize(("platform", "error_type"), STREAM_ERRORS)
def test_an_error_in_a_stream(app: App, sim: Simulator, recorded: Telemetry, error_type: str) -> None:
    """An `error` event, or the exception frame that Bedrock has for it, fails the attempt that began with 200."""
    sim.play(ErrorEvent(error_type, "not now"))
    # Older versions of the SDK have no error of their own for a frame.
    with pytest.raises((anthropic.APIError, ValueError) if app.platform.frames else anthropic.APIError):
        app.events()
    if not CLOSES_FAILED_STREAMS:
        # Nobody closes the stream that has failed: it ends when the app has forgotten it.
        collect_garbage()
    [attempt] = recorded.attempts
    assert attributes(attempt)[semconv.ERROR_TYPE] == error_type
    assert attributes(attempt)[semconv.HTTP_RESPONSE_STATUS_CODE] == 200
    assert attributes(attempt)[semconv.ATTEMPT_OUTCOME] == "failed"
    assert attempt.status.status_code is StatusCode.ERROR


BEDROCK = PLATFORMS[0]
CORAL = "http://internal.amazon.com/coral/com.amazon"


@pytest.mark.parametrize("platform", [BEDROCK], ids=["Bedrock"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("status", "told", "error_type"),
    [
        (403, f"AccessDeniedException:{CORAL}.bedrock/", "permission_error"),
        (403, f"ExpiredTokenException:{CORAL}.coral.service/", "authentication_error"),
        (403, f"UnrecognizedClientException:{CORAL}.coral.service/", "authentication_error"),
        (400, f"ServiceQuotaExceededException:{CORAL}.bedrock/", "rate_limit_error"),
        (400, f"ValidationException:{CORAL}.bedrock/", "invalid_request_error"),
        (404, f"UnknownOperationException:{CORAL}.coral.service/", "not_found_error"),
        (500, f"InternalFailure:{CORAL}.coral.service/", "api_error"),
        (400, f"NobodyKnowsException:{CORAL}.bedrock/", None),
        (403, "ForbiddenException", None),
        (403, "AccessDeniedException", None),
    ],
)
def test_a_refusal_of_bedrock_is_told_by_its_header(
    app: App, sim: Simulator, recorded: Telemetry, status: int, told: str, error_type: str | None, *, stream: bool
) -> None:
    """The body has a message alone, and one status stands for several things. A gateway's own word is not the API's."""
    body = b'{"message": "a text that nobody may see"}'
    sim.play(*[Reply(status, body=body, headers=(("x-amzn-errortype", told),))] * 3)
    with pytest.raises(anthropic.APIStatusError):
        app.create(stream=stream)
    for attempt in recorded.attempts:
        assert attributes(attempt)[semconv.ERROR_TYPE] == str(status)
        assert attributes(attempt).get(semconv.API_ERROR_TYPE) == error_type
    assert {record.__dict__.get(semconv.API_ERROR_TYPE) for record in recorded.logs} == {error_type}


@pytest.mark.parametrize("platform", [each for each in PLATFORMS if each.signs], ids=lambda each: each.name)
def test_a_signature_does_not_cover_what_is_added(app: App, sim: Simulator, recorded: Telemetry) -> None:
    """Every request arrives as it was signed, retries too; the trace context arrives, and no signature covers it."""
    sim.play("http_529", "ok")
    app.create()
    for request, span in zip(sim.requests, recorded.attempts, strict=True):
        signed = re.search(r"SignedHeaders=([^,]+)", request.header("authorization"))
        assert signed
        names = signed[1].split(";")
        assert {"host", "x-amz-date"} <= set(names)
        assert "traceparent" not in names
        assert f"{span.context.span_id:016x}" in request.header("traceparent")
        assert signature_of(request, names) == request.header("authorization").rpartition("Signature=")[2]


def signature_of(request: Any, names: list[str]) -> str:
    """The signature that the request would have to have, by what has arrived of it."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    scope = re.search(r"Credential=[^/]+/(\d+)/([^/]+)/([^/]+)/", request.header("authorization"))
    assert scope
    url = f"http://{request.header('host')}{request.target}"
    arrived = AWSRequest(request.method, url, {name: request.header(name) for name in names}, request.body)
    arrived.context["timestamp"] = request.header("x-amz-date")
    signer = SigV4Auth(Credentials(AWS["aws_access_key"], SECRET), scope[3], scope[2])
    signer.headers_to_sign = lambda request: request.headers
    return str(signer.signature(signer.string_to_sign(arrived, signer.canonical_request(arrived)), arrived))


def test_a_copy_of_a_client_is_seen_too(app: App, recorded: Telemetry, driver: Driver) -> None:
    """`with_options`, which on some platforms and versions makes an HTTP client of its own."""
    if app.platform.name == "Foundry" and not COPIES_EVERY_CLIENT:
        pytest.skip("this SDK cannot copy this client")
    copy = app.client.with_options(max_retries=1)
    app.create(copy)
    check_one_call(recorded, template=app.platform.whole, attempts=1)
    if copy._client is not app.client._client:
        driver.close(copy)


def test_one_client_of_a_platform_is_instrumented(
    platform: Platform, driver: Driver, sim: Simulator, recorded: Telemetry
) -> None:
    """`instrument(client)` takes it, and leaves another one alone."""
    app, other = (App(platform, driver, sim, recorded) for _ in range(2))
    recorded.instrument(app.client)
    app.create()
    other.create()
    assert len(recorded.attempts) == 1
    for each in (app, other):
        driver.close(each.client)


@pytest.fixture
def copied(platform: Platform) -> None:
    """Skips the test where the SDK cannot copy a client of the platform."""
    if platform.name == "Foundry" and not COPIES_EVERY_CLIENT:
        pytest.skip("this SDK cannot copy this client")


@pytest.mark.usefixtures("copied")
def test_a_copy_of_the_one_client_that_is_instrumented_is_seen_too(
    platform: Platform, driver: Driver, sim: Simulator, recorded: Telemetry
) -> None:
    """Also where a copy by `with_options` makes an HTTP client of its own. One that the app gives it is another one."""
    app = App(platform, driver, sim, recorded)
    before = type(app.client).copy, type(app.client).with_options
    recorded.instrument(app.client)
    copies = [app.client.with_options(max_retries=1), app.client.copy().with_options(timeout=300)]
    for copy in copies:
        app.create(copy)
    assert [span.name for span in recorded.attempts] == [f"POST {platform.whole}"] * 2
    assert len(recorded.calls) == 2
    copies.append(app.client.with_options(http_client=http_client(_stack(driver), Endpoint(sim.base_url))))
    app.create(copies[-1])
    assert len(recorded.attempts) == 2
    anthropic_otel.uninstrument()
    assert (type(app.client).copy, type(app.client).with_options) == before
    for client in (*copies, app.client):
        driver.close(client)


@pytest.mark.usefixtures("copied")
def test_a_copy_of_a_client_that_is_excluded_is_so_too(
    platform: Platform, driver: Driver, sim: Simulator, recorded: Telemetry
) -> None:
    """Also where a copy makes an HTTP client of its own. With the client it is back, and once all is undone."""
    recorded.instrument()
    app = App(platform, driver, sim, recorded)
    anthropic_otel.uninstrument(app.client)
    copy = app.client.with_options(max_retries=1)
    app.create(copy)
    assert not recorded.attempts
    recorded.instrument(app.client)
    app.create(copy)
    assert len(recorded.attempts) == 1
    anthropic_otel.uninstrument(copy)
    app.create(app.client)
    assert len(recorded.attempts) == 1
    anthropic_otel.uninstrument()
    recorded.instrument()
    app.create(copy)
    assert len(recorded.attempts) == 2
    for client in (copy, app.client):
        driver.close(client)


@pytest.mark.usefixtures("copied")
def test_a_copy_of_a_client_that_is_instrumented_no_more_is_so_neither(
    platform: Platform, driver: Driver, sim: Simulator, recorded: Telemetry
) -> None:
    """Also where a copy makes an HTTP client of its own, and if it is the copy that is taken out."""
    app = App(platform, driver, sim, recorded)
    recorded.instrument(app.client)
    copy = app.client.with_options(max_retries=1)
    anthropic_otel.uninstrument(app.client)
    app.create(copy)
    recorded.instrument(app.client)
    copies = copy, app.client.with_options(max_retries=1)
    anthropic_otel.uninstrument(copies[-1])
    app.create(app.client)
    assert not recorded.attempts
    for client in (*copies, app.client):
        driver.close(client)


def _stack(driver: Driver) -> Stack:
    """The stack of the SDK's own HTTP clients."""
    return next(
        each for each in STACKS if each.of_sdk and each.asynchronous is driver.asynchronous and not each.aiohttp
    )


def test_the_tokens_are_those_that_the_platform_has_sent(
    app: App, platform: Platform, sim: Simulator, recorded: Telemetry
) -> None:
    """Of replies and of streams; on Bedrock the headers and the last frame say them once more, and count once."""
    cached = [{"type": "text", "text": "A long system prompt. " * 50, "cache_control": {"type": "ephemeral"}}]
    for _ in range(2):
        app.create(system=cached)
        app.events(system=cached)
    assert usage.told(recorded) == +usage.sent(sim.served)
    assert usage.told(recorded)[instruments.USAGE_CACHE_READ.name] > 0
    [point] = recorded.points(instruments.USAGE_INPUT)
    provider = {"Bedrock": "aws.bedrock", "BedrockMantle": "aws.bedrock", "Vertex": "gcp.vertex_ai"}
    told = point.attributes[semconv.GEN_AI_PROVIDER_NAME]
    assert told == (provider.get(platform.name) or getattr(app.client, "_gen_ai_provider_name", "anthropic"))


@pytest.mark.parametrize(
    ("name", "provider"), [("Bedrock", "aws.bedrock"), ("Vertex", "gcp.vertex_ai"), ("", "anthropic")]
)
def test_the_name_of_the_apps_own_class_is_not_that_of_the_provider(
    name: str, provider: str, driver: Driver, sim: Simulator, recorded: Telemetry
) -> None:
    """Only the SDK's class that it is derived from is."""
    recorded.instrument()
    [platform] = [each for each in (*PLATFORMS, Platform("", {"api_key": SECRET})) if each.name == name]
    base = platform.client_class(asynchronous=driver.asynchronous)
    own = type("BedrockOrVertex" if name == "" else "Ours", (base,), {})
    without_span = {"open_telemetry": False} if TRACES_ITSELF else {}
    client = own(base_url=sim.base_url + platform.prefix, **platform.options, **without_span)
    driver(client.messages.create(**request_of()))
    driver.close(client)
    assert {attributes(call)[semconv.GEN_AI_PROVIDER_NAME] for call in recorded.calls} == {provider}
    assert {point.attributes[semconv.GEN_AI_PROVIDER_NAME] for point in recorded.points(instruments.USAGE_INPUT)} == {
        provider
    }


def test_a_base_url_of_vertex_need_not_have_a_version(driver: Driver, sim: Simulator, recorded: Telemetry) -> None:
    """As that of a gateway which adds it: operation, model, provider and tokens of a stream are known from the path."""
    vertex = next(each for each in PLATFORMS if each.name == "Vertex")
    cls = vertex.client_class(asynchronous=driver.asynchronous)
    http = _stack(driver).client_class(event_hooks=recorded.event_hooks())
    without_span = {"open_telemetry": False} if TRACES_ITSELF else {}
    client = cls(base_url=sim.base_url, http_client=http, **vertex.options, **without_span)
    driver.read(driver(client.messages.create(**request_of(stream=True))))
    driver.close(client)
    [attempt] = recorded.attempts
    assert attempt.name == f"POST {vertex.stream.removeprefix('/v1')}"
    assert usage.told(recorded, gen_ai_provider_name="gcp.vertex_ai", gen_ai_request_model=MODEL) == usage.sent(
        sim.served
    )


def test_bedrock_tells_the_tokens_of_a_reply_that_is_not_parsed(
    driver: Driver, sim: Simulator, recorded: Telemetry
) -> None:
    """In its headers, which are seen whether the app parses the body or not."""
    recorded.instrument()
    app = App(PLATFORMS[0], driver, sim, recorded)
    driver(app.client.messages.with_raw_response.create(**request_of()))
    driver.close(app.client)
    assert usage.told(recorded) == +usage.sent(sim.served)
