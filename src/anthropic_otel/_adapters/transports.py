"""What the transport below an HTTP client is: the proxy that it uses, and whether it tells of its events.

Rule: a proxy is one because the transport uses it, and not because a host name differs. What is private in the HTTP
libraries is read through `getattr`; where it is gone, the proxy is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from anthropic_otel._core.guard import guarded

_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


class TransportFacts(NamedTuple):
    """`proxy` is host and port of the proxy, `None` without one. `emits_events` is whether `trace` functions hear."""

    proxy: str | None = None
    emits_events: bool = False


UNKNOWN: Final = TransportFacts()


@guarded(UNKNOWN)
def facts_of(http_client: Any, url: Any) -> TransportFacts:
    """What an HTTP client sends a request to `url` by."""
    transport_for_url = getattr(http_client, "_transport_for_url", None)
    transport = transport_for_url(url) if transport_for_url is not None else None
    pool = getattr(transport, "_pool", None)
    if pool is not None:
        return TransportFacts(_address(getattr(pool, "_proxy_url", None)), emits_events=True)
    # The aiohttp transport is given a proxy of httpx. One of the app's own may wrap another, as to retry or to cache.
    proxies = {*_proxies_of(transport, _MAX_DEPTH)}
    return TransportFacts(proxies.pop() if len(proxies) == 1 else None)


_MAX_DEPTH: Final = 3
_MAX_PARTS: Final = 32
"""How many attributes of a transport are looked at, and items of a list of it. A mock may keep every request."""


def _proxies_of(transport: Any, depth: int) -> Iterator[str | None]:
    """The proxy, or `None`, of each transport that one comes down to."""
    pool = getattr(transport, "_pool", None)
    proxy = getattr(transport, "proxy", None)
    if pool is not None or proxy is not None or depth == 0:
        url = getattr(pool, "_proxy_url", None) if pool is not None else getattr(proxy, "url", None)
        yield _address(url)
        return
    for value in tuple(getattr(transport, "__dict__", {}).values())[:_MAX_PARTS]:
        for inner in value[:_MAX_PARTS] if isinstance(value, (list, tuple)) else (value,):
            if hasattr(type(inner), "handle_request") or hasattr(type(inner), "handle_async_request"):
                yield from _proxies_of(inner, depth - 1)


def _address(url: Any) -> str | None:
    """Host and port of a URL of httpx or httpcore. Its user information is left out."""
    if url is None:
        return None
    host, scheme = _text(url.host), _text(url.scheme)
    if not host:
        return None
    port = url.port or _DEFAULT_PORTS.get(scheme)
    bracketed = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"{bracketed}:{port}" if port is not None else bracketed


def _text(value: bytes | str) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else value
