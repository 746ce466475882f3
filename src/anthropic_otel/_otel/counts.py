"""Counts that are kept here and read when OpenTelemetry collects: an observable counter.

Rule: counting takes no lock and makes no measurement. A measurement costs about 20 µs of an app's time (see
docs/performance.md), and of a count nobody wants to know more than how far it has come.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Final

from opentelemetry.metrics import CallbackOptions, Observation

from anthropic_otel._core.guard import report
from anthropic_otel._otel.attributes import MAX_SETS, AttributeSets, AttributeValue, Facts

Pairs = tuple[tuple[str, AttributeValue], ...]


class Counts(dict[Facts, "itertools.count[int]"]):
    """How often what happened, by attribute set. `next(counts[facts])` counts one more, in any thread."""

    __slots__ = ("_sets", "_totals")

    def __init__(self, sets: AttributeSets) -> None:
        super().__init__()
        self._sets: Final = sets
        self._totals: dict[Pairs, itertools.count[int]] = {}

    def __missing__(self, facts: Facts) -> itertools.count[int]:
        # The `next` of a count is atomic, and so is `setdefault`: whoever comes second gets the count of the first.
        total = self._totals.setdefault(tuple(self._sets[facts].items()), itertools.count())
        if len(self) < MAX_SETS:
            self[facts] = total
        return total

    def observe(self, _: CallbackOptions) -> Iterator[Observation]:
        """What has been counted so far, for a reader that collects. Never raises."""
        try:
            yield from [Observation(_reached(total), dict(pairs)) for pairs, total in list(self._totals.items())]
        except Exception as error:
            report("Counts", error)


def _reached(total: itertools.count[int]) -> int:
    """How far a count has come. Only its `repr`, `count(7)`, tells it without counting on."""
    return int(repr(total)[len("count(") : -1])
