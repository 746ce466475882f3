"""The rule for the exceptions of credential libraries, of Python's standard library and of a few others.

Credentials may be fetched within a send. Amazon's and Google's libraries do that by urllib3, requests or urllib. What
caused an exception of these libraries is judged before it. The rule here goes by the exception's own class, and where
that says nothing, by its message.
"""

from __future__ import annotations

from typing import Final

from anthropic_otel._core.cause_chain import by_class, is_a, text_of
from anthropic_otel._core.cause_errno import server_gone, timed_out
from anthropic_otel._core.failure import Failure
from anthropic_otel._core.semconv import NetworkCause


def of_other(error: BaseException, failure: Failure) -> NetworkCause | None:
    """Returns the cause of an exception that `_TYPES` or a rule below names; `None` for any other exception.

    The libraries in `_TYPES` are those that fetch credentials (requests, urllib3, botocore, google-auth, those of
    Azure, and the SDK's own), the standard library, those that decode a body, and those below httpcore. Not to be asked
    for an exception with an errno that `of_errno` knows.

    By its class (`_TYPES`), but some of the standard library's `RuntimeError`s and `ValueError`s by their message. A
    `TimeoutError` of Python has the cause of `timed_out`, but is `READ_TIMEOUT` if `failure.network_phase` is `None`.
    `EOFError` has the cause of `server_gone`.
    """
    if is_a(error, *_TIMEOUTS):
        return NetworkCause.READ_TIMEOUT if failure.network_phase is None else timed_out(failure)
    message = text_of(error)
    if isinstance(error, RuntimeError) and message.startswith("can't start new thread"):
        # The thread was to resolve a name.
        return NetworkCause.CONNECTION_ERROR
    if isinstance(error, RuntimeError) and message.endswith("the handler is closed"):
        # Raised by uvloop for a connection whose event loop is gone.
        return NetworkCause.EVENT_LOOP_CLOSED
    if isinstance(error, ValueError) and message.startswith("Timeout value out of range"):
        # Raised by a socket for a negative timeout: no time was left.
        return timed_out(failure)
    if isinstance(error, EOFError):
        return server_gone(failure)
    return by_class(error, _TYPES)


_TIMEOUTS: Final = ("builtins.TimeoutError", "asyncio.TimeoutError", "concurrent.TimeoutError")
"""Since Python 3.11 all of them are the builtin one."""

_TYPES: Final = {
    "platform": {
        NetworkCause.NAME_RESOLUTION_ERROR: "NameResolutionError",
        NetworkCause.PROXY_ERROR: "ProxyError ProxyConnectionError",
        NetworkCause.TLS_ERROR: "SSLError",
        NetworkCause.CONNECTION_ERROR: "NewConnectionError ConnectionError HTTPClientError TransportError"
        " ProtocolError ServiceRequestError ServiceResponseError",
        NetworkCause.CONNECT_TIMEOUT: "ConnectTimeoutError ConnectTimeout",
        NetworkCause.READ_TIMEOUT: "ReadTimeoutError ReadTimeout TimeoutError",
        NetworkCause.INCOMPLETE_BODY: "IncompleteRead InvalidChunkLength ChunkedEncodingError IncompleteReadError",
        NetworkCause.DECODING_ERROR: "DecodeError ContentDecodingError",
        NetworkCause.TOO_MANY_REDIRECTS: "TooManyRedirects",
        NetworkCause.POOL_TIMEOUT: "EmptyPoolError",
        NetworkCause.CLIENT_CLOSED: "ClosedPoolError",
        NetworkCause.SERVER_DISCONNECTED: "ConnectionClosedError",
        NetworkCause.REQUEST_NOT_SENT: "LocationValueError InvalidURL InvalidSchema MissingSchema InvalidHeader"
        # There are no credentials.
        " BotoCoreError ClientError GoogleAuthError ClientAuthenticationError",
    },
    "anthropic": {
        NetworkCause.REQUEST_NOT_SENT: "CredentialsError WorkloadIdentityError",
    },
    "http": {
        NetworkCause.SERVER_DISCONNECTED: "RemoteDisconnected",
        NetworkCause.INCOMPLETE_BODY: "IncompleteRead",
        NetworkCause.REQUEST_NOT_SENT: "InvalidURL",
        NetworkCause.CONNECTION_ERROR: "ImproperConnectionState NotConnected",
        NetworkCause.PROTOCOL_ERROR: "HTTPException",
    },
    "builtins": {
        NetworkCause.CONNECTION_REFUSED: "ConnectionRefusedError",
        NetworkCause.CONNECTION_RESET: "ConnectionResetError ConnectionAbortedError BrokenPipeError",
        NetworkCause.CONNECTION_ERROR: "ConnectionError",
    },
    "urllib": {NetworkCause.CONNECTION_ERROR: "URLError"},
    "decoder": {NetworkCause.DECODING_ERROR: "error Error ZstdError"},
    "hpack": {NetworkCause.PROTOCOL_ERROR: "HPACKError"},
    "hyperframe": {NetworkCause.PROTOCOL_ERROR: "HyperframeError"},
    "h11": {NetworkCause.PROTOCOL_ERROR: "RemoteProtocolError"},
}
