"""The catalogue: every fault that the simulator knows by name.

Rule: everything about a fault is in its entry; no other module lists the faults' names.

The entries are grouped by where they strike:

- `successes`, `stream_forms`: no faults, in forms that a client must not take for one.
- `responses`, `statuses`, `retries`: the API, or a gateway in front of it, answers with an error status; `statuses` has
  successes after interim responses too.
- `redirects`: redirects, and what is met where they lead.
- `contents`: a 2xx whose body is not the answer that was asked for, and answers with an unusual content type or form.
- `connections`, `tls`, `raw`, `proxies`: before the response's headers; `proxies` has endless redirects too.
- `bodies`: in a body or a stream, after a response has begun.
- `stream_errors`, `stream_failures`: error events and undecodable or missing events of a stream; `frames`: the same of
  Bedrock's streams, and complete ones.
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
"""Every fault by its name, successes first, in the order in which documents list them. It cannot be changed."""

if len(FAULTS) != len(_ALL):
    raise AssertionError("two faults of the catalogue have the same name")


def fault(name: str) -> Fault:
    """Returns the fault of that name. Raises `KeyError`, whose message lists all names, if there is none."""
    try:
        return FAULTS[name]
    except KeyError:
        raise KeyError(f"no fault is named {name!r}; there are: {', '.join(FAULTS)}") from None
