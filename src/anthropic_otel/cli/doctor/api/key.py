"""Checks the API key, the token and the custom headers in the environment: whether they can be sent and can be valid.

The HTTP libraries refuse to send a control character or a blank at the end (`request_not_sent`). Their exception quotes
the whole key, and the SDK reports it as "Connection error.", which is how keys get into logs.

Rule: of a value only its length is shown, what kind of mistake is in it and where, and the code point of a character
that is not ASCII, which is in no key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from anthropic_otel._core.semconv import NetworkCause
from anthropic_otel.cli.doctor.findings import Finding, bad, info, note

KEY: Final = "ANTHROPIC_API_KEY"
TOKEN: Final = "ANTHROPIC_AUTH_TOKEN"
HEADERS: Final = "ANTHROPIC_CUSTOM_HEADERS"
_SUBJECT: Final = "Key"
_NOT_SENT: Final = NetworkCause.REQUEST_NOT_SENT.value
_SAYS: Final = 'the SDK will say "Connection error."'
_ROTATE: Final = "rotate it if it was logged"
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TEMPLATE: Final = re.compile(r"\$[({A-Za-z]|%[A-Za-z_]+%|<.*>|\{\{|\.\.\.|…")
_WORDS: Final = re.compile(r"your|xxx|change.?me|placeholder|insert", re.I)
_SHORT: Final = 40
"""Only a shorter value is searched for `_WORDS`: among the some 100 characters of a key they may be by chance."""


def examine(environment: Mapping[str, str], *, to_the_api: bool) -> list[Finding]:
    """Returns the findings about the variables with the key, the token and the custom headers.

    `to_the_api` is whether they are sent to Anthropic's own API, not to a gateway whose keys may look different.
    """
    findings = list(_key_and_token(environment, to_the_api))
    findings += _headers(environment.get(HEADERS))
    return findings


def _key_and_token(environment: Mapping[str, str], to_the_api: bool) -> Iterator[Finding]:
    given = [name for name in (KEY, TOKEN) if environment.get(name)]
    for name in (KEY, TOKEN):
        if environment.get(name) == "":
            yield note(_SUBJECT, f"{name} is set, but empty", f"set it, or unset {name}")
    for name in given:
        value = environment[name]
        yield info(_SUBJECT, f"{name}, {len(value)} characters")
        yield from _wrong(name, value, to_the_api)
    if len(given) > 1:
        yield note(_SUBJECT, f"{TOKEN} is set beside {KEY}", "unset one: versions of the SDK differ in which they send")
    if not given:
        yield info(_SUBJECT, f"neither {KEY} nor {TOKEN} is set here")


def _wrong(name: str, value: str, to_the_api: bool) -> Iterator[Finding]:
    if not value.strip():
        yield bad(_SUBJECT, f"{name} is blank: {_SAYS}", "set a key", _NOT_SENT)
        return
    if value != value.rstrip():
        end = "newline" if value[-1] in "\r\n" else "blank"
        yield bad(_SUBJECT, f"ends in a {end}: {_SAYS}", f"strip it; {_ROTATE}", _NOT_SENT)
    elif match := _CONTROL.search(value):
        what = "line break" if match.group() in "\r\n" else "control character"
        where = f"has a {what} at {match.start() + 1} of {len(value)}"
        yield bad(_SUBJECT, f"{where}: {_SAYS}", f"is it two keys, or a file? {_ROTATE}", _NOT_SENT)
    core = value.strip()
    if value != value.lstrip():
        yield bad(_SUBJECT, "begins with a space, which is sent as part of it", "strip it")
    if core[0] in "\"'`" or core[-1] in "\"'`":
        yield bad(
            _SUBJECT,
            "has quotes around it, which are sent as part of it",
            "take them off (docker's --env-file keeps them)",
        )
    if not core.isascii():
        place = next(number for number, character in enumerate(value, 1) if not character.isascii())
        text = f"has a character that no key has, at {place} of {len(value)} (U+{ord(value[place - 1]):04X})"
        yield bad(_SUBJECT, text, "copy it again from the Console: a word processor has changed it")
    if core.lower().startswith("bearer "):
        yield bad(_SUBJECT, 'begins with "Bearer ", which the SDK adds by itself', 'take "Bearer " off')
    elif _TEMPLATE.search(core) or (len(core) < _SHORT and _WORDS.search(core)):
        yield bad(_SUBJECT, "looks like a placeholder", "set the key itself")
    elif name == KEY and core.startswith("sk-ant-admin"):
        yield bad(_SUBJECT, "is an admin key, which the Messages API does not take", "use a key of a workspace")
    elif name == KEY and to_the_api and not core.strip("\"'`").startswith("sk-ant-"):
        yield note(_SUBJECT, "does not begin with sk-ant-, as the API's keys do", "is it another service's?")


def _headers(value: str | None) -> Iterator[Finding]:
    """Yields a finding with the number of lines of `value`, and a fault for each that is skipped or cannot be sent.

    `value` is that of `ANTHROPIC_CUSTOM_HEADERS`, which has one header per line. Blank lines do not count. Yields
    nothing if all are blank, or `value` is `None`.
    """
    if not value or not value.strip():
        return
    lines = [line for line in value.split("\n") if line.strip()]
    yield info("Headers", f"{HEADERS}, {len(lines)} line{'s' * (len(lines) != 1)} (values not shown)")
    for number, line in enumerate(lines, 1):
        name, colon, content = line.partition(":")
        where = f"line {number} of {HEADERS}"
        if not colon:
            yield bad("Headers", f"{where} has no colon: the SDK skips it", "write it as Name: value")
        elif not _NAME.fullmatch(name.strip()):
            yield bad("Headers", f"{where}: its name is not one of a header: {_SAYS}", "fix the name", _NOT_SENT)
        elif _CONTROL.search(content.strip()):
            yield bad("Headers", f"{where} has a control character: {_SAYS}", "take it out", _NOT_SENT)
