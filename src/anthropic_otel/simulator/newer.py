"""The names of fields, blocks and tools that an SDK has which is newer than `shapes.txt`.

Rule: what such an SDK has is taken, so that what is new to the API is known once the SDK is upgraded. The SDK is read
as text and never imported, and only if it is newer.
"""

from __future__ import annotations

import functools
import re
from importlib import resources
from typing import Final

from anthropic_otel.simulator import known

_NAMES: Final = re.compile(r'^    (\w+):|"([\w-]+)"', re.MULTILINE)
_VERSION: Final = re.compile(r"(\d+)\.(\d+)\.(\d+)")


def is_newer(name: str) -> bool:
    """Returns whether the SDK that is installed has that name in the types of its parameters, and is newer."""
    return name in _names()


@functools.lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    folder = known.sdk()
    table = resources.files("anthropic_otel.simulator").joinpath("shapes.txt").read_text("utf-8").partition("\n")[0]
    if folder is None or _version(known.text_of("_version.py")) <= _version(table):
        return frozenset()
    found: set[str] = set()
    for path in folder.joinpath("types").rglob("*param*.py"):
        for match in _NAMES.finditer(path.read_text("utf-8")):
            found |= {match[1] or match[2]}
    return frozenset(found)


def _version(text: str) -> tuple[int, ...]:
    match = _VERSION.search(text)
    return tuple(int(part) for part in match.groups()) if match else ()
