"""A fault that an app has met, and the words that follow from its entry."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import anthropic

from anthropic_otel._core import semconv
from anthropic_otel.simulator import Endpoint, Fault, Simulator, Where
from anthropic_otel.simulator.exchange import Served
from e2e.frames import call_error_type
from support.apps import PROMPT, App, app_for, quietly
from support.driver import Driver
from support.stacks import Stack
from support.telemetry import Telemetry
from support.versions import CLOSES_FAILED_STREAMS, ROUTES_FRAMES
from support.waiting import collect_garbage


@dataclass(frozen=True)
class Seen:
    """What an app saw of a fault: `facts` for comparison, and `error`, `None` without one.

    `error_type` is the word that a call has for the error. `untouched` is whether the app got the very objects that the
    HTTP client raised and returned.
    """

    facts: tuple[Any, ...]
    error: BaseException | None = None
    error_type: str | None = None
    untouched: bool = True


@dataclass(frozen=True)
class Meeting:
    """A fault that an app has met: what the app saw without and with telemetry, and the telemetry.

    `served` is what the server did about each request of the second time.
    """

    fault: Fault
    stack: Stack
    endpoint: Endpoint
    telemetry: Telemetry
    without: Seen
    seen: Seen
    served: tuple[Served, ...]

    @property
    def attempts(self) -> int:
        """How many attempts there have to be: the SDK may retry once."""
        return 2 if self.fault.retried and self.stack.of_sdk else 1

    @property
    def call_error_type(self) -> str | None:
        """The `error.type` of the call."""
        if self.fault.outcome is semconv.AttemptOutcome.COMPLETED:
            return None
        if self.fault.error_type == "unexpected_content" and not self.fault.stream and self.seen.error is None:
            # The SDK has no word for it, as it raises nothing.
            return self.fault.error_type
        if hands_its_error_on(self.fault):
            return self.fault.error_type
        return "api_error" if ends_silently(self.fault) or is_no_text(self.fault) else self.seen.error_type

    @property
    def route(self) -> str:
        """The path of the requests."""
        if self.fault.needs.sdk == "AnthropicBedrock":
            return "/model/{model}/invoke-with-response-stream"
        return "/v1/messages"


@contextmanager
def met(fault: Fault, stack: Stack, sim: Simulator, telemetry: Telemetry) -> Iterator[Meeting]:
    """Has an app meet the fault once without telemetry, and another one with it."""
    endpoint = sim.endpoint(fault)
    with Driver(asynchronous=stack.asynchronous) as driver:
        app = app_for(stack, endpoint, driver, max_retries=0)
        app.occupy(fault.needs.busy_connections)
        without = _meet(app, fault, stack)
        app = app_for(stack, endpoint, driver, telemetry, max_retries=1)
        app.occupy(fault.needs.busy_connections)
        if stack.of_sdk:
            telemetry.instrument()
        else:
            telemetry.instrument_http_client(app.http)
        before = len(sim.served)
        seen = _meet(app, fault, stack)
        if stack.of_sdk and fault.stream and not CLOSES_FAILED_STREAMS:
            # Nobody closes the stream that has failed: it ends when the app has forgotten it.
            seen = replace(seen, error=None)
            collect_garbage()
        yield Meeting(fault, stack, endpoint, telemetry, without, seen, tuple(sim.served[before:]))


def _meet(app: App, fault: Fault, stack: Stack) -> Seen:
    content = PROMPT + "x" * fault.needs.request_bytes
    try:
        return Seen(_facts(app.meet(content, stream=bool(fault.stream))))
    except Exception as error:
        return Seen(_facts_of_error(error), error, call_error_type(error, stack), _is_untouched(error, app, fault))
    finally:
        quietly(app)


def _is_untouched(error: Exception, app: App, fault: Fault) -> bool:
    """Whether the error is what the HTTP client raised, or was raised from it; or has the response that it returned."""
    if app.witness.raised:
        return app.witness.raised[-1] in (error, error.__cause__)
    if isinstance(error, anthropic.APIStatusError) and fault.where is Where.RESPONSE:
        return error.response is app.witness.returned
    return True


def _facts(value: Any) -> tuple[Any, ...]:
    """The types of what an app has read, and how many of each; of bytes just that there were some."""
    if isinstance(value, list):
        return tuple(type(each) for each in value if not isinstance(each, bytes))
    return (type(value),)


def _facts_of_error(error: BaseException | None) -> tuple[Any, ...]:
    """Everything of an exception that an app could look at, down its causes, but for what differs each time."""
    facts: list[Any] = []
    while error is not None:
        status = getattr(error, "status_code", None)
        facts.append((type(error), re.sub(r"req_\w+", "req", str(error)), status))
        error = error.__cause__
    return tuple(facts)


# -- what follows from the entry and the stack -------------------------------------------------------------------------


def ends_silently(fault: Fault) -> bool:
    """Whether the app gets no exception, though the stream has no end event. Of what is no frame it always gets one."""
    if fault.needs.sdk == "AnthropicBedrock" and fault.error_type == "unexpected_content":
        return False
    no_end = fault.cause is semconv.NetworkCause.INCOMPLETE_STREAM or fault.error_type == "unexpected_content"
    return bool(fault.stream) and no_end


def is_no_text(fault: Fault) -> bool:
    """Whether the SDK fails to decode what is left at the end of the body, when its span has ended."""
    return fault.name in ("stream_gzip_unsaid", "stream_binary", "stream_cut_in_character")


def hands_its_error_on(fault: Fault) -> bool:
    """Whether the app gets the API's error as an event: the SDK does not look into `chunk` frames."""
    return not ROUTES_FRAMES and fault.name.startswith("bedrock_error_in_chunk")


def status_of(meeting: Meeting) -> int | None:
    """The status of a response; of a redirect that no client follows only the transport's events tell."""
    if meeting.fault.name == "too_many_redirects" and not meeting.stack.aiohttp:
        return 307
    return meeting.fault.status


def status_class_of(meeting: Meeting) -> str | None:
    """The first digit of the status, in the way of the schema."""
    status = status_of(meeting)
    return None if status is None else f"{str(status)[0]}xx"


def source_of(fault: Fault) -> str:
    """What set the backoff: the server, if it said so."""
    if fault.retry_after is not None:
        return "retry_after" if fault.retry_after else "backoff"
    named = {name for name, _ in getattr(fault.action, "headers", ())}
    return "retry_after" if named & {"retry-after", "retry-after-ms"} else "backoff"


def call_outcome(meeting: Meeting) -> str:
    """How a call ends that met the fault in each of its attempts."""
    if meeting.fault.outcome is semconv.AttemptOutcome.COMPLETED:
        return "succeeded"
    return "exhausted" if meeting.fault.retried else "failed"
