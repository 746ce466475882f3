"""A server that speaks the Messages API, and a catalogue of everything that can go wrong on the way to it.

    from anthropic import Anthropic
    from anthropic_otel.simulator import Simulator

    with Simulator() as sim:
        sim.play("http_529", "connection_reset", "ok")          # what the next three requests get; then all is well
        client = Anthropic(base_url=sim.base_url, api_key="none")
        client.messages.create(...)                              # succeeds in its third attempt
        assert len(sim.requests) == 3

The server is real: it listens on loopback, in a thread of its own, and its faults are the real thing (RST, FIN, TLS
with a wrong certificate, a full backlog). `FAULTS` is the catalogue as data: each `Fault` says what the server does,
what the client must be like for it to show, and what anthropic-otel reports of it.

Faults that strike once there is a request can be played on `base_url`, one by one (`play`) or as weather (`mix`). Those
that strike before (a name that does not exist, a refused connection, TLS, proxies) have an address of their own:

    endpoint = sim.endpoint("tls_expired")                       # Endpoint(base_url, proxy, ca_file, needs)

An endpoint makes its fault each time, and there is one for every fault of the catalogue. `refusing()` takes the whole
server away for a while.

The API it speaks: Messages (JSON and streams, tools, structured outputs), token counting, models, message batches in
outline; on Bedrock's and Vertex's paths too. Replies and ids follow from the requests and a seed.

Rate limits are told of in the API's headers. Limits that are given turn requests away, by a clock that can be given:

    now = [1_800_000_000.0]
    sim = Simulator(limits=Limits(requests=5, input_tokens=10_000), clock=lambda: now[0])   # 6th at once: 429, in 12 s

From a shell: `python -m anthropic_otel.simulator --mix ok=0.9 --mix http_529=0.1`.
"""

try:
    import h11  # noqa: F401
    import trustme  # noqa: F401
except ModuleNotFoundError as error:
    text = f"The simulator needs {error.name}: pip install 'anthropic-otel[simulator]'"
    raise ModuleNotFoundError(text, name=error.name) from error

from anthropic_otel.simulator.actions import (
    Chunks,
    Cut,
    Delivery,
    Encoding,
    Ending,
    ErrorEvent,
    Framing,
    Point,
    Raw,
    Redirect,
    Reply,
)
from anthropic_otel.simulator.api import Received
from anthropic_otel.simulator.catalogue import FAULTS, fault
from anthropic_otel.simulator.endpoints import Endpoint
from anthropic_otel.simulator.exchange import Served
from anthropic_otel.simulator.faults import Fault, Needs, Where
from anthropic_otel.simulator.limits import Limits
from anthropic_otel.simulator.simulator import Simulator

__all__ = [
    "FAULTS",
    "Chunks",
    "Cut",
    "Delivery",
    "Encoding",
    "Ending",
    "Endpoint",
    "ErrorEvent",
    "Fault",
    "Framing",
    "Limits",
    "Needs",
    "Point",
    "Raw",
    "Received",
    "Redirect",
    "Reply",
    "Served",
    "Simulator",
    "Where",
    "fault",
]
