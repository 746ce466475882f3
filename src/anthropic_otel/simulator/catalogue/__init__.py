"""The catalogue: every fault that the simulator knows by name.

Rule: what can be said about a fault is in its entry; nobody keeps a second list of names. The entries are
grouped by where they strike: `successes` and `stream_forms` are none; `responses`, `statuses` and `retries` (the API or
something in front of it says no); `redirects`; `contents` (a 200 that is no answer); `connections`, `tls`, `raw` and
`proxies` (before any headers); `bodies` (in a body or a stream); `stream_errors` and `stream_failures` (the bytes of
streams); `frames` (those of Bedrock).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from anthropic_otel.simulator.catalogue import (
    bodies,
    connections,
    contents,
    frames,
    proxies,
    raw,
    redirects,
    responses,
    retries,
    statuses,
    stream_errors,
    stream_failures,
    stream_forms,
    successes,
    tls,
)
from anthropic_otel.simulator.faults import Fault

_ALL: Final = (
    *successes.FAULTS,
    *stream_forms.FAULTS,
    *responses.FAULTS,
    *statuses.FAULTS,
    *retries.FAULTS,
    *redirects.FAULTS,
    *contents.FAULTS,
    *connections.FAULTS,
    *tls.FAULTS,
    *raw.FAULTS,
    *proxies.FAULTS,
    *bodies.FAULTS,
    *stream_errors.FAULTS,
    *stream_failures.FAULTS,
    *frames.FAULTS,
)

FAULTS: Final = MappingProxyType({each.name: each for each in _ALL})
"""Every fault by its name, successes first, in the order in which documents list them."""

if len(FAULTS) != len(_ALL):
    raise AssertionError("two faults of the catalogue have the same name")


def fault(name: str) -> Fault:
    """Return the fault of that name. Raises `KeyError` that lists the names if there is none."""
    try:
        return FAULTS[name]
    except KeyError:
        raise KeyError(f"no fault is named {name!r}; there are: {', '.join(FAULTS)}") from None
