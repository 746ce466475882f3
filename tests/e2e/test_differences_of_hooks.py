"""What `event_hooks()` tells otherwise than `instrument_http_client()`, entry by entry, as the documentation has it."""

from __future__ import annotations

import gc
import importlib.util
from collections.abc import Iterable, Iterator
from typing import Final

import pytest

from anthropic_otel.simulator import FAULTS, Fault, Simulator, Where
from e2e.agreement import hooks
from support.cases import meets
from support.driver import Driver
from support.marks import BREAKS_CONNECTIONS
from support.stacks import HTTPCORE_STACKS, SDK_STACKS, Stack
from support.waiting import collect_garbage

pytestmark = [pytest.mark.usefixtures("waits"), *BREAKS_CONNECTIONS]

SAMPLE: Final = (
    "ok",
    "http_429",
    "http_307_unfollowed",
    "redirect_gateway",
    "redirect_refused",
    "redirect_body_reset",
    "json_error",
    "connection_refused",
    "body_reset",
    "stream_overloaded",
    "proxy_refused",
    "proxy_407",
    "too_many_redirects",
)


@pytest.fixture(scope="module")
def shared() -> Iterator[Simulator]:
    """One simulator for all: each meeting begins with an empty record."""
    with Simulator() as simulator:
        yield simulator


def _check(faults: Iterable[Fault], stack: Stack, sim: Simulator) -> None:
    """Prints what the doors tell otherwise of these entries, and holds that the documentation has just that."""
    bedrock = importlib.util.find_spec("botocore") is not None
    met = [fault for fault in faults if meets(fault, stack) and (bedrock or fault.needs.sdk != "AnthropicBedrock")]
    # Each meeting collects garbage: of itself, and not of what a thousand tests before it have left.
    collect_garbage()
    gc.freeze()
    try:
        with Driver(asynchronous=stack.asynchronous) as driver:
            found = hooks.rows(met, stack, sim, driver)
    finally:
        gc.unfreeze()
    print(hooks.table(found))
    names = {fault.name for fault in met}
    assert found == [row for row in hooks.documented() if row[0] in names]


@pytest.mark.parametrize("stack", [stack for stack in SDK_STACKS if not stack.aiohttp], ids=lambda stack: stack.name)
def test_event_hooks_tell_the_same_as_send(stack: Stack, shared: Simulator) -> None:
    """One entry or more of each kind: what is told of it is the same, but for what the documentation lists."""
    _check([FAULTS[name] for name in SAMPLE], stack, shared)


@pytest.mark.slow
@pytest.mark.parametrize("where", list(Where), ids=lambda where: where.name.lower())
@pytest.mark.parametrize("stack", HTTPCORE_STACKS, ids=lambda stack: stack.name)
def test_the_documentation_has_every_difference_of_event_hooks(stack: Stack, where: Where, shared: Simulator) -> None:
    """Every entry, in every situation: attributes of spans, points of metrics and records of the log."""
    _check([fault for fault in FAULTS.values() if fault.where is where], stack, shared)


def test_the_documentation_has_no_entry_that_there_is_not() -> None:
    """A row is of an entry of the catalogue, and no row is there twice."""
    documented = hooks.documented()
    assert documented
    assert {row[0] for row in documented} <= set(FAULTS)
    assert sorted(set(documented)) == documented
