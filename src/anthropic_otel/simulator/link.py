"""A connection to the server (`Link`), and the exceptions that end one.

Rule: sockets only. What is sent and received is given as bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import struct
from typing import Final

_READ: Final = 64 * 1024
_LINGER: Final = 5.0
_LINGER_0: Final = struct.pack("ii", 1, 0)


class Disconnected(Exception):
    """Raised to end the serving of a connection: the client has left, or the connection was broken on purpose."""


class RejectedRequest(Exception):
    """Raised for a request that never reaches the API: it is answered with this error, and its connection is closed.

    Reasons are a head or body that is too large, a request that takes too long to arrive, the method CONNECT, or bytes
    that are not HTTP. `status`, `error_type` and `message` are those of the response.
    """

    def __init__(self, status: int, error_type: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.error_type = error_type
        self.message = message


def too_large() -> RejectedRequest:
    return RejectedRequest(413, "request_too_large", "Request exceeds the maximum size")


def _too_late() -> RejectedRequest:
    return RejectedRequest(408, "timeout_error", "The request did not arrive in time")


class Link:
    """The server's side of a connection, which can be written to, held open, closed (FIN) and reset (RST).

    It is made of asyncio's two streams of a connection.

    - `written`: how many bytes were passed to `write`.
    - `client_left`: whether the last `read`, or a `write`, has found that the client closed or broke the connection.
    - `patience`: how many seconds a request may take to arrive; infinite by default.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.written = 0
        self.client_left = False
        self._deadline: asyncio.TimerHandle | None = None
        self.patience = math.inf

    @property
    def is_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self._writer.get_extra_info("ssl_object") is not None

    def expect_the_rest(self) -> None:
        """Starts the deadline for the rest of a request, `patience` seconds from now.

        When it expires, reads raise `RejectedRequest` (408). Does nothing if a deadline is running or if `patience` is
        infinite.
        """
        if self._deadline is None and self.patience < math.inf:
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(self.patience, self._reader.set_exception, _too_late())

    def expect_nothing(self) -> None:
        """Cancels the deadline that `expect_the_rest` started, if any."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    async def read(self) -> bytes:
        """Returns the next bytes, 64 KB at most; `b""` once the client has closed or broken the connection.

        Sets `client_left` to whether that is so. Raises `RejectedRequest` if the request's deadline has passed.
        """
        data = b""
        with contextlib.suppress(OSError):
            data = await self._reader.read(_READ)
        self.client_left = not data
        return data

    async def write(self, data: bytes, segment: int = 0) -> None:
        """Sends the bytes; if `segment` is not 0, in TCP segments of that many bytes with 0.5 ms after each.

        Raises `Disconnected` and sets `client_left` if the client has broken the connection.
        """
        self.written += len(data)
        try:
            for start in range(0, len(data), segment or len(data) or 1):
                self._writer.write(data[start : start + segment] if segment else data)
                await self._writer.drain()
                if segment:
                    await asyncio.sleep(0.0005)  # without a pause the kernel joins segments
        except OSError:
            self.client_left = True
            raise Disconnected from None

    async def hold(self) -> None:
        """Reads and discards until the client closes or breaks the connection; sends nothing.

        Raises what `read` raises.
        """
        while await self.read():
            pass

    async def linger(self) -> None:
        """Sends a FIN, then discards what the client still sends until it closes, for 5 seconds at most.

        On TLS no FIN is sent. Closing while unread bytes are left would send an RST, and the client might lose the
        response. Cancels the request's deadline. Errors of the connection are ignored.
        """
        self.expect_nothing()
        with contextlib.suppress(OSError, asyncio.TimeoutError, RejectedRequest):
            if self._writer.can_write_eof():
                self._writer.write_eof()
            await asyncio.wait_for(self.hold(), _LINGER)

    async def settle(self) -> None:
        """Waits 20 ms, so that the client can read what was written before the connection breaks."""
        await asyncio.sleep(0.02)

    async def close(self) -> None:
        """Closes the connection with a FIN once everything written was sent. Errors of the connection are ignored.

        Cancels the request's deadline.
        """
        self.expect_nothing()
        with contextlib.suppress(OSError):
            self._writer.close()
            await self._writer.wait_closed()

    async def reset(self) -> None:
        """Closes the connection with an RST, after a pause of 20 ms in which the client can read what was written."""
        await self.settle()
        raw: socket.socket | None = self._writer.get_extra_info("socket")
        if raw is not None:
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
        self._writer.transport.abort()

    def abort(self) -> None:
        """Closes the connection at once, and drops what this process has not passed to the kernel yet."""
        self._writer.transport.abort()
