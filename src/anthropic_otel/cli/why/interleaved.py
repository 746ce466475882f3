"""Removes the prefixes of log lines, and separates the lines of several threads or processes.

A logger that writes a traceback line by line puts the same prefix before each line: a time, a name, a thread. The text
before "Traceback" is that prefix, and all lines that begin with it belong together.

Rule: times in a prefix are ignored, because they differ from line to line. Any other difference means another thread or
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
    """Returns the lines, with the prefix removed from each line that begins with the prefix of a traceback.

    In each run of consecutive lines with a prefix, those with the same one are put together. If no traceback has a
    prefix, the lines stay as they are.
    """
    prefixes = _prefixes(lines)
    if not prefixes:
        return lines
    lengths = sorted({len(prefix) for prefix in prefixes}, reverse=True)
    found = (_split(line, prefixes, lengths) for line in lines)
    runs = groupby(found, key=lambda each: each[0] is not None)
    return [text for _, run in runs for text in _sorted(run)]


def _prefixes(lines: list[str]) -> set[str]:
    """Returns the texts before the first lines of tracebacks, with the digits of every time in them as zeros.

    Leaves out a blank text, one of more than 200 characters, and one that contains `{`.
    """
    before = (line.partition(_HEADER)[0] for line in lines if _HEADER in line)
    return {_timeless(each) for each in before if each.strip() and len(each) <= _MOST and "{" not in each}


def _timeless(prefix: str) -> str:
    return _TIME.sub(lambda found: re.sub(r"\d", "0", found[0]), prefix)


def _split(line: str, prefixes: set[str], lengths: list[int]) -> tuple[str | None, str]:
    """Returns the longest of `prefixes` that a line begins with, and the rest of the line; else `None` and the line.

    The digits of times in `prefixes` are zeros, and are compared as such. `lengths` are the prefixes' lengths, the
    longest first. A line that is only the prefix may lack its last character if that is a space.
    """
    for length in lengths:
        if len(line) >= length - 1 and (key := _timeless(line[:length].ljust(length))) in prefixes:
            return key, line[length:]
    return None, line


def _sorted(run: Iterator[tuple[str | None, str]]) -> Iterator[str]:
    """Returns the texts of a run of pairs of prefix and text: those with the same prefix together, in their order.

    The prefix that occurs first comes first.
    """
    by_prefix: dict[str | None, list[str]] = {}
    for prefix, text in run:
        by_prefix.setdefault(prefix, []).append(text)
    return (text for texts in by_prefix.values() for text in texts)
