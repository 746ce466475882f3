"""Rules for the exceptions of libcurl, on which a transport of the app's own may be built: by curl_cffi or pycurl.

libcurl tells what failed by a number (https://curl.se/libcurl/c/libcurl-errors.html). Where one number stands for
several causes, its fixed English message decides, which the exception's text quotes. The exceptions do not have the
number of a system's error, and since libcurl 8 the message does not tell it either: a refused connection cannot be told
from a host that cannot be reached then.
"""

from __future__ import annotations

import re
from typing import Final

from anthropic_otel._core.cause_chain import attribute_of, is_a, text_of
from anthropic_otel._core.failure import Failure
from anthropic_otel._core.semconv import NetworkCause, Phase


def of_curl(error: BaseException, failure: Failure) -> NetworkCause | None:
    """Returns the cause of an exception of curl_cffi or pycurl; `None` for any other exception.

    It is decided by libcurl's number, and for some numbers by the text too (`_BY_TEXT`); `None` for a number that
    `_WORDS` does not have. A timeout is `CONNECT_TIMEOUT` if its text tells that there was no connection yet, TLS
    included, else `READ_TIMEOUT`. `SessionClosed` of curl_cffi, which needs no number, is `CLIENT_CLOSED`.
    """
    if is_a(error, "curl_cffi.SessionClosed"):
        return NetworkCause.CLIENT_CLOSED
    number = _number_of(error)
    if number is None:
        return None
    text = text_of(error)
    for words, numbers, word in _BY_TEXT:
        if number in numbers and any(each in text for each in words):
            return word
    return _WORDS.get(number)


def phase_of_curl(failure: Failure) -> Phase | None:
    """Returns the phase that libcurl's number of an exception of `failure` shows, `None` if none shows one.

    If the numbers of several exceptions do, the outermost of these exceptions decides.
    """
    for error in failure.errors:
        number = _number_of(error)
        if number == _TIMEOUT and of_curl(error, failure) is NetworkCause.CONNECT_TIMEOUT:
            return Phase.CONNECT
        if number in _PHASES:
            return Phase.CONNECT if of_curl(error, failure) is NetworkCause.PROXY_ERROR else _PHASES[number]
    return None


def _number_of(error: BaseException) -> int | None:
    """Returns libcurl's number for an exception of curl_cffi or pycurl, `None` for any other and for one without."""
    if is_a(error, "pycurl.error"):
        number: object = error.args[0] if error.args else None
    elif is_a(error, "curl_cffi.CurlError"):
        number = attribute_of(error, "code")
    else:
        return None
    if isinstance(number, int) and number:
        return int(number)
    # One that was made of the text of a traceback has no attributes.
    told = _QUOTED.search(text_of(error))
    return int(told[1] or told[2]) if told else None


_QUOTED: Final = re.compile(r"\bcurl: \((\d{1,3})\)|^\((\d{1,3}), ")

_TIMEOUT: Final = 28
_BROKEN: Final = frozenset({7, 35, 55, 56})
"""The numbers of a failure to connect, to make the TLS handshake, to send and to receive."""
_BY_TEXT: Final = (
    (
        ("CONNECT tunnel failed", "Proxy CONNECT aborted", "from proxy after CONNECT", " over proxy "),
        _BROKEN,
        NetworkCause.PROXY_ERROR,
    ),
    (("Connection reset by peer", "Connection was reset", "Broken pipe"), _BROKEN, NetworkCause.CONNECTION_RESET),
    (("Connection refused",), {7}, NetworkCause.CONNECTION_REFUSED),
    (("hex-length", "hexadecimal"), {56}, NetworkCause.PROTOCOL_ERROR),
    (("Received HTTP", " in response"), {1}, NetworkCause.PROTOCOL_ERROR),
    (
        ("Connection timed out", "Resolving timed out", "SSL connection timeout", "Proxy CONNECT aborted"),
        {_TIMEOUT},
        NetworkCause.CONNECT_TIMEOUT,
    ),
)
"""The causes that a message decides: parts of messages, the numbers for which they are looked for, and the cause."""

_WORDS: Final = {
    **dict.fromkeys((1, 3, 26, 43, 58, 77), NetworkCause.REQUEST_NOT_SENT),
    **dict.fromkeys((5, 97), NetworkCause.PROXY_ERROR),
    6: NetworkCause.NAME_RESOLUTION_ERROR,
    **dict.fromkeys((7, 45, 55, 56, 96), NetworkCause.CONNECTION_ERROR),
    **dict.fromkeys((8, 16, 95, 100), NetworkCause.PROTOCOL_ERROR),
    18: NetworkCause.INCOMPLETE_BODY,
    _TIMEOUT: NetworkCause.READ_TIMEOUT,
    **dict.fromkeys((35, 53, 54, 59, 64, 66, 80, 98), NetworkCause.TLS_ERROR),
    47: NetworkCause.TOO_MANY_REDIRECTS,
    52: NetworkCause.SERVER_DISCONNECTED,
    **dict.fromkeys((51, 60, 83, 90, 91), NetworkCause.TLS_CERTIFICATE_ERROR),
    61: NetworkCause.DECODING_ERROR,
    92: NetworkCause.STREAM_RESET,
}
_PHASES: Final = {
    **dict.fromkeys((5, 6, 7, 45, 96, 97), Phase.CONNECT),
    **dict.fromkeys((35, 51, 53, 54, 59, 60, 64, 66, 83, 90, 91, 98), Phase.TLS),
    55: Phase.SEND,
    56: None,
}
