"""Reads the JSON body of a request, and checks it as the API does.

Rule: nothing here raises. What is no JSON object is refused with status 400, and so is a body for Messages or for
token counting in which a field of `_REQUIRED` or `_OPTIONAL` is wrong, that has a field that is not in `known.py` or
needs a beta header, in which something is wrong within a field by `fields.py` or `schemas.py`, or that breaks a rule of
`conversations.py`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Set
from typing import Any, Final

from anthropic_otel.simulator import gates, known, schemas
from anthropic_otel.simulator.answers import Refused
from anthropic_otel.simulator.conversations import problem_of
from anthropic_otel.simulator.fields import problem_in
from anthropic_otel.simulator.images import TOO_WIDE, too_wide
from anthropic_otel.simulator.shapes import REQUEST
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
        value = json.loads(body.decode(), parse_constant=_no_number, parse_float=_finite, parse_int=_whole)
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


def _whole(text: str) -> int:
    _finite(text)
    return int(text)


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
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_share(value: Any) -> bool:
    return not _is_number(value) or 0 <= value <= 1


def _are_strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _has_text(value: Any) -> bool:
    return not _are_strings(value) or all(each.strip() for each in value)


def _is_metadata(value: Any) -> bool:
    return (
        isinstance(value, dict) and isinstance(value.get("user_id", ""), str | None) and not value.keys() - {"user_id"}
    )


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


_NUMBER: Final = (_is_number, "Input should be a valid number")
_SHARE: Final = (_is_share, "range: 0..1")
_TIERS: Final = ("auto", "standard_only")

_REQUIRED: Final[tuple[tuple[str, Check, str], ...]] = (
    ("model", _is_string, "Input should be a valid string"),
    ("model", bool, "String should have at least 1 character"),
    ("messages", _are_messages, "Input should be a valid array of messages"),
    ("max_tokens", _is_count, "Input should be a valid integer"),
    ("max_tokens", lambda value: value >= 0, "must be greater than or equal to 0"),
)
_OPTIONAL: Final[tuple[tuple[str, Check, str], ...]] = (
    ("tool_choice", _is_object, "Input should be an object"),
    ("tools", _are_tools, "Input should be a valid array of tools"),
    ("system", _are_blocks, "Input should be a valid array"),
    ("thinking", _is_object, "Input should be an object"),
    ("output_config", _is_output_config, "Input does not match the expected shape."),
    ("metadata", _is_metadata, "Input does not match the expected shape."),
    ("stop_sequences", _are_strings, "Input should be a valid array of strings"),
    ("stop_sequences", _has_text, "each stop sequence must contain non-whitespace"),
    ("temperature", *_NUMBER),
    ("temperature", *_SHARE),
    ("service_tier", lambda value: value in _TIERS, "Input should be 'auto' or 'standard_only'"),
    ("top_k", _is_count, "Input should be a valid integer"),
    ("top_p", *_NUMBER),
    ("top_p", *_SHARE),
    ("stream", lambda value: isinstance(value, bool), "Input should be a valid boolean"),
    ("context_management", _is_management, "Input should be an object with a valid list of edits"),
    ("output_format", _is_format, "Input should be an object with a valid schema"),
)
_NULLABLE: Final = ("metadata", "stop_sequences", "context_management", "output_format")


_WITHIN: Final = ("messages", "system", "tools")
"""The fields that are checked within before they are checked as a whole; all others are checked after that."""


def refusal_of(
    body: Json,
    *,
    version: str = "",
    counts: bool = False,
    platform: bool = False,
    betas: Set[str] = frozenset(),
) -> Refused | None:
    """Returns the API's refusal (400) of a Messages body, or `None` if it would not refuse it.

    It is about what is wrong within a field of `_WITHIN`; else about the first field, in the order of `_REQUIRED` and
    then of `_OPTIONAL`, that is missing or has a wrong type or value; if there is none, about the first field that the
    API does not know or that needs one of the beta headers, then about what is wrong within other fields, and then
    about the first rule of `conversations.py` that the body breaks. A field of `_NULLABLE` may be `None`. `version` is
    that of the API, a date; empty stands for the oldest. With `counts` the body is that of a request to count tokens,
    which has fewer fields. `platform` is whether it comes on Bedrock's or Vertex's paths, where it may have more, and
    its beta headers in the field `anthropic_beta`. `betas` are the beta headers.
    """
    latest = version >= known.NO_SAMPLING
    no_fields = known.SAMPLING if latest or counts else frozenset()
    if platform and isinstance(inside := body.get("anthropic_beta"), list):
        betas = betas | {each for each in inside if isinstance(each, str)}
    checks = (
        _wrong_within(body, _WITHIN, betas),
        _missing_or_wrong(body, no_fields, counts),
        _unknown(body, no_fields, counts, platform, betas),
        _wrong_within(body, [name for name in body if name not in _WITHIN], betas),
    )
    found = next((message for check in checks for message in check), None) or problem_of(body, latest=latest)
    if found and TOO_WIDE in found:
        details = too_wide(body)
        return Refused(400, "invalid_request_error", found, code="image_dimensions_too_large", details=details)
    return invalid(found) if found else None


def _wrong_within(body: Json, names: Iterable[str], betas: Set[str]) -> Iterator[str]:
    """Yields what is wrong within these fields of the body."""
    for name in names:
        is_given = name in body and not (body[name] is None and name in _NULLABLE)
        if is_given and (message := problem_in(body, name, betas)):
            yield message
        if name == "tools" and isinstance(tools := body.get("tools"), list):
            yield from schemas.wrong_tools(tools)


def _missing_or_wrong(body: Json, no_fields: Set[str], counts: bool) -> Iterator[str]:
    for name, is_valid, words in _REQUIRED:
        if counts and name == "max_tokens":
            continue
        if name not in body:
            yield f"{name}: Field required"
        elif not is_valid(body[name]):
            yield f"{name}: {words}"
    for name, is_valid, words in _OPTIONAL:
        is_given = name in body and name not in no_fields and not (body[name] is None and name in _NULLABLE)
        if is_given and not is_valid(body[name]):
            yield f"{name}: {words}"


def _unknown(body: Json, no_fields: Set[str], counts: bool, platform: bool, betas: Set[str]) -> Iterator[str]:
    for name in body:
        is_field = name in known.SAMPLING or known.is_field(name, counts=counts, platform=platform)
        if name in no_fields or not is_field or not gates.has_field(REQUEST, name, betas):
            yield f"{name}: Extra inputs are not permitted"
