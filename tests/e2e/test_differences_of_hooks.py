"""What `event_hooks()` tells otherwise than `instrument_http_client()`, entry by entry, as the documentation has it."""

from __future__ import annotations

import contextlib
import gc
from pathlib import Path
from typing import Any

import pytest

from anthropic_otel._core import semconv
from anthropic_otel._core.finalizer import drain
from anthropic_otel.simulator import FAULTS, Fault, Simulator
from anthropic_otel.simulator.actions import Redirect
from support.apps import SdkApp
from support.cases import meets
from support.driver import Driver
from support.marks import BREAKS_CONNECTIONS
from support.stacks import SDK_STACKS, Stack, http_client
from support.telemetry import recording

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("waits"), *BREAKS_CONNECTIONS]

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "usage.md"


def _may_differ(fault: Fault) -> bool:
    """Hooks do not see the transport, and know of no failure that it has no event for. All else is held elsewhere."""
    return fault.needs.proxy is not None or isinstance(fault.action, Redirect) or (fault.status or 200) // 100 == 3


def _told(fault: Fault, stack: Stack, sim: Simulator, driver: Driver, *, by_hooks: bool) -> list[Any]:
    """The `error.type` of each attempt of a call that meets the fault, once the app has forgotten its error."""
    endpoint = sim.endpoint(fault)
    with recording() as telemetry:
        hooks: dict[str, Any] = {"event_hooks": telemetry.event_hooks()} if by_hooks else {}
        client = http_client(stack, endpoint, **hooks)
        app = SdkApp(stack, endpoint, driver, telemetry, http=client, max_retries=0)
        if not by_hooks:
            telemetry.instrument_http_client(client)
        with contextlib.suppress(Exception):
            app.create()
        app.close()
        del app, client
        gc.collect()
        drain()
        return [(span.attributes or {}).get(semconv.ERROR_TYPE) for span in telemetry.attempts]


def _documented() -> dict[str, tuple[str, str]]:
    section = DOCUMENTATION.read_text("utf-8").partition("| the catalogue's entry |")[2].partition("\n\n")[0]
    rows = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in section.splitlines()[2:]]
    return {entry: (by_send, by_hooks) for entry, by_send, by_hooks in rows}


@pytest.mark.parametrize("stack", [stack for stack in SDK_STACKS if not stack.aiohttp], ids=lambda stack: stack.name)
def test_the_documentation_has_every_difference_of_event_hooks(stack: Stack, sim: Simulator) -> None:
    """Prints each entry of the catalogue that hooks tell otherwise, and holds that the documentation has just those."""
    found: dict[str, tuple[str, str]] = {}
    with Driver(asynchronous=stack.asynchronous) as driver:
        for fault in FAULTS.values():
            if meets(fault, stack) and _may_differ(fault):
                by_send = _told(fault, stack, sim, driver, by_hooks=False)
                by_hooks = _told(fault, stack, sim, driver, by_hooks=True)
                if by_send != by_hooks:
                    found[fault.name] = (", ".join(map(str, by_send)), ", ".join(map(str, by_hooks)))
    for name, words in found.items():
        print(f"| `{name}` | `{words[0]}` | `{words[1]}` |")
    assert found == {name: told for name, told in _documented().items() if meets(FAULTS[name], stack)}
