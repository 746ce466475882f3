"""Looks up the operation of a request: its name, such as `messages.create`, and its path with ids as placeholders.

Rule: the answer is from a closed list, `operations.txt`, so that it can be on a metric and in a span's name
whatever URL a request has. A request that is not in the list has the name `_OTHER` and no template.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

from anthropic_otel._core.guard import guarded
from anthropic_otel._core.semconv import OTHER

PREFIX: Final = "{base_path}"
_KNOWN_PREFIXES: Final = ("", "/anthropic")
_MAX_SEGMENTS: Final = 16
MAX_KEPT: Final = 1024
"""The most characters of a URL that are recorded, and of a request's method, host and path as the key of a cache."""


@dataclass(frozen=True)
class Operation:
    """An operation of the API: its name, and its path with a placeholder for each id.

    In what `operation_of` returns, `template` begins with `{base_path}` or `/anthropic` if the path of the request has
    more in front. For a request that is not in the list, `name` is `_OTHER` and `template` is `None`.
    """

    name: str
    template: str | None


UNKNOWN: Final = Operation(OTHER, None)


@guarded(None)
def load() -> None:
    """Reads `operations.txt` beforehand. Never raises.

    Else the first request has to wait for it, and may find that no more files can be opened. If this fails, it is
    tried again on first use.
    """
    _routes()


def operation_of(method: str, path: str) -> Operation:
    """Returns the operation of a request by its HTTP method and its URL's path, `UNKNOWN` if no operation has these.

    The path of an operation may be the end of `path`, as behind a gateway. Then `{base_path}` stands in the template
    for what is before it, unless that is `/anthropic`, which is kept. Only the last 16 segments of `path` are looked
    at. `path` has no query. Raises only if `operations.txt` has not been read yet and cannot be.
    """
    return _kept(method, path) if len(method) + len(path) <= MAX_KEPT else _find(method, path)


def _find(method: str, path: str) -> Operation:
    """Returns the same as `operation_of`, which caches it.

    That is the operation whose route fits the most segments at the end of `path`; `_fits` says what a segment fits. Of
    several such routes, one with the fewest placeholders is taken.
    """
    segments = path.strip("/").split("/")[-_MAX_SEGMENTS:]
    for offset in range(len(segments)):
        for route, operation in _routes().get((method.upper(), len(segments) - offset), ()):
            if all(map(_fits, route, segments[offset:])):
                prefix = "".join(f"/{segment}" for segment in segments[:offset])
                known = prefix if prefix in _KNOWN_PREFIXES else PREFIX
                return Operation(operation.name, f"{known}{operation.template}")
    return UNKNOWN


_kept: Final = functools.lru_cache(maxsize=512)(_find)


def _fits(pattern: str, segment: str) -> bool:
    """Returns whether a segment of a path fits the segment `pattern` of a template.

    A pattern that is a placeholder fits any segment but an empty one. If text follows the placeholder, the segment must
    end with that text, and have more before it. Any other pattern must be equal.
    """
    if not pattern.startswith("{"):
        return pattern == segment
    rest = pattern.partition("}")[2]
    return len(segment) > len(rest) and segment.endswith(rest)


@functools.lru_cache(maxsize=1)
def _routes() -> dict[tuple[str, int], list[tuple[list[str], Operation]]]:
    """Returns lists of operations with the segments of their paths, by method and number of these segments.

    In each list those with the fewest placeholders come first. Reads `operations.txt` at the first call; raises if that
    cannot be read.
    """
    # Not at the top of the module: the import takes 4 ms.
    from importlib import resources

    table: dict[tuple[str, int], list[tuple[list[str], Operation]]] = {}
    for line in resources.files("anthropic_otel._core").joinpath("operations.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            method, template, name = line.split(" ")
            segments = template.strip("/").split("/")
            table.setdefault((method, len(segments)), []).append((segments, Operation(name, template)))
    for routes in table.values():
        routes.sort(key=lambda route: sum(segment.startswith("{") for segment in route[0]))
    return table
