"""Describes every attribute and every network cause, for the documents and for `why`. No call runs this code.

Rule: every attribute and network cause that the library emits is in these lists, under its name from `semconv`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from anthropic_otel._core import semconv
from anthropic_otel._core.semconv import NetworkCause as Cause


@dataclass(frozen=True)
class Attribute:
    """One attribute as documents list it. All fields but `name` are texts for a person.

    - `name`: the name that is recorded.
    - `type`: the type of its value, with the unit.
    - `on`: the spans and metrics that have it.
    - `when`: when it is set, and under which condition.
    - `description`: what its value means.
    """

    name: str
    type: str
    on: str
    when: str
    description: str


_NETWORK_FAILED: Final = "the network failed it"
_RETRY: Final = "start, retries only"
_STREAM: Final = "end, streams"

ATTRIBUTES: Final = (
    Attribute(semconv.HTTP_REQUEST_METHOD, "string", "attempt", "start", "The HTTP method."),
    Attribute(semconv.SERVER_ADDRESS, "string", "attempt, call", "start", "The host that the request is for."),
    Attribute(semconv.SERVER_PORT, "int", "attempt, call", "start", "Its port, also where it is the scheme's default."),
    Attribute(
        semconv.URL_FULL,
        "string",
        "attempt",
        "start",
        "The URL without query, fragment and credentials. What a gateway's path has beside the API's own is `REDACTED`."
        " May name a project, or an account in a model's ARN.",
    ),
    Attribute(semconv.URL_TEMPLATE, "string", "attempt", "start", "The path with every id replaced; a bounded set."),
    Attribute(
        semconv.OPERATION_NAME,
        "string",
        "attempt, our call span",
        "start",
        "The SDK method, such as `messages.create`.",
    ),
    Attribute(semconv.HTTP_REQUEST_RESEND_COUNT, "int", "attempt", _RETRY, "1 on the first retry."),
    Attribute(semconv.RETRY_DELAY, "double (s)", "attempt", _RETRY, "The backoff that just ended."),
    Attribute(
        semconv.RETRY_REASON,
        "string",
        "attempt",
        _RETRY,
        "The `error.type` of the attempt before; `app_exception` also if a middleware turned its answer down and had "
        "the SDK retry; `fallback` if that had not failed.",
    ),
    Attribute(
        semconv.RETRY_SOURCE,
        "string",
        "attempt",
        _RETRY,
        "What set the backoff: `retry_after`, `backoff`, or `transport`, where something below the client sent again.",
    ),
    Attribute(
        semconv.RETRY_STOP_REASON,
        "string",
        "attempt, our call span",
        "failure, no retry",
        "Why the SDK does not retry by itself: exhausted, not_retryable, x_should_retry or stream_started.",
    ),
    Attribute(semconv.HTTP_RESPONSE_STATUS_CODE, "int", "attempt", "a response came", "The HTTP status."),
    Attribute(semconv.ATTEMPT_STATUS_CLASS, "string", "attempt", "a response came", "`2xx` to `5xx`."),
    Attribute(
        semconv.REQUEST_ID, "string", "attempt", "header present", "The `request-id` to give to support. Spans only."
    ),
    Attribute(
        semconv.RESPONSE_ID,
        "string",
        "attempt",
        "header present, no `request-id`",
        "What an edge or a platform calls the response: whom to ask instead. From `cf-ray`, `x-amzn-requestid`, "
        "`x-request-id` or `apim-request-id`.",
    ),
    Attribute(semconv.ORGANIZATION_ID, "string", "attempt, rate-limit metrics", "header present", "The organization."),
    Attribute(semconv.WORKSPACE_ID, "string", "attempt, rate-limit metrics", "header present", "The workspace."),
    Attribute(semconv.ERROR_TYPE, "string", "attempt, call", "failure", "Status, API error type or network cause."),
    Attribute(semconv.NETWORK_CAUSE, "string", "attempt, call", _NETWORK_FAILED, "Why, in one word of a closed list."),
    Attribute(semconv.NETWORK_PHASE, "string", "attempt", _NETWORK_FAILED, "The phase that was under way."),
    Attribute(semconv.NETWORK_ERRNO, "string", "attempt", _NETWORK_FAILED, "The operating system's error by name."),
    Attribute(
        semconv.EXCEPTION_TYPE, "string", "attempt", "an exception ended it", "The exception's qualified class name."
    ),
    Attribute(
        semconv.PROXY_ADDRESS,
        "string",
        "attempt",
        "a proxy is used",
        "Host and port of the proxy, without user information; also where it never answered. After a redirect, that of "
        "the last request.",
    ),
    Attribute(semconv.NETWORK_PEER_ADDRESS, "string", "attempt", "known", "The address that was really connected to."),
    Attribute(semconv.NETWORK_PEER_PORT, "int", "attempt", "known", "Its port."),
    Attribute(semconv.NETWORK_PROTOCOL_VERSION, "string", "attempt", "known", "`1.1` or `2`."),
    Attribute(semconv.CONNECTION_REUSED, "boolean", "attempt", "known", "Whether the connection existed before."),
    *(
        Attribute(phase.attribute, "double (s)", "attempt", "the phase happened", f"How long the {text} took.")
        for phase, text in (
            (semconv.Phase.AUTH, "fetching of credentials"),
            (semconv.Phase.POOL, "wait for a connection from the pool"),
            (semconv.Phase.CONNECT, "name resolution and TCP connect"),
            (semconv.Phase.TLS, "TLS handshake"),
            (semconv.Phase.SEND, "sending of the request"),
            (semconv.Phase.WAIT, "wait for the response headers"),
            (semconv.Phase.RECEIVE, "reading of the body"),
        )
    ),
    Attribute(
        semconv.SERVER_DURATION,
        "double (s)",
        "attempt",
        "header present",
        "The API's own share of the wait, from `x-envoy-upstream-service-time` or `server-timing`. The API documents "
        "neither.",
    ),
    Attribute(
        semconv.HTTP_REQUEST_BODY_SIZE,
        "int",
        "attempt",
        "start, known",
        "The bytes of the body: of one in memory, else by the header.",
    ),
    Attribute(semconv.HTTP_RESPONSE_BODY_SIZE, "int", "attempt", "known", "The bytes of the response, by its headers."),
    Attribute(semconv.STREAM_TIME_TO_FIRST_CHUNK, "double (s)", "attempt", _STREAM, "From this attempt's own start."),
    Attribute(
        semconv.STREAM_MAX_GAP, "double (s)", "attempt", _STREAM, "The longest silence while waiting for the server."
    ),
    Attribute(semconv.STREAM_CONSUMER_TIME, "double (s)", "attempt", _STREAM, "How long the app held the stream."),
    Attribute(semconv.STREAM_COMPLETE, "boolean", "attempt", _STREAM, "Whether the stream's end event came."),
    Attribute(semconv.ATTEMPT_OUTCOME, "string", "attempt", "end", "completed, failed, cancelled or abandoned."),
    Attribute(
        semconv.GEN_AI_OPERATION_NAME,
        "string",
        "call, usage metrics",
        "start, messages",
        "`chat`, as on the SDK's own span.",
    ),
    Attribute(
        semconv.GEN_AI_PROVIDER_NAME,
        "string",
        "call, usage metrics",
        "start",
        "`anthropic`, `aws.bedrock` or `gcp.vertex_ai`, as on the SDK's own span.",
    ),
    Attribute(
        semconv.GEN_AI_REQUEST_MODEL, "string", "call", "start", "The model that was asked for; on metrics capped."
    ),
    Attribute(semconv.GEN_AI_REQUEST_STREAM, "boolean", "call", "start, streams", "`true`, as on the SDK's own span."),
    Attribute(semconv.CALL_OUTCOME, "string", "call metrics", "end", "succeeded, recovered, failed, exhausted, …"),
    Attribute(
        semconv.API_ERROR_TYPE,
        "string",
        "attempt, our call span",
        "the API said it",
        "The API's type of the error, from a body that the app has read; of Bedrock, that for the exception which a "
        "refusal names in `x-amzn-errortype`. Of a closed list.",
    ),
    Attribute(
        semconv.API_ERROR_CODE,
        "string",
        "attempt, call",
        "the API said it",
        "The code that tells errors of one type apart, such as a spend limit from a rate limit; on metrics capped.",
    ),
    Attribute(
        semconv.GEN_AI_TOKEN_MODALITY, "string", "usage metrics", "always", "`unknown`: the API does not tell it."
    ),
    Attribute(semconv.RATELIMIT_KIND, "string", "rate-limit metrics", "always", "Which of the API's rate limits."),
)
"""Every attribute of the library's spans and metrics, in the order in which documents list them."""

