"""The paths of Amazon Bedrock and Google's Vertex AI, and the form that their errors and ids have.

Rule: this is about the platforms only that have a wire of their own. Those that serve the API's own paths, such as
Foundry, have the API's form.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final
from urllib.parse import unquote, urlsplit

from anthropic_otel.simulator.actions import Headers
from anthropic_otel.simulator.wire import Json, error_body


class Platform(str, Enum):
    """Whose form a response has."""

    API = "the API's own"
    BEDROCK = "Amazon Bedrock"
    VERTEX = "Google Vertex AI"


@dataclass(frozen=True, slots=True)
class Route:
    """What a path says: its platform, and the `model` and the `verb` in it, such as `invoke`.

    Both are empty on the API's own paths.
    """

    platform: Platform
    model: str = ""
    verb: str = ""


_BEDROCK: Final = re.compile(r"/model/(?P<model>[^/]+)/(?P<verb>invoke|invoke-with-response-stream)")
_VERTEX: Final = re.compile(
    r"(?:/v1)?/projects/[^/]+/locations/[^/]+/publishers/anthropic/models/(?P<model>[^/:]+):(?P<verb>\w+)"
)
_OWN: Final = Route(Platform.API)


def path_of(target: str) -> str:
    """Returns the decoded path of a request's target. Raises `ValueError` if the target is no valid URL."""
    return unquote(urlsplit(target).path)


def route_of(target: str) -> Route:
    """Returns the route of a request's target; that of the API's own paths for any that is no platform's.

    The model may have a slash in it, as an ARN has, if that is percent-encoded.
    """
    try:
        path = urlsplit(target).path
    except ValueError:
        return _OWN
    for platform, pattern in ((Platform.BEDROCK, _BEDROCK), (Platform.VERTEX, _VERTEX)):
        if match := pattern.fullmatch(path):
            return Route(platform, unquote(match["model"]), match["verb"])
    return _OWN


_EXCEPTIONS: Final = {
    "invalid_request_error": "ValidationException",
    "request_too_large": "ValidationException",
    "authentication_error": "UnrecognizedClientException",
    "permission_error": "AccessDeniedException",
    "not_found_error": "ResourceNotFoundException",
    "rate_limit_error": "ThrottlingException",
    "overloaded_error": "ServiceUnavailableException",
    "timeout_error": "ModelTimeoutException",
}
"""Bedrock's exception by the API's error type. Any other type is an `InternalServerException`."""

_STATUSES: Final = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
"""Google's word for each status with which Google itself turns a request away. All others are the API's answers."""


def refusal(
    route: Route, status: int, error_type: str, message: str, request_id: str | None, code: str | None
) -> tuple[Json | list[Json], Headers]:
    """Returns the JSON of an error, and the headers that it has on this platform beside those of any response.

    Bedrock puts the message alone in the body, and names its exception in `x-amzn-errortype`. Vertex has Google's form
    for the statuses with which Google itself refuses, such as 429, in a list where a stream was asked for, and else the
    API's form. `request_id` and `code` are as in `error_body`, and in the API's form only.
    """
    if route.platform is Platform.BEDROCK:
        name = _EXCEPTIONS.get(error_type, "InternalServerException")
        return {"message": message}, (
            ("x-amzn-errortype", f"{name}:http://internal.amazon.com/coral/com.amazon.bedrock/"),
        )
    if is_of_google(route, status):
        error: Json = {"error": {"code": status, "message": message, "status": _STATUSES[status]}}
        return ([error] if route.verb == "streamRawPredict" else error), ()
    return error_body(error_type, message, request_id, code), ()


def is_of_google(route: Route, status: int) -> bool:
    """Returns whether a refusal with this status is Google's own, and not one of the API behind Vertex."""
    return route.platform is Platform.VERTEX and status in _STATUSES


def of_the_platform(platform: Platform, request_id: str) -> Headers:
    """Returns the headers that only Bedrock or Vertex sends, with the request id. None are about rate limits."""
    if platform is Platform.BEDROCK:
        return (("x-amzn-requestid", request_id),)
    return (("request-id", request_id), *OF_GOOGLE, ("x-vertex-ai-internal-prediction-backend", "harpoon"))


OF_GOOGLE: Final[Headers] = (("server", "scaffolding on HTTPServer2"),)
"""The headers that only Google sends. A refusal of its own has no others, and so no id of the request."""


def quota_exceeded(route: Route) -> str:
    """Returns Bedrock's or Vertex's message about a rate limit that has no room for a request."""
    if route.platform is Platform.BEDROCK:
        return "Too many requests, please wait before trying again."
    return (
        "Quota exceeded for aiplatform.googleapis.com/online_prediction_requests_per_base_model with base model: "
        f"anthropic-{route.model}. Please submit a quota increase request. "
        "https://cloud.google.com/vertex-ai/docs/generative-ai/quotas-genai."
    )
