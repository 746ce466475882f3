"""Measures the phases of an attempt by the trace events of the transport.

Rule: an attempt is always in exactly one phase; an event that enters another closes it. So the times of all phases add
up to the attempt's duration, and mostly the last phase is the one in which it failed. A phase may be entered again.

    auth ──> pool ──> connect ──> tls ──> send ──> wait ──> receive
               └───── a reused connection ──^

Where the SDK may fetch credentials within the send, all time up to the first event is `auth`. Where another auth flow
has fetched them, `auth` is the time that its requests took.

The events are those of httpcore's `trace` extension (https://www.encode.io/httpcore/extensions/#trace). Other
transports have none: then only `receive` is known, from when the send returned, and a `pool` or `auth` in which the
attempt failed.
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
"""The index of `connect`. Of the phases before it, mostly only trace events tell."""
_CREDENTIALS_WANTED: Final = (401, 407)
"""The statuses that an auth flow may answer with a further request of the same attempt."""


@dataclass(slots=True, eq=False, repr=False)
class Timeline:
    """The phases of one attempt, and what else the transport's trace events say. Times are in nanoseconds of `clock`.

    It is made with the time when the attempt started, and its first phase. Only `trace` may raise. Not for several
    threads at once.

    - `phase`: the phase that is under way, or the last one. At its end the attempt may set it to the one in
      which it failed.
    - `phase_ns`: the total time spent in each phase, by the phase's index; `None` for one that has not been closed.
    - `reused`: whether all connections so far existed before; `None` before the first trace event that is handled.
    - `waited_for_pool`: whether the attempt failed because the pool had no free connection. The attempt sets it at its
      end.
    - `peer`: address and port that were connected to last: the proxy's if there is one. `None` if not known.
    - `received`: the response that the transport received to the last request; `None` before, if it has an unknown
      form, and once the attempt has it. A response to `CONNECT` counts neither here nor in `answered_at` and
      `failed_at`.
    - `send_error`: the cause for which the last request could not be sent whole, `None` without one. The transport may
      read a response all the same.
    - `tunnelling`: whether a proxy is being asked for a tunnel by `CONNECT`. `None` before that: a TLS handshake is
      with the proxy, or without one with the API's host. `False` once a handshake through a proxy begins, or another
      request than `CONNECT`.
    - `tunnel_refused`: whether a proxy has answered `CONNECT` with another status than 2xx.
    - `answered_at`: when the last request was answered with a 2xx; once this response is closed, when it was closed.
      `None` without a 2xx. The same request once more after that is another attempt.
    - `failed_at`: when the last request failed, by its status (`answered`) or by an exception; once a failed response
      is closed, when it was closed. `None` if it has not failed. A request that the transport sends after that is
      another attempt.
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
    """The exception by which the last request failed, `None` without one.

    Cleared at the end, as it would keep objects of the app alive.
    """
    _target: int = 0
    """What is known of where the last request went: a hash, as its URL is not to be kept. 0 for nothing."""
    _finished: bool = False

    def trace(self, name: str, info: Mapping[str, Any]) -> None:
        """Handles one event of httpcore's `trace` extension, such as `connection.connect_tcp.started`.

        Enters the phase that begins with it, if any, and updates the attributes. Unknown events, and events after
        `finish`, are ignored. `info["request"]` holds the API key and is never kept. May raise for an event of another
        form than httpcore's: it runs within the guard of `Send.trace`.
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
        """Closes the last phase at the time `now`, and forgets `failure`. Later trace events are ignored.

        To be called once.
        """
        # The same as in `enter`: a function of its own for it would be entered three times an attempt.
        index = self.phase.index
        self.phase_ns[index] = (self.phase_ns[index] or 0) + now - self._since
        self._finished = True
        self.failure = None

    def was_fetching_credentials(self) -> None:
        """Makes the current phase `AUTH`, from its beginning on, because an auth flow has failed in it.

        Does nothing after `finish`.
        """
        if not self._finished:
            self.phase = Phase.AUTH

    def fetched_credentials(self, took: int) -> None:
        """Moves `took` nanoseconds to `AUTH`, in which an auth flow has fetched credentials without a trace event.

        They are taken from the time of `RECEIVE` if that was closed, as after a response that demanded credentials,
        else from that of `POOL`: at most as many as the phase has.
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
        """The index of the first phase in `phase_ns` that may be reported: the times of those before are not known.

        Without trace events the phases before connecting are reported only if the attempt is or ended in `AUTH`, or
        failed because of a full pool: nothing else proves that it waited.
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
        """Records the response to the last request, `None` for one of an unknown form.

        A status from 400 on sets `failed_at` to now, except 401 and 407, which an auth flow may answer with a further
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
        """Returns whether a trace event is taken for the start of the same request once more, as by a mirror.

        To be asked after a 2xx. Such an event begins to send a request with the method, path and query of the last one,
        or to open a TCP connection, not by SOCKS, to `address` and `port`, which are those of the attempt's target.
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
    """Returns a hash of the method and the path with query of httpcore's request; 0 if it has no such path."""
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
