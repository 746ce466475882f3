"""Receives the events of the processes that a `run` has started, over TCP on 127.0.0.1.

Rule: a connection whose first line is not an event with the token of this run is closed. Any other line that is too
long or not an event is skipped and counted. An event is a flat JSON object.
"""

from __future__ import annotations

import json
import secrets
import selectors
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from anthropic_otel._live.events import MAX_LINE, Event
from anthropic_otel._live.sender import HOST

_BACKLOG: Final = 1024
_CHUNK: Final = 256 * 1024


@dataclass
class _Peer:
    """A connection of a process.

    - `rest`: what was received of a line that is not complete yet.
    - `known`: whether the token was received.
    - `skipping`: whether the line that is being received is too long, so that its rest is skipped.
    """

    connection: socket.socket
    rest: bytes = b""
    known: bool = False
    skipping: bool = False


class Listener:
    """A server on a free port of 127.0.0.1, to which processes send events. Raises `OSError` if it cannot listen.

    A connection's first event must have the token in its field `token`, else the connection is closed.

    - `target`: its address and token, `127.0.0.1:PORT:TOKEN`, for the processes' environment.
    - `bad_lines`: how many lines of processes that had shown the token were skipped because they were longer than
      `MAX_LINE` bytes or not a flat JSON object. `Report` adds the events that it cannot read.
    """

    def __init__(self) -> None:
        self._token: Final = secrets.token_hex(16)
        self._socket: Final = socket.create_server((HOST, 0), backlog=_BACKLOG)
        self._socket.setblocking(False)
        self.target: Final = f"{HOST}:{self._socket.getsockname()[1]}:{self._token}"
        self.bad_lines = 0
        self._selector: Final = selectors.DefaultSelector()
        self._selector.register(self._socket, selectors.EVENT_READ)
        # Another thread writes to `_wake_out` to end the `select` of a waiting `receive`.
        self._wake_in, self._wake_out = socket.socketpair()
        self._selector.register(self._wake_in, selectors.EVENT_READ)

    @property
    def connections(self) -> int:
        """How many connections are open, with those that have not shown the token yet."""
        return len(self._selector.get_map()) - 2

    def wake(self) -> None:
        """Makes a waiting `receive`, or else the next one, stop waiting. May be called from any thread."""
        self._wake_out.send(b".")

    def receive(self, timeout: float | None) -> Iterator[Event]:
        """Yields events that have arrived, a connection's first one without the token: those in its next 256 KiB.

        If nothing has arrived, first waits for `timeout` seconds at most, without a limit if that is `None`. A new or
        closed connection, a part of a line and `wake` end the wait too, so the result may be empty. An event is a flat
        JSON object whose fields have not been checked.
        """
        for key, _ in self._selector.select(timeout):
            if key.fileobj is self._socket:
                self._accept()
            elif key.fileobj is self._wake_in:
                self._wake_in.recv(_CHUNK)
            else:
                yield from self._read(key.data)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                # No connection is waiting, or the process has no descriptor for another one.
                return
            connection.setblocking(False)
            self._selector.register(connection, selectors.EVENT_READ, _Peer(connection))

    def _read(self, peer: _Peer) -> Iterator[Event]:
        try:
            data = peer.connection.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close(peer)
            return
        *lines, peer.rest = (peer.rest + data).split(b"\n")
        for line in lines:
            event = self._event(peer, line)
            if event is not None:
                yield event
            elif peer.connection.fileno() < 0:
                return
        if len(peer.rest) > MAX_LINE:
            peer.rest, peer.skipping = b"", True

    def _event(self, peer: _Peer, line: bytes) -> Event | None:
        """Returns the event in a line, without its token if it is the connection's first; `None` for a bad line.

        A line is bad if it is too long or not an event, or if it is the first and lacks the token. A bad first line
        closes the connection, any other is counted in `bad_lines`.
        """
        event = None if peer.skipping else _parsed(line)
        peer.skipping = False
        if not peer.known:
            token = str(event.pop("token", "")) if event is not None else ""
            peer.known = secrets.compare_digest(token.encode("utf-8", "replace"), self._token.encode())
            if not peer.known:
                self._close(peer)
                return None
        self.bad_lines += event is None
        return event

    def _close(self, peer: _Peer) -> None:
        if peer.connection.fileno() >= 0:
            self._selector.unregister(peer.connection)
            peer.connection.close()

    def close(self) -> None:
        """Stops listening and closes all connections, so that processes which still run stop sending.

        Does nothing the second time.
        """
        for key in [*(self._selector.get_map() or {}).values()]:
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self._selector.close()
        self._wake_out.close()


def _parsed(line: bytes) -> Event | None:
    """Returns the JSON object in a line; `None` for any other line.

    Also `None` if a member of the object is an object or an array, or the line is longer than `MAX_LINE` bytes.
    """
    if len(line) > MAX_LINE:
        return None
    try:
        event: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict) or any(isinstance(value, (dict, list)) for value in event.values()):
        return None
    return event
