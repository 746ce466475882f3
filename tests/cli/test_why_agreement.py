"""What `why` reads in a printed traceback is what the library records of the same failure."""

from __future__ import annotations

import traceback
from typing import Any, Final

import pytest

from anthropic_otel._core import semconv
from anthropic_otel.cli.redaction import redact
from anthropic_otel.cli.why import reading
from anthropic_otel.cli.why.pages import find
from anthropic_otel.simulator import FAULTS, Fault, Simulator
from support.apps import SdkApp, quietly
from support.driver import Driver
from support.marks import BREAKS_CONNECTIONS
from support.stacks import SDK_STACKS, Stack
from support.telemetry import recording

pytest.importorskip("httpx2")
pytestmark = list(BREAKS_CONNECTIONS)

FAST: Final = frozenset(
    {"connection_refused", "name_resolution_error", "connection_reset", "server_disconnected", "tls_untrusted"}
    | {"tls_plain_port", "tls_timeout", "read_timeout", "pool_timeout", "proxy_407", "body_cut", "stream_cut"}
    | {"http_529", "error_ramp_limit", "stream_overloaded", "stream_invalid_json"}
)

_HIDDEN: Final = {"connection_refused", "network_unreachable", "redirect_refused", "redirect_unreachable"}
"""Async: "All connection attempts failed", and no more is printed."""
DIFFERENT: Final = {
    **{f"{name} async": "connection_error" for name in _HIDDEN},
    "tls_reset async": "tls_error",
    # The server had closed before the client's own write failed.
    "connection_reset_in_request sync": "server_disconnected",
    "proxy_silent sync": "server_disconnected",
    "proxy_silent async": "server_disconnected",
    "proxy_garbage sync": "protocol_error",
    "proxy_garbage async": "protocol_error",
    "proxy_stalled sync": "read_timeout",
    "proxy_stalled async": "read_timeout",
    # It is not printed that something had come.
    "raw_greeting sync": "server_disconnected",
    "raw_greeting async": "server_disconnected",
    # The text of the exception is what a gateway wrote: a status is not in it.
    "http_502": "5xx",
    "http_500_as_json": "5xx",
    "stream_error_no_data": "4xx",
    "stream_error_text": "4xx",
    "stream_error_quoting_only": "429",
    # The status was in the headers, and is not printed: only how the body broke that said more of it.
    "http_307_nowhere_cut": "incomplete_body",
    "http_529_cut": "incomplete_body",
    "http_429_cut_retry_after": "incomplete_body",
    "http_529_reset": "connection_reset",
    # The type says more than the status, under which it is unusual.
    "error_billing": "billing_error",
    "error_overloaded_500": "529",
    # The stream had ended before the event.
    "stream_named_done_after_end": "invalid_event",
}
"""By fault, or by fault and kind of client, the word that the print alone gives."""


def _cases() -> list[Any]:
    return [
        pytest.param(
            fault, stack, id=f"{fault.name}-{stack.name}", marks=[] if _fast(fault, stack) else pytest.mark.slow
        )
        for stack in SDK_STACKS
        for fault in FAULTS.values()
        if stack.kind in fault.applies_to and fault.needs.sdk is None
    ]


def _fast(fault: Fault, stack: Stack) -> bool:
    return fault.name in FAST and not stack.aiohttp


@pytest.mark.parametrize(("fault", "stack"), _cases())
def test_a_printed_traceback_has_the_word_that_is_recorded(fault: Fault, stack: Stack) -> None:
    """For every fault that the app sees as an exception, on every stack; where the print has less, it is listed."""
    with Simulator() as sim, recording() as telemetry, Driver(asynchronous=stack.asynchronous) as driver:
        app = SdkApp(stack, sim.endpoint(fault), driver, telemetry, max_retries=0)
        app.occupy(fault.needs.busy_connections)
        telemetry.instrument()
        try:
            app.meet("x" * max(fault.needs.request_bytes, 1), stream=bool(fault.stream))
        except Exception:
            printed = traceback.format_exc()
        else:
            return
        finally:
            quietly(app)
        attributes = dict(telemetry.attempts[-1].attributes or {})
    recorded = str(attributes.get(semconv.API_ERROR_CODE) or attributes.get(semconv.ERROR_TYPE))
    page = find(recorded)
    kind = "aiohttp" if stack.aiohttp else "async" if stack.asynchronous else "sync"
    expected = DIFFERENT.get(fault.name) or DIFFERENT.get(f"{fault.name} {kind}") or (page.word if page else recorded)
    assert [failure.word for failure in reading.failures(redact(printed))] == [expected]
