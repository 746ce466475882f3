"""Which faults of the catalogue meet which stacks, and which of those meetings are slow.

Rule: each fault meets each stack, and each meets one in the fast tests of every suite. A fault of a response is the same
bytes to every stack, so its other meetings are slow; a fault of the connection meets every stack in the fast ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest

from anthropic_otel.simulator import FAULTS, Fault
from anthropic_otel.simulator.actions import Chunks, Raw, Reply
from support import pending
from support.stacks import SDK_STACKS, STACKS, Stack

_OF_A_RESPONSE: Final = (Chunks, Raw, Reply)
_NUMBERS: Final = {name: number for number, name in enumerate(FAULTS)}
_FAST: Final = [stack for stack in SDK_STACKS if not stack.aiohttp]


def cases(suite: str, *, turn: int, every_stack: bool) -> Iterator[Any]:
    """The parameters `fault` and `stack` of a suite's test.

    `turn` moves on the stack that a fault meets in the fast tests, so that two suites take different ones.
    `every_stack` is whether a fault of the connection meets every stack there, or just one too.
    """
    for fault in FAULTS.values():
        for stack in STACKS:
            if stack.kind in fault.applies_to:
                marks = (*pending.marks(fault.name, stack.name, suite), *_marks(fault, stack, turn, every_stack))
                yield pytest.param(fault, stack, id=f"{fault.name}-{stack.name}", marks=marks)


def _marks(fault: Fault, stack: Stack, turn: int, every_stack: bool) -> Iterator[pytest.MarkDecorator]:
    if not stack.of_sdk:
        yield pytest.mark.without_sdk
    if every_stack and not isinstance(fault.action, _OF_A_RESPONSE):
        return
    usable = [one for one in _FAST if one.kind in fault.applies_to] or _FAST
    if stack != usable[(_NUMBERS[fault.name] + turn) % len(usable)]:
        yield pytest.mark.slow
