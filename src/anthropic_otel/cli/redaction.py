"""Takes out of a text what nobody else may read: keys, passwords, query strings, prompts and replies.

Rule: a text that a person pasted passes `redact` before anything else looks at it. One rule set for every command; the
Collector configs mask keys by the first patterns of `KEYS` as well.
"""

from __future__ import annotations

import re
from typing import Final

MASK: Final = "****"
"""What stands where something was taken out. The Collector configs write the same."""

KEYS: Final = (
    r"sk-ant-[A-Za-z0-9_-]{8,}",
    r"(?i)bearer\s+[A-Za-z0-9._~+/=-]{16,}",
    # `sk-ant-` in base64, as bytes are in a span's attributes, by where in a group of three bytes it begins.
    r"c2stYW50L[A-Za-z0-9+/=]*",
    r"NrLWFudC[A-Za-z0-9+/=]*",
    r"zay1hbnQt[A-Za-z0-9+/=]*",
    # Anthropic's OAuth tokens are the first; then Google's, Amazon's, and JSON web tokens.
    r"ya29\.[A-Za-z0-9._-]{8,}",
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?",
)
"""What looks like a key, wherever it stands, as regular expressions."""

_HEADERS: Final = (
    r"authorization|proxy-authorization|x-api-key|api-key|anthropic-auth-token|x-amz-security-token|cookie|set-cookie"
)
_VARIABLES: Final = r"\w*(?:API_?KEY|AUTH_TOKEN|ACCESS_KEY(?:_ID)?|SECRET\w*|PASSWORD|SESSION_TOKEN)"
_QUOTE: Final = r"\\{0,16}[\"']"

_SIMPLE: Final = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        *((pattern, MASK) for pattern in KEYS),
        # User information, then the query string, of a URL; and the query string of a path.
        (r"(\w{2,16}://)[^\s/@\"'<>]{1,512}@", rf"\1{MASK}@"),
        (r"(\w{2,16}://(?:(?!://)[^\s?\"'<>]){1,2048})\?[^\s\"'<>)]*", rf"\1?{MASK}"),
        (r"((?:\b[A-Z]{3,7}|\burl:) /[^\s?\"'<>]{0,2048})\?[^\s\"'<>)]*", rf"\1?{MASK}"),
        # A header, as one line of HTTP, as JSON, as Python's repr of a pair or of a dictionary.
        (rf"(?i)(b?{_QUOTE}(?:{_HEADERS})b?{_QUOTE}\s*[:,]\s*b?)({_QUOTE})(?:[^\"'\n])*", rf"\1\2{MASK}"),
        (rf"(?i)((?<![\w-])(?:{_HEADERS})\s*[:=]\s*)(?!\s*b?{_QUOTE}?\*)[^\s\"',][^\n\"']*", rf"\1{MASK}"),
        (rf"(?i)(\b{_VARIABLES}{_QUOTE}?\s*[:=]\s*)(?!\s*[\"']?\*)(?:{_QUOTE})?[^\s\"',}}]+", rf"\1{MASK}"),
        # httpx and h11 quote a header's value that they do not send, most often a key with its newline.
        (r"(Illegal header (?:value|name) )b?(?:'[^'\n]*'?|\"[^\"\n]*\"?)", rf"\1{MASK}"),
    )
)

_CONTENT: Final = (
    r"(?:messages|content|text|system|prompt|completion|thinking|partial_json|input|output|arguments|tools|data)"
)
_MEMBER: Final = re.compile(rf"({_QUOTE}){_CONTENT}\1\s*:\s*(?=({_QUOTE}|[\[{{]))")
"""A member of a JSON object or a Python dictionary that holds what the app asked or was answered."""
_TRACEBACK: Final = "Traceback (most recent call last)"
_BRACKETS: Final = re.compile(r"[\[\]{}]|\\{0,16}[\"']")
_STRING_ENDS: Final = {quote: re.compile(rf"(?<!\\){re.escape(quote)}|$", re.MULTILINE) for quote in ("'", '"')}


def redact(text: str) -> str:
    """The text without keys, passwords, query strings and content. Doing it twice changes nothing more."""
    for pattern, replacement in _SIMPLE:
        text = pattern.sub(replacement, text)
    return _without_content(text)


def _without_content(text: str) -> str:
    """The text with each value of a member that holds content replaced."""
    pieces: list[str] = []
    at = 0
    while (found := _MEMBER.search(text, at)) is not None:
        start, opening = found.end(), found[2]
        end = _end_of_container(text, start) if opening in "[{" else _end_of_string(text, start, opening)
        if _TRACEBACK in text[start:end]:
            # Not content: a logger's own member of that name, with a traceback in it. What is inside is looked at.
            pieces.append(text[at : start + len(opening)])
            at = start + len(opening)
            continue
        pieces += [text[at:start], MASK if opening in "[{" else opening + MASK + opening]
        at = end
    pieces.append(text[at:])
    return "".join(pieces)


def _end_of_string(text: str, start: int, quote: str) -> int:
    """Behind the closing quote of the string that begins at `start`; the end of the line where it has none."""
    ends = _STRING_ENDS.get(quote) or re.compile(rf"(?<!\\){re.escape(quote)}|$", re.MULTILINE)
    found = ends.search(text, start + len(quote))
    return found.end() if found is not None else len(text)


def _end_of_container(text: str, start: int) -> int:
    """Behind the bracket that closes the one at `start`; the end of the line where none does."""
    depth, at = 0, start
    line = text.find("\n", start)
    limit = len(text) if line < 0 else line
    while (found := _BRACKETS.search(text, at, limit)) is not None:
        word, at = found[0], found.end()
        if word in "[{":
            depth += 1
        elif word in "]}":
            depth -= 1
            if depth == 0:
                return at
        else:
            at = min(_end_of_string(text, found.start(), word), limit)
    return limit
