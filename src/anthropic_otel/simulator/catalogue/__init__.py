"""The catalogue: every fault that the simulator knows by name.

The one rule here: what can be said about a fault is in its entry; nobody keeps a second list of names. The entries are
grouped by where they strike: `successes`, `responses` (the API says no), `connections` (before any headers), `proxies`
(on the way, redirects too), `bodies` (in a body or a stream).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from anthropic_otel.simulator.catalogue import bodies, connections, proxies, responses, successes
from anthropic_otel.simulator.faults import Fault

_ALL: Final = (
    *successes.FAULTS,
    *responses.FAULTS,
    *connections.FAULTS,
    *proxies.FAULTS,
    *bodies.FAULTS,
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
