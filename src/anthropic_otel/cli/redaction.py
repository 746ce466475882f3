"""Masks what is secret in a text: keys, passwords, query strings, prompts and replies.

Rule: text that a person pasted passes `redact` before anything else reads it. `doctor` masks keys by the patterns of
`KEYS` too, and the Collector configs by the first five.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MASK: Final = "****"
"""The text that replaces what is masked. The Collector configs use it too."""

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
"""Regular expressions for keys, wherever they are in a text."""
_IN_KEYS: Final = (
    ("sk-ant-",),
    ("bearer",),
    ("c2sty",),
    ("nrlwf",),
    ("zay1h",),
    ("ya29.",),
    ("akia", "asia"),
    ("eyj",),
)
"""For each pattern of `KEYS`, in the same order: texts in lower case, one of which is in every match in lower case."""

_IN_REQUEST: Final = "|".join(rf"(?<=\b{before} /)" for before in (*(f"[A-Z]{{{n}}}" for n in range(3, 8)), "url:"))
"""A regular expression for what is before a request's path: a method, or `url:`, which urllib3 writes."""

_HEADERS: Final = (
    r"authorization|proxy-authorization|(?:[a-z-]{1,32}-)?api-key|anthropic-auth-token|x-amz-security-token|cookie"
    r"|set-cookie"
)
_VARIABLES: Final = (
    r"(?:API_?KEY|PRIVATE_KEY|ACCESS_KEY(?:_ID)?|SECRET\w*|PASSWORD|PASSWD|(?:(?<![A-Z0-9])|_)TOKEN|(?<=[a-z])Token)"
)
_QUOTE: Final = r"\\{0,16}[\"']"

_IN_HEADERS: Final = ("authorization", "api-key", "auth-token", "security-token", "cookie")
_IN_OPTIONS: Final = ("key", "token", "password", "secret")
_IN_VARIABLES: Final = ("api_key", "apikey", "private_key", "access_key", "secret", "password", "passwd", "token")


@dataclass(frozen=True, slots=True)
class _Rule:
    """A rule of masking: each match of `pattern` is replaced by `replacement`.

    Only the lines around `words` are searched, which is fast in a long log. So each match must contain one of the
    words, in any case, begin on the line of that word, and end on that line or one of the next two that are not blank.
    The words are in lower case, and none is empty.
    """

    pattern: re.Pattern[str]
    replacement: str
    words: tuple[str, ...]


_RULES: Final = tuple(
    _Rule(re.compile(pattern), replacement, words)
    for pattern, replacement, words in (
        *((pattern, MASK, words) for pattern, words in zip(KEYS, _IN_KEYS, strict=True)),
        # User information, then the query string, of a URL; and the query string of a path. What they begin with is
        # fixed, and what is before it is looked at then: that is what makes them quick.
        (r"(://)(?<=\w\w://)[^\s/@\"'<>]{1,512}@", rf"\1{MASK}@", ("://",)),
        (r"(://(?<=\w\w://)(?:(?!://)[^\s?\"'<>]){1,2048})\?[^\s\"'<>)]*", rf"\1?{MASK}", ("://",)),
        (rf"( /(?:{_IN_REQUEST})[^\s?\"'<>]{{0,2048}})\?[^\s\"'<>)]*", rf"\1?{MASK}", ("?",)),
        # A header, as one line of HTTP, as JSON, as Python's repr of a pair or of a dictionary.
        (rf"(?i)(b?{_QUOTE}(?:{_HEADERS})b?{_QUOTE}\s*[:,]\s*b?)({_QUOTE})(?:[^\"'\n])*", rf"\1\2{MASK}", _IN_HEADERS),
        (
            rf"(?i)((?<![\w-])(?:{_HEADERS})\s*[:=]\s*)(?!\s*b?{_QUOTE}?\*)[^\s\"',][^\n\"']*",
            rf"\1{MASK}",
            _IN_HEADERS,
        ),
        (
            rf"(?i)({_VARIABLES}{_QUOTE}?\s*[:=]\s*)(?!\s*[\"']?\*)(?:{_QUOTE})?[^\s\"',}}]+",
            rf"\1{MASK}",
            _IN_VARIABLES,
        ),
        # Of a command line: options, and curl's user with the password.
        (r"(?i)(--?[a-z-]*(?:key|token|password|secret)(?:=| +))[^\s\"'*-][^\s\"']*", rf"\1{MASK}", _IN_OPTIONS),
        (r"((?<!\S)(?:-u|--user)(?:=| *)[^\s:\"'/]{1,64}:)[^\s\"']+", rf"\1{MASK}", ("-u", "--user")),
        # Keys of others, which a log of the same program may have: OpenAI's, GitHub's, Slack's and Google's.
        (
            r"\b(?:sk-[A-Za-z0-9_-]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|xox[a-z]-[A-Za-z0-9-]{10,}|AIza[A-Za-z0-9_-]{30,})",
            MASK,
            ("sk-", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "xox", "aiza"),
        ),
        # httpx and h11 quote a header's value that they do not send, most often a key with its newline.
        (r"(Illegal header (?:value|name) )b?(?:'[^'\n]*'?|\"[^\"\n]*\"?)", rf"\1{MASK}", ("illegal header",)),
    )
)

