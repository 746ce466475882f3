"""Interleaved rounds and their medians.

Rule: in each round the cells come in a new random order, but the variants of one case next to each other, and what
is told of a variant is its difference from the reference variant in the same round, or, where it can be taken off, from
its own process without it. Two processes that do the same differ by some five per cent all their lives, by where things
lie in memory; so after a few rounds all of them are new.
"""

from __future__ import annotations

import math
import random
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.pool import Pool
from benchmarks.variants import Variant


@dataclass(frozen=True)
class Cell:
    """What is measured in one go: a variant and an order to its worker. Cells of one `group` are compared."""

    group: str
    variant: Variant
    order: Mapping[str, Any]

    def __hash__(self) -> int:
        return hash((self.group, self.variant))


class Samples:
    """What was measured, per group and variant, in rounds: `cpu` and `wall` in µs per call."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], list[dict[str, float]]] = defaultdict(list)

    def add(self, group: str, variant: str, values: dict[str, float]) -> None:
        self._values[group, variant].append(values)

    def has(self, group: str, variant: str) -> bool:
        return bool(self._values.get((group, variant)))

    def median(self, group: str, variant: str, clock: str = "cpu") -> float:
        """The median of a variant by itself."""
        return statistics.median(round_[clock] for round_ in self._values[group, variant])

    def differences(self, group: str, variant: str, reference: str, clock: str = "cpu") -> list[float]:
        """What a variant took more in each round: than its own process without it, or else than the reference."""
        pairs = zip(self._values[group, variant], self._values[group, reference], strict=True)
        return [one[clock] - one.get(f"{clock}_off", other[clock]) for one, other in pairs]

    def added(self, group: str, variant: str, reference: str = "off", clock: str = "cpu") -> float:
        """The median of what a variant took more than the reference."""
        return statistics.median(self.differences(group, variant, reference, clock))

    def error(self, group: str, variant: str, reference: str = "off", clock: str = "cpu") -> float:
        """The standard error of that median, from the spread of the middle half of the rounds."""
        values = self.differences(group, variant, reference, clock)
        if len(values) < 4:
            return math.nan
        lower, _, upper = statistics.quantiles(values, n=4)
        return 1.2533 * (upper - lower) / 1.349 / math.sqrt(len(values))


ROUNDS_OF_A_PROCESS = 3


def measure(pool: Pool, cells: Sequence[Cell], rounds: int, before: Callable[[Cell], None]) -> Samples:
    """Measures every cell once a round. `before` is done just before each. New processes have a round to warm up."""
    chance = random.Random(0)
    groups = defaultdict(list)
    for cell in cells:
        groups[cell.group].append(cell)
    samples = Samples()
    for number in range(rounds):
        if number % ROUNDS_OF_A_PROCESS == 0:
            pool.renew()
            _round(pool, groups, chance, before, None)
        _round(pool, groups, chance, before, samples)
        print(f"\rround {number + 1} of {rounds}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return samples


def _round(
    pool: Pool,
    groups: Mapping[str, list[Cell]],
    chance: random.Random,
    before: Callable[[Cell], None],
    samples: Samples | None,
) -> None:
    names = list(groups)
    chance.shuffle(names)
    for name in names:
        chance.shuffle(groups[name])
        for cell in groups[name]:
            before(cell)
            values = pool.worker(cell.variant).ask(**cell.order)
            if samples is not None:
                samples.add(name, cell.variant.name, {clock: float(value) for clock, value in values.items()})
