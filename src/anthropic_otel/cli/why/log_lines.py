"""Finds the failure in a single log line, by the name of an exception or the wording of what failed.

The wording is the library's own, a sentence or status text of the SDK, or a system error's.

Rule: a line of source code that raises or catches an exception, as a traceback quotes it, is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from anthropic_otel._core.semconv import OTHER
from anthropic_otel.cli.why import revive
from anthropic_otel.cli.why.chains import LONG_REQUEST, NO_KEY, Failure, bare, in_brief, of_chain, short, word_of
from anthropic_otel.cli.why.pages import pages
from anthropic_otel.cli.why.printed import Printed

OWN: Final = re.compile(
    r"(?<![\w.])([\w.]+)( attempt \d+(?: of \d+)?)? failed after [\d.]+ s: (\w+)(?: \(([^()]*)\))?"
    r"(?(2)|, (?:before any attempt|though its last attempt did not fail|before attempt \d+ was retried))"
)
"""Matches the line that the library logs for a failed attempt, or for a call that failed by none (`_otel.logs`)."""
_NAMED: Final = re.compile(
    r"\b((?:(?:anthropic|litellm|httpx2?|httpcore2?|aiohttp|ssl|socket|botocore|requests|urllib3)\."
    r"(?:\w{1,64}\.){0,6})[A-Z]\w*(?:Error|Exception|Timeout|Expired|Redirects|Protocol|URL|Closed|Disconnected|Mismatch)"
    r"|API(?:Connection|Timeout|Status)Error|RateLimitError|OverloadedError|InternalServerError"
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
"""Matches a line of source code that names an exception, which may never have been raised."""
_CLASS: Final = re.compile(r"<class '[\w.]*'>")
"""A class as a debugger shows it: it was not raised."""
_NEXT_PAIR: Final = re.compile(r"[\"'],? +[\w.]{1,64}=")
"""Matches the end of a value in logfmt and the name of the next one."""
WORDS: Final = (
    *("Error", "Timeout", "anthropic.", "litellm.", "httpx", "httpcore", "aiohttp.", "ssl.", "socket.", "botocore."),
    *("requests.", "urllib3.", " failed after ", "error.", "Request timed out", NO_KEY, LONG_REQUEST),
    *("[Errno ", "[WinError ", "[SSL: ", "Event loop is closed"),
)
"""Texts of which at least one is in every line in which `of_line` finds a failure."""


def of_line(line: str) -> Iterator[Failure]:
    """Yields the one failure that a log line outside of any traceback names; nothing if it names none."""
    if _SOURCE.match(line):
        return
    own = OWN.search(line)
    if own is not None:
        yield _of_own(own)
        return
    if NO_KEY in line or LONG_REQUEST in line:
        yield Failure(short(line.strip()), "", "request_not_sent" if NO_KEY in line else "client_error")
        return
    named = _NAMED.search(_CLASS.sub("", line))
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
    """Returns the failure of a match of `OWN`, a line of the library.

    Its word is the error type, if that is not a status and has a page; else the last text between commas in the
    parentheses that has a page, such as the API's error code; else the error type. A status without a page becomes
    `3xx`, `4xx` or `5xx`. Its errno is the first text in capitals in the parentheses.
    """
    beside = [word.strip() for word in (found[4] or "").split(",")]
    word = next((each for each in reversed(beside) if each in pages() and not each.startswith("phase")), found[3])
    if found[3] in pages() and not found[3].isdigit():
        word = found[3]
    errno = next((each for each in beside if each.isupper()), None)
    logged = f"logged by anthropic_otel: {found[3]}" + (f" ({found[4]})" if found[4] else "")
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
    """Returns the failure of a system or TLS error that a line quotes by its text, such as `[Errno 111] ...`.

    `Event loop is closed` is such a text too. `above` is the failure of the exception that the line names, if any; then
    that exception is shown, with the quoted error beneath it. Returns `None` if the line quotes none, or if the quoted
    error has no known cause.
    """
    found = _QUOTED.search(line)
    if found is None:
        return None
    printed = Printed("RuntimeError" if found[1].startswith("Event") else "OSError", found[1])
    cause = revive.cause((printed,))
    if cause.word.value == OTHER:
        return None
    shown, beneath = (above.shown, short(found[1])) if above is not None else (short(found[1]), "")
    return Failure(shown, beneath, cause.word.value, cause.errno)


def _of_status(line: str) -> Failure | None:
    """Returns the failure of a line that has the SDK's text of a status error, `Error code: ...`, without its class.

    Returns `None` for any other line, and if no page explains the error.
    """
    word = word_of(line) if "Error code: " in line else None
    return Failure(f"Error code{in_brief(line)}", "", pages()[word].word) if word is not None else None


def _of_sentence(line: str) -> Failure | None:
    found = _SENTENCES.search(line)
    if found is None:
        return None
    name = "APIConnectionError" if found[1].startswith("Connection") else "APITimeoutError"
    return bare(Printed(f"anthropic.{name}", found[1]))