_CONTENT: Final = (
    r"(?:messages|content|text|system|prompt|completion|thinking|partial_json|input|output|arguments|tools|data)"
)
_MEMBER: Final = re.compile(rf"({_QUOTE}){_CONTENT}\1\s*:\s*(?=({_QUOTE}|[\[{{]))")
"""A member of a JSON object or a Python dictionary that may hold a prompt or a reply."""
_ARGUMENTS: Final = "|".join(
    rf"(?<=\b{name}=)"
    for name in ("messages", "content", "text", "system", "prompt", "completion", "thinking", "partial_json")
)
_ARGUMENT: Final = re.compile(rf"()=(?:{_ARGUMENTS})(?=([\"']|[\[{{]))")
"""An argument or field of such a name, apart from `input` and others that are common, as Python shows calls and
objects.
"""
_PEM_HEADERS: Final = r"(?:(?:\s|\\+[nr])*(?:Proc-Type|DEK-Info): ?[A-Za-z0-9,-]*)*"
"""A regular expression for the headers of an encrypted key, which have hyphens. The key itself has none."""
_PEM: Final = re.compile(rf"(-----BEGIN [A-Z ]*PRIVATE KEY-----){_PEM_HEADERS}[^-]*(-----END [A-Z ]*PRIVATE KEY-----)?")
"""A private key. Its last line is kept, so that it ends there also when it is masked again."""
_TRACEBACK: Final = "Traceback (most recent call last)"
_BRACKETS: Final = re.compile(r"[\[\]{}]|\\{0,16}[\"']")
_REACH: Final = re.compile(r"(?:\s*[^\n]+){0,2}")
_GAP: Final = 1000
"""The characters between two places beyond which they are searched separately."""
_STRING_ENDS: Final = {quote: re.compile(rf"(?<!\\){re.escape(quote)}|$", re.MULTILINE) for quote in ("'", '"')}


def redact(text: str) -> str:
    """Returns the text with `MASK` in place of what has the form of a key, password, query string, prompt or reply.

    Keeps what has none of the forms in `_RULES`, `_PEM`, `_MEMBER` and `_ARGUMENT`. Redacting the result again changes
    nothing.
    """
    lower = _lower(text)
    for rule in _RULES:
        for word in rule.words:
            if word in lower:
                replaced = _replaced(rule, text, lower)
                if replaced != text:
                    text, lower = replaced, _lower(replaced)
                break
    if "private key-----" in lower:
        text = _PEM.sub(rf"\1{MASK}\2", text)
    return _without_content(_without_content(text, _MEMBER), _ARGUMENT)


def _lower(text: str) -> str:
    """Returns the text in lower case, with each character at the index that it has in `text`.

    `str.lower` alone turns one character, `İ`, into two.
    """
    return text.replace("\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}", "i").lower()


def _replaced(rule: _Rule, text: str, lower: str) -> str:
    """Returns `text` with the rule applied to the lines where a match may be. `lower` is `text` in lower case."""
    pieces: list[str] = []
    at = 0
    for begin, end in _places(rule.words, lower):
        pieces += [text[at:begin], rule.pattern.sub(rule.replacement, text[begin:end])]
        at = end
    return "".join((*pieces, text[at:]))


def _places(words: tuple[str, ...], lower: str) -> Iterator[tuple[int, int]]:
    """Yields the ranges of `lower` to search, in order, each as the indexes of its begin and its end.

    A range is whole lines: one that contains a word, and all up to the second one after it that is not blank, because a
    match may go on there. Ranges that are at most `_GAP` characters apart become one. A first one that begins at most
    `_GAP` characters after the beginning of `lower` begins there instead.
    """
    begin = end = behind = 0
    for found in re.finditer("|".join(map(re.escape, words)), lower):
        if found.start() < behind:
            continue
        line = lower.rfind("\n", 0, found.start()) + 1
        behind = (lower.find("\n", found.start()) + 1) or len(lower)
        if line - end > _GAP:
            if end:
                yield begin, end
            begin = line
        reach = _REACH.match(lower, behind)
        end = reach.end() if reach is not None else behind
    if end:
        yield begin, end


def _without_content(text: str, member: re.Pattern[str]) -> str:
    """Returns the text with each value masked that may be a prompt or a reply.

    Such a value follows a match of `member`: `_MEMBER` or `_ARGUMENT`, which look for names such as `content`. A value
    that contains a traceback is not masked as a whole: such values inside it are.
    """
    pieces: list[str] = []
    at = 0
    while (found := member.search(text, at)) is not None:
        start, opening = found.end(), found[2]
        end = _end_of_container(text, start) if opening in "[{" else _end_of_string(text, start, opening)
        if _TRACEBACK in text[start:end]:
            # A logger's own member of that name, which holds a traceback and no content. Its inside is searched.
            pieces.append(text[at : start + len(opening)])
            at = start + len(opening)
            continue
        pieces += [text[at:start], MASK if opening in "[{" else opening + MASK + opening]
        at = end
    pieces.append(text[at:])
    return "".join(pieces)


def _end_of_string(text: str, start: int, quote: str) -> int:
    """Returns the index after the closing `quote` of the string whose opening `quote` is at the index `start`.

    If the line has no closing one, returns the index of the line's end.
    """
    ends = _STRING_ENDS.get(quote) or re.compile(rf"(?<!\\){re.escape(quote)}|$", re.MULTILINE)
    found = ends.search(text, start + len(quote))
    return found.end() if found is not None else len(text)


def _end_of_container(text: str, start: int) -> int:
    """Returns the index after the bracket that closes the one at the index `start`. Brackets in strings do not count.

    If the line has no closing one, returns the index of the line's end.
    """
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
