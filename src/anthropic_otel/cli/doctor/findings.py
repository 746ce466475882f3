"""Defines the results of `doctor`: findings, which are the results of single checks, in sections.

Rule: these are plain values. `render` decides how they look on a screen, `document` how in JSON and in a report.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum


class State(Enum):
    """What a finding says of its subject. Only `BAD` makes the exit status 1. The values are those in JSON.

    - `GOOD`: it was tried and works; `INFO`: a fact, neither good nor bad.
    - `NOTE`: it may be a fault or may be intended; `BAD`: it is a fault.
    - `UNTRIED`: it was not tried, or the result did not come in time.
    """

    GOOD = "good"
    INFO = "info"
    NOTE = "note"
    BAD = "bad"
    UNTRIED = "not_tried"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    - `subject`: what was checked, in one or two words.
    - `text`: the result.
    - `remedy`: what to do about it; empty if nothing.
    - `cause`: the value that `error.type` has in telemetry for the same failure, which `anthropic-otel why` explains;
      `None` if there is none.
    - `seconds`: how long it took, to be shown beside the text; `None` if there is nothing to show.
    """

    state: State
    subject: str
    text: str
    remedy: str = ""
    cause: str | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """The findings about one area, such as the connection to the API.

    `key` is the section's name in JSON, `title` its heading on the screen.
    """

    key: str
    title: str
    findings: tuple[Finding, ...]


def good(subject: str, text: str, seconds: float | None = None) -> Finding:
    """Returns a finding about something that was tried and works."""
    return Finding(State.GOOD, subject, text, seconds=seconds)


def info(subject: str, text: str) -> Finding:
    """Returns a finding that states a fact, neither good nor bad."""
    return Finding(State.INFO, subject, text)


def note(subject: str, text: str, remedy: str = "") -> Finding:
    """Returns a finding about something that may be a fault or may be intended."""
    return Finding(State.NOTE, subject, text, remedy)


def bad(subject: str, text: str, remedy: str, cause: str | None = None, seconds: float | None = None) -> Finding:
    """Returns a finding about a fault, with what to do about it."""
    return Finding(State.BAD, subject, text, remedy, cause, seconds)


def untried(subject: str, text: str, remedy: str = "") -> Finding:
    """Returns a finding about something that was not tried, or whose result did not come in time."""
    return Finding(State.UNTRIED, subject, text, remedy)


def faults(findings: Iterable[Finding]) -> list[Finding]:
    """Returns the findings whose state is `BAD`."""
    return [finding for finding in findings if finding.state is State.BAD]


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """Returns the findings in order, with those that have the same state, text, remedy and cause joined into one.

    The joined one is in the place of the first, with the seconds of that, and has all their subjects, each once,
    separated by commas.
    """
    found: dict[tuple[object, ...], Finding] = {}
    for finding in findings:
        same = (finding.state, finding.text, finding.remedy, finding.cause)
        first = found.setdefault(same, finding)
        if first is not finding and finding.subject not in first.subject.split(", "):
            found[same] = replace(first, subject=f"{first.subject}, {finding.subject}")
    return list(found.values())
