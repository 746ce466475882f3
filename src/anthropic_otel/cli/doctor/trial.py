"""Makes the one call of the self-test against the simulator, to see whether `instrument()` records it.

Rule: it connects to loopback only, with an invalid key, and keeps its telemetry in memory; nothing is exported.
"""

from __future__ import annotations

from typing import Final

import anthropic

import anthropic_otel
from anthropic_otel._render.traces import Trace
from anthropic_otel.cli.collect import Collection
from anthropic_otel.simulator import Reply, Simulator

_REFUSAL: Final = Reply(529, "overloaded_error", "Overloaded", headers=(("retry-after-ms", "60"),))
_MODEL: Final = "claude-sonnet-5-5"


def one_call() -> Trace | None:
    """Makes a call that gets a 529 and then a reply, and returns its trace; `None` if nothing was recorded of it.

    Sets the process's OpenTelemetry providers, for good, so none may be set before. Instruments the process for the
    call, and uninstruments it afterwards in any case. Raises what the SDK and `Simulator.start` raise.
    """
    collection = Collection(export=False)
    anthropic_otel.instrument()
    try:
        with Simulator() as simulator, _client(simulator.base_url) as client:
            simulator.latency(0.03)
            simulator.play(_REFUSAL)
            client.messages.create(model=_MODEL, max_tokens=16, messages=[{"role": "user", "content": "Hello"}])
    finally:
        anthropic_otel.uninstrument()
    return next(iter(collection.traces()), None)


def _client(base_url: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=base_url, api_key="sk-ant-not-a-key")
