"""The shapes of a request's objects: which fields each has, with their types, and which are required.

They are in `shapes.txt`, which `tools/shapes.py` writes from the types of the SDK and describes.

Rule: they are read at the first use, and never change.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Final, TypeAlias

REQUEST: Final = "Request"
"""The shape of a whole request for a message."""


@dataclass(frozen=True, slots=True)
class Array:
    """The type of an array, whose items have one of the types `of`."""

    of: Kind


@dataclass(frozen=True, slots=True)
class Object:
    """The type of an object of the shape `name`."""

    name: str


@dataclass(frozen=True, slots=True)
class Words:
    """The type of a string that is one of `words`."""

    words: tuple[str, ...]


Kind: TypeAlias = tuple[str | Array | Object | Words, ...]
"""The types of which a value has to have one. A string is a plain type, such as `int`."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The fields of an object by their names, and which are required."""

    name: str
    fields: dict[str, Kind]
    required: tuple[str, ...]

    @property
    def tags(self) -> tuple[str, ...]:
        """The `type`s that tell the object from others in its place; empty if it has none."""
        return next((each.words for each in self.fields.get("type", ()) if isinstance(each, Words)), ())


def shape(name: str) -> Shape:
    """Returns the shape of that name, which must exist."""
    return _shapes()[name]


@functools.lru_cache(maxsize=1)
def _shapes() -> dict[str, Shape]:
    found: dict[str, Shape] = {}
    text = resources.files("anthropic_otel.simulator").joinpath("shapes.txt").read_text("utf-8")
    for name, lines in _sections(text):
        fields = [line.split() for line in lines]
        required = tuple(field[1:] for field, _ in fields if field.startswith("!"))
        found[name] = Shape(name, {field.lstrip("!"): _kind(kind) for field, kind in fields}, required)
    return found


def _sections(text: str) -> Iterator[tuple[str, list[str]]]:
    name, lines = "", []
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        if line.startswith(" "):
            lines.append(line)
            continue
        if name:
            yield name, lines
        name, lines = line, []
    yield name, lines


def _kind(text: str) -> Kind:
    """Returns the types that a text names, which are separated by `|`; one in brackets may have several again."""
    parts, depth = [""], 0
    for character in text:
        depth += (character == "[") - (character == "]")
        if character == "|" and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return tuple(_one(part) for part in parts)


def _one(text: str) -> str | Array | Object | Words:
    if text.startswith("["):
        return Array(_kind(text[1:-1]))
    if text.startswith("@"):
        return Object(text[1:])
    return Words(tuple(text[1:].split(","))) if text.startswith("=") else text
