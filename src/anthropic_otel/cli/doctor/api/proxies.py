"""Checks which proxy the SDK's client uses, and the variables that set it.

The HTTP libraries use `HTTPS_PROXY` for https, `HTTP_PROXY` for http, and `ALL_PROXY` for a scheme without a variable
of its own. Lower-case names take precedence over upper-case ones. `NO_PROXY` lists exceptions. All of them are read
when a client is constructed, so a malformed one breaks every client, even if the client would use another one.

Rule: the proxy is the one that the client itself would use. User name and password are not shown.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from anthropic_otel._core.semconv import NetworkCause
from anthropic_otel.cli.doctor.api.base_url import Target
from anthropic_otel.cli.doctor.findings import Finding, bad, info, note

SUBJECT: Final = "Proxy"
_NOT_SENT: Final = NetworkCause.REQUEST_NOT_SENT.value
_SCHEMES: Final = ("http", "https", "all")
_SOCKS: Final = ("socks5", "socks5h")
_KNOWN: Final = ("http", "https", *_SOCKS)
_PORTS: Final = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
_EXAMPLE: Final = "one such as http://proxy.example:3128"
EXCEPTIONS: Final = ("no_proxy", "NO_PROXY")
_PLAIN: Final = re.compile(r"\*|(?:\*?\.)?[A-Za-z0-9_.-]+(?::\d+)?")


def wrong(environment: Mapping[str, str]) -> list[Finding]:
    """Returns a fault for each variable with a proxy that keeps a client of the SDK from being constructed."""
    return [finding for name, value in _variables(environment) for finding in _wrong(name, value)]


def unusable(environment: Mapping[str, str]) -> list[str]:
    """Returns the names of the variables with a proxy that keep a client of the SDK from being constructed."""
    return [name for name, value in _variables(environment) if any(_wrong(name, value))]


def readable_exceptions(value: str) -> list[str]:
    """Returns the entries of `value`, a `NO_PROXY`, that every version of the SDK can read, each stripped."""
    return [entry for entry in _entries(value) if _is_readable(entry)]


def unreadable_exceptions(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yields a fault for each entry of `no_proxy` and of `NO_PROXY` that some versions of the SDK cannot read.

    Other versions can, so call this only if a client could not be constructed.
    """
    for name in EXCEPTIONS:
        for entry in _entries(environment.get(name, "")):
            if not _is_readable(entry):
                shown = f": {entry}" if entry.isprintable() and len(entry) < _LONGEST else ""
                text = f"{name} has an entry that the SDK cannot read{shown}"
                yield bad(SUBJECT, text, "a host such as .example.com, or an address without brackets", _NOT_SENT)


_LONGEST: Final = 60


def _entries(value: str) -> list[str]:
    return [entry.strip() for entry in value.split(",") if entry.strip()]


def _is_readable(entry: str) -> bool:
    try:
        return bool(_PLAIN.fullmatch(entry) or ip_address(entry))
    except ValueError:
        pass
    try:
        return ip_network(entry, strict=False).version == 4
    except ValueError:
        return False


def examine(environment: Mapping[str, str], target: Target, used: str | None) -> list[Finding]:
    """Returns a finding with the proxy that is used, or why none is, and notes about doubtful variables.

    `used` is the proxy that the client uses, as `host:port`; `None` for none. Doubtful are two spellings of a variable
    with different values, and `https://` for the proxy that is used.
    """
    return [_used(environment, target, used), *_doubtful(environment, used)]


def name_of(environment: Mapping[str, str], target: Target, used: str | None) -> str:
    """Returns the name of the variable that sets the proxy `used`, a `host:port`; if several do, the one read first.

    Returns `HTTPS_PROXY` if no variable does, or `used` is `None`.
    """
    variables = _variables(environment, target.scheme)
    return next((name for name, value in variables if used and _parsed(value)[1] == used), "HTTPS_PROXY")


def _variables(environment: Mapping[str, str], first: str = "http") -> Iterator[tuple[str, str]]:
    """Yields name and value of each variable with a proxy that is not empty, in the order in which a client reads them.

    `first` is the scheme of the URL to which the client sends: its variables come first, then those for all schemes,
    then those for the other scheme. Of two spellings, both are yielded, the one in lower case first.
    """
    for scheme in sorted(_SCHEMES, key=lambda each: (each != first, each != "all")):
        for name in (f"{scheme}_proxy", f"{scheme}_proxy".upper()):
            if environment.get(name):
                yield name, environment[name]


def _parsed(value: str) -> tuple[str, str | None]:
    """Returns a proxy's scheme and its `host:port`; instead of the latter `None` if `value` has no host.

    Without a scheme, `http` is assumed, and without a port the scheme's default: 80 if the scheme is no proxy's. For a
    value that cannot be parsed, returns an empty scheme and `None`.
    """
    url = value if "://" in value else f"http://{value}"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "", None
    if not host:
        return parts.scheme, None
    bracketed = f"[{host}]" if ":" in host else host
    return parts.scheme, f"{bracketed}:{port or _PORTS.get(parts.scheme, 80)}"


def _wrong(name: str, value: str) -> Iterator[Finding]:
    scheme, address = _parsed(value)
    if any(character.isspace() or not character.isprintable() for character in value):
        yield bad(SUBJECT, f"{name} has a blank or newline in it", "take it out", _NOT_SENT)
    elif value[0] in "\"'":
        yield bad(SUBJECT, f"{name} has quotes around it", "take them off: they are part of the value", _NOT_SENT)
    elif scheme and scheme not in _KNOWN:
        remedy = "http:// for an HTTP proxy, socks5:// for a SOCKS one"
        yield bad(SUBJECT, f"{name} is not a proxy that the SDK can use ({scheme}://)", remedy, _NOT_SENT)
    elif address is None:
        yield bad(SUBJECT, f"{name} is not the URL of a proxy", _EXAMPLE, _NOT_SENT)
    elif scheme in _SOCKS and importlib.util.find_spec("socksio") is None:
        yield bad(SUBJECT, f"{name} is a SOCKS proxy, for which a package is missing", "pip install socksio", _NOT_SENT)


def _used(environment: Mapping[str, str], target: Target, used: str | None) -> Finding:
    variables = list(_variables(environment, target.scheme))
    if used is None:
        return info(SUBJECT, f"none{_why_none(environment, target, [name for name, _ in variables])}")
    for name, value in variables:
        scheme, address = _parsed(value)
        if address == used:
            hidden = " (user and password not shown)" if "@" in value else ""
            return info(SUBJECT, f"{scheme}://{used}{hidden}   {name}")
    return info(SUBJECT, f"{used}   the system's settings")


def _why_none(environment: Mapping[str, str], target: Target, names: list[str]) -> str:
    own = [name for name in names if name.lower() in (f"{target.scheme}_proxy", "all_proxy")]
    if own:
        return f": NO_PROXY excepts {target.host} from {own[0]}"
    return f": {names[0]} is not for {target.scheme}://" if names else ""


def _doubtful(environment: Mapping[str, str], used: str | None) -> Iterator[Finding]:
    for scheme in _SCHEMES:
        small, capital = f"{scheme}_proxy", f"{scheme}_proxy".upper()
        both = environment.get(small), environment.get(capital)
        if all(both) and both[0] != both[1]:
            yield note(SUBJECT, f"{small} and {capital} differ: {small} is used", "unset one of them")
    for name, value in _variables(environment):
        scheme, address = _parsed(value)
        if address == used and used is not None and scheme == "https":
            yield note(SUBJECT, f"{name} asks for TLS to the proxy itself", "most proxies want http:// there")
