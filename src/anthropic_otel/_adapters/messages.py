"""What is read of a request or a response of httpx and httpx2: its headers, its target, its size.

Every request of an instrumented process comes by here. To look one header up by the public interface takes longer than
all that is done here, so headers are read from the list that httpx keeps them in; by that interface where it is gone.
"""

from __future__ import annotations

import operator
import re
from typing import Any, Final

from anthropic_otel._core import headers
from anthropic_otel._core.headers import RawHeaders
from anthropic_otel._core.target import Target, target_of

RETRY_COUNT: Final = b"x-stainless-retry-count"
API_VERSION: Final = b"anthropic-version"
_PLATFORM_ROUTE: Final = re.compile(rb"/model/[^/]+/invoke|/publishers/anthropic/models/")

_NAME: Final = operator.itemgetter(1)
_NAME_AND_VALUE: Final = operator.itemgetter(1, 2)


def names_of(message: Any) -> list[bytes]:
    """The names of the headers, in lower case."""
    listed = getattr(message.headers, "_list", None)
    return [*map(_NAME, listed if listed is not None else _listed(message))]


def _listed(message: Any) -> list[tuple[bytes, bytes, bytes]]:
    """The headers: each name as it was given, the name in lower case, and the value."""
    listed: list[tuple[bytes, bytes, bytes]] | None = getattr(message.headers, "_list", None)
    return listed if listed is not None else [(name, name.lower(), value) for name, value in message.headers.raw]


def header_of(message: Any, name: bytes) -> bytes | None:
    """The first header of that name, which is in lower case; `None` without one."""
    listed = _listed(message)
    names = [*map(_NAME, listed)]
    return listed[names.index(name)][2] if name in names else None


def set_header(request: Any, name: str, value: str) -> None:
    """Sets a header of a request, in lower case. By the public interface it takes 260 bytecodes more."""
    listed: list[tuple[bytes, bytes, bytes]] | None = getattr(request.headers, "_list", None)
    key = name.encode("ascii")
    names = [*map(_NAME, listed)] if listed is not None else []
    if listed is None or names.count(key) > 1 or not (name.islower() and value.isascii()):
        request.headers[name] = value
    elif key in names:
        listed[names.index(key)] = (key, key, value.encode("ascii"))
    else:
        listed.append((key, key, value.encode("ascii")))


def headers_of(response: Any) -> RawHeaders:
    """The headers of a response by name."""
    listed = _listed(response)
    found = dict(map(_NAME_AND_VALUE, listed))
    return found if len(found) == len(listed) else headers.by_name(response.headers.raw)


def has_platform_route(request: Any) -> bool:
    """Whether a request goes to the Messages API of Bedrock or Vertex, by its path. They ask for no version header."""
    return _PLATFORM_ROUTE.search(request.url.raw_path) is not None


def retry_count_of(request: Any) -> int:
    """Which retry a request of the SDK is, 0 for a first attempt or another request."""
    retry_count = header_of(request, RETRY_COUNT)
    return int(retry_count) if retry_count is not None and retry_count.isdigit() and len(retry_count) < 6 else 0


def size_of(request: Any) -> int | None:
    """The bytes of a request's body, `None` where they are not known beforehand."""
    return headers.count(header_of(request, b"content-length"))


def target_of_request(request: Any) -> Target:
    """Where a request goes."""
    url = request.url
    path = url.raw_path.partition(b"?")[0].decode("ascii")
    return target_of(request.method, url.scheme, url.host, url.port, path)
