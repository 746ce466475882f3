"""The further ways in: one HTTP client that is named to the library, and event hooks.

Rule: through these doors the library sees attempts and no calls, so what is said of calls is left out; what event hooks
cannot see is left out too, each with its reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from anthropic_otel._core.semconv import Phase
from anthropic_otel.simulator import FAULTS, Endpoint, Fault, Redirect, Simulator, Where
from e2e.agreement import observers
from e2e.agreement.meeting import Observed, prepare, said, settled, situations, use
from e2e.agreement.situations import Situation
from support.apps import BareApp, SdkApp
from support.cases import depends_on_the_call
from support.driver import Driver
from support.stacks import Stack, http_client
from support.telemetry import Telemetry, recording


@dataclass(frozen=True)
class Door:
    """One of them. `options` are what an HTTP client is made with, `open` has the library see the one that was made.

    `shows` is whether the library can see the fault on that stack.
    """

    name: str
    options: Callable[[Telemetry], dict[str, Any]]
    open: Callable[[Telemetry, Any], None]
    shows: Callable[[Fault, Stack], bool]


def _hooked(telemetry: Telemetry) -> dict[str, Any]:
    return {"event_hooks": telemetry.event_hooks()}


def _everything(fault: Fault, stack: Stack) -> bool:
    return True


def _what_hooks_see(fault: Fault, stack: Stack) -> bool:
    """Hooks see no failure without an event of the transport, and take each hop of a redirect for an attempt."""
    silent = stack.aiohttp and fault.where not in (Where.NOWHERE, Where.RESPONSE, Where.STREAM)
    return not (silent or fault.phase is Phase.POOL or isinstance(fault.action, Redirect))


DOORS: Final = (
    Door("instrument_http_client", lambda _: {}, Telemetry.instrument_http_client, _everything),
    Door("event_hooks", _hooked, lambda *_: None, _what_hooks_see),
)


def representatives() -> list[Fault]:
    """The first fault of each cause at each place, of each of the SDK's clients that meets it."""
    found: dict[tuple[Any, ...], Fault] = {}
    for fault in FAULTS.values():
        if not depends_on_the_call(fault):
            found.setdefault((fault.where, fault.cause, fault.needs.sdk), fault)
    return list(found.values())


def situation_at_doors(fault: Fault, stack: Stack) -> Situation:
    """The plainest one."""
    return situations(fault, stack)[0]


def app_by(client: Any, stack: Stack, endpoint: Endpoint, driver: Driver, telemetry: Telemetry) -> Any:
    """An app that sends by that HTTP client: by the SDK, which retries once, if it is one of the SDK's."""
    if stack.of_sdk:
        return SdkApp(stack, endpoint, driver, telemetry, http=client, max_retries=1)
    return BareApp(stack, endpoint, driver, http=client)


def observe_at(door: Door, fault: Fault, stack: Stack, sim: Simulator, driver: Driver) -> Observed:
    """Has an app meet the fault through that door, and asks everybody but `capture()`."""
    situation, endpoint = situation_at_doors(fault, stack), sim.endpoint(fault)
    with recording() as telemetry:
        client = http_client(stack, endpoint, **door.options(telemetry))
        app = app_by(client, stack, endpoint, driver, telemetry)
        prepare(app, situation, fault, sim)
        door.open(telemetry, client)
        saw = use(app, situation, fault, stack)
        return Observed(
            fault=fault,
            stack=stack,
            situation=situation,
            with_calls=False,
            with_capture=False,
            app=saw,
            server=observers.server_saw(settled(sim)),
            captured=[],
            captured_calls=[],
            in_flight=0,
            **said(telemetry),
        )
