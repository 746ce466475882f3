"""An app whose HTTP client sends by a transport of another library. Prints as JSON what is recorded of each fault.

    python app.py libcurl|socks|aiohttp_socks sync|async FAULT...

Each is met by a call, by a stream if it strikes there. With a SOCKS library, what is no fault of a proxy is met through
one that lets its clients through.

Rule: `httpx-curl-cffi`, `httpx-socks` or aiohttp with `aiohttp-socks` takes the place of httpx's own transport, and
nothing else is changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import ssl
import sys
from typing import Any, Final
from urllib.parse import urlsplit

import anthropic

from anthropic_otel.simulator import FAULTS, Endpoint, Fault, Simulator, Where
from anthropic_otel.testing import capture
from support.tunnel import Tunnel

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


def transport_for(library: str, endpoint: Endpoint, proxy_url: str | None, *, asynchronous: bool) -> Any:
    """A transport of that library, by the proxy if there is one."""
    if library == "socks":
        socks = importlib.import_module("httpx_socks")
        cls = socks.AsyncProxyTransport if asynchronous else socks.SyncProxyTransport
        return cls.from_url(proxy_url, verify=ssl.create_default_context(cafile=endpoint.ca_file))
    if library == "aiohttp_socks":
        aiohttp, connector = importlib.import_module("aiohttp"), importlib.import_module("aiohttp_socks").ProxyConnector
        tls = ssl.create_default_context(cafile=endpoint.ca_file)
        session = aiohttp.ClientSession(connector=connector.from_url(proxy_url, ssl=tls))
        return importlib.import_module("httpx_aiohttp").AiohttpTransport(client=session)
    curl = importlib.import_module("httpx_curl_cffi")
    proxy = {"proxy": proxy_url} if proxy_url else {}
    cls = curl.AsyncCurlTransport if asynchronous else curl.CurlTransport
    return cls(verify=endpoint.ca_file or True, **proxy)


def meet(library: str, fault: Fault, endpoint: Endpoint, proxy: str | None) -> None:
    """Meets it by a sync client."""
    timeout = timeout_for(fault)
    http = httpx.Client(transport=transport_for(library, endpoint, proxy, asynchronous=False), timeout=timeout)
    with anthropic.Anthropic(api_key="none", base_url=endpoint.base_url, http_client=http, max_retries=0) as client:
        client = client.with_options(timeout=timeout)
        if fault.where is Where.STREAM:
            for _ in client.messages.create(stream=True, **REQUEST):
                pass
        else:
            client.messages.create(**REQUEST)


async def ameet(library: str, fault: Fault, endpoint: Endpoint, proxy: str | None) -> None:
    """Meets it by an async client."""
    timeout = timeout_for(fault)
    http = httpx.AsyncClient(transport=transport_for(library, endpoint, proxy, asynchronous=True), timeout=timeout)
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
    with Simulator() as sim, Tunnel() as tunnel:
        for name in names:
            fault = FAULTS[name]
            endpoint = sim.endpoint(fault)
            proxy = endpoint.proxy or (tunnel.socks_url if "socks" in library else None)
            with capture() as captured, contextlib.suppress(Exception):
                if kind == "async":
                    asyncio.run(ameet(library, fault, endpoint, proxy))
                else:
                    meet(library, fault, endpoint, proxy)
            [call] = captured.calls
            [attempt] = call.attempts
            known = proxy is not None and attempt.proxy_address == urlsplit(proxy).netloc.rpartition("@")[2]
            told[name] = [attempt.error_type, attempt.cause, attempt.phase, call.error_type, known]
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
