"""The tables, in Markdown, and the goals that the figures are held against.

Rule: a figure that could not be measured is a dash, and a goal that does not hold says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.measuring import Samples
from benchmarks.scaling import LEVELS

_COLUMNS = ("floor", "ours", "httpx2", "traceloop", "openinference")
_OPTIONS = ("no phases", "no metrics", "no logs", "undone")
_DELTAS = 199


@dataclass(frozen=True)
class Results:
    """Everything that one run has measured."""

    samples: Samples
    groups: Sequence[str]
    scale: Samples
    memory: Mapping[str, Mapping[str, float]]
    imports: Mapping[str, Any]


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, with its columns aligned."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    first, *rest = [" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    rule = " | ".join("-" * width for width in widths)
    return "\n".join(f"| {line} |" for line in (first, rule, *rest))


def _amount(value: float) -> str:
    return f"{value:,.1f}" if abs(value) < 10 else f"{value:,.0f}"


def calls(results: Results, clock: str) -> str:
    """The table of all cases: what a call takes, and what each variant adds to it, in µs."""

    def row(group: str) -> Iterator[str]:
        samples = results.samples
        yield group
        yield _amount(samples.median(group, "off", clock))
        for name in _COLUMNS:
            yield _amount(samples.added(group, name, clock=clock)) if samples.has(group, name) else "-"
        for name in ("floor", "httpx2"):
            yield f"{ratio:.2f}" if (ratio := _ratio(samples, group, name, clock)) is not None else "-"

    header = ("case", "off", *(f"+ {name}" for name in _COLUMNS), "ours / floor", "ours / httpx2")
    return table(header, map(list, map(row, results.groups)))


def options(results: Results) -> str:
    """The table of the library's options: what each way of using it adds to a call."""
    samples = results.samples
    groups = [group for group in results.groups if any(samples.has(group, name) for name in _OPTIONS)]
    rows = (
        [
            group,
            *(
                f"{samples.added(group, name):,.1f} ± {samples.error(group, name):.1f}"
                if samples.has(group, name)
                else "-"
                for name in ("ours", *_OPTIONS)
            ),
        ]
        for group in groups
    )
    return table(("case", "+ ours", *(f"+ {name}" for name in _OPTIONS)), rows)


def scale(results: Results) -> str:
    """The table of what the library adds to a call, at every level of every dimension."""
    samples = results.scale
    rows = (
        [dimension, str(level), _amount(samples.median(group, "off")), _amount(samples.added(group, "ours"))]
        for dimension, levels in LEVELS.items()
        for level in levels
        if samples.has(group := f"{dimension} {level}", "ours")
    )
    return table(("dimension", "level", "off", "+ ours"), rows)


def held(results: Results) -> str:
    """The table of what is held in memory, in bytes."""
    rows = ([what, *(f"{value:,.0f}" for value in values.values())] for what, values in results.memory.items())
    return table(("what", "held by ours", "by the span of the OpenTelemetry SDK"), rows)


# -- the goals ---------------------------------------------------------------------------------------------------------


def _ratio(samples: Samples, group: str, other: str, clock: str = "cpu") -> float | None:
    if not samples.has(group, other) or not samples.has(group, "ours"):
        return None
    return samples.added(group, "ours", clock=clock) / samples.added(group, other, clock=clock)


def _worst(results: Results, other: str, chosen: Callable[[str], bool]) -> float | None:
    ratios = (_ratio(results.samples, group, other) for group in results.groups if chosen(group))
    return max((ratio for ratio in ratios if ratio is not None), default=None)


def _one_attempt(group: str) -> bool:
    return group in ("create", "create, async", "create, sockets", "create, async, sockets")


def _per_delta(results: Results, prefix: str) -> float | None:
    """What a delta costs beyond its attempt, with or without the SDK's own tracing: the greater of the two."""
    samples = results.samples
    pairs = [
        (f"stream{prefix}{suffix}", f"stream of 1{prefix}{suffix}") for suffix in ("", ", no call span of the SDK's")
    ]
    values = [
        (samples.added(many, "ours") - samples.added(one, "ours")) / _DELTAS
        for many, one in pairs
        if samples.has(one, "ours") and samples.has(many, "ours")
    ]
    return max(values, default=None)


def _against(results: Results, group: str, other: str) -> float | None:
    samples = results.samples
    if not samples.has(group, "ours") or not samples.has(other, "ours"):
        return None
    return samples.added(group, "ours") / samples.added(other, "ours")


def _added(results: Results, groups: Sequence[str], variant: str = "ours") -> float | None:
    values = [results.samples.added(group, variant) for group in groups if results.samples.has(group, variant)]
    return max(values, default=None)


def _growth(results: Results) -> float | None:
    """The most that the added cost differs between the highest level of a dimension and the lowest, as a ratio."""
    samples = results.scale
    ratios = [
        samples.added(f"{dimension} {levels[-1]}", "ours") / samples.added(f"{dimension} {levels[0]}", "ours")
        for dimension, levels in LEVELS.items()
        if samples.has(f"{dimension} {levels[-1]}", "ours")
    ]
    return max(ratios, default=None)


def _undone(results: Results) -> float | None:
    """What is measurable after `uninstrument()`, in standard errors of the measurement."""
    samples = results.samples
    values = [
        abs(samples.added(group, "undone")) / samples.error(group, "undone")
        for group in results.groups
        if samples.has(group, "undone")
    ]
    return max(values, default=None)


def goals(results: Results) -> str:
    """The table of the goals, each with what was measured and whether it holds."""
    stream = results.memory.get("open stream", {}).get("rest")
    lines: list[tuple[str, float | None, float, str]] = [
        ("one attempt / bare floor", _worst(results, "floor", _one_attempt), 1.25, "x"),
        ("one attempt / HTTPX2 instrumentor", _worst(results, "httpx2", _one_attempt), 0.40, "x"),
        ("each delta of a stream", _per_delta(results, ""), 1.0, "µs"),
        ("each delta of an async stream", _per_delta(results, ", async"), 1.0, "µs"),
        ("unsampled / sampled", _against(results, "create, unsampled", "create"), 0.5, "x"),
        ("API only, a create", _added(results, ("create, api", "create, async, api")), 20.0, "µs"),
        ("after uninstrument()", _undone(results), 3.0, "standard errors"),
        ("import", float(results.imports["ms"]), 25.0, "ms"),
        ("held by an open stream", stream, 2048.0, "bytes"),
        ("growth with attempts made, clients alive, calls in flight", _growth(results), 1.25, "x"),
    ]
    rows = (
        [name, f"{most:g} {unit}", "-" if value is None else f"{value:,.2f}", _verdict(value, most)]
        for name, value, most, unit in lines
    )
    return table(("goal", "at most", "measured", "holds"), rows)


def _verdict(value: float | None, most: float) -> str:
    return "-" if value is None else "yes" if value <= most else "NO"


def text(results: Results) -> str:
    """The whole report."""
    heavy = ", ".join(results.imports["heavy"]) or "none"
    parts = [
        ("Calls: CPU time in µs per call, of the whole process", calls(results, "cpu")),
        ("Calls: wall time in µs per call", calls(results, "wall")),
        ("Options: CPU time in µs that is added to a call, ± standard error", options(results)),
        ("Growth: CPU time in µs per call", scale(results)),
        ("Memory: bytes beyond those of the same call without the library", held(results)),
        ("Import", f"{results.imports['ms']:.1f} ms; SDK, HTTP library or OpenTelemetry SDK imported: {heavy}"),
        ("Goals", goals(results)),
    ]
    return "\n\n".join(f"## {title}\n\n{body}" for title, body in parts)
