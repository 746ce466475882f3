"""Converts tracebacks in other forms to the form that Python prints: those of rich, structlog, pytest and IPython.

Rule: rich, structlog and IPython name a class without its module, so one that looks like a class of the SDK or of
httpx gets that library's name back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from anthropic_otel.cli.why.with_source import HEADER as _HEADER
from anthropic_otel.cli.why.with_source import of_ipython, of_pytest

_DIRECT: Final = "The above exception was the direct cause of the following exception:"
_HANDLING: Final = "During handling of the above exception, another exception occurred:"
_BOXED: Final = " Traceback (most recent call last) "
_TOP: Final = re.compile(r"^\s*[╭┌+][─-]+ Traceback \(most recent call last\) [─-]+[╮┐+]\s*$")
_BOTTOM: Final = re.compile(r"^\s*[╰└+][─-]{20,}[╯┘+]\s*$")
_FRAME: Final = re.compile(r"^\s*[│|] (\S.*?):(\d+) in (\S+)\s+[│|]\s*$")
_SDK: Final = re.compile(
    r"API(?:\w*)Error|AnthropicError|(?:RateLimit|Overloaded|InternalServer|Authentication|PermissionDenied|NotFound|"
    r"BadRequest|RequestTooLarge|Conflict|UnprocessableEntity|ServiceUnavailable|DeadlineExceeded)Error"
)
_HTTP: Final = re.compile(r"(?:Connect|Read|Write|RemoteProtocol|LocalProtocol|Proxy|Close)Error|\w+Timeout")


def as_python_prints(lines: list[str]) -> list[str]:
    """Returns the lines with the tracebacks of rich, pytest and IPython replaced by tracebacks as Python prints them.

    A report of pytest keeps, of its sections about failures, nothing else but captured output, and loses its headings
    and the lines of its summary. All other lines stay as they are.
    """
    lines = of_ipython(of_pytest(lines), _qualified)
    if not any(_BOXED in line and _TOP.match(line) for line in lines):
        return lines
    return list(_unboxed(lines))


def _unboxed(lines: list[str]) -> Iterator[str]:
    inside = below = False
    for line in lines:
        if _TOP.match(line):
            inside = True
            yield _HEADER
        elif inside and _BOTTOM.match(line):
            inside, below = False, True
        elif inside:
            if frame := _FRAME.match(line):
                yield f'  File "{frame[1]}", line {frame[2]}, in {frame[3]}'
        elif below and line.strip():
            below = False
            name, colon, message = line.strip().partition(":")
            yield f"{_qualified(name)}{colon}{message}"
        else:
            yield line


def _qualified(name: str) -> str:
    """Returns the name of a class with `anthropic.` or `httpx.` before it, if it looks like a class of that library.

    Any other name is returned as it is.
    """
    if _SDK.fullmatch(name):
        return f"anthropic.{name}"
    return f"httpx.{name}" if _HTTP.fullmatch(name) else name


def of_structlog(value: list[Any]) -> str | None:
    """Returns a list of structlog's `dict_tracebacks` as the text of a traceback, as Python prints it.

    The list has the outermost exception first. `is_cause` of a member decides whether the text calls it a direct cause.
    Returns `None` for an empty list, and unless each member is a dictionary with `exc_type` and `exc_value`.
    """
    if not value or not all(isinstance(each, dict) and "exc_type" in each and "exc_value" in each for each in value):
        return None
    printed: list[str] = []
    for at in range(len(value) - 1, -1, -1):
        printed += [_HEADER, *_frames(value[at]), f"{_qualified(str(value[at]['exc_type']))}: {value[at]['exc_value']}"]
        if at:
            printed += ["", _DIRECT if value[at].get("is_cause") else _HANDLING, ""]
    return "\n".join(printed)


def _frames(member: dict[str, Any]) -> Iterator[str]:
    frames = member.get("frames")
    for each in frames if isinstance(frames, list) else []:
        if isinstance(each, dict):
            yield f'  File "{each.get("filename")}", line {each.get("lineno")}, in {each.get("name")}'
