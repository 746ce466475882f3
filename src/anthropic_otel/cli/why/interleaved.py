"""Takes off the prefixes of a log's lines, and puts the lines of several threads apart.

A logger that writes a traceback line by line puts the same in front of each: a time, a name, a thread. What stands
before "Traceback" is that prefix, and the lines that begin with the same one belong to it.

Rule: a time differs from line to line; whatever else differs is another thread's or process's prefix.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Final

_HEADER: Final = "Traceback (most recent call last):"
_MOST: Final = 200
"""The characters that a prefix may have."""
_TIME: Final = re.compile(r"(?<!\w)(?:\d{1,4}(?:[-:.,/T]\d{1,9}){2,8}|\d{10}(?:\.\d{1,9})?)")


def apart(lines: list[str]) -> list[str]:
    """The lines without the prefixes of those tracebacks that have one."""
    prefixes = _prefixes(lines)
    if not prefixes:
        return lines
    lengths = sorted({len(prefix) for prefix in prefixes}, reverse=True)
    found = (_split(line, prefixes, lengths) for line in lines)
    runs = groupby(found, key=lambda each: each[0] is not None)
    return [text for _, run in runs for text in _sorted(run)]


def _prefixes(lines: list[str]) -> set[str]:
    """What stands before a traceback, with every time in it as zeros."""
    before = (line.partition(_HEADER)[0] for line in lines if _HEADER in line)
    return {_timeless(each) for each in before if each.strip() and len(each) <= _MOST and "{" not in each}


def _timeless(prefix: str) -> str:
    return _TIME.sub(lambda found: re.sub(r"\d", "0", found[0]), prefix)


def _split(line: str, prefixes: set[str], lengths: list[int]) -> tuple[str | None, str]:
    """The prefix of a line, `None` if it has none of them, and the rest of it."""
    for length in lengths:
        if len(line) >= length - 1 and (key := _timeless(line[:length].ljust(length))) in prefixes:
            return key, line[length:]
    return None, line


def _sorted(run: Iterator[tuple[str | None, str]]) -> Iterator[str]:
    """The lines of a run, those with the same prefix behind each other."""
    by_prefix: dict[str | None, list[str]] = {}
    for prefix, text in run:
        by_prefix.setdefault(prefix, []).append(text)
    return (text for texts in by_prefix.values() for text in texts)
