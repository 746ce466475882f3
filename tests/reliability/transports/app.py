"""An app whose HTTP client sends by a transport of another library. Prints as JSON what is recorded of each fault.

    python app.py libcurl|socks sync|async FAULT...

Each is met by a call, by a stream if it strikes there.

Rule: `httpx-curl-cffi` or `httpx-socks` takes the place of httpx's own transport, and nothing else is changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import ssl
import sys
from typing import Any, Final

import anthropic

from anthropic_otel.simulator import FAULTS, Endpoint, Fault, Simulator, Where
from anthropic_otel.testing import capture

httpx: Final[Any] = importlib.import_module("httpx")

REQUEST: Final[dict[str, Any]] = {
    "model": "claude-opus-4-8",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "hi"}],
}
PATIENCE: Final = 20.0
"""The seconds of a timeout that never strikes."""


def timeout_for(fault: Fault) -> Any:
    """Short where the fault is to be met by it. libcurl's limit of a whole transfer is the sum of both."""
    needs = fault.needs
    return httpx.Timeout(
        PATIENCE,
        connect=needs.connect_timeout or (2 if needs.read_timeout else PATIENCE),
        read=needs.read_timeout or PATIENCE,
    )


def transport_for(library: str, endpoint: Endpoint, *, asynchronous: bool) -> Any:
    """A transport of that library, by the endpoint's proxy if it has one."""
    if library == "socks":
        socks = importlib.import_module("httpx_socks")
        cls = socks.AsyncProxyTransport if asynchronous else socks.SyncProxyTransport
        return cls.from_url(endpoint.proxy, verify=ssl.create_default_context(cafile=endpoint.ca_file))
    curl = importlib.import_module("httpx_curl_cffi")
    proxy = {"proxy": endpoint.proxy} if endpoint.proxy else {}
    cls = curl.AsyncCurlTransport if asynchronous else curl.CurlTransport
    return cls(verify=endpoint.ca_file or True, **proxy)


def meet(library: str, fault: Fault, endpoint: Endpoint) -> None:
    """Meets it by a sync client."""
    timeout = timeout_for(fault)
    http = httpx.Client(transport=transport_for(library, endpoint, asynchronous=False), timeout=timeout)
    with anthropic.Anthropic(api_key="none", base_url=endpoint.base_url, http_client=http, max_retries=0) as client:
        client = client.with_options(timeout=timeout)
        if fault.where is Where.STREAM:
            for _ in client.messages.create(stream=True, **REQUEST):
                pass
        else:
            client.messages.create(**REQUEST)


async def ameet(library: str, fault: Fault, endpoint: Endpoint) -> None:
    """Meets it by an async client."""
    timeout = timeout_for(fault)
    http = httpx.AsyncClient(transport=transport_for(library, endpoint, asynchronous=True), timeout=timeout)
    async with anthropic.AsyncAnthropic(
        api_key="none", base_url=endpoint.base_url, http_client=http, max_retries=0
    ) as client:
        client = client.with_options(timeout=timeout)
        if fault.where is Where.STREAM:
            async for _ in await client.messages.create(stream=True, **REQUEST):
                pass
        else:
            await client.messages.create(**REQUEST)


def main(library: str, kind: str, names: list[str]) -> None:
    told: dict[str, Any] = {}
    with Simulator() as sim:
        for name in names:
            fault = FAULTS[name]
            with capture() as captured, contextlib.suppress(Exception):
                if kind == "async":
                    asyncio.run(ameet(library, fault, sim.endpoint(fault)))
                else:
                    meet(library, fault, sim.endpoint(fault))
            [call] = captured.calls
            [attempt] = call.attempts
            told[name] = [attempt.error_type, attempt.cause, attempt.phase, call.error_type]
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
