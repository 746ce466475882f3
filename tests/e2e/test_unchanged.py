"""Nothing changes, beyond results: each probe of an app finds the same in a plain app and behind every door.

Rule: each probe looks on each stack behind one door in the quick suite, and behind the others in the slow one. The
probes take turns at the doors.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from anthropic_otel.simulator import Simulator
from e2e.unchanged import clients, messages, mocks
from e2e.unchanged.facts import MARK, changes
from e2e.unchanged.world import DOORS, PLAIN, STACKS, Door, World, opened, simulator
from support.marks import BREAKS_CONNECTIONS
from support.stacks import Stack
from support.telemetry import Telemetry, recording

Probe = Callable[[World], Any]

pytestmark = list(BREAKS_CONNECTIONS)
HTTP_PROBES: tuple[Probe, ...] = (*clients.HTTP_PROBES, *messages.HTTP_PROBES, *mocks.HTTP_PROBES)
SDK_PROBES: tuple[Probe, ...] = (*clients.SDK_PROBES, *messages.SDK_PROBES, *mocks.SDK_PROBES)


def _ways() -> Iterator[tuple[Stack, Door]]:
    """Every stack, behind every door that it has."""
    return ((stack, door) for stack in STACKS for door in DOORS if door.applies_to(stack))


def _cases() -> Iterator[Any]:
    """Every probe on every stack that it is for, behind every door that the stack has."""
    for number, probe in enumerate((*HTTP_PROBES, *SDK_PROBES)):
        for position, stack in enumerate(STACKS):
            if not stack.of_sdk and probe not in HTTP_PROBES:
                continue
            doors = [door for door in DOORS if door.applies_to(stack)]
            for turn, door in enumerate(doors):
                quick = turn == (number + position) % len(doors)
                marks = () if quick else (pytest.mark.slow,)
                yield pytest.param(probe, stack, door, id=f"{probe.__name__}-{_name(stack, door)}", marks=marks)


def _name(stack: Stack, door: Door) -> str:
    return f"{stack.name}-{door.name}"


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """The server of the probes, whose headers say the same in each run."""
    with simulator() as made:
        yield made


@functools.cache
def plain(probe: Probe, stack: Stack) -> Any:
    """What the probe finds in a plain app."""
    with simulator() as sim, recording() as telemetry, opened(stack, PLAIN, sim, telemetry) as world:
        return probe(world)


@pytest.mark.parametrize(("probe", "stack", "door"), tuple(_cases()))
def test_a_probe_finds_what_it_finds_in_a_plain_app(
    probe: Probe, stack: Stack, door: Door, sim: Simulator, recorded: Telemetry
) -> None:
    """Every attribute, protocol and lifetime is what it was."""
    expected = plain(probe, stack)
    with opened(stack, door, sim, recorded) as world:
        found = probe(world)
    assert changes(expected, found) == []


@pytest.mark.parametrize(
    ("stack", "door"),
    [pytest.param(*way, id=_name(*way)) for way in _ways()],
)
def test_a_door_records_while_it_is_open(stack: Stack, door: Door, sim: Simulator, recorded: Telemetry) -> None:
    """The probes look at an app that is instrumented, or at one that was."""
    with opened(stack, door, sim, recorded) as world:
        world.open()
        before = len(recorded.attempts)
        world.use()
        assert len(recorded.attempts) - before == door.live


@pytest.mark.parametrize(("stack", "door"), [pytest.param(*way, id=_name(*way)) for way in _ways()])
def test_an_http_client_has_one_private_name_at_most(
    stack: Stack, door: Door, sim: Simulator, recorded: Telemetry
) -> None:
    """Only one that was named to the library has it, and only until the library is taken off."""
    with opened(stack, door, sim, recorded) as world:
        world.open()
        names = [name for name in dir(world.http) if name.startswith(MARK)]
        assert len(names) <= (door.names and door.live)
        assert set(names) <= set(vars(world.http))
