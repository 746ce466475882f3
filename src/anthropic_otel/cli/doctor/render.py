"""Renders the sections of `doctor` as lines of styled text.

Rule: nothing is printed here. Texts and remedies are wrapped to the width of the screen, but a word that is longer is
not broken. A finding is followed by its remedy, and by the command that explains its cause, once for each cause.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

from anthropic_otel._render.styled import UNICODE, Glyphs, Line, Piece, Style, duration
from anthropic_otel.cli.doctor.findings import Finding, Section, State

_STYLES: Final = {
    State.GOOD: Style.GOOD,
    State.INFO: Style.PLAIN,
    State.NOTE: Style.BACKOFF,
    State.BAD: Style.BAD,
    State.UNTRIED: Style.QUIET,
}
_SUBJECT: Final = 9
_TEXT: Final = _SUBJECT + 3
_FACTS: Final = 30
"""How many columns from the right durations and causes begin, if the text leaves room."""
_NARROWEST: Final = 40
_OTHER: Final = "_OTHER"
NARROW: Final = 80
"""The width of a report in columns."""


class Rendering:
    """Renders sections, one after the other, for a screen of `width` columns, but at least 40.

    Remembers for which causes the command that explains them was shown, so that it is shown once.
    """

    def __init__(self, width: int, glyphs: Glyphs) -> None:
        self._width: Final = max(width, _NARROWEST)
        self._glyphs: Final = glyphs
        self._arrow: Final = "→" if glyphs is UNICODE else "->"
        self._marks: Final = {
            State.GOOD: glyphs.good,
            State.INFO: " ",
            State.NOTE: "!",
            State.BAD: glyphs.bad,
            State.UNTRIED: "·" if glyphs is UNICODE else "-",
        }
        self._explained: Final[set[str]] = set()

    def section(self, section: Section) -> Iterator[Line]:
        """Yields the lines of the section: its title, then each finding: subject, text, seconds, cause and remedy.

        Directly below an `INFO` finding, findings with the same subject do not repeat it. A cause other than `_OTHER`
        that was not shown yet is followed by the command that explains it.
        """
        yield (Piece(section.title, Style.STRONG),)
        fact = ""
        for finding in section.findings:
            yield from self._finding(finding, "" if finding.subject == fact else finding.subject)
            # Findings about the same fact follow it without repeating its subject.
            fact = finding.subject if finding.state is State.INFO or finding.subject == fact else ""

    def _finding(self, finding: Finding, subject: str) -> Iterator[Line]:
        style = _STYLES[finding.state]
        head = f"{subject:<{_SUBJECT}} "
        first, *others = self._wrapped(finding.text, len(head) + 2)
        shown = Style.QUIET if finding.state is State.UNTRIED else Style.PLAIN
        strong = Style.STRONG if finding.state is State.BAD else shown
        line = [Piece(f"{self._marks[finding.state]} ", style), Piece(head, shown), Piece(first, strong)]
        last = len(head) + 2 + len(first)
        for other in others:
            yield tuple(line)
            line, last = [Piece(" " * _TEXT), Piece(other, strong)], _TEXT + len(other)
        yield from self._with_facts(line, last, finding)
        yield from self._advice(finding)

    def _with_facts(self, line: list[Piece], last: int, finding: Finding) -> Iterator[Line]:
        """Yields `line`, the last one of a finding's text, with the finding's duration and cause beside it.

        They are on a line of their own if there is no room. A cause that is in the text already is left out. `last` is
        the column at which `line` ends.
        """
        facts = [f"{duration(finding.seconds):>7}"] if finding.seconds is not None else []
        # A cause that is a status is in the text already.
        facts += [finding.cause] if finding.cause and finding.cause not in finding.text else []
        text = "  ".join(facts)
        # In a column if the text is short; right after the text if it has several lines.
        gap = max(2, self._width - _FACTS - last) if len(line) > 2 else 2
        if not text:
            yield tuple(line)
        elif last + gap + len(text) <= self._width:
            yield (*line, Piece(" " * gap + text, Style.QUIET))
        elif last + 2 + len(text) <= self._width:
            yield (*line, Piece(f"  {text}", Style.QUIET))
        else:
            yield tuple(line)
            yield (Piece(" " * _TEXT), Piece(text.strip(), Style.QUIET))

    def _advice(self, finding: Finding) -> Iterator[Line]:
        if finding.remedy:
            first, *others = self._wrapped(finding.remedy, _TEXT + len(self._arrow) + 1)
            yield (Piece(" " * _TEXT), Piece(f"{self._arrow} ", Style.QUIET), Piece(first))
            for other in others:
                yield (Piece(" " * (_TEXT + len(self._arrow) + 1)), Piece(other))
        if finding.cause and finding.cause != _OTHER and finding.cause not in self._explained:
            self._explained.add(finding.cause)
            yield (Piece(" " * _TEXT), Piece(f"more: anthropic-otel why {finding.cause}", Style.QUIET))

    def _wrapped(self, text: str, first: int) -> list[str]:
        """Returns the text in lines without indentation: at least one, which may be empty.

        `first` is the column at which the caller prints the first line. Each line has room for what is left of the
        width from there, or from the column of all texts if that is further right, but for ten characters at least. A
        word that is longer is not broken, so its line is longer too.
        """
        room = max(self._width - max(first, _TEXT), 10)
        return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]


def summary(sections: Sequence[Section]) -> Line:
    """Returns one line with the number of faults and their subjects, and the numbers of notes and untried findings.

    A number that is 0 is left out; without a fault, the line says "No fault found".
    """
    findings = [finding for section in sections for finding in section.findings]
    bad = [finding for finding in findings if finding.state is State.BAD]
    notes = sum(finding.state is State.NOTE for finding in findings)
    untried = sum(finding.state is State.UNTRIED for finding in findings)
    rest = [_counted(notes, "note"), f"{untried} not tried" if untried else ""]
    text = "".join(f", {each}" for each in rest if each)
    if not bad:
        return (Piece("No fault found", Style.GOOD), Piece(text))
    subjects = ", ".join(dict.fromkeys(finding.subject for finding in bad))
    return (Piece(f"{_counted(len(bad), 'fault')}: {subjects}", Style.BAD), Piece(text))


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'s' * (count != 1)}" if count else ""
