"""Refusals: whole responses with a status of 4xx or 5xx, from the API or from something in front of it.

Types and messages are those of the API's documentation ("Errors", "Rate limits"). What is in front of the API (an edge
that limits the size of requests, a gateway, a proxy) sends its own bodies and headers, and no request id.
"""

from __future__ import annotations

from typing import Final

from anthropic_otel.simulator.actions import Headers, Reply
from anthropic_otel.simulator.faults import Fault, refused
from anthropic_otel.simulator.headers import about_retry, merge

_EXHAUSTED: Final = (
    ("anthropic-ratelimit-requests-remaining", "0"),
    ("anthropic-ratelimit-tokens-remaining", "0"),
    ("anthropic-ratelimit-input-tokens-remaining", "0"),
    ("anthropic-ratelimit-output-tokens-remaining", "0"),
)
_RATE_LIMITED: Final = (
    "This request would exceed the rate limit for your organization of 50 requests per minute. "
    "Please reduce the prompt length or the maximum tokens requested, or try again later."
)


def _api(
    status: int,
    error_type: str,
    message: str,
    description: str,
    *,
    name: str = "",
    retried: bool = False,
    headers: Headers = (),
) -> Fault:
    """Returns a fault: a refusal by the API itself, with its JSON error body, a request id, and `x-should-retry`.

    Its name is `http_` and the status, unless `name` is given. `retried` is whether the SDK retries it. `headers`
    replace others of the same name.
    """
    reply = Reply(status, error_type, message, headers=merge(about_retry(status), headers))
    return refused(name or f"http_{status}", description, reply, retried=retried)


def _front(
    status: int, body: str, content_type: str, description: str, *, retried: bool = True, headers: Headers = ()
) -> Fault:
    """Returns a fault: a refusal by something in front of the API, with that body and no request id.

    Its name is `http_` and the status. `retried` is whether the SDK retries it.
    """
    reply = Reply(status, body=body.encode(), content_type=content_type, headers=headers, request_id=False)
    return refused(f"http_{status}", description, reply, retried=retried)


def _page(title: str, server: str) -> str:
    return (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
        f"<hr><center>{server}</center>\r\n</body>\r\n</html>\r\n"
    )


FAULTS: Final = (
    _api(
        400,
        "invalid_request_error",
        "messages: at least one message is required",
        "There was an issue with the format or content of the request.",
    ),
    _api(401, "authentication_error", "invalid x-api-key", "There is an issue with the API key."),
    _api(
        402,
        "billing_error",
        "Your credit balance is too low to access the Anthropic API.",
        "There is an issue with billing or payment.",
    ),
    _api(
        403,
        "permission_error",
        "Your API key does not have permission to use the specified resource.",
        "The API key does not have permission to use the resource.",
    ),
    _api(404, "not_found_error", "model: claude-unknown", "The requested resource was not found."),
    _front(
        408,
        "stream timeout",
        "text/plain",
        "A gateway gave up waiting for the request.",
    ),
    _api(
        409,
        "conflict_error",
        "The resource is being changed by another request.",
        "The request conflicts with another one.",
        retried=True,
    ),
    _front(
        413,
        '{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}',
        "application/json",
        "The request exceeds the maximum allowed number of bytes; the edge says so before the API sees it.",
        retried=False,
        headers=(("server", "cloudflare"), ("cf-ray", "9a1b2c3d4e5f6a7b-FRA")),
    ),
    _api(
        422,
        "invalid_request_error",
        "max_tokens: Input should be a valid integer",
        "The request is well-formed but cannot be processed.",
    ),
    _api(
        429,
        "rate_limit_error",
        _RATE_LIMITED,
        "The account has hit a rate limit; `retry-after` says for how many seconds.",
        retried=True,
        headers=(*_EXHAUSTED, ("retry-after", "1")),
    ),
    _api(
        429,
        "rate_limit_error",
        _RATE_LIMITED,
        "The account has hit a rate limit; `retry-after-ms` says for how many milliseconds.",
        name="http_429_retry_after_ms",
        retried=True,
        headers=(*_EXHAUSTED, ("retry-after-ms", "50")),
    ),
    _api(
        429,
        "rate_limit_error",
        "Number of concurrent connections has exceeded your rate limit. Please try again later.",
        "The account has hit a rate limit, and nothing says for how long.",
        name="http_429_no_retry_after",
        retried=True,
    ),
    _api(
        429,
        "rate_limit_error",
        "You have reached your specified API usage limits.",
        "The account has hit a limit that a retry cannot help, and `x-should-retry: false` says so.",
        name="http_429_should_not_retry",
        headers=(("x-should-retry", "false"),),
    ),
    _api(
        400,
        "invalid_request_error",
        "The request could not be processed just now.",
        "A status that is not retried by itself, with `x-should-retry: true`.",
        name="http_400_should_retry",
        retried=True,
        headers=(("x-should-retry", "true"),),
    ),
    _api(
        500,
        "api_error",
        "Internal server error",
        "An unexpected error has occurred inside the API's systems.",
        retried=True,
    ),
    _api(
        500,
        "api_error",
        "Internal server error",
        "An unexpected error, with `x-should-retry: false`.",
        name="http_500_should_not_retry",
        headers=(("x-should-retry", "false"),),
    ),
    _front(
        502,
        _page("502 Bad Gateway", "nginx/1.27.4"),
        "text/html",
        "A proxy on the way could not reach the API: an HTML page and no request id.",
        headers=(("server", "nginx/1.27.4"), ("via", "1.1 proxy.example")),
    ),
    _front(
        503,
        "upstream connect error or disconnect/reset before headers. reset reason: connection timeout",
        "text/plain",
        "A gateway has no healthy server behind it: a line of text and no request id.",
        headers=(("server", "envoy"),),
    ),
    _api(
        504,
        "timeout_error",
        "Request timed out. Consider using streaming for long requests.",
        "The request timed out while it was processed.",
        retried=True,
    ),
    _front(
        520,
        _page("520: Web server is returning an unknown error", "cloudflare"),
        "text/html; charset=UTF-8",
        "A 5xx that no standard knows, from the edge.",
        headers=(("server", "cloudflare"), ("cf-ray", "9a1b2c3d4e5f6a7b-FRA")),
    ),
    _api(529, "overloaded_error", "Overloaded", "The API is temporarily overloaded.", retried=True),
    _api(
        529,
        "overloaded_error",
        "Overloaded",
        "The API is overloaded, and `x-should-retry: true` invites a retry.",
        name="http_529_should_retry",
        retried=True,
        headers=(("x-should-retry", "true"),),
    ),
)
