"""Finds every failure in a text: tracebacks, lines that name an exception, and the library's own log lines.

Rule: only what was printed is said about a failure. A traceback and the logger's message above it count as one failure.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from anthropic_otel.cli.why import chains, clean, log_lines
from anthropic_otel.cli.why.chains import Failure
from anthropic_otel.cli.why.printed import Printed, blocks
from anthropic_otel.cli.why.search import with_any

MAX_BYTES: Final = 8 * 1024 * 1024
"""The most bytes that are read of a text."""
_HEADLINES: Final = 2
"""How many lines above a traceback may be a logger's message about the same failure."""


def failures(text: str) -> Counter[Failure]:
    """Returns the failures in a redacted text, each with how often it occurs; empty if there are none.

    They are those of printed exception chains, and those of single lines outside of these. The two lines above a chain
    that is a failure are skipped, because a logger's message about it may be there; the library's own line is not.
    """
    lines = clean.lines(text)
    found: Counter[Failure] = Counter()
    taken: set[int] = set()
    known: dict[tuple[Printed, ...], Failure | None] = {}
    for block in blocks(lines):
        if block.chain not in known:
            known[block.chain] = chains.of_chain(block.chain)
        failure = known[block.chain]
        if failure is not None:
            found[failure] += 1
        taken.update(range(block.begin, block.end))
        if failure is not None:
            # A logger's message above the traceback is about the same failure.
            taken.update(
                at for at in range(max(0, block.begin - _HEADLINES), block.begin) if not log_lines.OWN.search(lines[at])
            )
    for at in with_any(lines, log_lines.WORDS):
        if at not in taken:
            found.update(log_lines.of_line(lines[at]))
    return found
