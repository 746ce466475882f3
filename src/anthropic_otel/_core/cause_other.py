"""Rules for the exceptions of credential libraries and of Python's standard library.

Credentials may be fetched within a send. Amazon's and Google's libraries do that by urllib3, requests or urllib. What
caused an exception of these libraries is judged before, by the rules of other modules. The rules here go by the
exception's own class, and where that says nothing, by its message.
"""

from __future__ import annotations

from typing import Final

from anthropic_otel._core.cause_chain import Failure, is_a, text_of
from anthropic_otel._core.cause_errno import timed_out
from anthropic_otel._core.semconv import NetworkCause, Phase

_CLIENTS: Final = frozenset({"urllib3", "requests", "botocore", "google"})
_SDK: Final = frozenset({"anthropic"})
_TIMEOUT_MODULES: Final = frozenset({"builtins", "asyncio", "concurrent"})
"""The modules that define a `TimeoutError`. Since Python 3.11 theirs are all the builtin one."""


def of_credentials(error: BaseException, failure: Failure) -> NetworkCause | None:
    """Returns the cause of an exception of a library that fetches credentials, by its class; `None` for any other.

    The libraries are requests, urllib3, botocore, google-auth, and the credentials of the SDK itself.
    """
    return next((word for name, word in _CLIENT_TYPES if is_a(error, _CLIENTS, name)), None) or (
        NetworkCause.REQUEST_NOT_SENT if is_a(error, _SDK, "CredentialsError", "WorkloadIdentityError") else None
    )


_CLIENT_TYPES: Final = (
    ("NameResolutionError", NetworkCause.NAME_RESOLUTION_ERROR),
    ("ProxyError", NetworkCause.PROXY_ERROR),
    ("ProxyConnectionError", NetworkCause.PROXY_ERROR),
    ("SSLError", NetworkCause.TLS_ERROR),
    ("NewConnectionError", NetworkCause.CONNECTION_ERROR),
    ("ConnectTimeoutError", NetworkCause.CONNECT_TIMEOUT),
    ("ConnectTimeout", NetworkCause.CONNECT_TIMEOUT),
    ("ReadTimeoutError", NetworkCause.READ_TIMEOUT),
    ("ReadTimeout", NetworkCause.READ_TIMEOUT),
    ("TimeoutError", NetworkCause.READ_TIMEOUT),
    ("IncompleteRead", NetworkCause.INCOMPLETE_BODY),
    ("InvalidChunkLength", NetworkCause.INCOMPLETE_BODY),
    ("ChunkedEncodingError", NetworkCause.INCOMPLETE_BODY),
    ("IncompleteReadError", NetworkCause.INCOMPLETE_BODY),
    ("DecodeError", NetworkCause.DECODING_ERROR),
    ("ContentDecodingError", NetworkCause.DECODING_ERROR),
    ("TooManyRedirects", NetworkCause.TOO_MANY_REDIRECTS),
    ("EmptyPoolError", NetworkCause.POOL_TIMEOUT),
    ("ClosedPoolError", NetworkCause.CLIENT_CLOSED),
    ("ConnectionClosedError", NetworkCause.SERVER_DISCONNECTED),
    ("EndpointConnectionError", NetworkCause.CONNECTION_ERROR),
    ("ConnectionError", NetworkCause.CONNECTION_ERROR),
    ("HTTPClientError", NetworkCause.CONNECTION_ERROR),
    ("TransportError", NetworkCause.CONNECTION_ERROR),
    ("ProtocolError", NetworkCause.CONNECTION_ERROR),
    ("LocationValueError", NetworkCause.REQUEST_NOT_SENT),
    ("InvalidURL", NetworkCause.REQUEST_NOT_SENT),
    ("InvalidSchema", NetworkCause.REQUEST_NOT_SENT),
    ("MissingSchema", NetworkCause.REQUEST_NOT_SENT),
    ("InvalidHeader", NetworkCause.REQUEST_NOT_SENT),
    # There are no credentials, without which no request can be sent.
    ("BotoCoreError", NetworkCause.REQUEST_NOT_SENT),
    ("GoogleAuthError", NetworkCause.REQUEST_NOT_SENT),
)
"""The cause by class name, subclasses before their base classes."""


def of_standard_library(error: BaseException, failure: Failure) -> NetworkCause | None:
    """Returns the cause of an exception without an errno of the standard library, uvloop, h11, brotli or zstandard.

    `None` for any other exception. Goes by its class, and for a plain `RuntimeError` or `ValueError` by its message.
    """
    if is_a(error, _TIMEOUT_MODULES, "TimeoutError"):
        return NetworkCause.READ_TIMEOUT if failure.network_phase is None else timed_out(failure)
    if isinstance(error, RuntimeError) and text_of(error).startswith("can't start new thread"):
        # The thread was to resolve a name.
        return NetworkCause.CONNECTION_ERROR
    if isinstance(error, RuntimeError) and text_of(error).endswith("the handler is closed"):
        # Raised by uvloop for a connection whose event loop is gone.
        return NetworkCause.EVENT_LOOP_CLOSED
    if isinstance(error, ValueError) and text_of(error).startswith("Timeout value out of range"):
        # Raised by a socket for a negative timeout: no time was left.
        return timed_out(failure)
    if isinstance(error, EOFError):
        in_body = failure.phase is Phase.RECEIVE
        return NetworkCause.INCOMPLETE_BODY if in_body else NetworkCause.SERVER_DISCONNECTED
    return next((word for module, name, word in _STANDARD_TYPES if is_a(error, frozenset({module}), name)), None)


_STANDARD_TYPES: Final = (
    ("http", "RemoteDisconnected", NetworkCause.SERVER_DISCONNECTED),
    ("http", "IncompleteRead", NetworkCause.INCOMPLETE_BODY),
    ("http", "InvalidURL", NetworkCause.REQUEST_NOT_SENT),
    ("http", "ImproperConnectionState", NetworkCause.CONNECTION_ERROR),
    ("http", "NotConnected", NetworkCause.CONNECTION_ERROR),
    ("http", "HTTPException", NetworkCause.PROTOCOL_ERROR),
    ("builtins", "ConnectionRefusedError", NetworkCause.CONNECTION_REFUSED),
    ("builtins", "ConnectionResetError", NetworkCause.CONNECTION_RESET),
    ("builtins", "ConnectionAbortedError", NetworkCause.CONNECTION_RESET),
    ("builtins", "BrokenPipeError", NetworkCause.CONNECTION_RESET),
    ("builtins", "ConnectionError", NetworkCause.CONNECTION_ERROR),
    ("urllib", "URLError", NetworkCause.CONNECTION_ERROR),
    ("zlib", "error", NetworkCause.DECODING_ERROR),
    ("brotli", "error", NetworkCause.DECODING_ERROR),
    ("zstandard", "ZstdError", NetworkCause.DECODING_ERROR),
    ("h11", "RemoteProtocolError", NetworkCause.PROTOCOL_ERROR),
)
"""The cause by module and class name, subclasses before their base classes. Most of the modules are not imported."""
