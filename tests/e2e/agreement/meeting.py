"""A fault that an app has met in a situation, and what every observer said of it.

Rule: what is observed is plain values, and everything that the app had is gone by then.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from anthropic_otel._core import instruments
from anthropic_otel._core.semconv import CallOutcome
from anthropic_otel.simulator import Endpoint, Fault, Served, Simulator
from anthropic_otel.testing import capture
from e2e.agreement import observers
from e2e.agreement.observers import AppSaw, Attempt, Call, CallSpan, Record, Result, ServerSaw
from e2e.agreement.situations import WITH_SDK, WITHOUT_SDK, Got, Situation
from support.apps import PROMPT, BareApp, SdkApp, app_for, quietly
from support.driver import Driver
from support.stacks import Stack
from support.telemetry import Telemetry, recording
from support.versions import CLOSES_FAILED_STREAMS
from support.waiting import collect_garbage, until

RETRIES: Final = 1


@dataclass(frozen=True)
class Observed:
    """What was said of one call. `with_calls` is whether the library sees calls, `with_capture` whether it captured."""

    fault: Fault
    stack: Stack
    situation: Situation
    with_calls: bool
    with_capture: bool
    app: AppSaw
    server: list[ServerSaw]
    started: int
    attempts: list[Attempt]
    measured: Counter[Result]
    captured: list[Attempt]
    call_spans: list[CallSpan]
    measured_calls: list[Call]
    captured_calls: list[Call]
    in_flight: int
    records: list[Record]


def situations(fault: Fault, stack: Stack) -> list[Situation]:
    """The situations in which an app on that stack meets the fault."""
    return [each for each in (WITH_SDK if stack.of_sdk else WITHOUT_SDK) if each.meets(fault)]


def instrumented(telemetry: Telemetry, app: SdkApp | BareApp) -> None:
    """The door that most apps take."""
    if isinstance(app, SdkApp):
        telemetry.instrument()
    else:
        telemetry.instrument_http_client(app.http)


def observe(situation: Situation, fault: Fault, stack: Stack, sim: Simulator, driver: Driver) -> Observed:
    """Has an app meet the fault, and asks everybody."""
    endpoint = Endpoint(sim.base_url, needs=fault.needs) if situation.first else sim.endpoint(fault)
    with recording() as telemetry:
        app: Any = app_for(stack, endpoint, driver, telemetry, max_retries=RETRIES)
        prepare(app, situation, fault, sim)
        instrumented(telemetry, app)
        with capture(real_time=True) as captured:
            saw = use(app, situation, fault, stack)
            in_flight = captured.in_flight
        return Observed(
            fault=fault,
            stack=stack,
            situation=situation,
            with_calls=stack.of_sdk,
            with_capture=True,
            app=saw,
            server=observers.server_saw(settled(sim)),
            captured=[observers.from_capture(each) for each in captured.attempts],
            captured_calls=[Call(CallOutcome(c.outcome), c.error_type, len(c.attempts)) for c in captured.calls],
            in_flight=in_flight,
            **said(telemetry),
        )


def said(telemetry: Telemetry) -> dict[str, Any]:
    """What was exported."""
    return {
        "started": int(sum(point.sum for point in telemetry.points(instruments.ATTEMPT_STARTED))),
        "attempts": [observers.from_span(span) for span in telemetry.attempts],
        "measured": observers.measured_attempts(telemetry),
        "call_spans": observers.call_spans(telemetry),
        "measured_calls": observers.measured_calls(telemetry),
        "records": observers.records(telemetry),
    }


def prepare(app: Any, situation: Situation, fault: Fault, sim: Simulator) -> None:
    """Brings the app and the server to where the fault can be met, with an empty record."""
    app.occupy(fault.needs.busy_connections)
    sim.reset()
    if situation.first:
        sim.play(fault)


def use(app: Any, situation: Situation, fault: Fault, stack: Stack) -> AppSaw:
    """Lets the app do what it does in the situation, closes it, and returns what it saw."""
    got = Got()
    try:
        situation.use(app, got, PROMPT + "x" * fault.needs.request_bytes)
        saw = observers.app_saw(got, None, stack)
    except Exception as error:
        saw = observers.app_saw(got, error, stack)
    finally:
        quietly(app)
    if saw.error_type is not None and got.reading and not CLOSES_FAILED_STREAMS:
        collect_garbage()  # nobody has closed the stream that failed: it ends when the app has forgotten it
    return saw


def settled(sim: Simulator) -> list[Served]:
    """What became of the requests, once the server is done with each that has come whole."""
    until(lambda: all(each.over or not each.whole_request for each in sim.served), every=0.001)
    return sim.served
