"""Every fault of the catalogue, met by the real SDK over real sockets, is what its entry says."""

from __future__ import annotations

import errno
import json
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import pytest

from anthropic_otel._core.semconv import NetworkCause
from anthropic_otel.simulator import FAULTS, Endpoint, Fault, Simulator, Where
from anthropic_otel.simulator.actions import Chunks, Raw, Reply
from support.apps import CREDENTIALS
from support.stacks import timeout_for
from support.waiting import collect_garbage

# httpcore does not close the socket when a SOCKS proxy refuses, or is none
_LEAKING = {"proxy_socks", "proxy_socks_none", "proxy_socks_http", "proxy_socks_silent"}
_LEAKS = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
EVERY = [
    pytest.param(
        each,
        id=each.name,
        marks=(
            *((_LEAKS,) if each.name in _LEAKING else ()),
            # The fast tests of the library meet every one of them too.
            *((pytest.mark.slow,) if isinstance(each.action, Chunks | Raw | Reply) and number % 3 else ()),
        ),
    )
    for number, each in enumerate(FAULTS.values())
]

# The reply is whole, and the SDK raises for what a gateway has put behind its end.
_NOT_DECODED = {"stream_named_done_after_end"}

_SYSTEM_CAS = ssl.create_default_context()


class CountingClient(httpx2.Client):
    """Counts attempts: also those that never reach a server."""

    attempts = 0
    status: int | None = None
    has_request_id = False

    def send(self, request: httpx2.Request, **kwargs: Any) -> httpx2.Response:
        self.attempts += 1
        response = super().send(request, **kwargs)
        self.status = response.status_code
        on_bedrock = response.request.url.path.startswith("/model/")
        self.has_request_id = ("x-amzn-requestid" if on_bedrock else "request-id") in response.headers
        return response


@pytest.fixture(scope="module")
def shared() -> Iterator[Simulator]:
    """One simulator for the whole catalogue: its faults must not disturb each other."""
    with Simulator() as simulator:
        yield simulator


def _client(endpoint: Endpoint) -> CountingClient:
    needs = endpoint.needs
    return CountingClient(
        proxy=endpoint.proxy,
        verify=ssl.create_default_context(cafile=endpoint.ca_file) if endpoint.ca_file else _SYSTEM_CAS,
        limits=httpx2.Limits(max_connections=needs.max_connections),
        follow_redirects=needs.follow_redirects,
        timeout=timeout_for(httpx2, endpoint),
    )


def _call(client: anthropic.Anthropic, fault: Fault) -> list[str]:
    """Make the call that meets the fault; return the stream's event types, if it is a stream."""
    content = "x" * max(1, fault.needs.request_bytes)
    arguments: dict[str, Any] = {
        "model": "claude-sonnet-5-5",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": content}],
    }
    if not fault.stream:
        client.messages.create(**arguments)
        return []
    with client.messages.create(**arguments, stream=True) as stream:
        return [event.type for event in stream]


def _errnos(error: BaseException | None) -> set[str]:
    """The names of the system's errors in the chain."""
    names: set[str] = set()
    while error is not None:
        if isinstance(error, socket.gaierror):
            names |= {name for name in dir(socket) if name.startswith("EAI_") and getattr(socket, name) == error.errno}
        elif isinstance(error, OSError) and not isinstance(error, ssl.SSLError) and error.errno:
            names.add(errno.errorcode[error.errno])
        inner = error.args[0] if error.args and isinstance(error.args[0], BaseException) else None
        error = error.__cause__ or inner
    return names


@pytest.mark.parametrize("fault", EVERY)
def test_the_sdk_meets_what_the_catalogue_says(
    fault: Fault, shared: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Failure or success, status, request id, errno and retry are those of the entry."""
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # the SDK's backoff
    endpoint = shared.endpoint(fault)
    error: BaseException | None = None
    with _client(endpoint) as http:
        name = fault.needs.sdk or "Anthropic"
        cls, credentials = getattr(anthropic, name), CREDENTIALS[name]
        sdk = cls(base_url=endpoint.base_url, http_client=http, max_retries=1, **credentials)
        sdk.timeout = http.timeout
        busy = [
            sdk.messages.create(
                model="claude-opus-5", max_tokens=1, messages=[{"role": "user", "content": "hi"}], stream=True
            )
            for _ in range(fault.needs.busy_connections)
        ]
        http.attempts, http.status, http.has_request_id = 0, None, False
        try:
            events = _call(sdk, fault)
        except Exception as raised:
            error = raised
        for stream in busy:
            stream.close()
        assert http.attempts == (2 if fault.retried else 1), error
        _check(fault, http, error, events if error is None else [])
    if fault.name in _LEAKING:
        del error
        collect_garbage()  # here, where the warning is expected


def _check(fault: Fault, http: CountingClient, error: BaseException | None, events: list[str]) -> None:
    if fault.error_type == "unexpected_content":
        # Of some the SDK's own parser says so, from others the app gets text or nothing.
        assert not events
    else:
        silent = fault.error_type is None or fault.cause is NetworkCause.INCOMPLETE_STREAM
        if fault.name in _NOT_DECODED:
            assert isinstance(error, json.JSONDecodeError)
            return
        assert (error is None) == silent
        if fault.stream and silent:
            assert ("message_stop" in events) == (fault.error_type is None)
    if fault.errno and fault.name != "connection_reset_in_request":  # httpcore swallows what the send met
        assert _errnos(error) & set(fault.errno)
    if http.status is not None:  # a body that fails within `send` hides its response from this client
        assert (http.status, http.has_request_id) == (fault.status, fault.request_id)
    if fault.status is not None and fault.status >= 300 and fault.where is not Where.BODY:
        assert isinstance(error, anthropic.APIStatusError)
        assert error.status_code == fault.status
