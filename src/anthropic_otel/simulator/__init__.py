"""A Messages API on loopback to test an app against, and a catalogue of the faults that it can make.

    from anthropic import Anthropic
    from anthropic_otel.simulator import Simulator

    with Simulator() as sim:
        sim.play("http_529", "connection_reset", "ok")          # what the next three requests get; later ones succeed
        client = Anthropic(base_url=sim.base_url, api_key="none")
        client.messages.create(...)                              # succeeds in its third attempt
        assert len(sim.requests) == 3

The server listens on a socket, in a thread of its own, and its faults are real ones: RST, FIN, TLS with a wrong
certificate, a full backlog. `FAULTS` is the catalogue by name: each `Fault` says what the server does, how a client
must be set up to meet it, and what anthropic-otel reports of it.

Faults that strike once the head of a request has arrived can be made on `base_url`, in a given order (`play`) or at
random (`mix`). Faults that strike before (a name that does not exist, a refused connection, TLS, proxies), and
redirects to another address, need an address of their own:

    endpoint = sim.endpoint("tls_expired")                       # Endpoint(base_url, proxy, ca_file, needs)

An endpoint makes its fault for every request, and every fault of the catalogue can have one. In the block of `with
sim.refusing():` connections to `base_url` are refused.

The simulator implements Messages (JSON and streams, tools, structured outputs), token counting, models, files and
message batches, which have ended when they are first retrieved. Messages are also on Bedrock's and Vertex's paths, with
the platform's errors, and token counting on Vertex's. Replies and ids depend only on the requests and on the arguments
`seed` and `words`.

Responses have the API's rate-limit headers. With `limits`, requests beyond a limit get a 429. `clock` replaces the
server's clock:

    now = [1_800_000_000.0]
    sim = Simulator(limits=Limits(requests=5, input_tokens=10_000), clock=lambda: now[0])
    # The sixth request at the same time gets a 429 with `retry-after: 12`.

A model that the API does not have gets its 404; `Simulator(models=["our-model"])` adds one, and `models=None` takes any
name. It is the same with `betas`.

From a shell: `python -m anthropic_otel.simulator --mix ok=0.9 --mix http_529=0.1`.

It needs `anthropic-otel[simulator]`; the import raises `ModuleNotFoundError` if a package of that is missing.
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
from anthropic_otel.simulator.catalogue import FAULTS, fault
from anthropic_otel.simulator.endpoints import Endpoint
from anthropic_otel.simulator.exchange import Served
from anthropic_otel.simulator.faults import Fault, Needs, Where
from anthropic_otel.simulator.limits import Limits
from anthropic_otel.simulator.received import Received
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
