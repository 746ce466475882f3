"""Which cases are measured with which variants.

Rule: what a goal compares is in one group or in two groups of one run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

from benchmarks.measuring import Cell
from benchmarks.scaling import LEVELS
from benchmarks.variants import Variant
from benchmarks.workload import Case

OFF, FLOOR, OURS, UNDONE = (
    Variant("off", "nothing"), Variant("floor", "floor"), Variant("ours", "ours"), Variant("undone", "undone"),
)  # fmt: skip
NO_PHASES, NO_METRICS, NO_LOGS = (
    Variant(f"no {what}", f"ours without {what}") for what in ("phases", "metrics", "logs")
)
PEERS = tuple(Variant(name, name, environment=name) for name in ("httpx2", "traceloop", "openinference"))
HTTPX2 = PEERS[0]

CREATE, STREAM = Case("create"), Case("stream", stream=True)
RETRIED = Case("create, 529 first", retry=True)
RETRIED_STREAM = Case("stream, 529 first", stream=True, retry=True)
ONE_DELTA = Case("stream of 1", stream=True, deltas=1)


@dataclass(frozen=True)
class Counts:
    """How many calls are timed in one go, and in how many rounds."""

    create: int
    stream: int
    rounds: int
    scale: int
    memory: int
    imports: int


FULL = Counts(create=25, stream=5, rounds=40, scale=200, memory=200, imports=20)
QUICK = Counts(create=15, stream=3, rounds=8, scale=50, memory=50, imports=5)
TINY = Counts(create=1, stream=1, rounds=1, scale=1, memory=2, imports=1)


def group_of(case: Case, telemetry: str = "sampled") -> str:
    """The name of a case with what it differs by from the plain one."""
    words = [case.name]
    words += ["async"] if case.asynchronous else []
    words += ["sockets"] if case.base_url else []
    words += ["no call span of the SDK's"] if not case.sdk_traces else []
    words += [telemetry] if telemetry != "sampled" else []
    return ", ".join(words)


def cases(base_url: str) -> Iterator[tuple[Case, tuple[Variant, ...], str]]:
    """Every case, the variants that it is measured with, and the telemetry that is set up for them."""
    everybody = (OFF, FLOOR, OURS, *PEERS)
    for asynchronous in (False, True):
        for case in (CREATE, STREAM):
            it = replace(case, asynchronous=asynchronous)
            yield it, (*everybody, UNDONE, NO_METRICS), "sampled"
            yield replace(it, sdk_traces=False), everybody, "sampled"
            yield replace(it, base_url=base_url), (OFF, FLOOR, OURS, HTTPX2, NO_PHASES), "sampled"
            yield it, (OFF, FLOOR, OURS, HTTPX2), "unsampled"
            yield it, (OFF, OURS, HTTPX2), "api"
        for case in (RETRIED, RETRIED_STREAM):
            yield replace(case, asynchronous=asynchronous), (*everybody, NO_LOGS), "sampled"
            yield replace(case, asynchronous=asynchronous, base_url=base_url), (OFF, FLOOR, OURS, HTTPX2), "sampled"
        yield replace(RETRIED, asynchronous=asynchronous, sdk_traces=False), everybody, "sampled"
        for sdk_traces in (True, False):
            it = replace(ONE_DELTA, asynchronous=asynchronous, sdk_traces=sdk_traces)
            yield it, (OFF, FLOOR, OURS), "sampled"
    yield CREATE, (OFF, OURS), "unsampled, no metrics"


def cells(base_url: str, counts: Counts, without: frozenset[str]) -> Iterator[tuple[Cell, Case]]:
    """Every time that is measured once a round, but for the environments that are not there."""
    for case, variants, telemetry in cases(base_url):
        count = counts.stream if case.stream else counts.create
        for variant in variants:
            if variant.environment not in without:
                order = {"do": "run", "case": asdict(case), "count": count}
                yield Cell(group_of(case, telemetry), replace(variant, telemetry=telemetry), order), case


def scale_cells(counts: Counts) -> Iterator[Cell]:
    """The cost of a call at every level of every dimension."""
    for dimension, levels in LEVELS.items():
        for level in levels if counts is not TINY else levels[:1]:
            for variant in (OFF, OURS):
                order = {"do": "scale", "dimension": dimension, "level": level, "count": counts.scale}
                yield Cell(f"{dimension} {level}", variant, order)
