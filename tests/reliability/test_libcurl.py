"""An HTTP client whose transport is libcurl's: its failures have the words that they have on httpx's own transport."""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Final

import pytest

from anthropic_otel.simulator import FAULTS, Fault
from reliability import environments

FOLDER: Final = Path(__file__).parent / "libcurl"
REQUIREMENTS: Final = ("anthropic", "httpx-curl-cffi", *environments.WITHOUT_SDK)
TOLD: Final = (
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

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_failure_of_libcurl_has_its_word(kind: str) -> None:
    """By the number that it has for it: before the headers, in a body and in a stream."""
    python = environments.environment("libcurl", REQUIREMENTS, FOLDER / "constraints.txt")
    told = json.loads(environments.run(python, FOLDER / "app.py", kind, *TOLD, *LESS).splitlines()[-1])
    assert {name: words[:3] for name, words in told.items()} == {name: words_of(FAULTS[name]) for name in TOLD} | LESS
    # What breaks a stream reaches the app as libcurl's exception, for which the SDK's own span has this word.
    assert {words[3] for name, words in told.items() if name.startswith("stream_")} == {"client_error"}


def words_of(fault: Fault) -> list[str | None]:
    """Those of the catalogue's entry: `error.type`, cause and phase."""
    return [fault.error_type, *(each.value if isinstance(each, Enum) else each for each in (fault.cause, fault.phase))]
