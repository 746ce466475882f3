"""A host that has more than one address, each of which refuses the connection."""

from __future__ import annotations

import contextlib
import socket
from typing import Any
from urllib.parse import urlsplit

import anthropic
import pytest

from anthropic_otel._core import semconv
from anthropic_otel.simulator import Endpoint, Simulator
from support import identities
from support.apps import SdkApp
from support.driver import Driver
from support.stacks import SDK_STACKS, Stack
from support.telemetry import Telemetry

HOST = "several.example"
ADDRESSES = ("127.0.0.1", "127.0.0.2")


@pytest.fixture
def refusing(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> Endpoint:
    """The host's base URL. Its name is looked up here and nowhere else."""
    original = socket.getaddrinfo
    port = urlsplit(sim.endpoint("connection_refused").base_url).port

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in (HOST, HOST.encode()):
            return original(host, *args, **kwargs)
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (each, port)) for each in ADDRESSES]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return Endpoint(f"http://{HOST}:{port}")


@pytest.mark.parametrize("stack", SDK_STACKS, ids=lambda stack: stack.name)
def test_a_refusal_by_each_of_them_is_one_refusal(stack: Stack, refusing: Endpoint, recorded: Telemetry) -> None:
    """Asynchronous transports try them side by side, and raise an error without a number for all of them."""
    recorded.instrument()
    with Driver(asynchronous=stack.asynchronous) as driver:
        app = SdkApp(stack, refusing, driver, recorded, max_retries=0)
        with contextlib.suppress(anthropic.APIConnectionError):
            app.create()
        app.close()
    [span] = recorded.attempts
    attributes = dict(span.attributes or {})
    assert (attributes[semconv.ERROR_TYPE], attributes[semconv.NETWORK_ERRNO]) == ("connection_refused", "ECONNREFUSED")
    assert attributes[semconv.SERVER_ADDRESS] == HOST
    identities.check(recorded, calls=1)
