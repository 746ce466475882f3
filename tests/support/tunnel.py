"""A proxy that lets its clients through: it takes `CONNECT` or speaks SOCKS 5, and then hands bytes on, both ways.

Rule: one client at a time, on loopback, and nothing is left of it when the block ends.
"""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType


class Tunnel:
    """A context manager. `url` is what a client is told for its proxy, or `socks_url`."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tunnel", daemon=True)
        self._server: asyncio.AbstractServer | None = None
        self.url = self.socks_url = ""

    def __enter__(self) -> Tunnel:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()
        return self

    async def _open(self) -> None:
        server = self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self.url, self.socks_url = f"http://{address}", f"socks5://{address}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        socks = await reader.readexactly(1) == b"\x05"
        host, port = await (_asked_by_socks(reader, writer) if socks else _asked(reader))
        there, back = await asyncio.open_connection(host, port)
        writer.write(b"\x05\x00\x00\x01" + bytes(6) if socks else b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(_pump(reader, back), _pump(there, writer))

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        await asyncio.wait(others, timeout=1) if others else None
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _asked(reader: asyncio.StreamReader) -> tuple[str, int]:
    """Where the client wants to go, by the target of its `CONNECT`."""
    head = await reader.readuntil(b"\r\n\r\n")
    host, port = head.split()[1].decode().rsplit(":", 1)
    return host, int(port)


async def _asked_by_socks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, int]:
    """Where the client wants to go, by SOCKS 5: no authentication, and an address of IPv4."""
    await reader.readexactly((await reader.readexactly(1))[0])
    writer.write(b"\x05\x00")
    version, command, _, kind = await reader.readexactly(4)
    assert (version, command, kind) == (5, 1, 1)
    address = await reader.readexactly(4)
    return ".".join(map(str, address)), int.from_bytes(await reader.readexactly(2), "big")


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    except OSError:
        pass
    finally:
        sink.close()
