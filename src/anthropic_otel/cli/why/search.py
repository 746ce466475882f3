"""Which lines of a long text have one of some words in them.

Rule: no line is looked at by itself. A log has millions of them, and few that say something.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def with_any(lines: Sequence[str], words: Iterable[str]) -> list[int]:
    """The indexes of the lines that have one of `words` in them, in their order."""
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
