"""The words that are exported of a fault are those of its catalogue entry: how attempt and call ended, and why.

Rule: nothing is looked at that a library from before could not have said, had it been right. New attributes and
metrics would make every test of it fail, and prove nothing.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import pytest
import trustme

from anthropic_otel._core import instruments, semconv
from anthropic_otel.simulator import FAULTS, Fault, Simulator
from contract.test_tls_alerts import alerting
from e2e.catalogue.meeting import Meeting, call_outcome, met
from e2e.catalogue.spans import check_errno, expected_attributes
from support.cases import meets
from support.driver import Driver
from support.marks import BREAKS_CONNECTIONS
from support.stacks import SDK_STACKS, Stack, http_client
from support.telemetry import Telemetry

pytestmark = [pytest.mark.usefixtures("waits"), *BREAKS_CONNECTIONS]
WORDS = (
    semconv.ATTEMPT_OUTCOME,
    semconv.ERROR_TYPE,
    semconv.NETWORK_CAUSE,
    semconv.HTTP_RESPONSE_STATUS_CODE,
    semconv.RETRY_SOURCE,
)
CASES = [
    pytest.param(fault, stack, id=f"{fault.name}-{stack.name}")
    for fault in FAULTS.values()
    for stack in SDK_STACKS
    if meets(fault, stack)
]


@pytest.fixture
def meeting(fault: Fault, stack: Stack, sim: Simulator, recorded: Telemetry) -> Iterator[Meeting]:
    """The fault, met by an app on that stack."""
    with met(fault, stack, sim, recorded) as meeting:
        yield meeting


@pytest.mark.parametrize(("fault", "stack"), CASES)
def test_the_words_are_those_of_the_entry(meeting: Meeting) -> None:
    """Of each attempt its outcome, error type, cause, status and what decided its backoff; of the call its outcome."""
    assert len(meeting.telemetry.attempts) == meeting.attempts
    for number, span in enumerate(meeting.telemetry.attempts):
        told, expected = dict(span.attributes or {}), expected_attributes(meeting, number)
        wrong = [word for word in WORDS if told.get(word) != expected.get(word)]
        assert not wrong, "; ".join(f"{word} {told.get(word)}, not {expected.get(word)}" for word in wrong)
        check_errno(meeting, told.get(semconv.NETWORK_ERRNO))
    [call] = meeting.telemetry.points(instruments.CALL_DURATION)
    assert call.attributes[semconv.CALL_OUTCOME] == call_outcome(meeting)


def test_an_alert_after_the_handshake_has_no_errno(recorded: Telemetry) -> None:
    """On aiohttp, which copies OpenSSL's number into an error of the system."""
    stack = next(stack for stack in SDK_STACKS if stack.aiohttp)
    authority, context = trustme.CA(), ssl.create_default_context()
    authority.configure_trust(context)
    with alerting(authority) as url, Driver(asynchronous=True) as driver:
        client = http_client(stack, verify=context)
        recorded.instrument_http_client(client)
        with pytest.raises(stack.module.TransportError):
            driver(client.post(url, content=b"{}"))
        driver.close(client)
    [span] = recorded.attempts
    assert (span.attributes or {}).get(semconv.NETWORK_ERRNO) is None
