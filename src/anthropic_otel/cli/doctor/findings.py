"""What `doctor` finds: findings, in sections.

Rule: these are plain values. How they look on a screen, in JSON or in a report is not decided here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum


class State(Enum):
    """How good a finding is. Only `BAD` makes the exit status 1. Values are what JSON says."""

    GOOD = "good"
    INFO = "info"
    NOTE = "note"
    BAD = "bad"
    UNTRIED = "not_tried"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    - `subject`: what, in one or two words.
    - `text`: how it is.
    - `remedy`: what to do about it, empty if nothing.
    - `cause`: the word that the telemetry has for it as `error.type`, which `anthropic-otel why` explains; `None` where
      there is none.
    - `seconds`: how long it took, `None` where nothing was waited for.
    """

    state: State
    subject: str
    text: str
    remedy: str = ""
    cause: str | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """Findings about one thing. `key` is its name in JSON."""

    key: str
    title: str
    findings: tuple[Finding, ...]


def good(subject: str, text: str, seconds: float | None = None) -> Finding:
    """Something that was tried and works."""
    return Finding(State.GOOD, subject, text, seconds=seconds)


def info(subject: str, text: str) -> Finding:
    """A fact, which is neither good nor bad by itself."""
    return Finding(State.INFO, subject, text)


def note(subject: str, text: str, remedy: str = "") -> Finding:
    """Something that may be meant."""
    return Finding(State.NOTE, subject, text, remedy)


def bad(subject: str, text: str, remedy: str, cause: str | None = None, seconds: float | None = None) -> Finding:
    """A fault, which always has its remedy."""
    return Finding(State.BAD, subject, text, remedy, cause, seconds)


def untried(subject: str, text: str, remedy: str = "") -> Finding:
    """Something that nothing is known of."""
    return Finding(State.UNTRIED, subject, text, remedy)


def faults(findings: Iterable[Finding]) -> list[Finding]:
    """Those that are bad."""
    return [finding for finding in findings if finding.state is State.BAD]


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """The findings, of which those that say the same of several subjects have become one."""
    found: dict[tuple[object, ...], Finding] = {}
    for finding in findings:
        same = (finding.state, finding.text, finding.remedy, finding.cause)
        first = found.setdefault(same, finding)
        if first is not finding and finding.subject not in first.subject.split(", "):
            found[same] = replace(first, subject=f"{first.subject}, {finding.subject}")
    return list(found.values())
