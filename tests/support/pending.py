"""Behaviour that the library does not have yet, as strict expected failures of the tests that run the whole catalogue.

Rule: an entry says in one sentence what is wrong today. Whoever mends it deletes its line, as a strict expected failure
that passes fails the suite.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pytest

CATALOGUE: Final = "catalogue"
AGREEMENT: Final = "agreement"
EVENT_HOOKS: Final = "event_hooks"
"""The agreement of an app whose HTTP client has the library's event hooks."""


@dataclass(frozen=True)
class Pending:
    """Why a catalogue entry fails, and where.

    `stacks` are the ids of the stacks that it fails on, such as `httpx2-async`; `None` is all of them. `suites` are the
    suites that it fails in.
    """

    why: str
    stacks: frozenset[str] | None = None
    suites: frozenset[str] = frozenset({CATALOGUE, AGREEMENT})


PENDING: Final[dict[str, tuple[Pending, ...]]] = {}
"""By the name of the catalogue entry."""


def marks(fault: str, stack: str, suite: str) -> tuple[pytest.MarkDecorator, ...]:
    """The marks of a test that has the fault meet the stack: a strict xfail if that is pending, else none."""
    return tuple(
        pytest.mark.xfail(strict=True, reason=pending.why)
        for pending in PENDING.get(fault, ())
        if suite in pending.suites and (pending.stacks is None or stack in pending.stacks)
    )
