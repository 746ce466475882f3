"""Reads a `multipart/form-data` body, such as that of an upload.

Rule: nothing here raises, and what is no such body has no parts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_END_OF_HEAD: Final = b"\r\n\r\n"
_PARAMETER: Final = re.compile(r';\s*([\w*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))')


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a form: a field, or a file.

    - `name`: the field's; empty if the part has none.
    - `filename`: as the client wrote it; `None` if it wrote none.
    - `content_type`: as the client wrote it; empty if it wrote none.
    """

    name: str
    filename: str | None
    content_type: str
    data: bytes


def parts_of(content_type: str, body: bytes) -> list[Part] | None:
    """Returns the parts of a body in their order, or `None` if it is not well-formed `multipart/form-data`.

    `content_type` is the request's header, which has the boundary.
    """
    boundary = _parameters(content_type).get("boundary", "")
    if content_type.partition(";")[0].strip().lower() != "multipart/form-data" or not boundary:
        return None
    mark = b"\r\n--" + boundary.encode("latin-1", "replace")
    start = len(mark) - 2 if body.startswith(mark[2:]) else _after(body, mark, 0)
    found: list[Part] = []
    while start is not None:
        if body[start : start + 2] == b"--":
            return found
        end = body.find(mark, start)
        split = body.find(_END_OF_HEAD, start, end)
        if body[start : start + 2] != b"\r\n" or end < 0 or split < 0:
            return None
        found.append(_part(body[start:split], body[split + len(_END_OF_HEAD) : end]))
        start = _after(body, mark, end)
    return None


def _after(body: bytes, mark: bytes, start: int) -> int | None:
    at = body.find(mark, start)
    return at + len(mark) if at >= 0 else None


def _parameters(value: str) -> dict[str, str]:
    """Returns the parameters of a header's value by their names, which are in lower case."""
    found: dict[str, str] = {}
    for name, quoted, plain in _PARAMETER.findall(value):
        found.setdefault(name.lower(), plain or re.sub(r"\\(.)", r"\1", quoted))
    return found


def _part(head: bytes, data: bytes) -> Part:
    headers: dict[str, str] = {}
    # Clients write names of files as UTF-8.
    for line in head.decode("utf-8", "replace").split("\r\n"):
        name, _, value = line.partition(":")
        headers.setdefault(name.strip().lower(), value.strip())
    parameters = _parameters(headers.get("content-disposition", ""))
    return Part(parameters.get("name", ""), parameters.get("filename"), headers.get("content-type", ""), data)
