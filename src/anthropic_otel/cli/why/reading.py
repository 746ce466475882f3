"""Finds every failure in a text: tracebacks, lines that name an exception, and the library's own log lines.

Rule: what is said of a failure is what was printed, and it is counted once. An exception that has nothing to do with
the API or the network is left out; one of the SDK that says no more than "Connection error." stays, without a word.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from anthropic_otel._core.semconv import OTHER, NetworkCause, Phase
from anthropic_otel.cli.why import clean, revive
from anthropic_otel.cli.why.pages import pages
from anthropic_otel.cli.why.printed import Printed, blocks

MOST: Final = 8 * 1024 * 1024
"""The bytes that are read of a text."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure.

    - `shown`: the exception as the app saw it, or what the library logged.
    - `beneath`: what lay under it, empty if nothing else was printed.
    - `word`: the word whose page explains it, `None` where the text does not say.
    - `errno`: the system's name of the error, if there is one.
    - `bare`: whether the text has only the SDK's sentence, and not what caused it.
    """

    shown: str
    beneath: str = ""
    word: str | None = None
    errno: str | None = None
    bare: bool = False


def failures(text: str) -> Counter[Failure]:
    """Every failure in a redacted text, counted."""
    lines = clean.lines(text)
    found: Counter[Failure] = Counter()
    taken: set[int] = set()
    for block in blocks(lines):
        failure = of_chain(block.chain)
        if failure is not None:
            found[failure] += 1
        taken.update(range(block.begin, block.end))
        if failure is not None:
            # A message that a logger has put above the traceback speaks of the same failure.
            taken.update(
                at for at in range(max(0, block.begin - _HEADLINES), block.begin) if not _OWN.search(lines[at])
            )
    for at, line in enumerate(lines):
        if at not in taken:
            found.update(_of_line(line))
    return found


_HEADLINES: Final = 2
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
"""The types that say more than the status, under which they come: they come under others than their own."""
_LOW_CREDIT: Final = "credit balance is too low"
_NO_KEY: Final = "Could not resolve authentication method"
_LONG_REQUEST: Final = "Streaming is required for operations that may take longer than 10 minutes"


def of_chain(chain: Sequence[Printed]) -> Failure | None:
    """What a printed chain says, outermost first; `None` if it is no failure of the SDK or of the network."""
    top = next((at for at, each in enumerate(chain) if each.root in _SDK), None)
    if top is not None:
        chain = chain[top:]
    told = _of_api(chain[0])
    if told is not None:
        return told
    by_sdk = top is not None or any("/anthropic/" in frame.file for each in chain for frame in each.frames)
    if by_sdk and chain[0].name == "JSONDecodeError":
        return Failure(_shown(chain[0]), "", "invalid_event" if _in_stream(chain[0]) else "unexpected_content")
    rest = chain[1:] if top is not None else chain
    if not rest:
        return _bare(chain[0])
    cause = revive.cause(rest)
    word = cause.word.value
    if word == OTHER and cause.phase is Phase.CONNECT:
        # As aiohttp prints it, without the system's number.
        word = NetworkCause.CONNECTION_ERROR.value
    if word == OTHER and not by_sdk:
        return None
    if not by_sdk and not any(each.root in _NETWORK or _is_of_network(each) for each in chain):
        return None
    return Failure(_shown(chain[0]), _beneath(chain), word, cause.errno)


def _in_stream(printed: Printed) -> bool:
    """Whether the SDK was reading a stream, and not a whole answer."""
    return any(frame.file.endswith("_streaming.py") for frame in printed.frames)


def _is_of_network(printed: Printed) -> bool:
    return printed.name in _NETWORK_NAMES


_NETWORK_NAMES: Final = frozenset(
    {"ConnectionError", "ConnectionRefusedError", "ConnectionResetError", "ConnectionAbortedError", "BrokenPipeError"}
    | {"TimeoutError", "OSError", "gaierror", "SSLError", "SSLCertVerificationError", "SSLEOFError", "RuntimeError"}
)
"""Without a library's name before them, and `RuntimeError`, by which asyncio says that a loop is closed."""


