"""Rules for the exceptions of httpx, httpcore, aiohttp and the networking libraries below them.

Each `of_…` function returns the cause of one exception, `None` if the function does not apply. `cause` orders them.
`names_a_proxy` is about a whole failure.
"""

from __future__ import annotations

from typing import Final

from anthropic_otel._core.cause_chain import HTTPCORE, attribute_of, by_class, is_a, text_of
from anthropic_otel._core.cause_errno import (
    is_host_error,
    is_raised_by_resolver,
    is_resolver_error,
    server_gone,
    timed_out,
)
from anthropic_otel._core.failure import Failure
from anthropic_otel._core.semconv import NetworkCause, Phase
from anthropic_otel._core.stack import package_of, stack

# -- HTTP/2, names, TLS and proxies: exact, whatever was raised around them --------------------------------------------


def of_h2(error: BaseException, failure: Failure) -> NetworkCause | None:
    """Returns the cause of an exception of h2, the HTTP/2 library; `None` for any other exception.

    By its class and message: a connection that is over has the cause of `server_gone`. A closed stream is
    `STREAM_RESET`, and a body shorter than its content-length `INCOMPLETE_BODY`. In the phase `SEND` most others are
    `REQUEST_NOT_SENT`, as h2 refuses to send an invalid header. All else is `PROTOCOL_ERROR`.
    """
    # httpcore makes `LocalProtocolError` of all of them, also of what the server has sent.
    if not is_a(error, "h2.ProtocolError"):
        return None
    message = text_of(error)
    if message.startswith("Invalid input ConnectionInputs.") and message.endswith("ConnectionState.CLOSED"):
        # The server has sent a GOAWAY. h2 takes nothing after that, though the rest of an answer may follow.
        return server_gone(failure)
    if is_a(error, "h2.StreamClosedError") or message.startswith("Invalid input StreamInputs.SEND"):
        return NetworkCause.STREAM_RESET
    if is_a(error, "h2.InvalidBodyLengthError") and _is_short(error):
        return NetworkCause.INCOMPLETE_BODY
    sending = failure.phase is Phase.SEND and not message.startswith("Invalid input")
    return NetworkCause.REQUEST_NOT_SENT if sending else NetworkCause.PROTOCOL_ERROR


def _is_short(error: BaseException) -> bool:
    """Returns whether less came than the content-length has said, by the two lengths that h2's exception has."""
    expected, actual = getattr(error, "expected_length", None), getattr(error, "actual_length", None)
    return isinstance(expected, int) and isinstance(actual, int) and actual < expected


def of_resolver(error: BaseException, failure: Failure) -> NetworkCause | None:
    """Returns `NAME_RESOLUTION_ERROR` if the look-up of a host name failed with `error`, else `None`.

    That is any error for which `is_resolver_error`, `is_host_error` or `is_raised_by_resolver` is `True`.
    """
    # Before the rule for `errno`: `gaierror` is an `OSError` whose number is not the system's, and one of the system
    # that the resolver met says that no file could be opened, or the like: not what is wrong with a connection.
    resolver = is_resolver_error(error) or is_host_error(error) or is_raised_by_resolver(error)
    return NetworkCause.NAME_RESOLUTION_ERROR if resolver else None


def of_tls(error: BaseException, failure: Failure) -> NetworkCause | None:
    """Returns the cause of an error of TLS by Python or aiohttp, `None` for any other exception.

    A certificate of the server that Python's `ssl` rejects is `TLS_CERTIFICATE_ERROR`. Any other `ssl.SSLError` has the
    cause of `_of_ssl`. A handshake that asyncio gave up is `TLS_TIMEOUT`. Any other error of aiohttp that is of TLS is
    `TLS_ERROR`, a wrong fingerprint of the certificate too. So is a `ConnectionResetError` without an errno, if the
    phase is `TLS` or `failure` has aiohttp's `ClientConnectorError`: the connection was closed in the handshake.
    """
    # Before the rule for `errno`: `SSLError` is an `OSError` whose number is OpenSSL's.
    import ssl

    if isinstance(error, ssl.SSLCertVerificationError) or is_a(error, "aiohttp.ClientConnectorCertificateError"):
        return NetworkCause.TLS_CERTIFICATE_ERROR
    if isinstance(error, ssl.SSLError):
        return _of_ssl(error, failure)
    if is_a(error, "aiohttp.ClientConnectorSSLError", "aiohttp.ServerFingerprintMismatch"):
        return NetworkCause.TLS_ERROR
    if isinstance(error, ConnectionAbortedError) and text_of(error).startswith("SSL handshake is taking longer than"):
        # asyncio's own limit, of 60 s.
        return NetworkCause.TLS_TIMEOUT
    if type(error) is ConnectionResetError and error.errno is None:
        # asyncio raises it for a connection that is closed in the handshake. A real reset has an errno.
        in_handshake = failure.network_phase is Phase.TLS or failure.has("aiohttp.ClientConnectorError")
        return NetworkCause.TLS_ERROR if in_handshake else None
    return None


