"""What the counters of tokens must say of what the simulator has sent: by the arithmetic of the GenAI conventions.

Rule: it is reckoned from the simulator's log and from the documents of the API, and takes nothing of the library's but
the names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from anthropic_otel._core import instruments, semconv
from anthropic_otel.simulator.exchange import Served
from support.telemetry import Telemetry

Tokens = Counter[str]
"""Tokens by the name of the metric, and the model if it is another one."""


def by_convention(usage: Mapping[str, Any] | None) -> Tokens:
    """The tokens of one reply, by metric, of the model that was asked for."""
    found: Tokens = Counter()
    if usage is None:
        return found
    billed = [usage, *(each for each in usage.get("iterations") or () if each["type"] == "compaction")]
    for each in billed:
        read, written = each.get("cache_read_input_tokens") or 0, each.get("cache_creation_input_tokens") or 0
        found[instruments.USAGE_INPUT.name] += each.get("input_tokens", 0) + read + written
        found[instruments.USAGE_OUTPUT.name] += each.get("output_tokens", 0)
        found[instruments.USAGE_CACHE_READ.name] += read
        found[instruments.USAGE_CACHE_WRITE.name] += written
    found[instruments.USAGE_REASONING.name] += (usage.get("output_tokens_details") or {}).get("thinking_tokens", 0)
    return found


def sent(served: Iterable[Served]) -> Tokens:
    """The tokens of all that was sent."""
    return sum((by_convention(each.usage) for each in served), Counter())


def told(telemetry: Telemetry, **attributes: str) -> Tokens:
    """The tokens that the counters have, where the attributes, named by their constants in semconv, are so."""
    wanted = {getattr(semconv, name.upper()): value for name, value in attributes.items()}
    found: Tokens = Counter()
    for metric in instruments.USAGE:
        for point in telemetry.points(metric):
            if wanted.items() <= point.attributes.items():
                found[metric.name] += int(point.sum)
    return +found
