"""Explains an exception chain that was printed: what the app saw, what caused it, and the word whose page explains it.

Rule: an exception that has nothing to do with the API or the network is ignored. One of the SDK that says only
"Connection error." is kept, but no word explains it. Here LiteLLM's exceptions count as the SDK's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from anthropic_otel._core.semconv import OTHER, NetworkCause, Phase
from anthropic_otel.cli.why import revive
from anthropic_otel.cli.why.pages import pages
from anthropic_otel.cli.why.printed import Printed


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure that was found in a text.

    - `shown`: the exception as the app saw it, or what the library logged.
    - `beneath`: the exception that caused it; empty if none was printed.
    - `word`: the word whose page explains the failure; `None` if the text does not say why it failed.
    - `errno`: the name of the system's error, such as `ECONNREFUSED`; `None` if there is none.
    - `bare`: whether the text has only the SDK's "Connection error." or "Request timed out.", and not its cause.
    """

    shown: str
    beneath: str = ""
    word: str | None = None
    errno: str | None = None
    bare: bool = False


_SDK: Final = frozenset({"anthropic", "litellm"})
_NETWORK: Final = frozenset(
    {
        "httpx",
        "httpx2",
        "httpcore",
        "httpcore2",
        "aiohttp",
        "ssl",
        "socket",
        "botocore",
        "google",
        "requests",
        "urllib3",
    }
)
_SHORTEST: Final = 160
_STATUS: Final = re.compile(r"\b(?:[Ee]rror code: |HTTP/[\d.]+ )([1-5]\d\d)\b")
_TYPE: Final = re.compile(r"['\"]type['\"]: ?['\"](\w+)['\"]")
_CODE: Final = re.compile(r"['\"]error_code['\"]: ?['\"](\w+)['\"]")
_UNDER_ANY_STATUS: Final = ("billing_error", "overloaded_error")
"""The error types that say more than the status, because the API sends them with more than one status."""
_LOW_CREDIT: Final = "credit balance is too low"
NO_KEY: Final = "Could not resolve authentication method"
LONG_REQUEST: Final = "Streaming is required for operations that may take longer than 10 minutes"


def of_chain(chain: Sequence[Printed]) -> Failure | None:
    """Returns the failure of an exception chain, outermost exception first; it must not be empty.

    Ignores what is before the first exception of the SDK, if there is one. The first of these that applies decides:

    - what `_of_api` returns for the first exception: what the API answered, or why the SDK sent nothing;
    - JSON or an event that the SDK could not read: `invalid_event`, or `unexpected_content` outside of a stream;
    - what `bare` returns, if the SDK's exception has none below it;
    - the cause of the exceptions below the SDK's, or of the whole chain if it has none of the SDK. An unknown cause
      while connecting is a `connection_error`.

    Returns `None` if the SDK has no part in the failure, and the network has none either or the cause is unknown.
    """
    top = next((at for at, each in enumerate(chain) if each.root in _SDK), None)
    if top is not None:
        chain = chain[top:]
    by_api = _of_api(chain[0])
    if by_api is not None:
        return by_api
    by_sdk = top is not None or any("/anthropic/" in frame.file for each in chain for frame in each.frames)
    if by_sdk and chain[0].name == "JSONDecodeError":
        return Failure(_shown(chain[0]), "", "invalid_event" if _in_stream(chain[0]) else "unexpected_content")
    if _is_of_an_event(chain[0]):
        return Failure(_shown(chain[0]), "", "invalid_event")
    rest = chain[1:] if top is not None else chain
    if not rest:
        return bare(chain[0])
    cause = revive.cause(rest)
    word = cause.word.value
    if word == OTHER and cause.phase is Phase.CONNECT:
        # aiohttp prints a failed connect without the number of the system's error.
        word = NetworkCause.CONNECTION_ERROR.value
    if word == OTHER and not by_sdk:
        return None
    if not by_sdk and not any(each.root in _NETWORK or _is_of_network(each) for each in chain):
        return None
    return Failure(_shown(chain[0]), _beneath(chain), word, cause.errno)


def _in_stream(printed: Printed) -> bool:
    """Returns whether the exception's frames show that the SDK was reading a stream, not a whole response."""
    return any(frame.file.endswith("_streaming.py") for frame in printed.frames)


def _is_of_an_event(printed: Printed) -> bool:
    """Returns whether the SDK raised a builtin exception over an event that it could not make a message of."""
    frames = printed.frames
    own = bool(frames) and "/anthropic/" in frames[-1].file and "." not in printed.type
    return own and any("/anthropic/lib/streaming/" in each.file and each.function == "__stream__" for each in frames)


def _is_of_network(printed: Printed) -> bool:
    return printed.name in _NETWORK_NAMES


_NETWORK_NAMES: Final = frozenset(
    {"ConnectionError", "ConnectionRefusedError", "ConnectionResetError", "ConnectionAbortedError", "BrokenPipeError"}
    | {"TimeoutError", "OSError", "gaierror", "SSLError", "SSLCertVerificationError", "SSLEOFError", "RuntimeError"}
)
"""Built-in classes that a network failure may have; asyncio raises `RuntimeError` for a closed event loop."""


