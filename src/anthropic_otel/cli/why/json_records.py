"""What a record of a JSON log says: the strings in it that may tell of a failure.

Rule: nothing is told twice. A record with a traceback often has its exception's name and message beside it, and one
that carries a single line of a traceback has the host's name, a priority, and so on.
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
"""Is in the library's own log line, which is worth more than the traceback beside it."""
_LINES: Final = ("MESSAGE", "message", "msg", "log", "textPayload", "line")
"""Where a shipper of logs puts the line of text that it has read."""
_PIECE: Final = re.compile(
    r"Traceback \(most recent call last\):$|\s*File \"|\s{2,}\S|The above exception was the direct|During handling of"
    r"|(?:[A-Za-z_]\w*\.)+\w*(?:Error|Exception|Timeout)(?::|$)"
)
"""A line of a traceback."""


def text(record: Any) -> str:
    """Returns the lines of a record, which `json.loads` has read."""
    strings = list(dict.fromkeys(_strings(record)))
    whole = [each for each in strings if _TRACEBACK in each and "\n" in each.strip()]
    if whole:
        return "\n".join([*(each for each in strings if _OWN in each and each not in whole), *whole])
    return "\n".join(strings)


def _strings(value: Any, depth: int = 0) -> Iterator[str]:
    """Yields every string in a JSON value, in its order, down to a depth of 8.

    Of a record that carries a line it yields only that. Structlog's list of exceptions becomes one traceback.
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
    """Returns the object of which a string is the JSON text, `None` for other strings."""
    if not (value.startswith("{") and value.rstrip().endswith("}")):
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _line(record: dict[str, Any]) -> str | None:
    """Returns the line that a record carries, `None` if it is a record of its own."""
    if isinstance(record.get("log"), str) and "stream" in record:
        return str(record["log"]).rstrip("\n")
    name = next((name for name in _LINES if isinstance(record.get(name), str)), None)
    if name is None or not _PIECE.match(line := record[name].rstrip("\n")) or "\n" in line:
        return None
    others = (value for key, value in record.items() if key != name and isinstance(value, str))
    return line if not any("Err" in other for other in others) else None