CAUSES: Final = {
    Cause.NAME_RESOLUTION_ERROR: "The host's name could not be resolved. Check the base URL, then DNS on this machine.",
    Cause.CONNECTION_REFUSED: (
        "Nothing listens at the address, or a firewall rejects it. Check host, port and firewall."
    ),
    Cause.CONNECTION_RESET: (
        "The server, or something in between, reset the connection. Retry; if it goes on, look at idle "
        "timeouts of gateways and NAT."
    ),
    Cause.NETWORK_UNREACHABLE: (
        "There is no route to the address, or this machine forbids it (`EACCES`, `EPERM`), or has no port left "
        "(`EADDRNOTAVAIL`) or no IPv6 (`EAFNOSUPPORT`) for it. Check routes, IPv6, network policies and sandboxes; "
        "share one client."
    ),
    Cause.CONNECTION_ERROR: (
        "The connection failed in another way. Look at the errno: for `EMFILE` raise the limit of open files,"
        " or share one client."
    ),
    Cause.TLS_CERTIFICATE_ERROR: (
        "The server's certificate is not trusted, has expired, or is for another host. Check the clock, the "
        "CA bundle, and whether a proxy inspects TLS."
    ),
    Cause.TLS_ERROR: (
        "TLS failed in another way: no TLS is spoken there, or a client certificate is wanted. Check port and"
        " scheme of the base URL."
    ),
    Cause.PROXY_ERROR: (
        "The proxy cannot be reached, does not let the request through, or is not a proxy. Check "
        "`anthropic.client.proxy.address`, and the scheme and the credentials of the proxy's URL."
    ),
    Cause.CONNECT_TIMEOUT: (
        "There was no connection in time, to the host or through the proxy. Check firewalls that drop packets, and "
        "`anthropic.client.proxy.address`, then the timeout."
    ),
    Cause.TLS_TIMEOUT: "The TLS handshake was not done in time. Check what stands in between, then the timeout.",
    Cause.READ_TIMEOUT: (
        "The server was silent for too long, before the headers or in the body. Stream long replies, or raise"
        " the timeout."
    ),
    Cause.WRITE_TIMEOUT: "The server did not take the request in time. Check the size of the request and the uplink.",
    Cause.POOL_TIMEOUT: (
        "The client's pool had no free connection in time. Close responses, or raise `max_connections`."
    ),
    Cause.SERVER_DISCONNECTED: (
        "The connection was closed before any headers. Retry; if it goes on, keep idle connections for less "
        "time than the server does."
    ),
    Cause.INCOMPLETE_BODY: (
        "The connection was closed in the middle of the body. Retry; if it goes on, look at the gateways in between."
    ),
    Cause.INCOMPLETE_STREAM: (
        "The stream ended without its last event, and the app sees no error. Treat the reply as cut, and look"
        " at the gateways in between."
    ),
    Cause.PROTOCOL_ERROR: "What the server sent is not valid HTTP. Check that the base URL leads to the API.",
    Cause.DECODING_ERROR: "The body does not match its `Content-Encoding`. Look at proxies that change bodies.",
    Cause.TOO_MANY_REDIRECTS: "The redirects had no end. Check the base URL.",
    Cause.REQUEST_NOT_SENT: (
        "The client could not send the request: the key has a newline, the URL has no `https://`, a header, "
        "host name or file is not valid, or there are no credentials. Fix the configuration; a retry does not"
        " help, unless it is the server of the credentials that failed: phase `auth`, and a 5xx in the app's exception."
    ),
    Cause.EVENT_LOOP_CLOSED: (
        "An async client was used in another event loop than before. The model may have worked for the "
        "request. Make one client per event loop, or run one loop."
    ),
    Cause.CLIENT_CLOSED: "The app closed the client before the request or in the middle of it. Close it last.",
    Cause.STREAM_RESET: (
        "The server ended the HTTP/2 stream (RST_STREAM). Retry; if it goes on, give the request id, or the "
        "time, to support."
    ),
    Cause.APP_EXCEPTION: (
        "The app's own code raised within the send, or while a stream was read: a time limit set by a signal, a hook, "
        "a trace function, a model that does not take the stream's text. Nothing of the network failed. Look at "
        "`exception.type`."
    ),
    Cause.OTHER: "Something else, such as an exception of a transport of the app's own. Look at `exception.type`.",
}
"""What each network cause means, and what a person does about it."""
