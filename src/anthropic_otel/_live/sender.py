"""Sends events over a socket to the `anthropic-otel run` that started this process or a parent of it.

Rule: a `Sender` never raises, and waits only at exit, half a second at most. Events that cannot be sent at once are
queued, up to `MAX_KEPT`; further ones are dropped and counted. After a failure of the connection, all events are
dropped. The connection is to 127.0.0.1 only. There is no thread and no wait for a lock, so sending works in a
finalizer, after a fork, and in a process that is about to be killed.
"""

from __future__ import annotations

import _socket
import atexit
import errno
import json
import os
import sys
import time
from collections import deque
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from threading import Lock
from typing import Final

from anthropic_otel._core.guard import guarded
from anthropic_otel._live.events import Event
from anthropic_otel._version import __version__

HOST: Final = "127.0.0.1"
MAX_KEPT: Final = 2_000
_LAST_CHANCE: Final = 0.5
"""The most seconds that the interpreter's exit waits for queued events to be sent."""
_FLAGS: Final[int] = getattr(_socket, "MSG_NOSIGNAL", 0)
"""Sending must not raise SIGPIPE: an app may have restored its default action, which ends the process."""
_NO_SIGPIPE: Final = 0x1022 if sys.platform == "darwin" else None
_LATER: Final = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EINPROGRESS, errno.EALREADY)


class Sender:
    """Called with an event, sends it to the `run` on `port` of 127.0.0.1, or queues it. Never raises or waits.

    Drops events as `_Connection.put` does. The `run` accepts only connections that begin with its `token`. A forked
    child gets a connection of its own. When the interpreter exits, queued events are sent, for at most half a second.
    """

    def __init__(self, port: int, token: str) -> None:
        self._port: Final = port
        self._token: Final = token
        self._connection = _Connection(port, token)
        atexit.register(self._flush)

    @guarded(None)
    def __call__(self, event: Event) -> None:
        connection = self._connection
        if connection.pid != os.getpid():
            # A fork: two processes cannot write into one connection.
            connection.forget()
            connection = self._connection = _Connection(self._port, self._token)
        connection.put(event)

    @guarded(None)
    def _flush(self) -> None:
        """Sends what is queued, for half a second at most, and closes the connection. Runs at the interpreter's exit.

        A process without any event connects here, to send the first line. It closes because Python warns of a socket
        that is left open. Does nothing in a forked child that has sent no event. Never raises.
        """
        deadline = time.monotonic() + _LAST_CHANCE
        connection = self._connection
        if connection.pid != os.getpid():
            return
        connection.drain()
        while connection.pending and time.monotonic() < deadline:
            time.sleep(0.01)
            connection.drain()
        connection.close()


