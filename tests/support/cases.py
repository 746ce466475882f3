"""Which faults of the catalogue meet which stacks, and which of those meetings are slow.

Rule: an entry is of the newest SDK. What an older one makes of the same bytes is said here, and the tests follow it.

Rule: each fault meets each stack, and one of them in the fast tests. A fault of a response is the same bytes to every
stack, so its other meetings are slow; a fault of the connection meets every stack of the SDK in the fast ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import pytest

from anthropic_otel._core.semconv import AttemptOutcome, NetworkCause, Phase
from anthropic_otel.simulator import FAULTS, Fault, Where
from anthropic_otel.simulator.actions import Chunks, Raw, Reply
from support import pending
from support.stacks import SDK_STACKS, STACKS, Stack
from support.versions import CLOSES_FAILED_STREAMS, DECODES_EVERY_EVENT

_OF_A_RESPONSE: Final = (Chunks, Raw, Reply)
_NUMBERS: Final = {name: number for number, name in enumerate(FAULTS)}
_GOES_BY_NAMES: Final[Mapping[str, Mapping[str, Any]]] = {
    # The event has a name of no meaning, and the end event comes after it.
    "stream_invalid_json_gzip": {"where": Where.NOWHERE, "error_type": None, "outcome": AttemptOutcome.COMPLETED},
    # No event has a name that the SDK knows, so that the app gets none.
    "stream_other_names": {
        "where": Where.STREAM,
        "error_type": "incomplete_stream",
        "cause": NetworkCause.INCOMPLETE_STREAM,
        "phase": Phase.RECEIVE,
        "outcome": AttemptOutcome.FAILED,
    },
    # The event has the name of the end event, so that the SDK decodes the data that it has not.
    "stream_end_without_data": {"error_type": "invalid_event", "cause": None, "phase": None},
}
"""What is different of an entry where the SDK decodes the events that it knows by their names, and no other."""

_TOLD_BY_THE_EXCEPTION: Final = frozenset({"stream_invalid_json_64k_in_packets", "stream_invalid_json_and_much"})
"""Streams whose event is too long to be kept. Only an SDK that closes them while its exception passes can tell."""

_FAST: Final = [stack for stack in SDK_STACKS if not stack.aiohttp]


def cases(suite: str, *, turn: int, every_stack: bool) -> Iterator[Any]:
    """The parameters `fault` and `stack` of a suite's test.

    `turn` moves on the stack that a fault meets in the fast tests: two suites take different ones. With
    `every_stack` a fault of the connection meets every stack of the SDK there; without, each fault meets one, and of
    the faults of a response only every third is in the fast tests.
    """
    for fault in map(_on_this_sdk, FAULTS.values()):
        for stack in STACKS:
            if meets(fault, stack):
                marks = (*pending.marks(fault.name, stack.name, suite), *_marks(fault, stack, turn, every_stack))
                yield pytest.param(fault, stack, id=f"{fault.name}-{stack.name}", marks=marks)


def meets(fault: Fault, stack: Stack) -> bool:
    """Whether a client on that stack can meet the fault: some are only there for one of the SDK, or of a later SDK."""
    told = CLOSES_FAILED_STREAMS or fault.name not in _TOLD_BY_THE_EXCEPTION
    return told and stack.kind in fault.applies_to and (stack.of_sdk or fault.needs.sdk is None)


def depends_on_the_call(fault: Fault) -> bool:
    """Whether only a call tells what the installed SDK makes of the fault: one that knows events by their names."""
    return not DECODES_EVERY_EVENT and fault.name in _GOES_BY_NAMES


def _on_this_sdk(fault: Fault) -> Fault:
    """The entry with what the installed SDK makes of it."""
    return fault if DECODES_EVERY_EVENT else replace(fault, **_GOES_BY_NAMES.get(fault.name, {}))


def _marks(fault: Fault, stack: Stack, turn: int, every_stack: bool) -> Iterator[pytest.MarkDecorator]:
    if not stack.of_sdk:
        yield pytest.mark.without_sdk
    of_a_response = isinstance(fault.action, _OF_A_RESPONSE)
    if every_stack and not of_a_response:
        if not stack.of_sdk:
            yield pytest.mark.slow
        return
    if not every_stack and of_a_response and _NUMBERS[fault.name] % 3:
        yield pytest.mark.slow
        return
    usable = [one for one in _FAST if one.kind in fault.applies_to] or _FAST
    if stack != usable[(_NUMBERS[fault.name] + turn) % len(usable)]:
        yield pytest.mark.slow
