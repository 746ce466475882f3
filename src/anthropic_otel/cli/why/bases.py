"""Knows the base classes of the libraries' exceptions, which a traceback does not show.

Rule: a class is listed if the rules of `_core.cause` look for one of its base classes. `tests/cli/test_why_bases.py`
compares the causes with those of the real classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

_HTTPX: Final = {
    "RequestError": "TransportError DecodingError TooManyRedirects",
    "TransportError": "TimeoutException NetworkError ProtocolError ProxyError UnsupportedProtocol SSEError",
    "TimeoutException": "ConnectTimeout ReadTimeout WriteTimeout PoolTimeout",
    "NetworkError": "ConnectError ReadError WriteError CloseError",
    "ProtocolError": "LocalProtocolError RemoteProtocolError",
}
_AIOHTTP: Final = {
    "ClientError": "ClientConnectionError ClientResponseError ClientPayloadError InvalidURL RedirectClientError"
    " UploadAbortedError",
    "ClientConnectionError": "ClientOSError ServerConnectionError",
    "ClientOSError": "ClientConnectorError ClientConnectionResetError",
    "ClientConnectorError": "ClientConnectorDNSError ClientProxyConnectionError ClientSSLError"
    " UnixClientConnectorError",
    "ClientSSLError": "ClientConnectorSSLError ClientConnectorCertificateError",
    "ServerConnectionError": "ServerDisconnectedError ServerFingerprintMismatch ServerTimeoutError",
    "ServerTimeoutError": "ConnectionTimeoutError SocketTimeoutError",
    "ClientResponseError": "ClientHttpProxyError ContentTypeError TooManyRedirects WSServerHandshakeError",
    "InvalidURL": "InvalidUrlClientError",
    "InvalidUrlClientError": "InvalidUrlRedirectClientError NonHttpUrlClientError",
    "NonHttpUrlClientError": "NonHttpUrlRedirectClientError",
    "HttpProcessingError": "BadHttpMessage",
    "BadHttpMessage": "BadStatusLine HttpBadRequest InvalidHeader InvalidURLError LineTooLong PayloadEncodingError",
    "BadStatusLine": "BadHttpMethod",
    "PayloadEncodingError": "ContentEncodingError ContentLengthError DecompressSizeError TransferEncodingError",
}
_SUBCLASSES: Final = {
    **dict.fromkeys(("httpx", "httpx2", "httpcore", "httpcore2"), _HTTPX),
    "aiohttp": _AIOHTTP,
    "anthropic": {"CredentialsError": "IdentityTokenFileError WorkloadIdentityError"},
    "botocore": {
        "": "ClientError UndefinedModelAttributeError",
        "ClientError": "EventStreamError",
        "UndefinedModelAttributeError": "MissingServiceIdError",
        "ConnectionError": "EndpointConnectionError",
        "HTTPClientError": "ResponseStreamingError",
    },
    "h2": {"": "H2Error RFC1122Error", "NoSuchStreamError": "StreamClosedError"},
    "http": {"ImproperConnectionState": "CannotSendRequest CannotSendHeader ResponseNotReady"},
    "requests": {"InvalidURL": "InvalidProxyURL"},
    "urllib3": {
        "LocationValueError": "LocationParseError URLSchemeUnknown",
        "URLSchemeUnknown": "ProxySchemeUnknown",
        "ProtocolError": "ResponseNotChunked",
    },
}
"""By library and base class, the names of its direct subclasses. The empty name is that of no base class."""
_ROOTS: Final = {
    "botocore": "BotoCoreError",
    "curl_cffi": "CurlError",
    "google": "GoogleAuthError",
    "h2": "ProtocolError",
    "http": "HTTPException",
    "idna": "IDNAError",
    "socksio": "SOCKSError",
}
"""By library, the base class of each class that is not listed as a subclass of another one."""
_BASES: Final = {
    library: {name: base for base, names in table.items() for name in names.split()}
    for library, table in _SUBCLASSES.items()
}


def bases_of(library: str, name: str) -> Iterator[str]:
    """Yields the names of the base classes of a library's class, the nearest first, as far as they are known.

    `library` is the top-level package, and all of the classes are from it. The last one is the library's common base
    class, if `_ROOTS` has one; it is the only one for a class that `_SUBCLASSES` does not list as a subclass. It is not
    yielded for itself, for classes that `_SUBCLASSES` lists as having no base class, and for their subclasses.
    """
    known, root = _BASES.get(library, {}), _ROOTS.get(library, "")
    while (base := known.get(name, root)) and base != name:
        yield base
        name = base