def _of_ssl(error: OSError, failure: Failure) -> NetworkCause:
    """Returns the cause of an `ssl.SSLError` that is not about the server's certificate.

    An end of the connection has the cause of `_of_tls_end`, and a wait until more can be read or written that of
    `timed_out`. An error in reading a certificate or key is `REQUEST_NOT_SENT`, as of the client's own files, unless
    `failure.phase` is `TLS`. All else is `TLS_ERROR`.
    """
    import ssl

    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        return _of_tls_end(failure)
    if isinstance(error, (ssl.SSLWantReadError, ssl.SSLWantWriteError)):
        return timed_out(failure)
    own_files = attribute_of(error, "library") in ("X509", "PEM", "ASN1") or text_of(error).startswith("[SSL] PEM lib")
    # The client reads its own certificate files before it connects.
    return NetworkCause.REQUEST_NOT_SENT if own_files and failure.phase is not Phase.TLS else NetworkCause.TLS_ERROR


def _of_tls_end(failure: Failure) -> NetworkCause:
    """Returns the cause for a TLS connection that the other side closed, by `failure.network_phase`.

    Sending: `CONNECTION_RESET`. Waiting for headers: `SERVER_DISCONNECTED`. In the body: `INCOMPLETE_BODY`. Earlier or
    unknown: `TLS_ERROR`, as the other side speaks no TLS. With httpx's `ReadError` an unknown phase counts as waiting.
    """
    phase = failure.network_phase
    if phase is None and failure.has("httpx.ReadError"):
        phase = Phase.WAIT
    return _TLS_ENDS.get(phase, NetworkCause.TLS_ERROR)


_TLS_ENDS: Final[dict[Phase | None, NetworkCause]] = {
    Phase.SEND: NetworkCause.CONNECTION_RESET,
    Phase.WAIT: NetworkCause.SERVER_DISCONNECTED,
    Phase.RECEIVE: NetworkCause.INCOMPLETE_BODY,
}


def of_proxy(error: BaseException, failure: Failure) -> NetworkCause | None:
    """Returns `PROXY_ERROR` for an error of a proxy by a SOCKS library, aiohttp or `http.client`, else `None`.

    But an error of a SOCKS library is `CONNECT_TIMEOUT` if the proxy did not answer in time.
    """
    late = is_a(error, "socks.ProxyConnectionError") and failure.has("builtins.TimeoutError")
    if late or is_a(error, "socks.ProxyTimeoutError"):
        return NetworkCause.CONNECT_TIMEOUT
    refused = type(error) is OSError and text_of(error).startswith("Tunnel connection failed: ")
    return NetworkCause.PROXY_ERROR if refused or is_a(error, *_SOCKS, *_AIOHTTP_PROXY) else None


_SOCKS: Final = ("socks.SOCKSError", "socks.ProxyError", "socks.ProxyConnectionError", "socks.ProxyTimeoutError")
_AIOHTTP_PROXY: Final = ("aiohttp.ClientProxyConnectionError", "aiohttp.ClientHttpProxyError")


def names_a_proxy(failure: Failure) -> bool:
    """Returns whether the class of an exception of the chain says that a proxy failed, or `failure.is_before_proxy`."""
    named = ("httpx.ProxyError", "platform.ProxyError", "platform.ProxyConnectionError", *_SOCKS, *_AIOHTTP_PROXY)
    return failure.has(*named) or failure.is_before_proxy


