"""The server inside its event loop: the plain listener, the endpoints, the simulated API, and the record of requests.

Rule: it runs in one event loop. The record and the schedule, which other threads use, are locked; all else that they
use is read or replaced without waiting.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import random
import socket
import threading
from collections import deque
from dataclasses import dataclass, replace
from typing import Final

from anthropic_otel.simulator import headers as api_headers
from anthropic_otel.simulator.actions import ExchangeAction, Headers
from anthropic_otel.simulator.addresses import Tls
from anthropic_otel.simulator.answers import Answer, Refused
from anthropic_otel.simulator.api import Api
from anthropic_otel.simulator.certificates import Authority
from anthropic_otel.simulator.endpoints import Endpoint, endpoint_for
from anthropic_otel.simulator.exchange import Served
from anthropic_otel.simulator.faults import Fault
from anthropic_otel.simulator.headers import Ids
from anthropic_otel.simulator.known import Known
from anthropic_otel.simulator.limits import Cost
from anthropic_otel.simulator.listeners import HttpConnection, Listener, Serve
from anthropic_otel.simulator.perform import redirected
from anthropic_otel.simulator.platforms import Platform, of_the_platform, quota_exceeded, route_of
from anthropic_otel.simulator.ratelimits import RateLimits
from anthropic_otel.simulator.received import Received
from anthropic_otel.simulator.schedule import Schedule

_RECORDED_BYTES: Final = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Latency:
    """How long the API takes before its headers and before each event of a stream, in seconds.

    `jitter` is the largest share by which chance makes each of these delays longer: 0.5 is up to half as long again.
    """

    before_headers: float = 0.0
    between_events: float = 0.0
    jitter: float = 0.0


class Record:
    """The latest requests and issued request ids, at most `most` of each, and at most 256 MB of request bodies.

    Older ones are dropped. Thread-safe.
    """

    def __init__(self, most: int) -> None:
        self._lock = threading.Lock()
        self._most = most
        self._bytes = 0
        self._served: deque[Served] = deque()
        self._request_ids: deque[str] = deque(maxlen=most)

    def received(self, served: Served) -> None:
        """Adds a request, and drops the oldest ones beyond the bounds. Keeps `served` itself, not a copy.

        One whose body alone is beyond them is dropped too, with all before it.
        """
        with self._lock:
            self._served.append(served)
            self._bytes += len(served.request.body)
            while len(self._served) > self._most or self._bytes > _RECORDED_BYTES:
                self._bytes -= len(self._served.popleft().request.body)

    def issued(self, request_id: str) -> None:
        """Adds a request id; drops the oldest one beyond the bound."""
        with self._lock:
            self._request_ids.append(request_id)

    def requests(self) -> list[Received]:
        """Returns the requests that are on record, in the order in which they were added."""
        with self._lock:
            return [served.request for served in self._served]

    def served(self) -> list[Served]:
        """Returns what was received and sent for each of `requests`, in the same order: copies."""
        with self._lock:
            return [replace(served) for served in self._served]

    def request_ids(self) -> list[str]:
        """Returns the request ids on record, in the order in which they were issued."""
        with self._lock:
            return list(self._request_ids)

    def clear(self) -> None:
        """Drops all requests and request ids."""
        with self._lock:
            self._served.clear()
            self._bytes = 0
            self._request_ids.clear()


class Server:
    """Serves the simulated API on the plain listener and on endpoints, and records the requests.

    It must be made, used and closed within one event loop. `plain` is the plain listener, whose port is bound at once
    and listens from its `open` on. `schedule` decides what requests to it get, `limits` are the account's rate limits,
    and `record` keeps the requests. `seed` is that of ids and of chance in the latency, `words` the length of a text
    reply, `known` which models and beta headers there are, `port` the plain listener's (0: a free one), and `patience`
    how many seconds a request may take to arrive.
    """

    def __init__(
        self,
        schedule: Schedule,
        record: Record,
        limits: RateLimits,
        *,
        seed: int,
        words: int,
        known: Known,
        port: int,
        patience: float,
    ) -> None:
        self._schedule = schedule
        self._record = record
        self._ids = Ids(seed)
        self._limits = limits
        self._api = Api(self._ids, words, limits.clock, known)
        self._numbers = itertools.count(1)
        self._endpoints: dict[Fault, Endpoint] = {}
        self._opening = asyncio.Lock()
        self._kept: list[socket.socket] = []
        self._latency, self._random = Latency(), random.Random(seed)
        self.authority = Authority()
        self._patience = patience
        self.plain = Listener(HttpConnection(self._choose, self, patience), self._number, port=port)
        self._listeners = [self.plain]

    @property
    def connections_open(self) -> int:
        """How many connections the server has not closed yet, at all of its listeners; see `Listener.__len__`."""
        return sum(len(listener) for listener in self._listeners)

    def set_latency(self, latency: Latency, seed: int) -> None:
        """Sets how long the API takes from now on, at every address; `seed` starts the random numbers of the jitter."""
        self._latency, self._random = latency, random.Random(seed)

    async def endpoint(self, fault: Fault) -> Endpoint:
        """Returns the endpoint that makes the fault; opens it at the first call for an equal fault.

        Calls that overlap wait for each other.
        """
        async with self._opening:
            if fault not in self._endpoints:
                self._endpoints[fault] = await endpoint_for(fault, self)
            return self._endpoints[fault]

    async def close(self) -> None:
        """Closes every listener, connection and socket, and removes the CA file."""
        for listener in self._listeners:
            await listener.close()
        for sock in self._kept:
            sock.close()
        self.authority.close()

    # -- what endpoints need: `endpoints.Host` -------------------------------------------------------------------------

    async def listen(self, serve: Serve, tls: Tls | None = None) -> Listener:
        """Returns a new listener on a free port, which listens already; with TLS if `tls` is given.

        It lives as long as the server. `serve` is called with each connection and its number.
        """
        context = self.authority.context(tls) if tls else None
        listener = Listener(serve, self._number, context)
        self._listeners.append(listener)
        await listener.open()
        return listener

    def http(self, action: ExchangeAction) -> Serve:
        """Returns a function that serves HTTP on a connection and does `action` with each request.

        A request that a `Redirect` led here gets the rest of that redirect instead.
        """
        return HttpConnection(lambda request: redirected(request.target)[0] or action, self, self._patience)

    def keep(self, sock: socket.socket) -> None:
        """Takes ownership of `sock`, which is closed when the server closes."""
        self._kept.append(sock)

    # -- what exchanges need: `responses.Service` ----------------------------------------------------------------------

    def received(self, served: Served) -> None:
        """Adds a request to the record. The record keeps `served` itself, which the exchange goes on to update."""
        self._record.received(served)

    def answer(self, request: Received) -> Answer:
        """Returns the API's answer to the request, as to its first target if redirects led here.

        Takes nothing from the limits. An answer that is no refusal becomes a 429 if an enforced rate limit has no room
        for it, else `Api.admitted` gets it. `retry-after` has the seconds until there is room, rounded up, at
        least 1; those of Bedrock and Vertex have none. On the API's own paths a 429 has `x-should-retry: true` and any
        other refusal `false`, as recorded ones have. The 429 costs nothing and caches no prompt, but the refused
        answer has used up its ids.
        """
        target = redirected(request.target)[1]
        route, answer = route_of(target), self._api.answer(replace(request, target=target))
        is_own = route.platform is Platform.API
        if isinstance(answer, Refused):
            headers = (*answer.headers, *api_headers.about_retry(answer.status))
            return replace(answer, headers=headers) if is_own else answer
        if not (reason := self._limits.exceeded(answer.cost)):
            self._api.admitted(answer)
            return answer
        if not is_own:
            return Refused(429, "rate_limit_error", quota_exceeded(route), cost=None)
        seconds = max(1, math.ceil(reason.retry_after - 1e-6))
        headers = (("retry-after", str(seconds)), *api_headers.about_retry(429))
        return Refused(429, "rate_limit_error", reason.message, headers, cost=None)

    def now(self) -> float:
        """Returns the time of the clock that the simulator was given, in seconds since the epoch.

        Raises `ClockError` if the clock fails.
        """
        return self._limits.clock()

    def issue(self, cost: Cost | None, platform: Platform = Platform.API) -> tuple[str, Headers]:
        """Returns a new request id, which it records, and the headers that only the API or the platform sends.

        Those of the API include the headers of rate limits. Takes `cost` from the rate limits; `None` takes nothing.
        """
        limits = self._limits.spend(cost)
        if platform is Platform.API:
            request_id = self._ids.new("req")
            headers = api_headers.of_the_api(request_id, self._ids.organization) + limits
        else:
            request_id = self._ids.new("req_vrtx") if platform is Platform.VERTEX else self._ids.uuid()
            headers = of_the_platform(platform, request_id)
        self._record.issued(request_id)
        return request_id, headers

    async def before_headers(self) -> None:
        """Waits as long as the simulated API takes before its response."""
        await self._wait(self._latency.before_headers)

    async def between_events(self) -> None:
        """Waits as long as the simulated API takes before an event of a stream."""
        await self._wait(self._latency.between_events)

    async def _wait(self, seconds: float) -> None:
        if seconds:
            await asyncio.sleep(seconds * (1 + self._latency.jitter * self._random.random()))

    def _choose(self, request: Received) -> ExchangeAction:
        return redirected(request.target)[0] or self._schedule.next()

    def _number(self) -> int:
        return next(self._numbers)
