"""Checks the objects within a request by their shapes: unknown, missing and wrong fields, in whatever depth.

The place in a message is written as the API writes it: behind a block or a tool stands its type, such as in
`messages.0.content.1.tool_use.id` or `tools.0.custom.name`, and so it does behind every object that is told from others
by its type. Those about unknown fields, missing fields and unknown types are the API's words, as people have met them;
those about a wrong type are the API's for a string, a number and a choice, else ours.

Rule: nothing here raises. Each check yields what it refuses; the first one counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import Any, Final

from anthropic_otel.simulator import gates, newer
from anthropic_otel.simulator.shapes import REQUEST, Array, Kind, Object, Shape, Words, shape
from anthropic_otel.simulator.wire import Json

_ALWAYS_TAGGED: Final = ("CacheControlEphemeral",)
"""Shapes behind which their type stands although there is no other in their place."""
_CUSTOM: Final = "custom"
_WORDS: Final = {
    "str": "Input should be a valid string",
    "int": "Input should be a valid integer",
    "num": "Input should be a valid number",
    "bool": "Input should be a valid boolean",
    "obj": "Input should be an object",
}


def problem_in(body: Json, name: str, betas: Set[str]) -> str | None:
    """Returns the API's message about what is wrong with a field of a request, or `None` if it takes it.

    `betas` are the request's beta headers. A field that the request's shape lacks is not looked at.
    """
    kind = shape(REQUEST).fields.get(name)
    return next(_checked(body[name], kind, name, betas), None) if kind is not None else None


def _checked(value: Any, kind: Kind, place: str, betas: Set[str]) -> Iterator[str]:
    """Yields what is wrong with a value that should have one of the types in `kind`."""
    if any(isinstance(each, str) and _is(value, each) for each in kind):
        return
    if isinstance(value, list) and (array := next((each for each in kind if isinstance(each, Array)), None)):
        for at, inner in enumerate(value):
            yield from _checked(inner, array.of, f"{place}.{at}", betas)
        return
    shapes = [shape(each.name) for each in kind if isinstance(each, Object)]
    if isinstance(value, dict) and shapes:
        yield from _object(value, shapes, place, betas)
        return
    words = [word for each in kind if isinstance(each, Words) for word in each.words]
    if not isinstance(value, str) or value not in words:
        yield f"{place}: {_expected(kind, words, shapes)}"


def _is(value: Any, plain: str) -> bool:
    if plain == "null":
        return value is None
    if plain in ("int", "num"):
        return isinstance(value, int if plain == "int" else int | float) and not isinstance(value, bool)
    types: dict[str, type] = {"str": str, "bool": bool, "obj": dict}
    return plain == "any" or isinstance(value, types[plain])


def _expected(kind: Kind, words: list[str], shapes: list[Shape]) -> str:
    if words:
        quoted = [f"'{word}'" for word in words]
        return (
            f"Input should be {', '.join(quoted[:-1])} or {quoted[-1]}"
            if quoted[1:]
            else f"Input should be {quoted[0]}"
        )
    if any(isinstance(each, Array) for each in kind):
        return "Input should be a valid array"
    plain = next((each for each in kind if isinstance(each, str) and each in _WORDS), "obj")
    return _WORDS["obj" if shapes else plain]


def _object(value: Json, shapes: list[Shape], place: str, betas: Set[str]) -> Iterator[str]:
    """Yields what is wrong with an object that has to have one of the shapes."""
    if "role" in shapes[0].fields:
        yield from _message(value, shapes, place, betas)
        return
    allowed = [each for each in shapes if gates.has_object(each.name, betas)]
    if not all(each.tags for each in shapes):
        if len(shapes) == 1:
            yield from _fields(value, shapes[0], place, betas)
        return
    tags = [tag for each in allowed for tag in each.tags]
    default = _CUSTOM if _CUSTOM in tags else shapes[0].tags[0] if len(shapes) == 1 else None
    tag = default if value.get("type") is None else value["type"]
    found = next((each for each in allowed if tag in each.tags), None)
    if found is not None:
        is_tagged = len(shapes) > 1 or found.name in _ALWAYS_TAGGED
        yield from _fields(value, found, f"{place}.{tag}" if is_tagged else place, betas)
    elif tag is None:
        yield f"{place}.type: Field required"
    elif not isinstance(tag, str) or not newer.is_newer(tag):
        listed = ", ".join(f"'{each}'" for each in sorted(tags))
        yield f"{place}: Input tag '{tag}' found using 'type' does not match any of the expected tags: {listed}"


def _message(value: Json, shapes: list[Shape], place: str, betas: Set[str]) -> Iterator[str]:
    """Yields what is wrong with a message. One of an unknown role is refused in `conversations.py`."""
    role = value.get("role")
    for each in shapes:
        kind = each.fields["role"][0]
        if isinstance(kind, Words) and role in kind.words:
            yield from _fields(value, each, place, betas)
    if "role" not in value:
        yield f"{place}.role: Field required"


def _fields(value: Json, of: Shape, place: str, betas: Set[str]) -> Iterator[str]:
    for name in of.required:
        if name not in value:
            yield f"{place}.{name}: Field required"
    for name, inner in value.items():
        is_there = name in of.fields or name in gates.MORE.get(of.name, ())
        if not gates.has_field(of.name, name, betas) or not (is_there or newer.is_newer(name)):
            yield f"{place}.{name}: Extra inputs are not permitted"
        elif name in of.fields and name != "type":
            yield from _checked(inner, of.fields[name], f"{place}.{name}", betas)