# -- what the types say, where nothing was exact -----------------------------------------------------------------------


def of_aiohttp(error: BaseException, failure: Failure) -> NetworkCause | None:
    """Returns the cause of an exception of aiohttp, `None` for any other exception.

    Every `ClientError` of aiohttp has a cause, mostly by its class or a base of that (`_AIOHTTP_TYPES`). But a payload
    error whose text has a `ConnectionResetError`, and a request that could not be written as the server has closed the
    connection, is `CONNECTION_RESET`. A payload error whose text has an `SSLError` is `TLS_ERROR`.

    Applied before `of_httpx`: the aiohttp transport raises an exception of httpx for each, and httpx has fewer classes.
    """
    if is_a(error, "aiohttp.ClientPayloadError") and "ConnectionResetError(" in text_of(error):
        # For a reset in the body, aiohttp keeps the original exception only in the text of its own.
        return NetworkCause.CONNECTION_RESET
    if is_a(error, "aiohttp.ClientPayloadError") and ". SSLError(" in text_of(error):
        return NetworkCause.TLS_ERROR
    word = by_class(error, _AIOHTTP_TYPES)
    if word is NetworkCause.CONNECTION_ERROR and failure.has("aiohttp.ClientConnectionResetError"):
        # aiohttp raises another around it, that the request's body could not be written.
        return NetworkCause.CONNECTION_RESET
    return word


_AIOHTTP_TYPES: Final = {
    "aiohttp": {
        NetworkCause.SERVER_DISCONNECTED: "ServerDisconnectedError",
        NetworkCause.CONNECT_TIMEOUT: "ConnectionTimeoutError",
        NetworkCause.READ_TIMEOUT: "ServerTimeoutError",
        NetworkCause.DECODING_ERROR: "ContentEncodingError",
        NetworkCause.INCOMPLETE_BODY: "ClientPayloadError TransferEncodingError ContentLengthError",
        NetworkCause.PROTOCOL_ERROR: "HttpProcessingError ClientResponseError",
        NetworkCause.TOO_MANY_REDIRECTS: "TooManyRedirects",
        NetworkCause.CONNECTION_RESET: "ClientConnectionResetError",
        NetworkCause.CONNECTION_ERROR: "ClientError",
    }
}


def of_httpx(error: BaseException, failure: Failure) -> NetworkCause | None:
    """Returns the cause of an exception of httpx, httpx2 or their httpcore, `None` for any other exception.

    By its class. Where one class stands for several causes, its message, the phase or other exceptions of `failure`
    decide. `None` too for a few of their classes, such as `HTTPStatusError`.
    """
    if is_a(error, "httpx.ConnectTimeout"):
        return NetworkCause.TLS_TIMEOUT if failure.phase is Phase.TLS else NetworkCause.CONNECT_TIMEOUT
    if failure.phase is Phase.CONNECT and is_a(error, "httpx.ReadTimeout", "httpx.WriteTimeout"):
        # A proxy was asked to connect, and has not answered: nothing was sent to the API's host.
        return NetworkCause.CONNECT_TIMEOUT
    if failure.phase is Phase.SEND and is_a(error, "httpx.ReadTimeout"):
        # On HTTP/2 the server tells how much more it takes, and the client reads that before it sends more.
        return NetworkCause.WRITE_TIMEOUT
    if is_a(error, "httpx.RemoteProtocolError"):
        return _of_protocol_message(text_of(error), failure)
    if is_a(error, "httpx.LocalProtocolError"):
        return NetworkCause.PROTOCOL_ERROR if failure.sent_whole else NetworkCause.REQUEST_NOT_SENT
    if is_a(error, "httpx.NetworkError"):
        return _of_broken_connection(error, failure)
    if is_a(error, "httpx.ConnectionNotAvailable") and (failure.phase is Phase.SEND or failure.sent_whole):
        # Another request on the HTTP/2 connection has read a GOAWAY that turns this one away.
        return server_gone(failure)
    return by_class(error, _HTTPX_TYPES)