def _of_api(printed: Printed) -> Failure | None:
    """An error that the API has told, or that the SDK raises before it sends anything."""
    text = printed.message
    if _NO_KEY in text:
        return Failure(_shown(printed), "", "request_not_sent")
    if _LONG_REQUEST in text:
        return Failure(_shown(printed), "", "client_error")
    if printed.root not in _SDK and printed.type.partition(".")[0] not in _SDK:
        return None
    word = _told(text) or _by_name(printed)
    if word is None:
        return None
    page = pages().get(word)
    return Failure(f"{printed.name}{_in_brief(text)}", "", page.word if page is not None else word)


def _by_name(printed: Printed) -> str | None:
    """What the class alone says, where the answer was not of the API: its text is then whatever a gateway wrote."""
    if printed.name in ("APIConnectionError", "APITimeoutError"):
        return None
    if printed.name == "InternalServerError":
        return "5xx"
    if printed.name == "APIStatusError":
        return OTHER if "{" in printed.message else "4xx"
    return printed.name if printed.name in pages() else None


def _told(text: str) -> str | None:
    """The most special word that the text of an error of the API has a page for."""
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


def _in_brief(text: str) -> str:
    """The status, the type and the code of an error of the API: its message may quote what the app has sent."""
    status, code = _STATUS.search(text), _CODE.search(text)
    types = [each for each in _TYPE.findall(text) if each != "error"]
    words = [*([status[1]] if status else []), *types[:1], *([code[1]] if code else [])]
    return f": {' '.join(words)}" if words else ""


def _bare(printed: Printed) -> Failure | None:
    if printed.root in _SDK and printed.name in ("APIConnectionError", "APITimeoutError"):
        word = "client_timeout_error" if printed.name == "APITimeoutError" else None
        return Failure(_shown(printed), "", word, bare=True)
    if printed.root in _SDK:
        # `CredentialsError` and those below it; of others only the name is known.
        cause = revive.cause((printed,)).word.value
        return Failure(_shown(printed), "", cause if cause != OTHER else "client_error")
    return None


def _shown(printed: Printed) -> str:
    """The class without its module, and what a library, not an app, has written."""
    fixed = printed.message.startswith(("Connection error", "Request timed out"))
    if printed.root in _SDK and not fixed:
        return printed.name
    message = printed.message if printed.root != "anthropic" else re.split(r"(?<=[.]) ", printed.message)[0]
    return _short(f"{printed.name}: {message}" if message else printed.name)


def _beneath(chain: Sequence[Printed]) -> str:
    """The innermost exception that has something to say."""
    if len(chain) < 2:
        return ""
    inner = next((each for each in reversed(chain[1:]) if each.message), chain[-1])
    return _short(inner.message if inner.message.startswith("[") else f"{inner.name}: {inner.message}".rstrip(": "))


def _short(text: str) -> str:
    return text if len(text) <= _SHORTEST else text[: _SHORTEST - 3] + "..."


# -- single lines ------------------------------------------------------------------------------------------------------

_OWN: Final = re.compile(
    r"(?:^|[\s\"'])([\w.]+) attempt \d+(?: of \d+)? failed after [\d.]+ s: (\w+)(?: \(([^()]*)\))?(, not retried)?"
)
"""The library's own log line, as `_otel.logs` writes it."""
_NAMED: Final = re.compile(
    r"\b((?:(?:anthropic|litellm|httpx2?|httpcore2?|aiohttp|ssl|socket|botocore|requests|urllib3)\.(?:\w{1,64}\.){0,6})"
    r"[A-Z]\w*|API(?:Connection|Timeout|Status)Error|RateLimitError|OverloadedError|InternalServerError"
    r"|AuthenticationError|PermissionDeniedError|NotFoundError|BadRequestError|Connection(?:Refused|Reset|Aborted)Error"
    r"|gaierror|SSLCertVerificationError|SSLError|RemoteProtocolError|ConnectError|ReadError|ConnectTimeout|ReadTimeout"
    r"|WriteTimeout|PoolTimeout|RequestTooLargeError)\b(?:: ?(.*)|\((.*)\))?"
)
_UNQUALIFIED: Final = re.compile(
    r"^(?:API|RateLimit|Overloaded|InternalServer|Authentication|PermissionDenied|NotFound|BadRequest|RequestTooLarge)"
)
_SENTENCES: Final = re.compile(r"(?<![\w.])(Connection error\.|Request timed out(?:\.| or interrupted\.))")
_QUOTED: Final = re.compile(r"(\[(?:Errno|WinError) -?\d+\] [^\n\"]*|\[SSL: \w+\][^\n\"]*|Event loop is closed)")
_SOURCE: Final = re.compile(r"^[\s\d|❱>]{0,40}(?:raise|except) [\w.( ]")
"""A line of source, as a traceback quotes it: it names an exception that may never have been raised."""
_NEXT_PAIR: Final = re.compile(r"[\"'],? +[\w.]{1,64}=")
"""The end of a value in logfmt, and the name of the next one."""


