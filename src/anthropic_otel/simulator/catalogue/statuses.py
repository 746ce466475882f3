"""More refusals, and answers after interim responses, some of which are successes.

The refusals have statuses of gateways and edges, the API's error codes, and ids and times in their headers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from anthropic_otel._core.semconv import AttemptOutcome
from anthropic_otel.simulator.actions import Headers, Reply
from anthropic_otel.simulator.faults import Fault, Where, refused
from anthropic_otel.simulator.headers import about_retry, merge


def _front(
    name: str,
    description: str,
    status: int,
    body: bytes = b"",
    *,
    content_type: str | None = "text/plain",
    headers: Headers = (),
    retried: bool = True,
) -> Fault:
    """Returns a fault: a refusal by something in front of the API, with that body and without a request id.

    `content_type` `None` sends no such header. `retried` is whether the SDK retries it.
    """
    reply = Reply(status, body=body, content_type=content_type, headers=headers, request_id=False)
    return refused(name, description, reply, retried=retried)


def _with_code(
    name: str,
    description: str,
    status: int,
    error_type: str,
    code: str | None = None,
    *,
    headers: Headers = (),
    retried: bool = False,
) -> Fault:
    """Returns a fault: a refusal by the API whose error type and `error_code` the attempt has to report.

    `code` is that `error_code`; `None` sends none. `retried` is whether the SDK retries it. `headers` replace others of
    the same name, such as `x-should-retry`.
    """
    reply = Reply(status, error_type, "No.", headers=merge(about_retry(status), headers), error_code=code)
    return replace(refused(name, description, reply, retried=retried), api_error=(error_type, code))


_EDGE: Final = (
    _front("http_418", "A gateway refuses with a status that the API does not have.", 418, b"no", retried=False),
    _front("http_499", "A gateway thinks that the client has gone.", 499, retried=False),
    _front(
        "http_451",
        "A filter on the way refuses for legal reasons.",
        451,
        b"<p>Blocked</p>",
        content_type="text/html",
        retried=False,
    ),
    _front("http_521", "The server behind the edge refuses its connection.", 521, b"error code: 521"),
    _front("http_522", "The edge times out while it connects to the server behind it.", 522, b"error code: 522"),
    _front("http_523", "The edge has no route to the server behind it.", 523, b"error code: 523"),
    _front("http_524", "The edge times out while it waits for the server behind it.", 524, b"error code: 524"),
    _front("http_525", "The edge fails in the TLS handshake with the server behind it.", 525, b"error code: 525"),
    _front("http_526", "The edge does not trust the certificate of the server behind it.", 526, b"error code: 526"),
    _front("http_500_empty", "A 500 has no body and no content type.", 500, content_type=None),
    _front("http_529_empty", "A 529 has no body.", 529),
    _front("http_529_html", "A 529 has a page for its body.", 529, b"<h1>Busy</h1>", content_type="text/html"),
    _front("http_429_gateway", "A gateway has a limit of its own.", 429, b"slow down", headers=(("retry-after", "1"),)),
    _front(
        "http_401_gateway",
        "A gateway wants credentials of its own.",
        401,
        b"who?",
        headers=(("www-authenticate", "Basic"),),
        retried=False,
    ),
    _front(
        "http_400_json",
        "A gateway refuses with JSON of its own.",
        400,
        b'{"message":"no"}',
        content_type="application/json",
        retried=False,
    ),
    _front(
        "http_500_as_json",
        "The body of a 500 has the content type of JSON and is not JSON.",
        500,
        b"<oops",
        content_type="application/json",
    ),
    _front(
        "http_503_events",
        "A 503 has the content type of a stream.",
        503,
        b"event: error\n\n",
        content_type="text/event-stream",
    ),
)

_TYPES: Final = (
    _with_code("error_too_large", "The API itself finds the request too large.", 413, "request_too_large"),
    _with_code("error_billing", "The API says that billing fails, under 400.", 400, "billing_error"),
    _with_code(
        "error_spend_limit",
        "The organization's spend limit is reached.",
        429,
        "rate_limit_error",
        "enforced_spend_limit_reached",
        retried=True,
    ),
    _with_code(
        "error_contract_limit",
        "The spend limit of the contract is reached; no retry helps.",
        429,
        "rate_limit_error",
        "contract_spend_limit_reached",
        headers=(("x-should-retry", "false"),),
    ),
    _with_code(
        "error_ramp_limit",
        "The usage grows faster than it may.",
        429,
        "rate_limit_error",
        "ramp_limit_exceeded",
        retried=True,
    ),
    _with_code("error_on_hold", "The organization is on hold.", 400, "invalid_request_error", "organization_on_hold"),
    _with_code(
        "error_linked_limit",
        "A linked organization's spend limit is reached, under 400.",
        400,
        "invalid_request_error",
        "linked_organization_spend_limit_reached",
    ),
    _with_code(
        "error_overloaded_500", "The API says under 500 that it is overloaded.", 500, "overloaded_error", retried=True
    ),
)


def _identified(name: str, header: str, value: str, whose: str) -> Fault:
    """Returns a fault: a 503 without a request id, whose `header` has the id `value` of something in front of the API.

    `value` has to be reported as the response's id. `whose` is what the description calls its owner.
    """
    made = _front(
        name, f"A 503 has no request id but that of {whose}.", 503, b"unavailable", headers=((header, value),)
    )
    return replace(made, response_id=value)


def _timed(name: str, description: str, header: str, value: str) -> Fault:
    """Returns a fault: a 529 with that header; `value` is a way to write that the API took 120 ms."""
    reply = Reply(529, "overloaded_error", "Overloaded", headers=((header, value),))
    return replace(refused(name, description, reply, retried=True), server_duration=0.12)


_HEADERS: Final = (
    _identified("id_cf_ray", "cf-ray", "9a1b2c3d4e5f6a7b-FRA", "the edge"),
    _identified("id_amzn", "x-amzn-requestid", "5f3a1c1e-1f1b-4c5e-9d3e-0a1b2c3d4e5f", "Amazon"),
    _identified("id_x_request_id", "x-request-id", "0c1d2e3f-gateway", "a gateway"),
    _identified("id_apim", "apim-request-id", "7b6a5c4d-apim", "Azure"),
    _timed(
        "time_envoy", "A 529 tells by Envoy's header how long the API took.", "x-envoy-upstream-service-time", "120"
    ),
    _timed(
        "time_server",
        "A 529 tells by `server-timing` how long the API took.",
        "server-timing",
        'cfL4;desc="x", origin;dur=120',
    ),
)


def _interim(name: str, description: str, reply: Reply) -> Fault:
    made = refused(name, description, reply, retried=True)
    if reply.status != 200:
        return made
    return replace(made, where=Where.NOWHERE, error_type=None, outcome=AttemptOutcome.COMPLETED, retried=False)


_INTERIM: Final = (
    _interim("ok_103", "The API answers after a 103 Early Hints.", Reply(interim=(103,))),
    _interim("ok_102", "The API answers after two of 102 Processing.", Reply(interim=(102, 102))),
    _interim(
        "http_529_103",
        "The API is overloaded, and says so after a 103.",
        Reply(529, "overloaded_error", "Overloaded", interim=(103,)),
    ),
)

FAULTS: Final = (*_EDGE, *_TYPES, *_HEADERS, *_INTERIM)
