"""An app on one HTTP stack, and the doors by which it may be instrumented.

Rule: an app uses its client once before a probe looks at it, as the library may do something at the first use.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import anthropic

import anthropic_otel
from anthropic_otel.simulator import Endpoint, Simulator
from support.apps import API_KEY, request_of
from support.driver import Driver
from support.stacks import HTTPCORE_STACKS, Stack, http_client
from support.telemetry import Telemetry

_NOON: Final = 1_800_000_000.0
"""The server's time, in seconds since the epoch."""


class World:
    """An app: `http` is its HTTP client, `sdk` the SDK client on it, `None` where the SDK does not take the stack.

    A probe may forget a client by setting it to `None`, and may `open` one of another class instead.
    """

    def __init__(self, stack: Stack, driver: Driver, sim: Simulator, telemetry: Telemetry, door: Door) -> None:
        self.stack, self.driver, self.sim = stack, driver, sim
        self.http: Any = None
        self.sdk: Any = None
        self._telemetry, self._door = telemetry, door

    def open(self, cls: type[Any] | None = None, **options: Any) -> None:
        """Makes the clients anew, instruments them, and uses them once."""
        self._door.before(self._telemetry)
        self.make(cls, **options)
        self._door.made(self._telemetry, self)
        self.use()
        self._door.used()

    def make(self, cls: type[Any] | None = None, **options: Any) -> None:
        """Makes the clients anew, and does nothing else."""
        endpoint = Endpoint(self.sim.base_url)
        self.http = http_client(self.stack, endpoint, cls=cls or self.stack.client_class, **options)
        if self.stack.of_sdk:
            sdk = anthropic.AsyncAnthropic if self.stack.asynchronous else anthropic.Anthropic
            self.sdk = sdk(api_key=API_KEY, base_url=self.sim.base_url, http_client=self.http, max_retries=0)

    def use(self) -> Any:
        """One call by the SDK if it takes the stack, else one request. The text that was answered."""
        if self.sdk is not None:
            return self.driver(self.sdk.messages.create(**request_of())).content[0].text
        return self.send().json()["content"][0]["text"]

    def request(self, *, stream: bool = False, http: Any = None) -> Any:
        """A request to the Messages API, as an app makes it that does without the SDK."""
        headers = {"x-api-key": API_KEY, "anthropic-version": "2023-06-01"}
        http = http or self.http
        return http.build_request("POST", self.url, json=request_of(stream=stream), headers=headers)

    @property
    def url(self) -> str:
        """Where requests go to."""
        return f"{self.sim.base_url}/v1/messages"

    def send(self, send: Any = None, *, stream: bool = False) -> Any:
        """The response to one request, sent by `send` of the HTTP client or by what is given."""
        return self.driver((send or self.http.send)(self.request(stream=stream), stream=stream))

    def response(self, *, stream: bool = False) -> Any:
        """The response to one call by the SDK, or to one request; of a stream, unread."""
        if self.sdk is None:
            return self.send(stream=stream)
        if stream:
            return self.stream().response
        return self.driver(self.sdk.messages.with_raw_response.create(**request_of())).http_response

    def stream(self) -> Any:
        """The SDK's stream of one call, unread."""
        return self.driver(self.sdk.messages.create(**request_of(stream=True)))

    def body(self, response: Any) -> bytes:
        """Reads a response to its end."""
        chunks = response.aiter_bytes() if self.stack.asynchronous else response.iter_bytes()
        return b"".join(self.driver.read(chunks))

    def text(self, response: Any) -> Any:
        """The text of a response that was read."""
        return json.loads(response.content)["content"][0]["text"]

    def close(self, closable: Any) -> None:
        """Closes a client or a response."""
        self.driver.close(closable)


def _nothing(*_: Any) -> None:
    pass


@dataclass(frozen=True)
class Door:
    """One way to instrument an app: what is done before its clients are made, when they are, and after their first use.

    `names` is whether the HTTP client, or the SDK client on it, is named to the library; `live` whether the app
    is still instrumented when a probe looks.
    """

    name: str
    before: Callable[[Telemetry], None] = _nothing
    made: Callable[[Telemetry, World], None] = _nothing
    used: Callable[[], None] = _nothing
    names: bool = False
    live: bool = True
    needs_sdk: bool = False

    def applies_to(self, stack: Stack) -> bool:
        """Whether a stack can be instrumented by this door."""
        return stack.of_sdk or not self.needs_sdk


def _process(telemetry: Telemetry, *_: Any) -> None:
    telemetry.instrument()


def _client(telemetry: Telemetry, world: World) -> None:
    telemetry.instrument(world.sdk)


def _http_client(telemetry: Telemetry, world: World) -> None:
    telemetry.instrument_http_client(world.http)


PLAIN: Final = Door("plain", live=False)
DOORS: Final = (
    Door("instrument() before", before=_process),
    Door("instrument() after", made=_process),
    Door("instrument(client)", made=_client, names=True, needs_sdk=True),
    Door("instrument_http_client(client)", made=_http_client, names=True),
    Door("uninstrument()", before=_process, used=anthropic_otel.uninstrument, live=False),
    Door("uninstrument() of a client", made=_http_client, used=anthropic_otel.uninstrument, live=False),
)
"""Every door. Before or after is before or after the app makes its clients."""

STACKS: Final = HTTPCORE_STACKS
"""The stacks that have clients of their own: aiohttp is a transport below the same client classes."""


def simulator() -> Simulator:
    """A server whose time stands still: of two runs each response has the same headers, but for its ids."""
    return Simulator(clock=lambda: _NOON)


@contextmanager
def opened(stack: Stack, door: Door, sim: Simulator, telemetry: Telemetry) -> Iterator[World]:
    """The world of one probe, whose clients it opens itself. Uninstruments at the end."""
    with Driver(asynchronous=stack.asynchronous) as driver:
        world = World(stack, driver, sim, telemetry, door)
        try:
            yield world
        finally:
            anthropic_otel.uninstrument()
            if world.http is not None:
                world.close(world.http)
