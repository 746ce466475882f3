"""Four observers of one call cannot contradict each other: the app, the server, the span of the call (the SDK's own,
where it makes one), and what this library says in spans, metrics, log records and to `capture()`.

Every fault of the catalogue is met on every HTTP stack, in every situation that its entry makes sense of. What is
allowed together is the table in `agreement/table.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from anthropic_otel.simulator import Fault, Simulator
from e2e.agreement.agreeing import contradictions
from e2e.agreement.doors import DOORS, Door, observe_at, representatives
from e2e.agreement.meeting import observe, situations
from support import pending
from support.cases import cases, meets
from support.driver import Driver
from support.marks import BREAKS_CONNECTIONS
from support.stacks import SDK_STACKS, STACKS, Stack

pytestmark = [pytest.mark.usefixtures("waits"), *BREAKS_CONNECTIONS]
CASES = list(cases(pending.AGREEMENT, turn=1, every_stack=False))
AT_DOORS = [
    pytest.param(
        door,
        fault,
        stack,
        id=f"{door.name}-{fault.name}-{stack.name}",
        marks=(
            *pending.marks(fault.name, stack.name, door.name),
            *(() if stack.of_sdk else (pytest.mark.without_sdk,)),
            *(() if stack in SDK_STACKS[:2] else (pytest.mark.slow,)),
        ),
    )
    for door in DOORS
    for fault in representatives()
    for stack in STACKS
    if meets(fault, stack) and door.shows(fault, stack)
]


@pytest.fixture(scope="module")
def shared() -> Iterator[Simulator]:
    """One simulator for all: each meeting begins with an empty record."""
    with Simulator() as simulator:
        yield simulator


@pytest.mark.parametrize(("fault", "stack"), CASES)
def test_nobody_contradicts_anybody(fault: Fault, stack: Stack, shared: Simulator) -> None:
    """What was seen of a call, and said of it, fits the table in each situation."""
    found: list[str] = []
    with Driver(asynchronous=stack.asynchronous) as driver:
        for situation in situations(fault, stack):
            told = contradictions(observe(situation, fault, stack, shared, driver))
            found += [f"{situation.name}: {text}" for text in told]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(("door", "fault", "stack"), AT_DOORS)
def test_nobody_contradicts_anybody_at_other_doors(door: Door, fault: Fault, stack: Stack, shared: Simulator) -> None:
    """What is said of attempts fits the table too where one HTTP client is seen, or its event hooks are."""
    with Driver(asynchronous=stack.asynchronous) as driver:
        found = contradictions(observe_at(door, fault, stack, shared, driver))
    assert not found, "\n".join(found)
