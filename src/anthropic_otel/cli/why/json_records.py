"""Takes from a record of a JSON log the strings that may be about a failure.

Rule: what only repeats a failure, or stands beside a line of it, is left out. A record with a traceback often has the
exception's name and message too, and a record that holds a single line of a traceback the host's name, a priority, and
so on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from anthropic_otel.cli.why import other_forms

_MAX_DEPTH: Final = 8
_TRACEBACK: Final = "Traceback (most recent call last)"
_OWN: Final = " failed after "
"""A text in the library's own log line, which is kept even beside a traceback."""
_LINES: Final = ("MESSAGE", "message", "msg", "log", "textPayload", "line")
"""The fields in which a log shipper puts the line of text that it has read."""
_TRACEBACK_LINE: Final = re.compile(
    r"Traceback \(most recent call last\):$|\s*File \"|\s{2,}\S|The above exception was the direct|During handling of"
    r"|(?:[A-Za-z_]\w*\.)+\w*(?:Error|Exception|Timeout)(?::|$)"
)
"""Matches a line of a traceback."""


def text(record: Any) -> str:
    """Returns the strings in a record that `json.loads` has returned, each once, joined by newlines.

    If one has a traceback of several lines, only strings with such a traceback are returned, and before them those with
    the library's own log lines.
    """
    strings = list(dict.fromkeys(_strings(record)))
    whole = [each for each in strings if _TRACEBACK in each and "\n" in each.strip()]
    if whole:
        return "\n".join([*(each for each in strings if _OWN in each and each not in whole), *whole])
    return "\n".join(strings)


def _strings(value: Any, depth: int = 0) -> Iterator[str]:
    """Yields every string in a JSON value, in order, down to 8 levels, but no name of a member.

    A string that is the text of a JSON object is taken for that object. Of an object in which a log shipper put a line
    of text (`_line`), yields only that line. A list of exceptions of structlog becomes one traceback.
    """
    if isinstance(value, str):
        inner = _parsed(value) if depth < _MAX_DEPTH else None
        if inner is None:
            yield value
        else:
            yield from _strings(inner, depth + 1)
    elif isinstance(value, list) and (printed := other_forms.of_structlog(value)):
        yield printed
    elif isinstance(value, dict) and (line := _line(value)) is not None:
        yield line
    elif isinstance(value, (dict, list)) and depth < _MAX_DEPTH:
        for each in value.values() if isinstance(value, dict) else value:
            yield from _strings(each, depth + 1)


def _parsed(value: str) -> Any:
    """Returns the object whose JSON text the string is, `None` for any other string."""
    if not (value.startswith("{") and value.rstrip().endswith("}")):
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _line(record: dict[str, Any]) -> str | None:
    """Returns the line of text that a log shipper put into a record; `None` if the record is the app's own.

    Docker's records, with `log` and `stream`, have one. Any other has one if the first of the fields in `_LINES` that
    is a string is a single line of a traceback, and no other field is a string with `Err` in it.
    """
    if isinstance(record.get("log"), str) and "stream" in record:
        return str(record["log"]).rstrip("\n")
    name = next((name for name in _LINES if isinstance(record.get(name), str)), None)
    if name is None or not _TRACEBACK_LINE.match(line := record[name].rstrip("\n")) or "\n" in line:
        return None
    others = (value for key, value in record.items() if key != name and isinstance(value, str))
    return line if not any("Err" in other for other in others) else None
