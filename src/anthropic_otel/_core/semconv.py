"""Defines the attributes that the library emits, and the closed lists of their values.

Rule: a name is written once: that of a metric in `instruments`, any other in this module. Code, documents, dashboards,
alert rules and collector configs take it from there or are checked against it, because names are the library's public
API.

Standard names are from the OpenTelemetry semantic conventions 1.44 (HTTP, GenAI, network, error). `anthropic.*` names
are used only where no convention has one.
"""

from __future__ import annotations

import operator
from enum import Enum
from typing import TYPE_CHECKING, Final

SCOPE: Final = "anthropic_otel"
"""The name of the instrumentation scope of the tracer and the meter."""

# -- attributes --------------------------------------------------------------------------------------------------------

HTTP_REQUEST_METHOD: Final = "http.request.method"
HTTP_REQUEST_RESEND_COUNT: Final = "http.request.resend_count"
HTTP_RESPONSE_STATUS_CODE: Final = "http.response.status_code"
HTTP_REQUEST_BODY_SIZE: Final = "http.request.body.size"
HTTP_RESPONSE_BODY_SIZE: Final = "http.response.body.size"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
URL_FULL: Final = "url.full"
URL_TEMPLATE: Final = "url.template"
ERROR_TYPE: Final = "error.type"
EXCEPTION_TYPE: Final = "exception.type"
NETWORK_PEER_ADDRESS: Final = "network.peer.address"
NETWORK_PEER_PORT: Final = "network.peer.port"
NETWORK_PROTOCOL_VERSION: Final = "network.protocol.version"
GEN_AI_OPERATION_NAME: Final = "gen_ai.operation.name"
GEN_AI_PROVIDER_NAME: Final = "gen_ai.provider.name"
GEN_AI_REQUEST_MODEL: Final = "gen_ai.request.model"
GEN_AI_REQUEST_STREAM: Final = "gen_ai.request.stream"
GEN_AI_TOKEN_MODALITY: Final = "gen_ai.token.modality"

OPERATION_NAME: Final = "anthropic.operation.name"
REQUEST_ID: Final = "anthropic.request.id"
ORGANIZATION_ID: Final = "anthropic.organization.id"
WORKSPACE_ID: Final = "anthropic.workspace.id"
API_ERROR_TYPE: Final = "anthropic.error.type"
API_ERROR_CODE: Final = "anthropic.error.code"

ATTEMPT_STATUS_CLASS: Final = "anthropic.client.attempt.status_class"
ATTEMPT_OUTCOME: Final = "anthropic.client.attempt.outcome"
CALL_OUTCOME: Final = "anthropic.client.call.outcome"
RETRY_DELAY: Final = "anthropic.client.retry.delay"
RETRY_REASON: Final = "anthropic.client.retry.reason"
RETRY_SOURCE: Final = "anthropic.client.retry.source"
RETRY_STOP_REASON: Final = "anthropic.client.retry.stop_reason"
NETWORK_CAUSE: Final = "anthropic.client.network.cause"
NETWORK_PHASE: Final = "anthropic.client.network.phase"
NETWORK_ERRNO: Final = "anthropic.client.network.errno"
RESPONSE_ID: Final = "anthropic.client.response.id"
PROXY_ADDRESS: Final = "anthropic.client.proxy.address"
SERVER_DURATION: Final = "anthropic.client.server.duration"
CONNECTION_REUSED: Final = "anthropic.client.connection.reused"
PHASE_PREFIX: Final = "anthropic.client.phase."
STREAM_TIME_TO_FIRST_CHUNK: Final = "anthropic.client.stream.time_to_first_chunk"
STREAM_MAX_GAP: Final = "anthropic.client.stream.max_gap"
STREAM_CONSUMER_TIME: Final = "anthropic.client.stream.consumer_time"
STREAM_COMPLETE: Final = "anthropic.client.stream.complete"
RATELIMIT_KIND: Final = "anthropic.client.ratelimit.kind"

OTHER: Final = "_OTHER"
"""The value recorded in place of one that is not in a closed list, or beyond a cardinality limit."""


# -- closed value lists ------------------------------------------------------------------------------------------------


class ClosedValue(Enum):
    """The base of enumerations of recorded values.

    `value` is the recorded string, `index` the place in the enumeration, counted from 0.
    """

    index: int

    def __new__(cls, value: str) -> ClosedValue:
        member = object.__new__(cls)
        member._value_ = value
        member.index = len(cls.__members__)
        return member

    # `Enum` hashes by name, in Python, at each look-up.
    __hash__ = object.__hash__
    if not TYPE_CHECKING:
        # `Enum` has Python code for this too: 1,500 instructions each time, four times a create.
        value = property(operator.attrgetter("_value_"))


class Phase(ClosedValue):
    """A part of an attempt's time. The value is the last word of its attribute's name."""

    AUTH = "auth"
    POOL = "pool"
    CONNECT = "connect"
    TLS = "tls"
    SEND = "send"
    WAIT = "wait"
    RECEIVE = "receive"

    @property
    def attribute(self) -> str:
        """The name of the attribute that holds this phase's duration in seconds."""
        return PHASE_PREFIX + str(self.value)


PHASES_BEFORE_BODY: Final = tuple(phase for phase in Phase if phase is not Phase.RECEIVE)
"""The phases before the response's headers.

If all are known, and no redirect was followed, they add up to the time from the attempt's start to these headers.
"""


