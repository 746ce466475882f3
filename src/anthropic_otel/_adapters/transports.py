"""Reads the transport below an HTTP client: the proxy that it uses, and whether it reports trace events.

Rule: a proxy is recorded because the transport uses it, and never because a host name differs. What is private in the
HTTP libraries is read through `getattr`; without it the proxy is not known. No method of a client or transport of the
app's own is called: it may choose another proxy at each call.
"""

from __future__ import annotations

import functools
from typing import Any, Final, NamedTuple

from anthropic_otel._core.guard import report

_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


class TransportFacts(NamedTuple):
    """What is known of the transport that sends a request.

    `proxy` is the address of the proxy that it uses, as `_address` returns it; `None` if it uses none, or if that is
    not known. `emits_events` is whether it is known to call the request's `trace` extension.
    """

    proxy: str | None = None
    emits_events: bool = False


UNKNOWN: Final = TransportFacts()


def facts_of(http_client: Any, url: Any) -> TransportFacts:
    """Returns the facts of the transport by which an HTTP client sends a request to `url`. Never raises.

    A transport with a connection pool, as httpx's own, emits events, and has the proxy of its pool. Any other is not
    known to emit events; it and those that it wraps are searched for a proxy (`_proxies_of`). The result is `UNKNOWN`
    if no proxy is found, or not the same one everywhere, if the client's class chooses transports by code of its own,
    and after an error.
    """
    # Guarded in place, as it runs at every send.
    try:
        transport_for_url: Any = getattr(http_client, "_transport_for_url", None)
        if not str(getattr(transport_for_url, "__module__", "")).startswith(_LIBRARIES):
            return UNKNOWN
        transport = transport_for_url(url)
        pool = getattr(transport, "__dict__", {}).get("_pool")
        if pool is not None:
            return TransportFacts(_proxy_of(pool), emits_events=True)
        # A transport of the app may wrap another, to retry or to cache.
        proxies = _proxies_of(transport, _MAX_DEPTH)
        return TransportFacts(proxies.pop()) if len(proxies) == 1 and None not in proxies else UNKNOWN
    except Exception as error:
        report("facts_of", error)
        return UNKNOWN


_LIBRARIES: Final = ("httpx.", "httpx2.")
_MAX_DEPTH: Final = 3
_MAX_PARTS: Final = 32
"""How many attributes of a transport, and how many items of each list, are searched. A mock may keep every request."""


def _proxies_of(transport: Any, depth: int) -> set[str | None]:
    """Returns the proxies of `transport`, each as `host:port`; `None` in the set is for no proxy, or an unknown one.

    A transport with a connection pool, with an attribute `proxy`, or with a connector that has a SOCKS proxy gives its
    own proxy alone. Any other gives those of the transports that it wraps. These are found in its first `_MAX_PARTS`
    attributes, and among as many items of each list and tuple in these, and are searched in the same way, down to
    `depth` levels below `transport`. At the last level one with none of the three gives `None`. The set is empty if
    nothing is found.
    """
    kept = getattr(transport, "__dict__", {})
    pool, proxy = kept.get("_pool"), kept.get("proxy")
    if pool is not None:
        return {_proxy_of(pool)}
    # The aiohttp transport has a `proxy` of httpx, and once it has sent a session of aiohttp, and that a connector.
    session = kept.get("client")
    address = _address(getattr(proxy, "url", None)) if proxy is not None else None
    if address is None and session is not None:
        address = _socks_address(getattr(session, "__dict__", {}).get("_connector"))
    if proxy is not None or address is not None or depth == 0:
        return {address}
    found: set[str | None] = set()
    for value in tuple(kept.values())[:_MAX_PARTS]:
        for inner in value[:_MAX_PARTS] if isinstance(value, (list, tuple)) else (value,):
            cls: Any = type(inner)
            if _is_transport(cls):
                found |= _proxies_of(inner, depth - 1)
    return found


@functools.lru_cache(maxsize=64)
def _is_transport(cls: type[Any]) -> bool:
    """Returns whether objects of `cls` are transports: whether it has one of the methods by which httpx sends.

    Cached: before Python 3.12 it takes two exceptions.
    """
    return hasattr(cls, "handle_request") or hasattr(cls, "handle_async_request")


def _proxy_of(pool: Any) -> str | None:
    """Returns the address of the proxy of a connection pool of httpcore or httpx_socks, `None` without one."""
    url = getattr(pool, "_proxy_url", None)
    return _address(url) if url is not None else _socks_address(pool)


def _socks_address(kept_by: Any) -> str | None:
    """Returns `host:port` of the proxy of a pool of httpx_socks or a connector of aiohttp_socks, else `None`.

    A connector that goes through several proxies in turn has none.
    """
    # Not by attribute, so that no code of its class runs.
    kept = getattr(kept_by, "__dict__", {})
    host = kept.get("_proxy_host")
    return _joined(host, kept.get("_proxy_port")) if isinstance(host, str) else None


def _address(url: Any) -> str | None:
    """Returns `host:port` of a URL of httpx or httpcore, without user information; `None` without a URL or a host.

    Only the host if the URL names no port, and the default port of its scheme is not in `_DEFAULT_PORTS`. An IPv6
    address is in brackets. An international name is encoded for DNS, such as `xn--e1afmkfd.example`.
    """
    if url is None:
        return None
    # httpx decodes an international host name. httpcore has it as it is looked up.
    host, scheme = _text(url.raw_host if hasattr(url, "raw_host") else url.host), _text(url.scheme)
    if not host:
        return None
    return _joined(host, url.port or _DEFAULT_PORTS.get(scheme))


def _joined(host: str, port: int | None) -> str:
    bracketed = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"{bracketed}:{port}" if port is not None else bracketed


def _text(value: bytes | str) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else value
