"""Errors on the paths of Bedrock and Vertex, in the form in which these platforms send them.

Bedrock's are the message alone, with the exception in `x-amzn-errortype`. Vertex has two forms: Google's for what
Google refuses, such as a quota, and the API's for what the API refuses behind it. All three are in reports of users.
"""

from __future__ import annotations

import re
from typing import Any

import anthropic
import pytest

from anthropic_otel.simulator import Limits, Reply, Simulator

MESSAGE: dict[str, Any] = {
    "model": "claude-sonnet-5-5",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Say something."}],
}
EMPTY: dict[str, Any] = MESSAGE | {"messages": []}
CORAL = "http://internal.amazon.com/coral/com.amazon.bedrock/"


def _bedrock(sim: Simulator) -> Any:
    pytest.importorskip("botocore")
    return anthropic.AnthropicBedrock(
        base_url=sim.base_url, aws_access_key="a", aws_secret_key="b", aws_region="us-east-1", max_retries=0
    )


def _vertex(sim: Simulator) -> Any:
    pytest.importorskip("google.auth")
    return anthropic.AnthropicVertex(
        base_url=f"{sim.base_url}/v1", access_token="t", region="eu", project_id="p", max_retries=0
    )


def _failure(client: Any, **asked: Any) -> anthropic.APIStatusError:
    with client, pytest.raises(anthropic.APIStatusError) as raised:
        client.messages.create(**asked)
    return raised.value


@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_of_bedrock_is_a_message_and_an_exception(sim: Simulator, stream: bool) -> None:
    """An app that looks for the API's error type finds none, and has to read the header."""
    error = _failure(_bedrock(sim), **EMPTY, stream=stream)
    assert isinstance(error, anthropic.BadRequestError)
    assert error.response.json() == {"message": "messages: at least one message is required"}
    assert error.response.headers["x-amzn-errortype"] == f"ValidationException:{CORAL}"


@pytest.mark.parametrize(
    ("reply", "exception"),
    [
        (Reply(403), "AccessDeniedException"),
        (Reply(404), "ResourceNotFoundException"),
        (Reply(429), "ThrottlingException"),
        (Reply(500), "InternalServerException"),
        (Reply(503, "overloaded_error"), "ServiceUnavailableException"),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value.status),
)
def test_an_error_that_was_ordered_has_bedrocks_form_there(sim: Simulator, reply: Reply, exception: str) -> None:
    """A fault with an error of the API is what the platform makes of it."""
    sim.play(reply)
    error = _failure(_bedrock(sim), **MESSAGE)
    assert error.status_code == reply.status
    assert error.response.json() == {"message": reply.message}
    assert error.response.headers["x-amzn-errortype"] == f"{exception}:{CORAL}"


def test_a_response_of_bedrock_has_amazons_id_and_no_rate_limits(sim: Simulator) -> None:
    """The API's `request-id`, organization and rate limits are not on Bedrock's responses, whole or streamed."""
    with _bedrock(sim) as client:
        headers = [
            dict(client.messages.with_raw_response.create(**MESSAGE, stream=stream).headers) for stream in (False, True)
        ]
    assert [each["x-amzn-requestid"] for each in headers] == sim.request_ids
    for each in headers:
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", each["x-amzn-requestid"])
        assert not [name for name in each if name.startswith(("anthropic-", "request-id"))]


ARN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6"


@pytest.mark.parametrize("model", [ARN, "us.anthropic.claude-sonnet-4-5-20250929-v1:0"])
@pytest.mark.parametrize("stream", [False, True])
def test_bedrock_takes_an_inference_profile_for_a_model(sim: Simulator, model: str, stream: bool) -> None:
    """The SDK encodes what an ARN has that a path cannot have, as its slash."""
    with _bedrock(sim) as client:
        reply = client.messages.create(**MESSAGE | {"model": model}, stream=stream)
        assert [event.type for event in reply][-1:] == ["message_stop"] if stream else reply.stop_reason == "end_turn"
    assert sim.requests[0].target.split("/")[2] == model.replace("/", "%2F")


def test_a_refusal_of_the_api_behind_vertex_has_the_apis_form(sim: Simulator) -> None:
    """A body that the API does not take gets its 400, with an id of the API's that says where it came from."""
    error = _failure(_vertex(sim), **EMPTY)
    body = error.response.json()
    assert (body["type"], body["error"]["type"]) == ("error", "invalid_request_error")
    assert error.request_id == body["request_id"] == sim.request_ids[0]
    assert body["request_id"].startswith("req_vrtx_01")
    assert not [name for name in error.response.headers if name.startswith("anthropic-")]


@pytest.mark.parametrize(
    ("status", "word"), [(401, "UNAUTHENTICATED"), (403, "PERMISSION_DENIED"), (429, "RESOURCE_EXHAUSTED")]
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_of_google_has_googles_form(sim: Simulator, status: int, word: str, stream: bool) -> None:
    """It is an object of another shape, and in a list where a stream was asked for. There is no id of the request."""
    sim.play(Reply(status, message="no"))
    error = _failure(_vertex(sim), **MESSAGE, stream=stream)
    assert error.response.headers["server"] == "scaffolding on HTTPServer2"
    assert error.request_id is None
    assert not sim.request_ids
    assert error.status_code == status
    body: Any = {"error": {"code": status, "message": "no", "status": word}}
    assert error.response.json() == ([body] if stream else body)


def test_an_overload_behind_vertex_has_the_apis_form(sim: Simulator) -> None:
    """529 is the API's, and Google hands it on."""
    sim.play("http_529")
    assert _failure(_vertex(sim), **MESSAGE).response.json()["error"]["type"] == "overloaded_error"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_bedrock, {"message": "Too many requests, please wait before trying again."}),
        (
            _vertex,
            {
                "error": {
                    "code": 429,
                    "message": "Quota exceeded for aiplatform.googleapis.com/online_prediction_requests_per_base_model "
                    "with base model: anthropic-claude-sonnet-5-5. Please submit a quota increase request. "
                    "https://cloud.google.com/vertex-ai/docs/generative-ai/quotas-genai.",
                    "status": "RESOURCE_EXHAUSTED",
                }
            },
        ),
    ],
)
def test_a_quota_that_is_used_up_is_the_platforms(make: Any, said: Any) -> None:
    """Its 429 says nothing about when to come back."""
    with Simulator(limits=Limits(requests=0)) as sim:
        error = _failure(make(sim), **MESSAGE)
    assert (error.status_code, error.response.json()) == (429, said)
    assert "retry-after" not in error.response.headers


def test_a_redirect_does_not_change_the_form(sim: Simulator) -> None:
    """A platform's path that a redirect led to is still the platform's."""
    sim.play("ok_redirected")
    error = _failure(_bedrock(sim), **EMPTY)
    assert error.response.json() == {"message": "messages: at least one message is required"}
