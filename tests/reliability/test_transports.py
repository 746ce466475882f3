"""HTTP clients with a transport of another library: failures have the words that they have on httpx's own transport."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Final

import pytest

from anthropic_otel.simulator import FAULTS, Fault
from reliability import environments

FOLDER: Final = Path(__file__).parent / "transports"
BY_LIBCURL: Final = (
    *("name_resolution_error", "connect_timeout", "connection_reset", "server_disconnected", "read_timeout"),
    *("protocol_error", "tls_untrusted", "tls_wrong_host", "tls_plain_port", "tls_reset", "raw_header"),
    *("proxy_407", "proxy_502", "proxy_refused", "proxy_silent", "body_reset", "body_cut", "body_cut_chunked"),
    *("body_garbage", "body_timeout", "stream_reset", "stream_cut", "stream_timeout", "stream_garbage"),
)
LESS: Final = {
    # libcurl tells neither the number of the system's error nor how far it had come.
    "connection_refused": ["connection_error", "connection_error", "connect"],
    "tls_timeout": ["connect_timeout", "connect_timeout", "connect"],
}
BY_SOCKS: Final = (
    *("proxy_socks", "proxy_socks_none", "proxy_socks_silent", "proxy_socks_refused"),
    *("proxy_407", "proxy_502", "proxy_403", "proxy_refused", "proxy_unknown_name", "proxy_silent", "proxy_stalled"),
)
THROUGH_SOCKS: Final = (
    "ok",
    "http_529",
    "body_cut",
    "server_disconnected",
    "tls_untrusted",
    "tls_plain_port",
    "tls_closed",
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


PACKAGES: Final = {
    "libcurl": ("anthropic", "httpx-curl-cffi"),
    "socks": ("anthropic[aiohttp]", "httpx-socks[asyncio]", "aiohttp-socks"),
}
"""By the name of the environment, which has two of the libraries."""


def told_of(library: str, kind: str, *faults: str) -> dict[str, list[str | None]]:
    """By fault: `error.type`, cause and phase of its attempt, the `error.type` of its call, if its proxy is told."""
    name = library.rpartition("_")[2]
    requirements = (*PACKAGES[name], *environments.WITHOUT_SDK)
    python = environments.environment(name, requirements, FOLDER / f"{name}.txt")
    printed = environments.run(python, FOLDER / "app.py", library, kind, *faults)
    told: dict[str, list[str | None]] = json.loads(printed.splitlines()[-1])
    return told


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_failure_of_libcurl_has_its_word(kind: str) -> None:
    """By the number that it has for it: before the headers, in a body and in a stream."""
    told = told_of("libcurl", kind, *BY_LIBCURL, *LESS)
    expected = {name: words_of(FAULTS[name]) for name in BY_LIBCURL} | LESS
    assert {name: words[:3] for name, words in told.items()} == expected
    # What breaks a stream reaches the app as libcurl's exception, for which the SDK's own span has this word.
    assert {words[3] for name, words in told.items() if name.startswith("stream_")} == {"client_error"}


@pytest.mark.parametrize(("library", "kind"), [("socks", "sync"), ("socks", "async"), ("aiohttp_socks", "async")])
def test_a_failure_with_a_proxy_of_python_socks_has_its_word(library: str, kind: str) -> None:
    """Of the proxy or behind it: no event tells that a connection is made, but the phase is known, and the proxy is."""
    told = told_of(library, kind, *BY_SOCKS, *THROUGH_SOCKS)
    expected = {name: words_of(FAULTS[name]) for name in (*BY_SOCKS, *THROUGH_SOCKS)}
    assert {name: words[:3] for name, words in told.items()} == expected
    assert [name for name, words in told.items() if not words[4]] == []


def words_of(fault: Fault) -> list[str | None]:
    """Those of the catalogue's entry: `error.type`, cause and phase."""
    return [fault.error_type, *(each.value if isinstance(each, Enum) else each for each in (fault.cause, fault.phase))]
