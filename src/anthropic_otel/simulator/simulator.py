"""The public simulator: a `Server` that runs in a thread of its own.

Rule: every method may be called from any thread, and `stop` leaves no thread, socket or file behind.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType

from anthropic_otel.simulator import checks
from anthropic_otel.simulator.catalogue import fault as fault_named
from anthropic_otel.simulator.endpoints import Endpoint
from anthropic_otel.simulator.exchange import Served
from anthropic_otel.simulator.faults import Fault
from anthropic_otel.simulator.known import Known
from anthropic_otel.simulator.limits import Limits
from anthropic_otel.simulator.ratelimits import RateLimits
from anthropic_otel.simulator.received import Received
from anthropic_otel.simulator.schedule import Playable, Schedule
from anthropic_otel.simulator.server import Latency, Record, Server
from anthropic_otel.simulator.thread import ServerThread

_RECORDED = 10_000


class Simulator:
    """A Messages API on loopback that fails on request. Use it as a context manager, or call `start` and `stop`.

    - `seed`: the random seed of ids.
    - `words`: how many words a text reply has, from 1 to 1,000,000, unless the request wants fewer.
    - `record`: how many of the latest requests, and of the request ids, are kept: a number, `True` for 10,000, `False`
      for none. Fewer requests are kept if their bodies have more than 256 MB.
    - `port`: the port on 127.0.0.1; 0 takes a free one at each start.
    - `limits`: rate limits to enforce: a request that exceeds one gets a 429 with `retry-after`. `None`: headers report
      limits that are not enforced.
    - `clock`: the server's time in seconds since the epoch, for rate limits and the `date` header. It is called in the
      server's thread. A request during which it fails gets a 500 with its error.
    - `models`: names of models that it has beside the API's, such as those of your gateway; `None` takes any name. The
      API's own paths answer a name that is unknown with its 404.
    - `betas`: names of beta headers that it knows beside the API's; `None` takes any. Others get a 400.
    - `patience`: how many seconds a request may take to arrive after its first bytes, before it gets a 408.

    Raises `TypeError` or `ValueError` for wrong arguments.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        words: int = 12,
        record: bool | int = True,
        port: int = 0,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.time,
        models: Iterable[str] | None = (),
        betas: Iterable[str] | None = (),
        patience: float = 60.0,
    ) -> None:
        self._seed = checks.whole("seed", seed)
        self._words = checks.whole("words", words, 1, checks.MAX_WORDS)
        self._port = checks.whole("port", port, 0, 65535)
        most = (_RECORDED if record else 0) if isinstance(record, bool) else record
        self._record = Record(checks.whole("record", most, 0, sys.maxsize))
        if not isinstance(limits, (Limits, type(None))):
            raise TypeError(f"limits must be Limits(...) or None, not {limits!r}")
        self._limits = limits
        checks.instance("clock", clock, Callable, "a function that returns seconds since the epoch")  # type: ignore[arg-type]
        self._clock = clock
        self._known = Known(checks.names("models", models), checks.names("betas", betas))
        self._patience = checks.number("patience", patience)
        self._schedule = Schedule()
        self._thread = ServerThread(self._new_server)

    # -- life ----------------------------------------------------------------------------------------------------------

    def start(self) -> Simulator:
        """Starts the server in a new thread and returns `self` once it listens.

        The queue, the mix and the record of an earlier start stay. All else starts anew: there are no endpoints and no
        latency, no prompt is cached, the rate limits are unused, and ids and numbers of connections are those of the
        first start again. Raises `OSError` if the port is taken, `RuntimeError` if the simulator is running already,
        `TypeError` or `ValueError` if what `clock` returns is no time, and what `clock` raises. After an error, also a
        `KeyboardInterrupt`, nothing is running.
        """
        self._thread.start()
        return self

    def stop(self) -> None:
        """Drops every connection, closes every socket, removes the CA file and waits for the thread to end.

        Does nothing if the simulator is not running.
        """
        self._thread.stop()

    def __enter__(self) -> Simulator:
        return self.start()

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _new_server(self) -> Server:
        return Server(
            self._schedule,
            self._record,
            RateLimits(self._limits, self._clock),
            seed=self._seed,
            words=self._words,
            known=self._known,
            port=self._port,
            patience=self._patience,
        )

    # -- what befalls requests -----------------------------------------------------------------------------------------

    def play(self, *items: Playable) -> None:
        """Queues what the next requests to `base_url` get, in that order.

        Requests after those get the mix, which is `ok` by default. A request to which a `Redirect` led gets neither,
        but the rest of that redirect. Raises `KeyError` for a name that is not in the catalogue, `ValueError` for a
        fault that needs `endpoint`, and `TypeError` for anything that is no name, fault or `ExchangeAction`; nothing is
        queued then.
        """
        self._schedule.play(items)

    def mix(self, weights: Mapping[str | Fault, float], *, seed: int = 0) -> None:
        """Sets what requests to `base_url` get at random while nothing is queued by `play`; replaces the mix before.

        The weights are relative and need not add up to 1; each fault counts, also if several have equal actions. The
        same seed gives the same sequence. Raises the errors of `play`, `ValueError` for a weight that is negative or
        not finite, if none is above 0 or if their sum is not finite, and `TypeError` for weights that are no mapping, a
        weight that is no number or a seed that is no `int`.
        """
        self._schedule.mix(weights, seed)

    def latency(
        self, before_headers: float = 0.0, between_events: float = 0.0, *, jitter: float = 0.0, seed: int = 0
    ) -> None:
        """Sets the seconds that the API takes before headers and before each event of a stream.

        Holds at every address, from now on until the next call, `reset` or `stop`. With `jitter` 0.5 each delay is up
        to half as long again, at random by `seed`. Raises `RuntimeError` if the simulator is not running, `TypeError`
        or `ValueError` for wrong values.
        """
        told = {"before_headers": before_headers, "between_events": between_events, "jitter": jitter}
        latency = Latency(*(checks.number(name, value) for name, value in told.items()))
        self._thread.running().set_latency(latency, checks.whole("seed", seed))

    def endpoint(self, fault: Fault | str) -> Endpoint:
        """Returns an address at which every request meets the fault, and what a client needs to get there.

        Equal faults have the same address, which lasts until `stop`. Raises `RuntimeError` if the simulator is not
        running, `KeyError` for a name that is not in the catalogue, and `TypeError` for anything that is neither a name
        nor a fault.
        """
        server = self._thread.running()
        found = fault_named(fault) if isinstance(fault, str) else fault
        if not isinstance(found, Fault):
            raise TypeError(f"expected the name of a fault, such as 'tls_expired', or a Fault, not {fault!r}")
        return self._thread.do(server.endpoint(found))

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Refuses connections to `base_url` for the length of the block, and drops those that are open.

        Afterwards the server listens on the same port again. Blocks must not overlap, and `stop` must not be called in
        a block. Raises `RuntimeError` if the simulator is not running, or if it was stopped when the block ends, and
        `OSError` if another program takes the port at the moment at which it stops listening.
        """
        server = self._thread.running()
        self._thread.do(server.plain.refuse())
        try:
            yield
        finally:
            if self._thread.server is not server:
                raise RuntimeError("the simulator was stopped in a block of refusing(): call stop() after the block")
            self._thread.do(server.plain.open())

    def reset(self) -> None:
        """Drops the queue, the mix, the latency and the record.

        Every request to `base_url` then gets an ordinary reply without delay. Connections, endpoints and rate limits
        stay as they are.
        """
        self._schedule.clear()
        self._record.clear()
        if self._thread.server is not None:
            self._thread.server.set_latency(Latency(), self._seed)

    # -- what can be known ---------------------------------------------------------------------------------------------

    @property
    def base_url(self) -> str:
        """The URL of the plain listener, such as `http://127.0.0.1:40613`.

        Raises `RuntimeError` if the simulator is not running.
        """
        return f"http://127.0.0.1:{self._thread.running().plain.port}"

    @property
    def requests(self) -> list[Received]:
        """The requests on record, at every address, in the order in which the server had read them: a copy.

        Also available after `stop`. Never on record is what does not get as far as the simulated API: a request that is
        too large, too late, not HTTP or a CONNECT, and one to a proxy.
        """
        return self._record.requests()

    @property
    def served(self) -> list[Served]:
        """What was received and sent for each of `requests`, up to now: copies. Also available after `stop`."""
        return self._record.served()

    @property
    def request_ids(self) -> list[str]:
        """The request ids on record, in the order in which they were issued: a copy. Also available after `stop`."""
        return self._record.request_ids()

    @property
    def connections_open(self) -> int:
        """How many connections clients have open, to any address of the simulator; 0 if it is not running.

        One that its client has closed counts until the server has noticed, and one with TLS only after its handshake.
        """
        return self._thread.server.connections_open if self._thread.server is not None else 0
