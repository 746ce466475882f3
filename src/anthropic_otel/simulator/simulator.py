"""The simulator as its users see it: a thread with an event loop of its own around a `Server`.

Rule: every method may be called from any thread, and `stop` leaves no thread, socket or file behind.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from types import TracebackType
from typing import Any, TypeVar

from anthropic_otel.simulator import checks
from anthropic_otel.simulator.api import Received
from anthropic_otel.simulator.catalogue import fault as fault_named
from anthropic_otel.simulator.endpoints import Endpoint
from anthropic_otel.simulator.exchange import Served
from anthropic_otel.simulator.faults import Fault
from anthropic_otel.simulator.limits import Limits
from anthropic_otel.simulator.ratelimits import RateLimits
from anthropic_otel.simulator.server import Latency, Record, Server
from anthropic_otel.simulator.weather import Playable, Weather

_T = TypeVar("_T")
_RECORDED = 10_000


def _ignore_connection_errors(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Let connections break in silence, which is what they are here for; tell of everything else as asyncio does."""
    if not isinstance(context.get("exception"), OSError):
        loop.default_exception_handler(context)


class Simulator:
    """A Messages API on loopback that fails as it is told to. A context manager; or `start` and `stop`.

    `seed` decides ids; `words` how long replies are; `port` 0 means any free port. `record` is how many of the latest
    requests `requests` keeps: `True` ten thousand, `False` none.

    `limits` are the rate limits of the account, which are enforced: a request that they have no room for gets a 429
    with `retry-after`. Without, the headers tell of limits that turn nobody away. `clock` is the server's time, in
    seconds since the epoch: limits refill by it, and responses are dated by it. `patience` is how many seconds a
    request may take to arrive once it has begun to: then it gets a 408.
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
        patience: float = 60.0,
    ) -> None:
        self._seed = checks.whole("seed", seed)
        self._words = checks.whole("words", words, 1, checks.LARGEST)
        self._port = checks.whole("port", port, 0, 65535)
        self._record = Record(_RECORDED if record is True else checks.whole("record", record or 0, 0))
        if not isinstance(limits, (Limits, type(None))):
            raise TypeError(f"limits must be Limits(...) or None, not {limits!r}")
        self._limits = limits
        self._clock = clock
        self._patience = checks.number("patience", patience)
        self._weather = Weather()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: Server | None = None
        self._stopping: asyncio.Event | None = None

    # -- life ----------------------------------------------------------------------------------------------------------

    def start(self) -> Simulator:
        """Start to listen and return itself. Raises `OSError` if the port is taken, `RuntimeError` if it runs."""
        if self._thread is not None:
            raise RuntimeError("the simulator runs already")
        started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(started,), name="anthropic-otel-simulator", daemon=True)
        self._thread.start()
        try:
            started.result()
        except BaseException:
            self._join()
            raise
        return self

    def stop(self) -> None:
        """Drop every connection, close every socket, end the thread. Harmless if it does not run."""
        if self._thread is not None and self._loop is not None and self._stopping is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._join()

    def __enter__(self) -> Simulator:
        return self.start()

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _join(self) -> None:
        if self._thread is not None:
            self._thread.join()
        self._thread = self._loop = self._server = self._stopping = None

    def _run(self, started: Future[None]) -> None:
        try:
            asyncio.run(self._main(started))
        except BaseException as failure:
            if started.done():
                raise
            started.set_exception(failure)

    async def _main(self, started: Future[None]) -> None:
        asyncio.get_running_loop().set_exception_handler(_ignore_connection_errors)
        limits = RateLimits(self._limits, self._clock)
        server = Server(
            self._weather,
            self._record,
            limits,
            seed=self._seed,
            words=self._words,
            port=self._port,
            patience=self._patience,
        )
        try:
            await server.plain.open()
            self._loop, self._stopping, self._server = asyncio.get_running_loop(), asyncio.Event(), server
            started.set_result(None)
            await self._stopping.wait()
        finally:
            await server.close()

    def _running(self) -> Server:
        if self._server is None:
            raise RuntimeError("the simulator does not run: use it in a with statement, or call start()")
        return self._server

    def _do(self, work: Coroutine[Any, Any, _T]) -> _T:
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    # -- what befalls requests -----------------------------------------------------------------------------------------

    def play(self, *items: Playable) -> None:
        """Order what the next requests to `base_url` get, in that order; after it the mix, or `ok`.

        Raises `KeyError` for a name that is not in the catalogue, `ValueError` for a fault that needs `endpoint`,
        `TypeError` for what is none of these.
        """
        self._weather.play(items)

    def mix(self, weights: Mapping[str | Fault, float], *, seed: int = 0) -> None:
        """Let each request to `base_url` get one of these by chance, whenever nothing is ordered by `play`.

        The weights need not add up to 1. The same seed brings the same sequence.
        """
        self._weather.mix(weights, seed)

    def latency(
        self, before_headers: float = 0.0, between_events: float = 0.0, *, jitter: float = 0.0, seed: int = 0
    ) -> None:
        """Let the API take its time, in seconds. `jitter` 0.5 makes a delay up to half as long again, by chance."""
        told = {"before_headers": before_headers, "between_events": between_events, "jitter": jitter}
        latency = Latency(*(checks.number(name, value) for name, value in told.items()))
        self._running().set_latency(latency, checks.whole("seed", seed))

    def endpoint(self, fault: Fault | str) -> Endpoint:
        """Return an address at which each request meets that fault, with what the client needs to get there.

        Raises `KeyError` for a name that is not in the catalogue, `TypeError` for what is neither a name nor a fault.
        """
        server = self._running()
        found = fault_named(fault) if isinstance(fault, str) else fault
        if not isinstance(found, Fault):
            raise TypeError(f"expected the name of a fault, such as 'tls_expired', or a Fault, not {fault!r}")
        return self._do(server.endpoint(found))

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Take the server at `base_url` away: connections are dropped, new ones refused. It comes back on its port."""
        plain = self._running().plain
        self._do(plain.refuse())
        try:
            yield
        finally:
            self._do(plain.open())

    def reset(self) -> None:
        """Forget what was ordered, the mix, the latency and the record. Connections and endpoints stay."""
        self._weather.clear()
        self._record.clear()
        if self._server is not None:
            self._server.set_latency(Latency(), self._seed)

    # -- what can be known ---------------------------------------------------------------------------------------------

    @property
    def base_url(self) -> str:
        """The plain listener's URL, such as `http://127.0.0.1:40613`."""
        return f"http://127.0.0.1:{self._running().plain.port}"

    @property
    def requests(self) -> list[Received]:
        """The requests that have come, to every address, in their order: a copy. Also after `stop`."""
        return self._record.requests()

    @property
    def served(self) -> list[Served]:
        """What the server saw of each of `requests` and did about it, up to now: copies. Also after `stop`."""
        return self._record.served()

    @property
    def request_ids(self) -> list[str]:
        """The request ids that were sent in responses, in their order: a copy. Also after `stop`."""
        return self._record.request_ids()

    @property
    def connections_open(self) -> int:
        """The number of connections that clients have to it, to any address; 0 if it does not run."""
        return self._server.connections_open if self._server is not None else 0
