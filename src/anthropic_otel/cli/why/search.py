"""Finds the lines of a long text that contain one of several texts.

Rule: lines are not examined one by one, because a log has millions of them and few that matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def with_any(lines: Sequence[str], words: Iterable[str]) -> list[int]:
    """Returns the indexes, ascending, of the lines that contain at least one of the words, in the same case.

    No word may be empty, and no line may contain a newline.
    """
    text = "\n".join(lines)
    found: set[int] = set()
    for word in words:
        begin = number = 0
        while (at := text.find(word, begin)) >= 0:
            number += text.count("\n", begin, at)
            found.add(number)
            behind = text.find("\n", at)
            if behind < 0:
                break
            begin, number = behind + 1, number + 1
    return sorted(found)