_HTTPX_TYPES: Final = {
    "httpx": {
        NetworkCause.WRITE_TIMEOUT: "WriteTimeout",
        NetworkCause.POOL_TIMEOUT: "PoolTimeout",
        NetworkCause.READ_TIMEOUT: "TimeoutException",
        NetworkCause.PROXY_ERROR: "ProxyError",
        NetworkCause.DECODING_ERROR: "DecodingError",
        NetworkCause.TOO_MANY_REDIRECTS: "TooManyRedirects",
        NetworkCause.PROTOCOL_ERROR: "ProtocolError",
        NetworkCause.CONNECTION_ERROR: "ConnectionNotAvailable RequestError",
    }
}


def _of_protocol_message(message: str, failure: Failure) -> NetworkCause:
    """Returns the cause of a `RemoteProtocolError` by its message, which is fixed or quotes an event of h2.

    A closed connection has the cause of `server_gone`, but is `PROTOCOL_ERROR` if what came before is no HTTP. A body
    that was cut off is `INCOMPLETE_BODY`, and a reset HTTP/2 stream `STREAM_RESET`. Anything else is `PROTOCOL_ERROR`.
    """
    if message.startswith(("Server disconnected", "<ConnectionTerminated")):
        return NetworkCause.PROTOCOL_ERROR if _has_sent_no_http(failure) else server_gone(failure)
    if message.startswith(_CLOSED_IN_BODY):
        return NetworkCause.INCOMPLETE_BODY
    return NetworkCause.STREAM_RESET if message.startswith("<StreamReset") else NetworkCause.PROTOCOL_ERROR


_CLOSED_IN_BODY: Final = (
    "peer closed connection without sending complete message body",
    # In the size of a chunk, or in what follows the last one. In the headers httpcore's own message comes first.
    "peer unexpectedly closed connection",
)
"""The messages of h11 about a connection that was closed before the end of a body."""


def _has_sent_no_http(failure: Failure) -> bool:
    """Returns whether httpcore had received something that begins no HTTP/1 response, such as a mail server's greeting.

    h11 waits for a whole head, and refuses nothing before, so that only its buffer tells. It is found by the traceback,
    in the function that reads. `False` if it is not found.
    """
    for frame in (frame for error in failure.errors for frame in stack(error)):
        if frame.f_code.co_name == "_receive_event" and package_of(frame) in HTTPCORE:
            received, _ = getattr(getattr(frame.f_locals.get("self"), "_h11_state", None), "trailing_data", (b"", True))
            return not b"HTTP/".startswith(received[:5])
    return False


def _of_broken_connection(error: BaseException, failure: Failure) -> NetworkCause:
    """Returns the cause of a `NetworkError` of httpx with no exact cause, by what anyio or trio raised below it.

    If anyio or trio found the connection ended or broken, it is `TLS_ERROR` in two cases: if the phase is `TLS`, and if
    `error` is a `ConnectError`. In any other case it is what `of_anyio` returns for the first exception of `failure`
    that it knows, and `CONNECTION_ERROR` if it knows none.
    """
    handshake = failure.phase is Phase.TLS or is_a(error, "httpx.ConnectError")
    if handshake and failure.has("anyio.EndOfStream", "anyio.BrokenResourceError"):
        return NetworkCause.TLS_ERROR
    return next(filter(None, (of_anyio(inner, failure) for inner in failure.errors)), NetworkCause.CONNECTION_ERROR)


def of_anyio(error: BaseException, failure: Failure) -> NetworkCause | None:
    """Returns the cause of three exceptions of anyio and trio; `None` for any other of theirs or of another library.

    `EndOfStream` is `TLS_ERROR` in a TLS handshake (`failure.network_phase`), else as by `server_gone`. `TooSlowError`
    has the cause of `timed_out`, and `BrokenResourceError` is `CONNECTION_RESET`.
    """
    if is_a(error, "anyio.EndOfStream"):
        return NetworkCause.TLS_ERROR if failure.network_phase is Phase.TLS else server_gone(failure)
    if is_a(error, "anyio.TooSlowError"):
        return timed_out(failure)
    return NetworkCause.CONNECTION_RESET if is_a(error, "anyio.BrokenResourceError") else None