class AttemptOutcome(ClosedValue):
    """How an attempt ended. Exactly one of these for every attempt.

    - `COMPLETED`: an answer came and was read to its end, or to the end event of a stream.
    - `FAILED`: a status, an exception or the content of the body made it fail, or nothing is known of its end.
    - `CANCELLED`: a cancellation or an interrupt stopped it.
    - `ABANDONED`: the app closed or dropped its body before the end, and nothing had failed.
    """

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ABANDONED = "abandoned"


class CallOutcome(ClosedValue):
    """How a call ended for the app. Exactly one of these for every call.

    - `SUCCEEDED`: it succeeded, and no attempt had failed before the one that answered was sent.
    - `RECOVERED`: it succeeded after a failed attempt; or it failed, and the SDK itself goes on by another call or by
      reconnecting the stream, so that the app sees no failure.
    - `EXHAUSTED`: it failed after retries, by a failure that may be retried, and no retry was left.
    - `FAILED`: it failed otherwise, also if it was never to be retried (`max_retries=0`).
    - `CANCELLED`, `ABANDONED`: as for an attempt.
    """

    SUCCEEDED = "succeeded"
    RECOVERED = "recovered"
    FAILED = "failed"
    EXHAUSTED = "exhausted"
    CANCELLED = "cancelled"
    ABANDONED = "abandoned"


class RetryStop(ClosedValue):
    """Why the SDK sent no further attempt after a failed one.

    - `EXHAUSTED`: no retry was left.
    - `NOT_RETRYABLE`: the SDK does not retry such a failure.
    - `X_SHOULD_RETRY`: the response's header `x-should-retry` forbade it.
    - `STREAM_STARTED`: the app had been given the body of a 2xx to read already.
    """

    EXHAUSTED = "exhausted"
    NOT_RETRYABLE = "not_retryable"
    X_SHOULD_RETRY = "x_should_retry"
    STREAM_STARTED = "stream_started"


class RetrySource(ClosedValue):
    """What decided the backoff.

    - `RETRY_AFTER`: the server's `retry-after`.
    - `BACKOFF`: the client: the SDK's formula, or a middleware or a backoff of the app's own.
    - `TRANSPORT`: a transport below the client, which sent again.
    """

    RETRY_AFTER = "retry_after"
    BACKOFF = "backoff"
    TRANSPORT = "transport"


class NetworkCause(ClosedValue):
    """What failed an attempt on the network, in the client or in the app's code around the send.

    It is the value of both `network.cause` and `error.type`. An attempt that failed in another way, as by a status, has
    none. `cli.why.schema` says what each means.
    """

    NAME_RESOLUTION_ERROR = "name_resolution_error"
    CONNECTION_REFUSED = "connection_refused"
    CONNECTION_RESET = "connection_reset"
    NETWORK_UNREACHABLE = "network_unreachable"
    CONNECTION_ERROR = "connection_error"
    TLS_CERTIFICATE_ERROR = "tls_certificate_error"
    TLS_ERROR = "tls_error"
    PROXY_ERROR = "proxy_error"
    CONNECT_TIMEOUT = "connect_timeout"
    TLS_TIMEOUT = "tls_timeout"
    READ_TIMEOUT = "read_timeout"
    WRITE_TIMEOUT = "write_timeout"
    POOL_TIMEOUT = "pool_timeout"
    SERVER_DISCONNECTED = "server_disconnected"
    INCOMPLETE_BODY = "incomplete_body"
    INCOMPLETE_STREAM = "incomplete_stream"
    PROTOCOL_ERROR = "protocol_error"
    DECODING_ERROR = "decoding_error"
    TOO_MANY_REDIRECTS = "too_many_redirects"
    REQUEST_NOT_SENT = "request_not_sent"
    EVENT_LOOP_CLOSED = "event_loop_closed"
    CLIENT_CLOSED = "client_closed"
    STREAM_RESET = "stream_reset"
    APP_EXCEPTION = "app_exception"
    OTHER = OTHER


UNEXPECTED_CONTENT: Final = "unexpected_content"
"""The `error.type` of an attempt with a 2xx response that is no answer to its operation, such as a login page."""

INVALID_EVENT: Final = "invalid_event"
"""The `error.type` of a stream in which the SDK stopped because it could not decode an event."""

FALLBACK: Final = "fallback"
"""The `retry.reason` of an attempt that follows one which has not failed, such as a fallback to another model."""

BEDROCK_EXCEPTIONS: Final = (
    "internalServerException",
    "modelStreamErrorException",
    "modelTimeoutException",
    "serviceUnavailableException",
    "throttlingException",
    "validationException",
)
"""The exceptions in Amazon Bedrock's streams. The SDK raises their names as error types, and has them on its spans."""

API_ERROR_TYPES: Final = (
    "invalid_request_error",
    "authentication_error",
    "billing_error",
    "permission_error",
    "not_found_error",
    "conflict_error",
    "request_too_large",
    "rate_limit_error",
    "timeout_error",
    "api_error",
    "overloaded_error",
    "memory_precondition_failed_error",
    "memory_path_conflict_error",
)
"""The API's error types that are recorded. For another one, the `error.type` of an `error` event is `_OTHER`."""
