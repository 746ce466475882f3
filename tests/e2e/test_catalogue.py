"""The whole catalogue of faults, met by real clients of every stack: what spans, metrics and logs say of each, and that
the app sees what it would have seen without them.

The SDK is used on the stacks that it takes, with `instrument()`; the others by bare clients, with
`instrument_http_client()`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from anthropic_otel.simulator import Fault, Simulator
from e2e.catalogue.app import check_logs, check_nothing_private_is_told, check_what_the_app_sees
from e2e.catalogue.meeting import Meeting, met
from e2e.catalogue.metrics import check_metrics
from e2e.catalogue.spans import check_attempt_spans, check_call_span
from support import identities, pending
from support.cases import cases
from support.marks import BREAKS_CONNECTIONS
from support.stacks import Stack
from support.telemetry import Telemetry

CASES = list(cases(pending.CATALOGUE, turn=0, every_stack=True))
pytestmark = [pytest.mark.usefixtures("waits"), *BREAKS_CONNECTIONS]


@pytest.fixture
def meeting(fault: Fault, stack: Stack, sim: Simulator, recorded: Telemetry) -> Iterator[Meeting]:
    """The fault, met by an app on that stack."""
    if fault.needs.sdk == "AnthropicBedrock":
        pytest.importorskip("botocore", reason="Bedrock's client needs it")
    with met(fault, stack, sim, recorded) as meeting:
        yield meeting


@pytest.mark.parametrize(("fault", "stack"), CASES)
def test_a_fault_is_reported_and_nothing_else_changes(meeting: Meeting) -> None:
    """Spans, metrics and logs say what the entry says; the app sees the very same; the identities hold."""
    check_what_the_app_sees(meeting)
    check_attempt_spans(meeting)
    check_call_span(meeting)
    check_metrics(meeting)
    check_logs(meeting)
    check_nothing_private_is_told(meeting)
    identities.check(meeting.telemetry, calls=1 if meeting.stack.of_sdk else 0)