def _of_line(line: str) -> Iterator[Failure]:
    if _SOURCE.match(line):
        return
    own = _OWN.search(line)
    if own is not None:
        yield _of_own(own)
        return
    if _NO_KEY in line or _LONG_REQUEST in line:
        yield Failure(_short(line.strip()), "", "request_not_sent" if _NO_KEY in line else "client_error")
        return
    named = _NAMED.search(line)
    if named is not None:
        printed = _of_name(named)
        failure = of_chain((printed,))
        if failure is None or failure.bare or not printed.message:
            failure = _of_quoted(line, failure) or failure
        if failure is not None:
            yield failure
            return
    failure = _of_quoted(line) or _of_status(line) or _of_sentence(line)
    if failure is not None:
        yield failure


def _of_own(found: re.Match[str]) -> Failure:
    """By the API's own code where it has a page, else by the word that was logged."""
    beside = [word.strip() for word in (found[3] or "").split(",")]
    word = next((each for each in reversed(beside) if each in pages() and not each.startswith("phase")), found[2])
    if found[2] in pages() and not found[2].isdigit():
        word = found[2]
    errno = next((each for each in beside if each.isupper()), None)
    logged = f"logged by anthropic_otel: {found[2]}" + (f" ({found[3]})" if found[3] else "")
    page = pages().get(word) or (pages().get(f"{word[0]}xx") if word.isdigit() else None)
    return Failure(logged, "", page.word if page is not None else word, errno)


def _of_name(found: re.Match[str]) -> Printed:
    name, message = found[1], (found[2] if found[2] is not None else found[3]) or ""
    if _UNQUALIFIED.match(name):
        name = f"anthropic.{name}"
    elif name in ("gaierror", "SSLCertVerificationError", "SSLError"):
        name = f"{'socket' if name == 'gaierror' else 'ssl'}.{name}"
    elif "." not in name and not name.startswith("Connection"):
        name = f"httpx.{name}"
    return Printed(name, _NEXT_PAIR.split(message, maxsplit=1)[0].strip().strip("'\""))


def _of_quoted(line: str, above: Failure | None = None) -> Failure | None:
    """An error of the system or of TLS that a line quotes without the class, below what the line names, if it does."""
    found = _QUOTED.search(line)
    if found is None:
        return None
    printed = Printed("RuntimeError" if found[1].startswith("Event") else "OSError", found[1])
    cause = revive.cause((printed,))
    if cause.word.value == OTHER:
        return None
    shown, beneath = (above.shown, _short(found[1])) if above is not None else (_short(found[1]), "")
    return Failure(shown, beneath, cause.word.value, cause.errno)


def _of_status(line: str) -> Failure | None:
    """The text of a status error without its class."""
    word = _told(line) if "Error code: " in line else None
    return Failure(f"Error code{_in_brief(line)}", "", pages()[word].word) if word is not None else None


def _of_sentence(line: str) -> Failure | None:
    found = _SENTENCES.search(line)
    if found is None:
        return None
    name = "APIConnectionError" if found[1].startswith("Connection") else "APITimeoutError"
    return _bare(Printed(f"anthropic.{name}", found[1]))
