"""Writes down which fields the API's request has in each place, as the types of the installed SDK say.

    python -m tools.shapes    writes shapes.txt of the simulator

Rule: what is written depends on the SDK alone. Each object has its fields, `!` before those that are required, with
their types: `str`, `int`, `num`, `bool`, `null`, `obj` (any object), `any`, `=A,B` (one of these strings), `@NAME`
(that object), `[TYPE]` (an array), and several with `|` between them.
"""

from __future__ import annotations

import collections.abc
import sys
import types
import typing
from pathlib import Path
from typing import Any, Final, get_args, get_origin, get_type_hints

import typing_extensions
from anthropic import __version__
from anthropic.types.beta.message_create_params import MessageCreateParamsBase

ROOT: Final = Path(__file__).resolve().parent.parent
SHAPES: Final = ROOT / "src" / "anthropic_otel" / "simulator" / "shapes.txt"
_PLAIN: Final = {str: "str", int: "int", float: "num", bool: "bool", object: "any", Any: "any", type(None): "null"}
_REQUIRED: Final = (typing_extensions.Required, getattr(typing, "Required", None))
_HEADERS: Final = ("betas", "workspace_id")
"""Parameters that the SDK sends as headers."""


def main() -> int:
    """Writes the file. Returns 0."""
    SHAPES.write_text(text(), "utf-8")
    return 0


def text() -> str:
    """Returns the text of the file for the installed SDK."""
    found: dict[str, dict[str, str]] = {}
    _shape(MessageCreateParamsBase, "Request", found)
    lines = [f"# Written by tools/shapes.py of anthropic {__version__}."]
    for name in sorted(found):
        lines += [name, *(f"  {field} {kind}" for field, kind in sorted(found[name].items()))]
    return "\n".join(lines) + "\n"


def _shape(cls: Any, name: str, found: dict[str, dict[str, str]]) -> None:
    """Adds the shape of a `TypedDict`, and those that it refers to."""
    fields = found[name] = {}
    for field, hint in get_type_hints(cls, include_extras=True).items():
        required = get_origin(hint) in _REQUIRED
        inner = get_args(hint)[0] if required else hint
        if name != "Request" or field not in _HEADERS:
            fields[f"!{field}" if required else field] = _type(inner, found)


def _type(hint: Any, found: dict[str, dict[str, str]]) -> str:
    origin = get_origin(hint)
    if hint in _PLAIN:
        return _PLAIN[hint]
    if origin in (typing.Literal, typing_extensions.Literal):
        return "any" if not all(isinstance(each, str) for each in get_args(hint)) else "=" + ",".join(get_args(hint))
    if origin in (typing.Union, types.UnionType):
        # The blocks of a response, and what is read from a file, may be given instead of what is sent.
        kinds = [_type(each, found) for each in get_args(hint) if get_origin(each) is not typing.Annotated]
        return "|".join(dict.fromkeys(kind for kind in kinds if kind != "else")) or "any"
    if origin in (dict, collections.abc.Mapping):
        return "obj"
    if origin is not None and get_args(hint):
        inner = _type(get_args(hint)[0], found)
        return inner if inner == "else" else f"[{inner}]"
    if typing_extensions.is_typeddict(hint):
        name = hint.__name__.removeprefix("Beta").removesuffix("Param")
        if name not in found:
            _shape(hint, name, found)
        return f"@{name}"
    return "else"


if __name__ == "__main__":
    sys.exit(main())
