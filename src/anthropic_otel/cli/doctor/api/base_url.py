"""Checks the address to which the SDK sends its requests: `ANTHROPIC_BASE_URL`, or else the base URL of its profile.

Rule: of a URL that the SDK can use, scheme, host and port are shown, and no path, which may contain a key. Of any other
one, no more is shown than its scheme or, if it has none and is only a host with or without a port, that.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from anthropic_otel._core.semconv import NetworkCause
from anthropic_otel.cli.doctor.findings import Finding, bad, faults, info, note

NAME: Final = "ANTHROPIC_BASE_URL"
DEFAULT: Final = "https://api.anthropic.com"
_SUBJECT: Final = "Target"
_PROFILE: Final = "the SDK's profile"
_IN_PROFILE: Final = "base_url in the SDK's profile"
_PORTS: Final = {"http": 80, "https": 443}
_NOT_SENT: Final = NetworkCause.REQUEST_NOT_SENT.value
_PATHS: Final = re.compile(r"/v1(/messages)?/?$")
_HOST: Final = re.compile(r"[A-Za-z0-9.-]+(:\d+)?")
_LOOPBACK: Final = re.compile(r"localhost|127\.[0-9.]+|::1")


@dataclass(frozen=True, slots=True)
class Target:
    """The API's address, taken apart. `url` is what the SDK uses and may contain secrets; the rest does not.

    `host` has no brackets, and `port` is the scheme's default if the URL has none.
    """

    url: str
    scheme: str
    host: str
    port: int

    @property
    def shown(self) -> str:
        """The URL of scheme and host, with the port if it is not the scheme's default."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"

    @property
    def is_default(self) -> bool:
        """Whether scheme, host and port are those of Anthropic's own API, not of a gateway or a test server."""
        return self.shown == DEFAULT


def examine(environment: Mapping[str, str], profile_url: str | None = None) -> tuple[Target | None, list[Finding]]:
    """Returns the address that the SDK uses, or `None` if it can send nothing there, and the findings about it.

    The address is `ANTHROPIC_BASE_URL`; if that is not set, `profile_url`, the base URL of the SDK's profile; if that
    is `None` or empty, `DEFAULT`, Anthropic's API. A variable that is set but empty is a fault.
    """
    url, name, source = environment.get(NAME), NAME, NAME
    if url is None and profile_url:
        url, name, source = profile_url, _IN_PROFILE, _PROFILE
    elif url is None:
        url, source = DEFAULT, f"default; {NAME} is not set"
    findings = list(_wrong(url, name))
    target = None if findings else _target(url)
    if target is None:
        return None, findings or [bad(_SUBJECT, f"{name} is not a URL", _example(name), _NOT_SENT)]
    path = urlsplit(url).path.strip("/")
    shown = f"{target.shown} (and a path)" if path else target.shown
    return target, [info(_SUBJECT, f"{shown}   {source}"), *_doubtful(url, name, target)]


def _target(url: str) -> Target | None:
    parts = _split(url)
    if parts is None or parts.hostname is None:
        return None
    return Target(url, parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme])


def _split(url: str) -> SplitResult | None:
    """Returns the parts of the URL; `None` if it cannot be parsed, as for brackets that do not match, or a wrong port.

    A port is wrong if it is no number from 1 to 65535.
    """
    try:
        parts = urlsplit(url)
        return parts if parts.port is None or parts.port else None
    except ValueError:
        return None


def _example(name: str) -> str:
    return f"unset {name}, or set one such as {DEFAULT}" if name == NAME else f"write one such as {DEFAULT} there"


def _has_bad_brackets(url: str) -> bool:
    """Returns whether the URL's host has brackets with anything but an IPv6 address in them.

    `urlsplit` does not say so in every Python that is supported.
    """
    authority = re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0]
    found = re.search(r"\[(.*)\]", authority.rpartition("@")[2])
    if found is None:
        return False
    try:
        ipaddress.IPv6Address(found[1])
    except ValueError:
        return True
    return False


def _wrong(url: str, name: str) -> Iterator[Finding]:
    """Yields the fault that keeps the SDK from sending anything to the URL; nothing if there is none.

    `name` says where the URL is set.
    """
    if not url.strip():
        yield bad(_SUBJECT, f"{name} is set, but empty", f"unset {name}", _NOT_SENT)
    elif url != url.strip() or re.search(r"[\x00-\x20\x7f]", url):
        where = "begins with a blank" if url != url.lstrip() else "ends in a blank or newline"
        text = where if url != url.strip() else "has a blank or control character in it"
        yield bad(_SUBJECT, f"{name} {text}", "take it out", _NOT_SENT)
    elif url[0] in "\"'" or url[-1] in "\"'":
        yield bad(_SUBJECT, f"{name} has quotes around it", "take them off: they are part of the value", _NOT_SENT)
    elif "://" not in url:
        shown = f" ({url})" if _HOST.fullmatch(url) else ""
        remedy = f"{name.partition(' ')[0]}=https://{url}" if shown else _example(name)
        yield bad(_SUBJECT, f"{name} has no https:// in front{shown}", remedy, _NOT_SENT)
    elif (scheme := url.partition("://")[0].lower()) not in _PORTS:
        known = f" ({scheme}://)" if re.fullmatch(r"[a-z][a-z0-9+.-]{0,15}", scheme) else ""
        yield bad(_SUBJECT, f"{name} is neither https:// nor http://{known}", _example(name), _NOT_SENT)
    elif (parts := _split(url)) is None and url.count("[") != url.count("]"):
        yield bad(_SUBJECT, f"{name} has a bracket without its other half", "an IPv6 address is [::1]", _NOT_SENT)
    elif _has_bad_brackets(url):
        text = f"{name} has brackets with no IPv6 address in them"
        yield bad(_SUBJECT, text, "only an IPv6 address has brackets, as in [::1]", _NOT_SENT)
    elif parts is None:
        yield bad(_SUBJECT, f"{name} has a port that is no number from 1 to 65535", _example(name), _NOT_SENT)
    elif not parts.hostname:
        yield bad(_SUBJECT, f"{name} has no host name", _example(name), _NOT_SENT)


def _doubtful(url: str, name: str, target: Target) -> Iterator[Finding]:
    """Yields findings about a URL to which the SDK can send, but probably not as intended, or not without risk.

    The risk is that others read a secret. Yields nothing if there is no doubt about the URL. `name` says where it is
    set.
    """
    parts = urlsplit(url)
    if _PATHS.search(parts.path):
        yield bad(_SUBJECT, f"{name} ends in /v1: the SDK adds /v1/messages to it", "take /v1 off its end")
    if parts.query or parts.fragment:
        yield bad(_SUBJECT, f"{name} has a query or fragment, after which the SDK puts its path", "take it off")
    if parts.username is not None:
        yield note(_SUBJECT, f"{name} has a user name or password in it (not shown)", "a proxy or log may show it")
    if target.scheme == "http" and not _LOOPBACK.fullmatch(target.host):
        yield note(_SUBJECT, "http:// is not encrypted: anyone in between can read the key", "use https://")


def faulty(findings: list[Finding]) -> bool:
    """Returns whether one of the findings is a fault that keeps every request from being sent."""
    return any(finding.cause == _NOT_SENT for finding in faults(findings))