class _Connection:
    """The connection of one process to a `run`, with a queue of events. The first call of `put` or `drain` opens it.

    The first line that is sent is an event of type `process`, with the token; it is queued from the beginning. `pid` is
    the process that may use the connection.
    """

    def __init__(self, port: int, token: str) -> None:
        self.pid: Final = os.getpid()
        self._address: Final = (HOST, port)
        self._kept: Final[deque[bytes]] = deque([_line(_hello(token))])
        self._rest = b""
        self._lost = 0
        self._socket: _socket.socket | None = None
        self._file: tuple[int, int] | None = None
        """The open file of the socket (`_file_of`) when it was made."""
        self._connected = False
        self._dead = False
        # Acquired without waiting: a thread that does not get it leaves its event to the thread that holds it.
        self._sending: Final = Lock()

    @property
    def pending(self) -> bool:
        """Whether there is unsent data, and the connection has neither failed nor been closed or dropped."""
        return bool(self._kept or self._rest) and not self._dead

    def put(self, event: Event) -> None:
        """Queues an event, and sends as many queued events as the socket takes at once (`drain`).

        If `MAX_KEPT` events are queued, sends first; if they still are, drops this one and counts it. The next event
        that is queued has the count in the field `lost`. Does nothing once the connection has failed or been closed.
        """
        if self._dead:
            return
        if len(self._kept) >= MAX_KEPT:
            self.drain()
        if len(self._kept) >= MAX_KEPT:
            self._lost += 1
            return
        if self._lost:
            event, self._lost = {**event, "lost": self._lost}, 0
        self._kept.append(_line(event))
        self.drain()

    def drain(self) -> None:
        """Sends queued events as far as the socket takes them at once. Raises no `OSError`.

        If sending fails, closes the socket and drops what is queued. Does nothing if another thread is sending, because
        that thread sends these events too.
        """
        while self.pending and self._sending.acquire(blocking=False):
            try:
                if not self._send():
                    return
            except OSError:
                self.close()
            finally:
                self._sending.release()

    def _send(self) -> bool:
        """Sends queued events without waiting, and returns whether all of them were sent.

        The caller holds `_sending`. Connects first if there is no socket. If the descriptor is not our connection any
        more, drops socket and events (`forget`) and returns `False`. Raises `OSError` if connecting or sending fails.
        """
        connection = self._socket if self._socket is not None else self._connect()
        while self._rest or self._kept:
            if not self._is_ours(connection):
                return False
            if not self._rest:
                self._rest = self._kept.popleft()
            try:
                self._rest = self._rest[connection.send(self._rest, _FLAGS) :]
            except OSError as error:
                if error.errno in _LATER or (error.errno == errno.ENOTCONN and not self._connected):
                    return False
                raise
        return True

    def _connect(self) -> _socket.socket:
        # The C class, so that libraries which replace `socket.socket` do not see it.
        made = self._socket = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
        self._file = _file_of(made)
        made.setblocking(False)
        if _NO_SIGPIPE is not None:
            made.setsockopt(_socket.SOL_SOCKET, _NO_SIGPIPE, 1)
        code = made.connect_ex(self._address)
        if code not in (0, *_LATER):
            raise OSError(code, os.strerror(code))
        return made

    def _is_ours(self, connection: _socket.socket) -> bool:
        """Returns whether the socket's descriptor still is our connection. If not, drops socket and events (`forget`).

        A process that becomes a daemon closes all descriptors, and a file that it opens later may get the same number.
        Our connection is known by its open file, and once it is connected by the peer's address too. A broken one has
        no peer any more: except on Linux, it counts as not ours.
        """
        if _file_of(connection) != self._file:
            self.forget()
            return False
        try:
            peer = connection.getpeername()
        except OSError:
            # It is still connecting, or is broken: `send` will raise. On Linux the open file is proof enough; elsewhere
            # all sockets may have the same inode.
            ours = not self._connected or sys.platform == "linux"
            if not ours:
                self.forget()
            return ours
        self._connected = self._connected or peer == self._address
        if peer != self._address:
            self.forget()
        return bool(peer == self._address)

    def close(self) -> None:
        """Closes the socket, unless its descriptor is, or may be (`_is_ours`), another file's by now; drops the queue.

        Nothing is sent afterwards. Never raises.
        """
        if self._socket is not None and self._is_ours(self._socket):
            with suppress(OSError):
                self._socket.close()
        self.forget()

    def forget(self) -> None:
        """Drops the socket and what is queued, but does not close the descriptor: it may be another file's by now.

        Nothing is sent afterwards.
        """
        self._dead = True
        if self._socket is not None:
            self._socket.detach()
        self._kept.clear()
        self._rest = b""


def _file_of(connection: _socket.socket) -> tuple[int, int] | None:
    """Returns device and inode of the open file behind a socket's descriptor; `None` if it has none, as on Windows."""
    if os.name != "posix":
        return None
    try:
        status = os.fstat(connection.fileno())
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _hello(token: str) -> Event:
    try:
        sdk = version("anthropic")
    except PackageNotFoundError:
        sdk = ""
    python = ".".join(map(str, sys.version_info[:3]))
    return {
        "type": "process",
        "time": round(time.time(), 6),
        "token": token,
        "pid": os.getpid(),
        "python": python,
        "anthropic": sdk,
        "anthropic_otel": __version__,
    }


def _line(event: Event) -> bytes:
    return json.dumps(event, separators=(",", ":")).encode() + b"\n"
