"""Implements `instrument(export="console")`: prints an app's calls to its stderr as they end, and a summary at exit.

Rule: the app's threads only make events and put them into a bounded queue; a thread of ours draws and writes. The
output is plain text unless the package rich is installed and stderr is a terminal with colours. A forked child prints
its own calls.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from typing import Final

from anthropic_otel._core.guard import guarded
from anthropic_otel._instrument import INSTRUMENTATION
from anthropic_otel._live.events import Event, EventRecorder
from anthropic_otel._live.show import Show
from anthropic_otel._render.output import Output
from anthropic_otel._render.styled import Line

MAX_KEPT: Final = 10_000
"""The most events that are queued to be printed. Further ones are not printed, only counted as lost."""
_TICK: Final = 0.5
_LAST_CHANCE: Final = 1.0
"""The most seconds that the interpreter's exit waits for queued events to be printed."""

_shown: Final[list[EventRecorder]] = []


def show() -> None:
    """Starts to print to stderr each call that starts from now on, when it ends, and a summary at exit.

    Attempts outside of any call are printed too, and so are failures and long waits of a call that goes on. Unless
    the process is instrumented as a whole, imports and patches the SDK and the HTTP libraries that are installed, and
    warns if there is no HTTP library. Does nothing if `show` was called before, and not `hide` since.
    """
    if _shown:
        return
    console = Console()
    recorder = EventRecorder(console.emit)
    _shown.append(recorder)
    INSTRUMENTATION.join(recorder)
    atexit.register(console.close)


def hide() -> None:
    """Stops what `show` started, if anything: calls and attempts that start from now on are not printed.

    Those that have started before are still printed when they end, and so is the summary at exit. If nothing else
    records calls or attempts, the patches are undone.
    """
    while _shown:
        INSTRUMENTATION.leave(_shown.pop())


class Console:
    """Prints this process's events to stderr as lines for a person, in a daemon thread that the constructor starts.

    In a forked child, the first call of `emit` starts a new thread with an empty queue.
    """

    def __init__(self) -> None:
        self._drawing = _Drawing()

    @guarded(None)
    def emit(self, event: Event) -> None:
        """Queues an event to be printed; if `MAX_KEPT` are queued already, only counts this one as lost.

        In a forked child that has not called it yet, starts a new queue and thread first. Never raises, and never waits
        for output.
        """
        if self._drawing.pid != os.getpid():
            # A forked child does not have its parent's thread, and prints its own calls only.
            self._drawing = _Drawing()
        self._drawing.put(event)

    @guarded(None)
    def close(self) -> None:
        """Has the thread print the queued events and the summary, and waits for that for at most one second.

        Events that are emitted afterwards are not printed. Does nothing in a forked child that has not called `emit`.
        Never raises.
        """
        if self._drawing.pid == os.getpid():
            self._drawing.close()


class _Drawing:
    """One process's queue of events, and the thread that prints them. The constructor starts the thread.

    - `pid`: the process that has the thread.
    - `put`: queues an event, or counts it as lost.
    - `close`: has the thread print the rest and a summary and end, and waits for that for at most one second.
    """

    def __init__(self) -> None:
        self.pid: Final = os.getpid()
        self._events: Final[SimpleQueue[Event | None]] = SimpleQueue()
        self._lost = 0
        self._output: Final = Output(sys.stderr)
        self._show: Final = Show(self._output.width, self._output.glyphs)
        self._thread: Final = threading.Thread(target=self._draw, name="anthropic-otel-console", daemon=True)
        self._thread.start()

    def put(self, event: Event) -> None:
        if self._events.qsize() >= MAX_KEPT:
            self._lost += 1
        else:
            self._events.put(event)

    def close(self) -> None:
        self._events.put(None)
        self._thread.join(_LAST_CHANCE)

    @guarded(None)
    def _draw(self) -> None:
        tracker = self._show.tracker
        while True:
            try:
                event = self._events.get(timeout=_TICK if tracker.open else None)
            except Empty:
                self._write(self._show.tick(time.time()))
                continue
            if event is None:
                tracker.totals.lost += self._lost
                self._write(self._show.summary())
                return
            self._write(self._show.take(event))

    @guarded(None)
    def _write(self, lines: Sequence[Line]) -> None:
        if lines:
            self._output.lines(lines)
