"""What two runs are compared by: all that the app can tell, and nothing that depends on who was first."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from reliability import programs
from support.driver import Driver

RESET = (104, "Connection reset by peer")


def read(*, waiting: bool, use: Callable[[Driver, Any], Any] = lambda driver, reader: driver(reader.read(1))) -> Any:
    """What an app sees whose read of an aiohttp body fails: while it waits for data, or as it begins."""
    streams = pytest.importorskip("aiohttp.streams")

    async def reader() -> Any:
        loop = asyncio.get_running_loop()
        found = streams.StreamReader(SimpleNamespace(connected=True, _reading_paused=False), 2**16, loop=loop)
        if waiting:
            loop.call_later(0.01, found.set_exception, ConnectionResetError(*RESET))
        else:
            found.set_exception(ConnectionResetError(*RESET))
        return found

    with Driver(asynchronous=True) as driver:
        made = driver(reader())
        return programs.see(lambda: use(driver, made))


def test_whether_data_was_there_already_does_not_count() -> None:
    """A read of aiohttp's that fails at once, and one that waited before it failed, are the same to the app."""
    at_once, waited = read(waiting=False), read(waiting=True)
    assert at_once == waited
    assert [frame.rpartition(" ")[2] for frame in waited.raised.frames][-2:] == ["_awaited", "read"]


def test_the_way_to_aiohttp_counts() -> None:
    """Another caller, another function of aiohttp's, another error: each of them is a difference."""
    ways: list[Callable[[Driver, Any], Any]] = [
        lambda driver, reader: driver(reader.read(1)),
        lambda driver, reader: driver(reader.readline()),
        lambda driver, reader: driver.read(reader.iter_chunked(1)),
        lambda driver, reader: driver.next(reader.iter_chunked(1)),
    ]
    assert len({read(waiting=False, use=way) for way in ways}) == len(ways)


@pytest.mark.parametrize("first", ["reader", "writer"])
def test_who_notices_a_reset_does_not_count(first: str) -> None:
    """Of an error that the event loop raises in its own transport, reading or writing, the app learns the same."""
    error = reset(first)
    assert error.type == "builtins.ConnectionResetError"
    [frame] = error.frames
    assert frame.endswith("_events.py")


def reset(first: str) -> programs.Raised:
    """The error that a protocol is told of whose connection is reset, while it only reads or as it writes."""

    async def main() -> programs.Raised:
        loop = asyncio.get_running_loop()
        lost: asyncio.Future[BaseException | None] = loop.create_future()
        protocol = type("Told", (asyncio.Protocol,), {"connection_lost": lambda self, error: lost.set_result(error)})
        with socket.create_server(("127.0.0.1", 0)) as server:
            transport, _ = await loop.create_connection(protocol, *server.getsockname())
            accepted, _ = server.accept()
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            if first == "writer":
                transport.pause_reading()
                transport.write(b"x" * 2**24)
            accepted.close()
            error = await lost
        assert error is not None
        return programs.raised(error)

    return asyncio.run(main())
