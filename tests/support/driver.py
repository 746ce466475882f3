"""Runs sync and async code alike: `driver(client.messages.create(...))` is the message, whichever client it was.

Rule: every step runs in the context of the test, in the main thread, and an async one in one event loop that lives
as long as the driver. So what a test makes current is current for the app, as in an app of that kind.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final

_TURNS: Final = 50
"""How often the event loop is turned for what is left to do: more often than any chain of callbacks is long."""


class Driver:
    """A context manager. `asynchronous` says which kind of client it drives."""

    def __init__(self, *, asynchronous: bool) -> None:
        self.asynchronous = asynchronous
        self._loop = asyncio.new_event_loop() if asynchronous else None

    def __call__(self, step: Any) -> Any:
        """The value of a step of the app: what a sync client returned, or what comes of awaiting it."""
        if self._loop is None or not inspect.isawaitable(step):
            return step
        return self._loop.run_until_complete(_awaited(step))

    def read(self, chunks: Any) -> list[Any]:
        """Everything that a stream, sync or async, has."""
        read: list[Any] = []
        self.each(chunks, read.append)
        return read

    def each(self, chunks: Any, use: Callable[[Any], object]) -> None:
        """Calls `use` with each part of a stream, sync or async, as it comes."""
        if not hasattr(chunks, "__iter__"):
            self(_used(chunks, use))
            return
        for chunk in chunks:
            use(chunk)

    def next(self, chunks: Any) -> Any:
        """The next one of an iterator, sync or async."""
        return next(chunks) if hasattr(chunks, "__next__") else self(chunks.__anext__())

    def enter(self, manager: Any) -> Any:
        """Enters a context manager, sync or async."""
        return manager.__enter__() if hasattr(manager, "__enter__") else self(manager.__aenter__())

    def leave(self, manager: Any, error: BaseException | None = None) -> Any:
        """Leaves a context manager that was entered, with the exception that ends its block, if any."""
        told = (type(error), error, error.__traceback__) if error is not None else (None, None, None)
        return manager.__exit__(*told) if hasattr(manager, "__exit__") else self(manager.__aexit__(*told))

    def idle(self) -> None:
        """Lets the event loop do what is left to do, such as the closing of generators that were dropped."""
        if self._loop is not None:
            self._loop.run_until_complete(_turns(_TURNS))

    def close(self, closable: Any) -> None:
        """Closes a client or a stream, sync or async."""
        close = getattr(closable, "aclose", None) if self.asynchronous else None
        self((close or closable.close)())

    def __enter__(self) -> Driver:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._loop is not None:
            self.idle()
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def _awaited(step: Any) -> Any:
    return await step


async def _used(chunks: Any, use: Callable[[Any], object]) -> None:
    async for chunk in chunks:
        use(chunk)
