"""Reads the JSON body of a request, and checks it as the API does.

Rule: nothing here raises. What is no JSON object is refused with status 400, and so is a body for Messages or for token
counting in which a field of `_REQUIRED` or `_OPTIONAL` is wrong; all other fields may have any type.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from anthropic_otel.simulator.answers import Refused
from anthropic_otel.simulator.wire import Json

_MAX_DEPTH: Final = 100
_TTLS: Final = ("5m", "1h")
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")


def body_of(body: bytes) -> Json | Refused:
    """Returns the JSON object in a request's body, or a refusal with status 400 if there is none.

    Also refused are NaN, Infinity and numbers that no `float` can hold, such as `1e400`, objects and arrays that are
    nested more than 100 deep, bytes that are not UTF-8 (such as UTF-16), and half of a surrogate pair that is written
    as an escape.
    """
    try:
        value = json.loads(body.decode(), parse_constant=_no_number, parse_float=_finite)
    except (ValueError, RecursionError):
        return invalid("The request body is not valid JSON")
    if not isinstance(value, dict):
        return invalid("The request body is not a JSON object")
    if _is_deep(value):
        return invalid("The request body is nested too deeply")
    if _SURROGATE.search(body) and not _is_text(value):
        return invalid("The request body is not valid JSON: no low surrogate in string")
    return value


def invalid(message: str) -> Refused:
    """Returns a refusal with that message, status 400 and type `invalid_request_error`."""
    return Refused(400, "invalid_request_error", message)


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    if math.isinf(number := float(text)):
        raise ValueError(f"{text} is too large")
    return number


def _is_deep(value: Json) -> bool:
    level: list[Any] = [value]
    for _ in range(_MAX_DEPTH):
        level = [inner for each in level for inner in _inside(each)]
        if not level:
            return False
    return True


def _inside(value: object) -> Iterator[Any]:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (each for each in children if isinstance(each, dict | list))


def _is_text(value: Json) -> bool:
    """Returns whether all strings in `value` can be encoded as UTF-8.

    Half of a surrogate pair cannot, although JSON can spell it.
    """
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


# -- types -------------------------------------------------------------------------------------------------------------

Check = Callable[[Any], bool]


def _is_string(value: object) -> bool:
    return isinstance(value, str)


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_cacheable(value: Json) -> bool:
    """Returns whether the `cache_control` of a block or a tool is missing, `None`, or an object that the API takes."""
    control = value.get("cache_control")
    if control is None:
        return True
    return isinstance(control, dict) and control.get("type") == "ephemeral" and control.get("ttl", "5m") in _TTLS


def _are_blocks(value: object) -> bool:
    if isinstance(value, list):
        return all(isinstance(each, dict) and _is_cacheable(each) for each in value)
    return isinstance(value, str)


def _are_messages(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) and _is_message(each) for each in value)


def _is_message(value: Json) -> bool:
    return _is_string(value.get("role")) and _are_blocks(value.get("content"))


def _are_tools(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) and _is_tool(each) for each in value)


def _is_tool(value: Json) -> bool:
    if not _is_cacheable(value):
        return False
    return "input_schema" not in value or (_is_object(value["input_schema"]) and _is_string(value.get("name")))


def _is_format(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("schema") or {}, dict)


def _is_output_config(value: Any) -> bool:
    return isinstance(value, dict) and (value.get("format") is None or _is_format(value["format"]))


def _is_management(value: Any) -> bool:
    edits = value.get("edits", []) if isinstance(value, dict) else None
    return isinstance(edits, list) and all(isinstance(each, dict) for each in edits)


_REQUIRED: Final[dict[str, tuple[Check, str]]] = {
    "model": (lambda value: _is_string(value) and bool(value), "Input should be a valid string"),
    "max_tokens": (_is_count, "Input should be a valid integer greater than or equal to 1"),
    "messages": (_are_messages, "Input should be a valid list of messages"),
}
_OPTIONAL: Final[dict[str, tuple[Check, str]]] = {
    "stream": (lambda value: isinstance(value, bool), "Input should be a valid boolean"),
    "system": (_are_blocks, "Input should be a valid string or list of blocks"),
    "tools": (_are_tools, "Input should be a valid list of tools"),
    "tool_choice": (_is_object, "Input should be an object"),
    "output_config": (_is_output_config, "Input should be an object with a valid format"),
    "context_management": (_is_management, "Input should be an object with a valid list of edits"),
    "output_format": (_is_format, "Input should be an object with a valid schema"),
}


def refusal_of(body: Json, *, counts: bool = False) -> Refused | None:
    """Returns the API's refusal (400) of the first wrong field of a Messages body, or `None` if there is none.

    Required fields come first. A field is wrong if it is required and missing, or has a wrong type or a value such as
    0 for `max_tokens`. An optional field that is `None` counts as missing. Fields that are not named in `_REQUIRED` and
    `_OPTIONAL` are not checked. With `counts` the body is that of a request to count tokens: `max_tokens` is neither
    required nor checked.
    """
    for name, (is_valid, words) in _REQUIRED.items():
        if counts and name == "max_tokens":
            continue
        if name not in body:
            return invalid(f"{name}: Field required")
        if not is_valid(body[name]):
            return invalid(f"{name}: {words}")
    for name, (is_valid, words) in _OPTIONAL.items():
        if body.get(name) is not None and not is_valid(body[name]):
            return invalid(f"{name}: {words}")
    return None
