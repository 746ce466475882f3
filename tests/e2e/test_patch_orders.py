"""Beside other patches of the same clients and classes: nothing changes, in each order of putting on and taking off."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Iterator
from typing import Any

import pytest

import anthropic_otel
from anthropic_otel.simulator import Simulator
from e2e.unchanged import orders
from e2e.unchanged.facts import Facts, changes
from e2e.unchanged.world import PLAIN, STACKS, opened
from support.marks import BREAKS_CONNECTIONS
from support.stacks import Stack
from support.telemetry import recording

pytestmark = list(BREAKS_CONNECTIONS)


def _cases() -> Iterator[Any]:
    """Each patch in each order on each stack, with the process instrumented, and with the HTTP client named."""
    for name in orders.PATCHES:
        for order in orders.ORDERS:
            for stack in STACKS:
                for named in (False, True):
                    marks = () if stack.of_sdk and not named else (pytest.mark.slow,)
                    identity = f"{name}-{', '.join(order)}-{stack.name}-{'client' if named else 'process'}"
                    yield pytest.param(name, order, stack, named, id=identity, marks=marks)


def _skip_unknown(name: str, stack: Stack) -> None:
    if name == "opentelemetry":
        module = importlib.import_module("opentelemetry.instrumentation.httpx")
        if stack.library == "httpx2" and not hasattr(module, "HTTPX2ClientInstrumentor"):
            pytest.skip("this version of opentelemetry-instrumentation-httpx does not know the library")


@functools.cache
def plain(name: str, order: tuple[str, ...], stack: Stack) -> Facts:
    """What a plain app sees in that order."""
    with Simulator() as sim, recording() as telemetry, opened(stack, PLAIN, sim, telemetry) as world:
        return orders.run(world, name, order, lambda: None, lambda: None)


@pytest.mark.parametrize(("name", "order", "stack", "named"), tuple(_cases()))
def test_another_patch_works_as_in_a_plain_app(
    name: str, order: tuple[str, ...], stack: Stack, named: bool, sim: Simulator
) -> None:
    """It is called as often, and what it took off leaves classes and clients as they were."""
    _skip_unknown(name, stack)
    expected = dict(plain(name, order, stack))
    with recording() as recorded, opened(stack, PLAIN, sim, recorded) as world:

        def instrument() -> None:
            if named:
                recorded.instrument_http_client(world.http)
            else:
                recorded.instrument()

        found = orders.run(world, name, order, instrument, anthropic_otel.uninstrument)
    if order == orders.BEHIND and name.endswith("on the class"):
        expected.pop("left")
        found.pop("left")
    assert changes(expected, found) == []
