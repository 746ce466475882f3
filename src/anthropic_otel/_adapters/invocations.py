"""What an SDK method was called with, as far as it may be recorded.

The rule: what is the same for two calls is looked up once. A client's base URL is compared by identity at each call, as
an app may set another one; its `open_telemetry` option cannot be set after the client is made.

What is private in the SDK is read through `getattr` with what is left when it is gone.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from typing import Any, Final

from anthropic_otel._core.call import Invocation
from anthropic_otel._core.operations import UNKNOWN, operation_of

_SPAN_PREFIX: Final = "anthropic."
_UNCAPPED_RETRY_AFTER: Final = (1, 6)
_CAPPED_RETRY_AFTER_SECONDS: Final = 60.0
_MOST_KEPT: Final = 64


class _Client:
    """What is the same for the calls of one SDK client, and the invocations that were made of it."""

    __slots__ = ("address", "base_url", "kept", "port", "propagates", "this", "traced")

    def __init__(self, client: Any, forget: Callable[[Any], None]) -> None:
        self.this = weakref.ref(client, forget)
        self.base_url = getattr(client, "base_url", None)
        self.address = getattr(self.base_url, "host", None)
        self.port = _port(self.base_url)
        self.traced, self.propagates = _tracing_of(client)
        self.kept: dict[tuple[Any, ...], Invocation] = {}


class Invocations:
    """Makes an `Invocation` of each call; calls that differ in nothing that is recorded share one."""

    def __init__(self, sdk_version: str) -> None:
        self._longest: Final = _longest_retry_after(sdk_version)
        # By `id`: a client class may define equality, and then has no hash.
        self._clients: Final[dict[int, _Client]] = {}

    def of(self, client: Any, options: Any, stream: bool) -> Invocation:
        """The invocation that `options`, the SDK's request options, stand for."""
        facts = self._clients.get(id(client))
        if facts is None or facts.this() is not client or facts.base_url is not getattr(client, "base_url", None):
            facts = self._meet(client)
        span_name = getattr(options, "span_name", None)
        operation = span_name or _operation(options)
        body, own = getattr(options, "json_data", None), getattr(options, "max_retries", None)
        # Most often a dictionary, of which `isinstance` would take longer to find out.
        model = body.get("model") if type(body) is dict or isinstance(body, Mapping) else None
        most = own if isinstance(own, int) else getattr(client, "max_retries", None)
        key = (
            *(operation, not span_name, model if isinstance(model, str) else None, stream),
            most if isinstance(most, int) else None,
        )
        found = facts.kept.get(key)
        if found is None:
            if len(facts.kept) >= _MOST_KEPT:
                facts.kept.clear()
            found = facts.kept[key] = self._make(facts, *key)
        return found

    def _meet(self, client: Any) -> _Client:
        number, clients = id(client), self._clients

        def forget(gone: Any) -> None:
            facts = clients.get(number)
            if facts is not None and facts.this is gone:
                clients.pop(number, None)

        facts = clients[number] = _Client(client, forget)
        return facts

    def _make(
        self, facts: _Client, operation: str | None, nameless: bool, model: str | None, stream: bool, most: int | None
    ) -> Invocation:
        return Invocation(
            operation=operation.removeprefix(_SPAN_PREFIX) if operation else None,
            model=model,
            stream=stream,
            address=facts.address,
            port=facts.port,
            max_retries=most,
            # The SDK makes no span for a request that none of its own methods made.
            traced_by_sdk=facts.traced and not nameless,
            propagates=facts.propagates,
            longest_retry_after=self._longest,
        )


def _operation(options: Any) -> str | None:
    """The operation that the SDK method asks for, also where the platform sends it to another URL."""
    method, url = getattr(options, "method", None), getattr(options, "url", None)
    if not isinstance(method, str) or not isinstance(url, str):
        return None
    operation = operation_of(method, url.partition("?")[0])
    return operation.name if operation is not UNKNOWN else None


def _port(base_url: Any) -> int | None:
    if base_url is None:
        return None
    port: int | None = base_url.port
    return port if port is not None else 80 if base_url.scheme == "http" else 443


def _tracing_of(client: Any) -> tuple[bool, bool]:
    """Whether the SDK traces the client's calls itself, and whether it may send trace context."""
    options = getattr(client, "open_telemetry", None)
    if not isinstance(options, Mapping):
        return False, True
    traces = options.get("traces")
    return bool(isinstance(traces, Mapping) and traces.get("enabled")), options.get("propagation") is not False


def _longest_retry_after(version: str) -> float:
    """Up to 1.5 the SDK ignores a `retry-after` of more than a minute."""
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    return float("inf") if numbers >= _UNCAPPED_RETRY_AFTER else _CAPPED_RETRY_AFTER_SECONDS
