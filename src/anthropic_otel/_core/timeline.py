"""Measures the phases of an attempt by the trace events of the transport.

Rule: an attempt is always in exactly one phase; an event only closes the current phase and opens the next. So the
phases add up to the attempt's duration, and the phase in which it failed is the last one.

    auth ──> pool ──> connect ──> tls ──> send ──> wait ──> receive
               └───── a reused connection ──^

Where the SDK fetches credentials within the send, all time up to the first event is `auth`. Where another auth flow has
fetched them, it is the time that its requests took.

The events are those of httpcore's `trace` extension (https://www.encode.io/httpcore/extensions/#trace). Other
transports have none: then only `receive` is known, from when the response arrived, or `pool` or `auth` that failed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from anthropic_otel._core.cause import Cause, classify
from anthropic_otel._core.clock import Clock
from anthropic_otel._core.raw_response import ParsedResponse, parsed_response, peer_of
from anthropic_otel._core.semconv import Phase

_PHASES: Final = tuple(Phase)
_NO_TIMES: Final[list[int | None]] = [None] * len(_PHASES)
_CONNECT: Final = Phase.CONNECT.index
"""The phases before the connection, of which only trace events tell."""
_CREDENTIALS_WANTED: Final = (401, 407)
"""The statuses that an auth flow answers with a further request of the same attempt."""


@dataclass(slots=True, eq=False, repr=False)
class Timeline:
    """The phases of one attempt, and what else the transport's trace events say. Times are in nanoseconds of `clock`.

    It is made with the time when the attempt started, and its first phase. Only `trace` may raise. Not for several
    threads at once.

    - `phase`: the phase that is under way, or the last one.
    - `phase_ns`: the time spent in each closed phase by its index, else `None`.
    - `reused`: whether the connection existed before; `None` before the first trace event.
    - `waited_for_pool`: whether the attempt failed because the pool had no free connection. Set by the attempt.
    - `peer`: address and port that were connected to, `None` if not known.
    - `received`: the response that the transport received last; `None` before, if it has an unknown form, and once the
      attempt has it.
    - `send_error`: why the request could not be sent whole, `None` if it was. Raised later: a response may still come.
    - `tunnelling`: whether a proxy is asked for a tunnel. `None` before: a TLS handshake is with the proxy, if any.
      `False` after it, and while a request is sent without one: a handshake is with the API's host.
    - `tunnel_refused`: whether a proxy has answered `CONNECT` with another status than 2xx.
    - `answered_at`: when the last request was answered with a 2xx, or its response was closed; `None` if it was not.
      The same request once more after that is another attempt.
    - `failed_at`: when the last request failed, by its status or by an exception, or its failed response was closed;
      `None` if it has not failed. A request that the transport sends after that is another attempt.
    """

    clock: Clock
    _since: int
    """When the phase that is under way began; at first, when the attempt started."""
    phase: Phase = Phase.POOL
    # A list: a dictionary would take twice the memory in each open stream.
    phase_ns: list[int | None] = field(default_factory=_NO_TIMES.copy)
    reused: bool | None = None
    waited_for_pool: bool = False
    tunnelling: bool | None = None
    tunnel_refused: bool = False
    peer: tuple[str, int] | None = None
    received: ParsedResponse | None = None
    send_error: Cause | None = None
    answered_at: int | None = None
    failed_at: int | None = None
    failure: BaseException | None = None
    """The exception of the last failed trace event. Cleared at the end: it would keep objects of the app alive."""
    _target: int = 0
    """What is known of where the last request went: a hash, as its URL is not to be kept. 0 for nothing."""
    _finished: bool = False

    def trace(self, name: str, info: Mapping[str, Any]) -> None:
        """Handles one event of httpcore's `trace` extension, such as `connection.connect_tcp.started`.

        Enters the phase that begins with it, and updates the attributes. Unknown events, and events after `finish`, are
        ignored. `info["request"]` holds the API key and is never kept. May raise for an event of another form than
        httpcore's: it runs within the guard of `Send.trace`.
        """
        handle = _HANDLERS.get(name)
        if handle is None or self._finished:
            return
        if self.reused is None:
            self.reused = True
        handle(self, info)

    def enter(self, phase: Phase) -> None:
        """Closes the current phase and opens `phase`. Does nothing if `phase` is the current one, or after `finish`."""
        if phase is not self.phase and not self._finished:
            now, index = self.clock.now(), self.phase.index
            self.phase_ns[index] = (self.phase_ns[index] or 0) + now - self._since
            self._since = now
            self.phase = phase

    def finish(self, now: int) -> None:
        """Closes the last phase at the time `now`. Later events are ignored. To be called once."""
        # The same as in `enter`: a function of its own for it would be entered three times an attempt.
        index = self.phase.index
        self.phase_ns[index] = (self.phase_ns[index] or 0) + now - self._since
        self._finished = True
        self.failure = None

    def was_fetching_credentials(self) -> None:
        """Changes the current phase to `AUTH` as a whole: an auth flow failed in it. Does nothing after `finish`."""
        if not self._finished:
            self.phase = Phase.AUTH

    def fetched_credentials(self, took: int) -> None:
        """Moves `took` nanoseconds to `AUTH`, in which an auth flow has fetched credentials without a trace event.

        They are taken from the closed `POOL` or, after a response that demanded credentials, `RECEIVE`: at most as many
        as that phase has.
        """
        times = self.phase_ns
        index = Phase.POOL.index if times[Phase.RECEIVE.index] is None else Phase.RECEIVE.index
        moved = min(took, times[index] or 0)
        if moved > 0:
            times[index] = (times[index] or 0) - moved
            times[Phase.AUTH.index] = (times[Phase.AUTH.index] or 0) + moved

    def phase_durations(self) -> dict[Phase, int]:
        """Returns the nanoseconds of each phase that is known to have happened, in the order of `Phase`."""
        known = range(self.first_known, len(_PHASES))
        return {_PHASES[index]: time for index in known if (time := self.phase_ns[index]) is not None}

    @property
    def first_known(self) -> int:
        """The index of the first phase in `phase_ns` whose time is known: those before are not to be reported.

        Without trace events the phases before connecting are reported only if the attempt failed in one of them:
        nothing else proves that it waited.
        """
        return 0 if self.reused is not None or self.waited_for_pool or self.phase is Phase.AUTH else _CONNECT

    # -- the events that mean something --------------------------------------------------------------------------------

    def _connect_started(self, info: Mapping[str, Any]) -> None:
        self.reused, self.tunnelling = False, None
        self._request_begins()
        self.enter(Phase.CONNECT)

    def _connected(self, info: Mapping[str, Any]) -> None:
        self.peer = peer_of(info.get("return_value"))

    def _handshake_started(self, info: Mapping[str, Any], tunnelling: bool | None = None) -> None:
        self.tunnelling = tunnelling
        self.enter(Phase.TLS)

    def _request_started(self, info: Mapping[str, Any]) -> None:
        self._request_begins()
        request = info.get("request")
        # CONNECT is a request to the proxy, before the real one. For the attempt it is a part of connecting.
        self.tunnelling = getattr(request, "method", None) == b"CONNECT"
        self._target = _target_of(request)
        self.enter(Phase.CONNECT if self.tunnelling else Phase.SEND)

    def _request_begins(self) -> None:
        """Forgets the response and the failure of the request before, such as a hop of a redirect, and their times."""
        self.received = self.send_error = self.failed_at = self.answered_at = self.failure = None

    def _request_sent(self, info: Mapping[str, Any]) -> None:
        if not self.tunnelling:
            self.enter(Phase.WAIT)

    def _request_not_sent(self, info: Mapping[str, Any]) -> None:
        error = info.get("exception")
        if not isinstance(error, Exception) or self.tunnelling:
            return
        self.send_error = classify(error, phase=self.phase)
        if type(error).__name__ != "WriteError":
            # After a write error the transport still reads: a server may answer before it has the whole request.
            self._failed(info)

    def _answered(self, info: Mapping[str, Any]) -> None:
        received = parsed_response(info.get("return_value"))
        if self.tunnelling:
            self.tunnel_refused = received is not None and not 200 <= received[1] < 300
        else:
            self.enter(Phase.RECEIVE)
            self.answered(received)

    def answered(self, received: ParsedResponse | None) -> None:
        """Records a response, `None` for one of an unknown form.

        A status from 400 on sets `failed_at` to now, except 401 and 407, which an auth flow answers with a further
        request. A 2xx sets `answered_at`.
        """
        self.received = received
        status = received[1] if received is not None else 0
        if status >= 400 and status not in _CREDENTIALS_WANTED:
            self.failed_at = self.clock.now()
        elif 200 <= status < 300:
            self.answered_at = self.clock.now()

    def _response_closed(self, info: Mapping[str, Any]) -> None:
        if self.failed_at is not None:
            self.failed_at = self.clock.now()
        elif self.answered_at is not None:
            self.answered_at = self.clock.now()

    def sends_the_same(self, name: str, info: Mapping[str, Any], address: str, port: int) -> bool:
        """Returns whether an event begins the same request once more, after it was answered with a 2xx.

        That is one to the same path and query with the same method, or a connection to `address` and `port`, those of
        the first request. A hook or a transport may mirror what is sent. Anything else is for another operation.
        """
        if name == "connection.connect_tcp.started":
            return info.get("host") == address and info.get("port") == port
        return name in _HEADERS_STARTED and self._target != 0 and _target_of(info.get("request")) == self._target

    def _failed(self, info: Mapping[str, Any]) -> None:
        error = info.get("exception")
        if isinstance(error, Exception):
            self.broke(error)

    def broke(self, error: Exception) -> None:
        """Records the exception with which the last request failed, and sets `failed_at` to now."""
        self.failure, self.failed_at = error, self.clock.now()

    def _connect_retried(self, info: Mapping[str, Any]) -> None:
        """Forgets the failure: httpcore connects once more by itself, within the same attempt."""
        self.failure = self.failed_at = None


def _target_of(request: Any) -> int:
    """Returns a hash of the method and the path with query of httpcore's request, 0 for anything else."""
    target = getattr(getattr(request, "url", None), "target", None)
    return hash((request.method, target)) if target is not None else 0


