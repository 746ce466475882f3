"""Checks the definitions of tools: their names and their JSON schemas.

The messages are the API's, as people have met them.

Rule: nothing here raises; a schema may be as deep as a body may be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from anthropic_otel.simulator.wire import Json

_NAME: Final = re.compile(r"[a-zA-Z0-9_-]+")
_MOST_CHARACTERS: Final = 128
_TYPES: Final = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_MAPS: Final = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_ONE: Final = ("additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then")
_SEVERAL: Final = ("allOf", "anyOf", "oneOf", "prefixItems")
_STRINGS: Final = ("$ref", "$id", "$schema", "description", "format", "pattern", "title")
_INVALID: Final = (
    "JSON schema is invalid. It must match JSON Schema draft 2020-12 (https://json-schema.org/draft/2020-12). Learn "
    "more about tool use at https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview."
)
_COMBINED: Final = "input_schema does not support oneOf, allOf, or anyOf at the top level"


def wrong_tools(tools: list[Any]) -> Iterator[str]:
    """Yields what is wrong with the names and the schemas of a user's tools. Other tools have none of their own."""
    for at, tool in enumerate(tools):
        if not isinstance(tool, dict) or tool.get("type") not in (None, "custom"):
            continue
        place = f"tools.{at}.custom"
        if isinstance(name := tool.get("name"), str):
            yield from _name(name, f"{place}.name")
        if isinstance(schema := tool.get("input_schema"), dict):
            yield from _schema(schema, f"{place}.input_schema")


def _name(name: str, place: str) -> Iterator[str]:
    if not name:
        yield f"{place}: String should have at least 1 character"
    elif len(name) > _MOST_CHARACTERS:
        yield f"{place}: String should have at most {_MOST_CHARACTERS} characters"
    elif not _NAME.fullmatch(name):
        yield f"{place}: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"


def _schema(schema: Json, place: str) -> Iterator[str]:
    if "type" not in schema:
        yield f"{place}.type: Field required"
    elif schema["type"] != "object":
        yield f"{place}.type: Input should be 'object'"
    elif any(name in schema for name in ("oneOf", "allOf", "anyOf")):
        yield f"{place}: {_COMBINED}"
    elif not _is_schema(schema):
        yield f"{place}: {_INVALID}"


def _is_schema(value: Any) -> bool:
    """Returns whether a value is a JSON schema, by the keywords that are used most. Others may have any value."""
    if isinstance(value, bool):
        return True
    if not isinstance(value, dict):
        return False
    kinds = value.get("type", "object")
    if not all(kind in _TYPES if isinstance(kind, str) else False for kind in (kinds if _is_list(kinds) else [kinds])):
        return False
    required = value.get("required", [])
    if not _is_list(required, least=0) or not all(isinstance(name, str) for name in required):
        return False
    if not isinstance(value.get("enum", []), list) or not all(
        isinstance(value.get(name, ""), str) for name in _STRINGS
    ):
        return False
    maps = [value.get(name, {}) for name in _MAPS]
    lists = [value[name] for name in _SEVERAL if name in value]
    if not all(isinstance(each, dict) for each in maps) or not all(_is_list(each) for each in lists):
        return False
    inner = [each for found in maps for each in found.values()] + [each for found in lists for each in found]
    return all(_is_schema(each) for each in (*inner, *(value[name] for name in _ONE if name in value)))


def _is_list(value: Any, least: int = 1) -> bool:
    return isinstance(value, list) and len(value) >= least
