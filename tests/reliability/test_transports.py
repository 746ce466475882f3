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

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def told_of(library: str, package: str, kind: str, *faults: str) -> dict[str, list[str | None]]:
    """By fault: `error.type`, cause and phase of its attempt, and the `error.type` of its call."""
    requirements = ("anthropic", package, *environments.WITHOUT_SDK)
    python = environments.environment(library, requirements, FOLDER / f"{library}.txt")
    printed = environments.run(python, FOLDER / "app.py", library, kind, *faults)
    told: dict[str, list[str | None]] = json.loads(printed.splitlines()[-1])
    return told


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_failure_of_libcurl_has_its_word(kind: str) -> None:
    """By the number that it has for it: before the headers, in a body and in a stream."""
    told = told_of("libcurl", "httpx-curl-cffi", kind, *BY_LIBCURL, *LESS)
    expected = {name: words_of(FAULTS[name]) for name in BY_LIBCURL} | LESS
    assert {name: words[:3] for name, words in told.items()} == expected
    # What breaks a stream reaches the app as libcurl's exception, for which the SDK's own span has this word.
    assert {words[3] for name, words in told.items() if name.startswith("stream_")} == {"client_error"}


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_failure_of_a_proxy_of_python_socks_has_its_word(kind: str) -> None:
    """httpx-socks connects by it, and reports no event before it has a connection: the phase is that all the same."""
    told = told_of("socks", "httpx-socks[asyncio]", kind, *BY_SOCKS)
    assert {name: words[:3] for name, words in told.items()} == {name: words_of(FAULTS[name]) for name in BY_SOCKS}


def words_of(fault: Fault) -> list[str | None]:
    """Those of the catalogue's entry: `error.type`, cause and phase."""
    return [fault.error_type, *(each.value if isinstance(each, Enum) else each for each in (fault.cause, fault.phase))]
