"""Removes the prefixes of log lines, and separates the lines of several threads.

A logger that writes a traceback line by line puts the same prefix before each: a time, a name, a thread. The text
before "Traceback" is that prefix, and all lines that begin with it belong together.

Rule: times in a prefix are ignored, as they differ from line to line. Any other difference means another thread or
process.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Final

_HEADER: Final = "Traceback (most recent call last):"
_MOST: Final = 200
"""The most characters that a prefix may have."""
_TIME: Final = re.compile(r"(?<!\w)(?:\d{1,4}(?:[-:.,/T]\d{1,9}){2,8}|\d{10}(?:\.\d{1,9})?)")


def apart(lines: list[str]) -> list[str]:
    """Returns the lines without the prefixes that stand before their tracebacks.

    Within consecutive lines that have a prefix, those with the same one are put together.
    """
    prefixes = _prefixes(lines)
    if not prefixes:
        return lines
    lengths = sorted({len(prefix) for prefix in prefixes}, reverse=True)
    found = (_split(line, prefixes, lengths) for line in lines)
    runs = groupby(found, key=lambda each: each[0] is not None)
    return [text for _, run in runs for text in _sorted(run)]


def _prefixes(lines: list[str]) -> set[str]:
    """Returns the texts before "Traceback", with the digits of every time in them as zeros."""
    before = (line.partition(_HEADER)[0] for line in lines if _HEADER in line)
    return {_timeless(each) for each in before if each.strip() and len(each) <= _MOST and "{" not in each}


def _timeless(prefix: str) -> str:
    return _TIME.sub(lambda found: re.sub(r"\d", "0", found[0]), prefix)


def _split(line: str, prefixes: set[str], lengths: list[int]) -> tuple[str | None, str]:
    """Returns the one of `prefixes` that a line begins with, `None` for none, and the rest of the line.

    The digits of times in `prefixes` are zeros, and so they are in what is returned. `lengths` are the lengths of the
    prefixes, the longest first. A space at the end of the prefix may be missing in a line that ends there.
    """
    for length in lengths:
        if len(line) >= length - 1 and (key := _timeless(line[:length].ljust(length))) in prefixes:
            return key, line[length:]
    return None, line


def _sorted(run: Iterator[tuple[str | None, str]]) -> Iterator[str]:
    """Returns the lines of a run, grouped by prefix."""
    by_prefix: dict[str | None, list[str]] = {}
    for prefix, text in run:
        by_prefix.setdefault(prefix, []).append(text)
    return (text for texts in by_prefix.values() for text in texts)
