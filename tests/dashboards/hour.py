"""An ordinary hour of four services, with an overload, a limit that is reached, and an outage that goes on.

Pictures of the dashboards show it. Chance has a fixed seed, so that it is always the same hour.

    minute  0 to 60   a call now and then fails, as ever
           20 to 32   the API is overloaded; most calls get their answer by a retry
           38 to 44   `search` asks for three times as much, and reaches the limit of its model
           52 to 60   `mailer` cannot connect any more
"""

from __future__ import annotations

import errno
import json
import random
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import anthropic
import httpx2

from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.call import Call
from anthropic_otel._core.ending import End
from anthropic_otel._core.reading import Reading
from anthropic_otel.simulator.limits import Cost, Limits
from anthropic_otel.simulator.ratelimits import RateLimits
from dashboards.played import Play, Process, Sample, Steps
from support.chains import STACKS, chain, os_error
from support.streams import MESSAGE, STOP, sse

BEFORE: Final = 20 * 60
"""Seconds of good weather before the hour: windows look back, and counters are not new."""
HOUR: Final = 3600
LENGTH: Final = BEFORE + HOUR
_REQUEST: Final = httpx2.Request("POST", "https://api.anthropic.com/v1/messages")


@dataclass(frozen=True)
class Service:
    """A service: how many calls a minute each of its processes makes, of which model, and what one of them is like.

    `seconds` is how long a reply takes in the middle, `tokens` are those of input, read from the cache, and output.
    """

    job: str
    processes: int
    a_minute: float
    model: str
    seconds: float
    tokens: tuple[int, int, int]
    stream: bool = False
    counts: bool = False
    """Whether it counts the tokens of one request in five beforehand."""


SERVICES: Final = (
    Service("shop", 2, 14, "claude-sonnet-4-5", 9.0, (900, 4200, 450), stream=True),
    Service("search", 2, 15, "claude-haiku-4-5", 1.8, (1400, 0, 120), counts=True),
    Service("mailer", 1, 6, "claude-opus-4-5", 16.0, (2600, 0, 900)),
    Service("reviewer", 1, 3, "claude-sonnet-4-5", 24.0, (6000, 18_000, 1300), stream=True),
)
LIMITS: Final = {
    "claude-sonnet-4-5": Limits(requests=2_000, input_tokens=120_000, output_tokens=40_000),
    "claude-haiku-4-5": Limits(requests=1_000, input_tokens=110_000, output_tokens=40_000),
    "claude-opus-4-5": Limits(requests=1_000, input_tokens=60_000, output_tokens=20_000),
}
SUBSCRIPTION: Final = Limits(unified=(3_200_000, 30_000_000))
"""What the reviewer has instead."""


Headers = Sequence[tuple[bytes, bytes]]
Ending = Generator[float, None, Exception | None]
"""What happens until an attempt has ended; the error that it ended with, if it did."""
_KINDS: Final = {400: "invalid_request_error", 429: "rate_limit_error", 500: "api_error", 529: "overloaded_error"}
_CLIENT: Final = anthropic.Anthropic(api_key="none")


def status_error(status: int, body: object, headers: dict[str, str]) -> anthropic.APIStatusError:
    """What the SDK raises for a status."""
    response = httpx2.Response(status, json=body, headers=headers, request=_REQUEST)
    return _CLIENT._make_status_error(_KINDS[status], body=body, response=response)


_NO_CONNECTION: Final = anthropic.APIConnectionError(request=_REQUEST)
_TIMEOUT: Final = anthropic.APITimeoutError(request=_REQUEST)
_HTTP: Final = STACKS[1]
_REFUSED: Final = chain(_HTTP, "ConnectError", os_error(errno.ECONNREFUSED))
_READ_TIMEOUT: Final = chain(_HTTP, "ReadTimeout")
_RESET: Final = chain(_HTTP, "ReadError", os_error(errno.ECONNRESET))
_BROKEN: Final = chain(
    _HTTP, "RemoteProtocolError", message="peer closed connection without sending complete message body"
)