def starts_request(name: str) -> bool:
    """Returns whether the trace event `name` may be a request's first: connecting or the sending of headers starts."""
    return name in _REQUEST_STARTS


_HTTP: Final = ("http11", "http2")
_HANDLERS: Final[dict[str, Callable[[Timeline, Mapping[str, Any]], None]]] = {
    f"{prefix}.{event}": handler
    for prefixes, event, handler in (
        (("connection", "socks"), "connect_tcp.started", Timeline._connect_started),
        (("connection",), "connect_unix_socket.started", Timeline._connect_started),
        (("connection", "socks"), "connect_tcp.complete", Timeline._connected),
        (("connection", "socks"), "connect_tcp.failed", Timeline._failed),
        (("connection",), "connect_unix_socket.failed", Timeline._failed),
        (("connection",), "retry.started", Timeline._connect_retried),
        (("connection",), "start_tls.started", Timeline._handshake_started),
        (("proxy", "socks"), "start_tls.started", functools.partial(Timeline._handshake_started, tunnelling=False)),
        (("connection", "proxy", "socks"), "start_tls.failed", Timeline._failed),
        (_HTTP, "send_request_headers.started", Timeline._request_started),
        (_HTTP, "send_request_headers.failed", Timeline._request_not_sent),
        (_HTTP, "send_request_body.failed", Timeline._request_not_sent),
        (_HTTP, "send_request_body.complete", Timeline._request_sent),
        (_HTTP, "receive_response_headers.complete", Timeline._answered),
        (_HTTP, "receive_response_headers.failed", Timeline._failed),
        (_HTTP, "receive_response_body.failed", Timeline._failed),
        (_HTTP, "response_closed.complete", Timeline._response_closed),
    )
    for prefix in prefixes
}
"""The handlers by the event's full name. Any other event is ignored, and costs one look-up."""

_HEADERS_STARTED: Final = frozenset(f"{prefix}.send_request_headers.started" for prefix in _HTTP)
_REQUEST_STARTS: Final = _HEADERS_STARTED | frozenset(
    {"connection.connect_tcp.started", "socks.connect_tcp.started", "connection.connect_unix_socket.started"}
)
