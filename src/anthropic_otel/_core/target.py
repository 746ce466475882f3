"""Makes the target of a request: the facts of its URL that may be recorded.

Rule: a URL enters here in parts, so that user information, query and fragment cannot leave. What a gateway has in front
of an operation's path cannot leave either, as it may have a key in it. A path of no operation leaves only if it is
empty or `/`, or if the host is the API's own.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

from anthropic_otel._core import semconv
from anthropic_otel._core.invocation import ANTHROPIC
from anthropic_otel._core.operations import MAX_KEPT, PREFIX, Operation, operation_of

_MAX_HOST: Final = 255
_API: Final = "api.anthropic.com"
_REDACTED: Final = "REDACTED"
"""The word that the HTTP conventions put in place of a secret in a URL."""
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY"})
"""The methods that the HTTP conventions list. Any other is recorded as `_OTHER`, and as `HTTP` in a span's name."""


@dataclass(frozen=True, eq=False)
class Target:
    """The destination of a request. Attempts with the same one mostly share it. It is compared by identity.

    - `method`: as it was sent.
    - `operation`: the operation's name, `_OTHER` for a method and path that no operation has. `template`: its path with
      placeholders, `None` without an operation.
    - `address`: the host, cut to 255 characters. `port`: also where it is the scheme's default.
    - `span_name`: the name of the attempt's span.
    - `attributes`: the span attributes of the method, the URL and the operation. Not to be changed, as they are shared
      too.
    """

    method: str
    operation: str
    template: str | None
    address: str
    port: int
    span_name: str
    attributes: dict[str, str | int]


def target_of(method: str, scheme: str, host: str, port: int | None, path: str) -> Target:
    """Returns the target of a request. Raises only where `operation_of` does.

    `port` is `None` for the scheme's default: 443 for `https`, 80 for any other. `path` is percent-encoded and without
    a query.
    """
    known = _kept if len(method) + len(host) + len(path) <= MAX_KEPT else _make
    return known(method, scheme, host, port, path)


def _make(method: str, scheme: str, host: str, port: int | None, path: str) -> Target:
    host = host[:_MAX_HOST]
    operation = operation_of(method, path)
    number = port if port is not None else 443 if scheme == "https" else 80
    bracketed = f"[{host}]" if ":" in host else host
    authority = bracketed if port is None else f"{bracketed}:{port}"
    attributes: dict[str, str | int] = {
        semconv.HTTP_REQUEST_METHOD: method if method in _METHODS else semconv.OTHER,
        semconv.SERVER_ADDRESS: host,
        semconv.SERVER_PORT: number,
        semconv.URL_FULL: f"{scheme}://{authority}{_shown(path, operation, host)}"[:MAX_KEPT],
        semconv.OPERATION_NAME: operation.name,
    }
    if operation.template is not None:
        attributes[semconv.URL_TEMPLATE] = operation.template
    verb = method if method in _METHODS else "HTTP"
    name = f"{verb} {operation.template}" if operation.template is not None else verb
    return Target(method, operation.name, operation.template, host, number, name, attributes)


def _shown(path: str, operation: Operation, host: str) -> str:
    """Returns the path as it may be recorded, with `REDACTED` for what may hold a key.

    - The path of an operation is kept, but on any host `REDACTED` stands for what a gateway has in front of it. A
      prefix `/anthropic` is kept.
    - For the path of no operation `REDACTED` stands as a whole. It is kept if it is empty or `/`, or if `host` is the
      API's own.
    """
    template = operation.template
    if template is None:
        return path if path in ("", "/") or host == _API else f"/{_REDACTED}"
    if not template.startswith(PREFIX):
        return path
    number = len(template.split("/")) - 1
    return "/".join((f"/{_REDACTED}", *path.strip("/").split("/")[-number:]))


_kept: Final = functools.lru_cache(maxsize=512)(_make)


def provider_of(target: Target) -> str:
    """Returns the `gen_ai.provider.name` of a request by its URL alone, where no SDK client tells it.

    `aws.bedrock` or `gcp.vertex_ai` for a template of theirs, `aws.bedrock` too for the host of Bedrock that has the
    API's own routes. `anthropic` for any other.
    """
    if target.address.startswith(_MANTLE):
        return _BEDROCK
    template = target.template or ""
    return next((provider for part, provider in _PROVIDERS if part in template), ANTHROPIC)


_BEDROCK: Final = "aws.bedrock"
_MANTLE: Final = "bedrock-mantle."
"""The beginning of the host that the SDK's clients for Bedrock Mantle send to, in any region."""
_PROVIDERS: Final = (("/model/{model}/invoke", _BEDROCK), ("/publishers/anthropic/", "gcp.vertex_ai"))
