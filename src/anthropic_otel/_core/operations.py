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
"""The most characters of a URL that are recorded, or kept as a cache key."""


@dataclass(frozen=True)
class Operation:
    """An operation of the API: its name, and its path with a placeholder for each id.

    For a request that is not in the list, `name` is `_OTHER` and `template` is `None`.
    """

    name: str
    template: str | None


UNKNOWN: Final = Operation(OTHER, None)


@guarded(None)
def load() -> None:
    """Reads `operations.txt`, so that no request waits for it, or finds that no file can be opened any more.

    Without this call, or after a failure of it, that is done on first use.
    """
    _routes()


def operation_of(method: str, path: str) -> Operation:
    """Returns the operation of a request by its HTTP method and its URL's path, `UNKNOWN` if it has none.

    Of a path only the last 16 segments are looked at. If only the end of the path is known, as behind a gateway,
    `{base_path}` stands for what is before it in the template, unless that is `/anthropic`, which is kept. Raises only
    if `operations.txt` is not read yet and cannot be.
    """
    return _kept(method, path) if len(method) + len(path) <= MAX_KEPT else _find(method, path)


def _find(method: str, path: str) -> Operation:
    """Returns the operation whose route fits the most segments at the end of `path`; `_fits` says what a segment fits.

    Of several such routes, one with the fewest placeholders is taken.
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
    """Returns the operations with the segments of their paths, by method and number of segments.

    Those with the fewest placeholders come first. `operations.txt` is read on first use.
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
