"""Masks the secrets of the environment in the findings, as a second line of defence.

The first one is that no finding is made of a secret. This one also covers a host name or a file name that happens to
repeat one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import unquote

from anthropic_otel.cli.doctor.findings import Finding, Section
from anthropic_otel.cli.redaction import KEYS, MASK

_KEYS: Final = re.compile("|".join(f"(?:{pattern})" for pattern in KEYS).replace("(?i)", ""), re.I)
_SHORTEST: Final = 6
"""The least characters of a secret. A shorter one could be any word."""
_SECRET_WORDS: Final = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL")
_NO_SECRETS: Final = ("_FILE", "_KEY_ID", "CLIENT_KEY")
_HEADERS: Final = "_HEADERS"


class Redaction:
    """Masks the secrets of an environment in texts.

    These are the values of variables whose name contains a word such as KEY or TOKEN (but not of those such as
    `..._FILE`), the values of headers in variables `..._HEADERS`, and the user information, query and fragment of URLs
    in any other. Secrets of fewer than six characters are ignored.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        secrets = {secret for secret in _secrets(environment) if len(secret) >= _SHORTEST}
        # The longest first: one may be a part of another.
        self._secrets: Final = sorted(secrets, key=len, reverse=True)

    def text(self, text: str) -> str:
        """Returns the text with `MASK` in place of each secret, and of whatever looks like a key (`KEYS`)."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return _KEYS.sub(MASK, text)

    def section(self, section: Section) -> Section:
        """Returns a copy of the section in which `text` has masked the texts and remedies of the findings."""
        return replace(section, findings=tuple(self._finding(each) for each in section.findings))

    def _finding(self, finding: Finding) -> Finding:
        return replace(finding, text=self.text(finding.text), remedy=self.text(finding.remedy))


def _secrets(environment: Mapping[str, str]) -> Iterator[str]:
    for name, value in environment.items():
        upper = name.upper()
        if upper.endswith(_HEADERS):
            yield from _of_headers(value)
        elif any(word in upper for word in _SECRET_WORDS) and not upper.endswith(_NO_SECRETS):
            yield from (value, value.strip(), value.strip().strip("\"'"))
        elif "://" in value or "@" in value:
            yield from _of_url(value)


def _of_headers(value: str) -> Iterator[str]:
    """Yields what may be the value of a header, if `value` is that of a variable with headers.

    The SDK's variable has lines `name: value`, OpenTelemetry's have pairs `name=value`, separated by commas. Each line
    is read in both forms, so that a yielded text may be empty, or only a part of a header's value. The value of a pair
    is yielded twice: as it is, and percent-decoded.
    """
    for line in value.splitlines():
        yield line.partition(":")[2].strip()
        for pair in line.split(","):
            yield from (pair.partition("=")[2].strip(), unquote(pair.partition("=")[2].strip()))


def _of_url(value: str) -> Iterator[str]:
    """Yields the user information, and the query with the fragment, of a URL: each whole, and its parts.

    Some are yielded percent-decoded too, and some may be empty. A password may contain an `@` or a `/` that should have
    been escaped.
    """
    user_information = value.rpartition("://")[2].rpartition("@")[0]
    for part in (user_information, *user_information.split(":", 1)):
        yield from (part, unquote(part))
    rest = value.partition("?")[2] or value.partition("#")[2]
    yield rest
    for pair in rest.replace("#", "&").split("&"):
        yield from (pair, pair.partition("=")[2], unquote(pair.partition("=")[2]))
