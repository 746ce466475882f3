"""The second line of defence: every secret of the environment, taken out of whatever is going to be shown.

The first is that no finding is made of a secret in the first place. This one holds also where a host name, a file name
or a message of a library happens to repeat one.
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
"""A secret of fewer characters could be any word."""
_SECRET_WORDS: Final = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL")
_NO_SECRETS: Final = ("_FILE", "_KEY_ID", "CLIENT_KEY")
_HEADERS: Final = "_HEADERS"


class Redaction:
    """What must not be shown of an environment."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        secrets = {secret for secret in _secrets(environment) if len(secret) >= _SHORTEST}
        # The longest first: one may be a part of another.
        self._secrets: Final = sorted(secrets, key=len, reverse=True)

    def text(self, text: str) -> str:
        """The text without any of the secrets, and without whatever looks like a key."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return _KEYS.sub(MASK, text)

    def section(self, section: Section) -> Section:
        """The section without any of the secrets."""
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
    """The values in `name: value` lines, as the SDK has them, and in `name=value` pairs, as OpenTelemetry has them."""
    for line in value.splitlines():
        yield line.partition(":")[2].strip()
        for pair in line.split(","):
            yield from (pair.partition("=")[2].strip(), unquote(pair.partition("=")[2].strip()))


def _of_url(value: str) -> Iterator[str]:
    """User information, query and fragment. A password may hold an `@` or a `/` that should have been quoted."""
    user_information = value.rpartition("://")[2].rpartition("@")[0]
    for part in (user_information, *user_information.split(":", 1)):
        yield from (part, unquote(part))
    rest = value.partition("?")[2] or value.partition("#")[2]
    yield rest
    for pair in rest.replace("#", "&").split("&"):
        yield from (pair, pair.partition("=")[2], unquote(pair.partition("=")[2]))