def _of_api(printed: Printed) -> Failure | None:
    """Returns the failure of an exception that the SDK raises for an error response, or in two cases before it sends.

    The two are known by their texts: there is no key, or the reply may take too long without a stream. Returns `None`
    for any other exception, and if neither the text nor the class of one for an error response says what failed.
    """
    text = printed.message
    if NO_KEY in text:
        return Failure(_shown(printed), "", "request_not_sent")
    if LONG_REQUEST in text:
        return Failure(_shown(printed), "", "client_error")
    if printed.root not in _SDK and printed.type.partition(".")[0] not in _SDK:
        return None
    word = word_of(text) or _by_name(printed)
    if word is None:
        return None
    page = pages().get(word)
    return Failure(f"{printed.name}{in_brief(text)}", "", page.word if page is not None else word)


def _by_name(printed: Printed) -> str | None:
    """Returns the word for an SDK exception by its class, for an error response whose text says nothing known.

    That is `5xx` for `InternalServerError`; for `APIStatusError` the word `_OTHER` if its text has a `{`, else `4xx`.
    For other classes it is their name, if that has a page; if not, and for a connection error or a timeout, `None`.
    """
    if printed.name in ("APIConnectionError", "APITimeoutError"):
        return None
    if printed.name == "InternalServerError":
        return "5xx"
    if printed.name == "APIStatusError":
        return OTHER if "{" in printed.message else "4xx"
    return printed.name if printed.name in pages() else None


def word_of(text: str) -> str | None:
    """Returns the word for the text of an API error: the first of these that is in the text and has a page.

    They are the error code; `billing_error`, if the sentence about a low credit balance is there; a type that the API
    sends with several statuses; the status; any other type. If there is none, returns `3xx`, `4xx` or `5xx` by the
    status, or `None` for any other status or without one.
    """
    code = _CODE.search(text)
    types = [each for each in _TYPE.findall(text) if each != "error"]
    status = _STATUS.search(text)
    words = [code[1] if code is not None else None, "billing_error" if _LOW_CREDIT in text else None]
    by_status = status[1] if status is not None else None
    words += [*(each for each in types if each in _UNDER_ANY_STATUS), by_status, *types]
    for word in words:
        if word is not None and word in pages():
            return word
    return f"{by_status[0]}xx" if by_status is not None and by_status[0] in "345" else None


def in_brief(text: str) -> str:
    """Returns `: ` and the status, type and code that are in the text of an API error, separated by blanks.

    Leaves out the message, which may quote the app. Empty if the text has none of the three.
    """
    status, code = _STATUS.search(text), _CODE.search(text)
    types = [each for each in _TYPE.findall(text) if each != "error"]
    words = [*([status[1]] if status else []), *types[:1], *([code[1]] if code else [])]
    return f": {' '.join(words)}" if words else ""


def bare(printed: Printed) -> Failure | None:
    """Returns the failure of an exception whose cause was not printed; `None` if it is not one of the SDK.

    A connection error gets no word, a timeout `client_timeout_error`; both are marked as `bare`. Any other gets the
    cause that its class has, or an error that its message quotes, such as `[Errno 111] ...`; `client_error` if neither
    has one.
    """
    if printed.root in _SDK and printed.name in ("APIConnectionError", "APITimeoutError"):
        word = "client_timeout_error" if printed.name == "APITimeoutError" else None
        return Failure(_shown(printed), "", word, bare=True)
    if printed.root in _SDK:
        # `CredentialsError` and its subclasses have a known cause; other classes do not.
        cause = revive.cause((printed,)).word.value
        return Failure(_shown(printed), "", cause if cause != OTHER else "client_error")
    return None


def _shown(printed: Printed) -> str:
    """Returns the class without its module, and the message, at most 160 characters in all.

    The message of an SDK exception may quote the app, so it is left out, unless it begins with "Connection error" or
    "Request timed out": then its first sentence is there.
    """
    fixed = printed.message.startswith(("Connection error", "Request timed out"))
    if printed.root in _SDK and not fixed:
        return printed.name
    message = re.split(r"(?<=[.]) ", printed.message)[0] if printed.root in _SDK else printed.message
    return short(f"{printed.name}: {message}" if message else printed.name)


def _beneath(chain: Sequence[Printed]) -> str:
    """Returns, of the exceptions below the first, the innermost that has a message, as at most 160 characters of text.

    That is its class and message, or its message alone if it begins with `[`. If none has a message, it is the class of
    the innermost one. Empty for a chain of one.
    """
    if len(chain) < 2:
        return ""
    inner = next((each for each in reversed(chain[1:]) if each.message), chain[-1])
    return short(inner.message if inner.message.startswith("[") else f"{inner.name}: {inner.message}".rstrip(": "))


def short(text: str) -> str:
    """Returns the text; if it has more than 160 characters, its beginning and `...`, which are 160 together."""
    return text if len(text) <= _SHORTEST else text[: _SHORTEST - 3] + "..."
