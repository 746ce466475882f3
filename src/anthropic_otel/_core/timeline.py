"""The phases of an attempt, from the events of the transport.

The rule: an attempt is always in exactly one phase, and an event does no more than to cut the line of time there. So
the phases add up to the attempt's duration, and the phase in which it failed is simply the last one.

    pool ──> connect ──> tls ──> send ──> wait ──> receive
      └───── a reused connection ──^

The events are those of httpcore's `trace` extension (https://www.encode.io/httpcore/extensions/#trace). Other
transports have none: then only `receive` is known, from the moment the response arrived.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from anthropic_otel._core.cause import Cause, classify
from anthropic_otel._core.clock import Clock
from anthropic_otel._core.guard import guarded, report
from anthropic_otel._core.semconv import Phase

RawResponse = tuple[str | None, int, list[tuple[bytes, bytes]]]
"""HTTP version, status and headers, as the transport had them."""

_PHASES: Final = tuple(Phase)


class Timeline:
    """Where the time of an attempt went. Times are nanoseconds of the clock. No method raises."""

    __slots__ = (
        "_finished",
        "_host",
        "_since",
        "_tunnelling",
        "answer",
        "clock",
        "peer",
        "phase",
        "proxied",
        "reused",
        "spent",
        "unsent",
        "waited_for_pool",
    )

    def __init__(self, clock: Clock, started: int, host: str) -> None:
        self.clock = clock
        self._host = host
        self._since = started
        self._tunnelling = False
        self._finished = False
        self.phase = Phase.POOL
        # By the number of the phase: an open stream would hold twice as much in a dictionary.
        self.spent: list[int | None] = [None] * len(_PHASES)
        self.reused: bool | None = None
        """Whether the connection existed before; `None` as long as the transport has told of no event."""
        self.proxied = False
        self.waited_for_pool = False
        """Whether the attempt failed because the pool had no connection for it."""
        self.peer: tuple[str, int] | None = None
        self.answer: Any = None
        """What the transport has returned for the response's headers, until the response itself is there."""
        self.unsent: Cause | None = None
        """Why the request could not be sent whole, which the transport keeps to itself: a response may come still."""

    def trace(self, name: str, info: Mapping[str, Any]) -> None:
        """Takes one event. `info["request"]` holds the API key: it is looked at here and never kept."""
        handle = _HANDLERS.get(name)
        if handle is None or self._finished:
            return
        # Guarded in place: there are some fourteen events to an attempt, and a guard is a function more for each.
        try:
            if self.reused is None:
                self.reused = True
            handle(self, info)
        except Exception as error:
            report("Timeline.trace", error)

    async def atrace(self, name: str, info: Mapping[str, Any]) -> None:
        """`trace` for the asynchronous transports, which take nothing but a coroutine."""
        self.trace(name, info)

    def enter(self, phase: Phase) -> None:
        """Cuts the line: the time since the last cut belongs to the phase that ends here."""
        if phase is not self.phase and not self._finished:
            # Six times an attempt: without a function for what `finish` does too.
            now, before = self.clock.now(), self.phase
            self.spent[before.number] = (self.spent[before.number] or 0) + now - self._since
            self._since, self.phase = now, phase

    def finish(self, now: int) -> None:
        """Ends the line at `now`. What the transport still tells after that is of no effect."""
        number = self.phase.number
        self.spent[number] = (self.spent[number] or 0) + now - self._since
        self._finished = True

    def known(self) -> dict[Phase, int]:
        """The phases that really happened, in nanoseconds.

        A transport that tells of no event may have none, or no connection yet: only what failed there is known to have
        waited for the pool.
        """
        known = {phase: time for phase, time in zip(_PHASES, self.spent, strict=True) if time is not None}
        if self.reused is None and not self.waited_for_pool:
            known.pop(Phase.POOL, None)
        return known

    @property
    def raw_response(self) -> RawResponse | None:
        """The response as the transport has it, as long as nobody has seen more of it than the transport."""
        return _raw_response(self.answer)

    # -- the events that mean something --------------------------------------------------------------------------------

    def _connecting(self, info: Mapping[str, Any]) -> None:
        self.reused = False
        host = info.get("host")
        self.proxied = isinstance(host, str) and host != self._host
        self.enter(Phase.CONNECT)

    def _connected(self, info: Mapping[str, Any]) -> None:
        self.peer = peer_of(info.get("return_value"))

    def _shaking_hands(self, info: Mapping[str, Any]) -> None:
        self._tunnelling = False
        self.enter(Phase.TLS)

    def _sending(self, info: Mapping[str, Any]) -> None:
        # A proxy's CONNECT is a request of its own, before the real one: to the attempt it is part of connecting.
        self._tunnelling = getattr(info.get("request"), "method", None) == b"CONNECT"
        self.enter(Phase.CONNECT if self._tunnelling else Phase.SEND)

    def _sent(self, info: Mapping[str, Any]) -> None:
        if not self._tunnelling:
            self.enter(Phase.WAIT)

    def _not_sent(self, info: Mapping[str, Any]) -> None:
        error = info.get("exception")
        if isinstance(error, Exception) and not self._tunnelling:
            self.unsent = classify(error, phase=self.phase)

    def _answered(self, info: Mapping[str, Any]) -> None:
        if not self._tunnelling:
            self.answer = info.get("return_value")
            self.enter(Phase.RECEIVE)


def peer_of(stream: Any) -> tuple[str, int] | None:
    """The address that an httpcore network stream is connected to, `None` where it has none. Never raises."""
    if stream is None:
        return None
    try:
        address = stream.get_extra_info("server_addr")
        return (str(address[0]), int(address[1]))
    except Exception:
        # A closed socket, a Unix socket, a stream that does not know.
        return None


def version_of(version: bytes) -> str:
    """The HTTP version of `version`, as httpcore has it: `1.1` of `HTTP/1.1`."""
    # A new string for each would be 52 bytes of an open stream.
    return _VERSIONS.get(version) or version.decode("ascii", "replace").removeprefix("HTTP/")


_VERSIONS: Final = {b"HTTP/1.0": "1.0", b"HTTP/1.1": "1.1", b"HTTP/2": "2"}


@guarded(None)
def _raw_response(answer: Any) -> RawResponse | None:
    """What HTTP/1.1 and HTTP/2 connections return for the headers of a response."""
    if not isinstance(answer, tuple):
        return None
    if len(answer) == 2:
        return ("2", int(answer[0]), list(answer[1]))
    return (version_of(answer[0]), int(answer[1]), list(answer[3]))


_HANDLERS: Final[dict[str, Callable[[Timeline, Mapping[str, Any]], None]]] = {
    f"{prefix}.{event}": handler
    for prefixes, event, handler in (
        (("connection", "socks"), "connect_tcp.started", Timeline._connecting),
        (("connection",), "connect_unix_socket.started", Timeline._connecting),
        (("connection", "socks"), "connect_tcp.complete", Timeline._connected),
        (("connection", "proxy", "socks"), "start_tls.started", Timeline._shaking_hands),
        (("http11", "http2"), "send_request_headers.started", Timeline._sending),
        (("http11", "http2"), "send_request_headers.failed", Timeline._not_sent),
        (("http11", "http2"), "send_request_body.failed", Timeline._not_sent),
        (("http11", "http2"), "send_request_body.complete", Timeline._sent),
        (("http11", "http2"), "receive_response_headers.complete", Timeline._answered),
    )
    for prefix in prefixes
}
"""By the event's full name. Every other event is of no interest and costs one look-up."""