class Hour:
    """Plays the hour that ends at `end`, seconds since the epoch."""

    def __init__(self, end: float, seed: int = 5) -> None:
        self.play = Play(end - LENGTH)
        self.end = end
        self._random = random.Random(seed)
        self._limits = {model: RateLimits(limits, self._wall) for model, limits in LIMITS.items()}
        self._subscription = RateLimits(SUBSCRIPTION, self._wall)
        self._connected: set[tuple[Process, int]] = set()
        for service in SERVICES:
            for number in range(service.processes):
                process = self.play.process(service.job, f"{service.job}-{number}")
                self.play.at(0.0, self._traffic(service, process))

    def samples(self) -> Iterator[tuple[float, Sample]]:
        """Every sample of the hour and of the time before it."""
        self.play.run(LENGTH)
        yield from self.play.exported

    # -- weather -------------------------------------------------------------------------------------------------------

    def _minute(self) -> float:
        """The minute of the hour, below 0 before it."""
        return (self.play.now - BEFORE) / 60

    def _wall(self) -> float:
        return self.play.clock.wall() / 1e9

    def _overloaded(self, service: Service) -> float:
        strength = 0.35 if "haiku" in service.model else 0.6
        return strength if 20 <= self._minute() < 32 else 0.0

    def _traffic(self, service: Service, process: Process) -> Steps:
        while True:
            surge = 3 if service.job == "search" and 38 <= self._minute() < 44 else 1
            yield self._random.expovariate(service.a_minute * surge / 60)
            self.play.at(self.play.now, self._call(service, process))

    # -- calls ---------------------------------------------------------------------------------------------------------

    def _call(self, service: Service, process: Process) -> Steps:
        scene = process.scene
        if service.counts and self._random.random() < 0.2:
            call = scene.call(operation="messages.count_tokens", model=service.model)
            attempt = self._begin(process, call)
            yield 0.15
            scene.answer(attempt, seconds=0.0)
            call.method_returned({"input_tokens": 10}, None)
        call = scene.call(model=service.model, stream=service.stream, address="api.anthropic.com", port=443)
        for number in range(3):
            error = yield from self._attempt(service, process, call)
            if error is None:
                return
            response = error.response if isinstance(error, anthropic.APIStatusError) else None
            if number == 2 or (response is not None and response.status_code == 400):
                call.method_raised(error)
                return
            asked = response.headers.get("retry-after") if response is not None else None
            yield float(asked) if asked else min(0.5 * 2**number, 8.0) * self._random.uniform(0.75, 1.0)

    def _begin(self, process: Process, call: Call, *, connects: bool = True) -> Attempt:
        attempt = process.scene.attempt(call)
        new = self._random.random() < 0.06 or not connects
        if new:
            attempt.timeline.trace("connection.connect_tcp.started", {})
        if connects:
            attempt.timeline.trace("http11.send_request_headers.started", {})
        return attempt

    def _attempt(self, service: Service, process: Process, call: Call) -> Ending:
        """An attempt. One that is answered ends the call."""
        scene, draw = process.scene, self._random.random()
        if service.job == "mailer" and self._minute() >= 52:
            attempt = self._begin(process, call, connects=False)
            yield 0.02
            scene.fail(attempt, _REFUSED, 0.0)
            return _NO_CONNECTION
        attempt = self._begin(process, call)
        if draw < self._overloaded(service):
            return (yield from self._refused(process, attempt, 529, 12 if self._random.random() < 0.15 else 0))
        if draw > 0.9985:
            yield 60.0
            scene.fail(attempt, _READ_TIMEOUT, 0.0)
            return _TIMEOUT
        if draw > 0.997:
            yield 0.4
            scene.fail(attempt, _RESET, 0.0)
            return _NO_CONNECTION
        if draw > 0.9955:
            return (yield from self._refused(process, attempt, 500))
        if draw > 0.9945:
            return (yield from self._refused(process, attempt, 400))
        return (yield from self._answered(service, process, call, attempt))

    def _refused(self, process: Process, attempt: Attempt, status: int, after: float = 0, told: Headers = ()) -> Ending:
        """An answer with a status, which asks for a wait of so many seconds, if any."""
        yield self._random.uniform(0.1, 0.5)
        asked = {"retry-after": str(int(after) + 1)} if after else {}
        kind = _KINDS[status]
        headers = {**dict(told), **{name.encode(): value.encode() for name, value in asked.items()}}
        body = {"type": "error", "error": {"type": kind, "message": kind}}
        process.scene.answer(attempt, status, 0.0, headers, json.dumps(body).encode())
        return status_error(status, body, asked)

    def _answered(self, service: Service, process: Process, call: Call, attempt: Attempt) -> Ending:
        spread = self._random.lognormvariate(0.0, 0.45)
        uncached, cached, output = (int(tokens * spread) for tokens in service.tokens)
        limits = self._subscription if service.job == "reviewer" else self._limits[service.model]
        cost = Cost(input=uncached, output=output, priority=False)
        away = limits.exceeded(cost)
        told = [(name.encode(), value.encode()) for name, value in limits.spend(None if away else cost)]
        told.append((b"date", time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(self._wall())).encode()))
        if away:
            return (yield from self._refused(process, attempt, 429, away.retry_after, told))
        slow = 1.0 + 0.8 * (20 <= self._minute() < 32)
        seconds = service.seconds * spread * slow
        usage = {
            "input_tokens": uncached,
            "cache_read_input_tokens": cached if self._random.random() < 0.9 else 0,
            "cache_creation_input_tokens": cached // 12,
            "output_tokens": output,
            "output_tokens_details": {"thinking_tokens": output // 3 if "sonnet" in service.model else 0},
        }
        if service.stream:
            return (yield from self._streamed(process, call, attempt, seconds, usage, told))
        yield seconds
        process.scene.answer(attempt, 200, 0.0, dict(told))
        call.method_returned({"usage": usage}, None)
        return None

    def _streamed(
        self, process: Process, call: Call, attempt: Attempt, seconds: float, usage: dict[str, Any], told: Headers
    ) -> Ending:
        yield self._random.lognormvariate(0.0, 0.35) * (1.2 if seconds < 30 else 2.0)
        reading = _open(process, attempt, dict(told))
        call.method_returned(None, attempt)
        draw = self._random.random()
        parts = self._random.randint(4, 8)
        for part in range(parts):
            reading.asked_at = reading.clock_now()
            yield seconds / parts * self._random.uniform(0.5, 1.5)
            message = {**MESSAGE, "usage": usage | {"output_tokens": 1}}
            event = {"type": "message_start", "message": message} if part == 0 else {"type": "ping"}
            reading.on_chunk(sse(str(event["type"]), event))
            if part == 1 and draw < 0.006:
                attempt.end(End.READ)  # without its end event
                return None
            if part == 1 and draw < 0.012:
                attempt.end(End.CLOSED)
                return None
            if part == 1 and draw < 0.014:
                attempt.fail(_BROKEN)
                return None
            if part == 1 and 20 <= self._minute() < 32 and draw < 0.10:
                error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
                reading.on_chunk(sse("error", error))
                attempt.end(End.READ)
                return None
        last = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage}
        reading.on_chunk(sse("message_delta", last))
        reading.on_chunk(sse("message_stop", STOP))
        attempt.end(End.READ)
        return None


def _open(process: Process, attempt: Attempt, headers: dict[bytes, bytes]) -> Reading:
    """The answer's headers have come, and the app is about to read its stream."""
    process.scene._respond(attempt, 200, 0.0, {**headers, b"content-type": b"text/event-stream"}, None)
    return attempt.begin_body()
