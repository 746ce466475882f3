"""A thread with an event loop of its own, in which the simulator's server runs.

Rule: every method may be called from any other thread. After `stop`, and after a start that fails, no thread is left.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from anthropic_otel.simulator.server import Server

_T = TypeVar("_T")
_NOT_RUNNING: Final = "the simulator does not run: use it in a with statement, or call start()"


def _ignore_connection_errors(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Ignores errors of an event loop that are `OSError`s, as faults cause them on purpose.

    All others go to asyncio's default handler.
    """
    if not isinstance(context.get("exception"), OSError):
        loop.default_exception_handler(context)


class ServerThread:
    """Runs the server that `make` makes, from `start` to `stop`. `make` is called in the thread, at each start.

    `server` is the server while it runs, else `None`.
    """

    def __init__(self, make: Callable[[], Server]) -> None:
        self._make: Final = make
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self.server: Server | None = None

    def start(self) -> None:
        """Starts the server in a new thread, and returns once it listens.

        Raises `RuntimeError` if it is running already, and what making or opening the server raises. After an error,
        also a `KeyboardInterrupt`, nothing is running.
        """
        if self._thread is not None:
            raise RuntimeError("the simulator runs already")
        started: Future[None] = Future()
        thread = threading.Thread(target=self._run, args=(started,), name="anthropic-otel-simulator", daemon=True)
        self._thread = thread
        try:
            thread.start()
            started.result()
        except BaseException:
            self._abandon(started)
            raise

    def _abandon(self, started: Future[None]) -> None:
        """Ends a start that has failed or was interrupted: stops the server if it listens, and waits for the thread."""
        if not started.cancel() and started.exception() is None:
            self.stop()
        else:
            self._join()

    def stop(self) -> None:
        """Closes the server, and waits for the thread to end. Does nothing if it is not running."""
        if self._thread is not None and self._loop is not None and self._stopping is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._join()

    def _join(self) -> None:
        # A thread that could not be started, or whose start was interrupted, cannot be joined.
        if self._thread is not None and self._thread.is_alive():
            self._thread.join()
        self._thread = self._loop = self.server = self._stopping = None

    def _run(self, started: Future[None]) -> None:
        try:
            asyncio.run(self._main(started))
        except BaseException as failure:
            if started.cancelled():
                return  # the start was interrupted, so nobody waits for this
            if started.done():
                raise
            if started.running() or started.set_running_or_notify_cancel():
                started.set_exception(failure)

    async def _main(self, started: Future[None]) -> None:
        asyncio.get_running_loop().set_exception_handler(_ignore_connection_errors)
        server = self._make()
        try:
            await server.plain.open()
            if not started.set_running_or_notify_cancel():
                return
            self._loop, self._stopping, self.server = asyncio.get_running_loop(), asyncio.Event(), server
            started.set_result(None)
            await self._stopping.wait()
        finally:
            await server.close()

    def running(self) -> Server:
        """Returns the server. Raises `RuntimeError` if it does not run."""
        if self.server is None:
            raise RuntimeError(_NOT_RUNNING)
        return self.server

    def do(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Runs `work` in the event loop and returns its result. Raises `RuntimeError` if the loop has ended."""
        try:
            if self._loop is None:
                raise RuntimeError(_NOT_RUNNING)
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:
            work.close()
            raise
        return future.result()
