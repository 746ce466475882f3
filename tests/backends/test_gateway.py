"""The gateway keeps every trace with an error, a retry or a slow call, whenever in the trace it happens.

The real Collector with the shipped config, which keeps nothing of the rest here, so that chance helps no trace.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from anthropic_otel.cli.stack import layout, services
from anthropic_otel.cli.stack.layout import Layout
from support import sink

from . import otlp
from .conftest import eventually, running

WAIT = 1
"""The gateway's decision_wait, in seconds."""
TRACES = 20


@pytest.fixture(scope="module")
def kept(collector_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, sink.Sink]]:
    """A running gateway's port, and what comes out of it."""
    where = Layout(tmp_path_factory.mktemp("gateway"), layout.free_ports())
    with sink.listening() as found:
        gateway = services.collector(
            collector_path,
            ("gateway.yaml",),
            where,
            "gateway",
            TRACES_ENDPOINT=found.url,
            DECISION_WAIT=f"{WAIT}s",
            KEEP_PERCENT="0",
            BATCH_TIMEOUT="100ms",
        )
        with running(gateway):
            yield where.ports["otlp_http"], found


WORTH_KEEPING: dict[str, dict[str, Any]] = {
    "an error": {"error": True},
    "a retry": {"http__request__resend_count": 1},
    "a bad status": {"http__response__status_code": 529},
    "a slow call": {"seconds": 45.0},
}


@pytest.mark.parametrize("late", [0, 3 * WAIT], ids=["at once", "long after the first span"])
@pytest.mark.parametrize("kind", WORTH_KEEPING)
def test_a_trace_that_is_worth_keeping_is_kept_though_it_began_well(
    kept: tuple[int, sink.Sink], kind: str, late: float
) -> None:
    """A good span early, and what is worth keeping with it or at three times the time that a trace is waited for."""
    port, out = kept
    ids = [secrets.token_bytes(16) for _ in range(TRACES)]
    early = [otlp.span(trace, "early") for trace in ids]
    telling = [otlp.span(trace, "telling", **WORTH_KEEPING[kind]) for trace in ids]
    if late:
        otlp.post(port, "traces", otlp.traces(early))
        time.sleep(late)
    # Else in one export: the time that a trace is waited for may pass between two.
    otlp.post(port, "traces", otlp.traces(telling if late else early + telling))
    otlp.post(port, "traces", otlp.traces([otlp.span(trace, "afterwards") for trace in ids]))

    def names(trace: bytes) -> set[str]:
        return {span.name for span in out.spans if span.trace_id == trace}

    wanted = {"telling", "afterwards"} | ({"early"} if not late else set())
    eventually(lambda: all(names(trace) >= wanted for trace in ids), 60, f"{wanted} of every trace")


def test_a_trace_with_nothing_to_tell_is_dropped(kept: tuple[int, sink.Sink]) -> None:
    """Or nothing would be thinned out."""
    port, out = kept
    dull, telling = secrets.token_bytes(16), secrets.token_bytes(16)
    otlp.post(port, "traces", otlp.traces([otlp.span(dull, "early")]))
    time.sleep(3 * WAIT)
    otlp.post(port, "traces", otlp.traces([otlp.span(dull, "late"), otlp.span(telling, "telling", error=True)]))
    eventually(lambda: [span for span in out.spans if span.trace_id == telling], 60, "the telling trace")
    time.sleep(3 * WAIT)
    assert not [span for span in out.spans if span.trace_id == dull]
