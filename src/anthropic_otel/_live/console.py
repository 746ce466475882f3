"""`instrument(export="console")`: prints an app's calls to its stderr as they end, and a summary at exit.

Rule: the app's threads only put events into a bounded queue; a thread of ours draws and writes. With the package rich
the output has colour, without it plain text. Each process of an app prints its own calls.
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
"""The most events that are queued to be printed. Further ones are only counted as lost."""
_TICK: Final = 0.5
_LAST_CHANCE: Final = 1.0
"""The most seconds that the interpreter's exit waits for queued events to be printed."""

_shown: Final[list[EventRecorder]] = []


def show() -> None:
    """Starts to print the calls of this process to stderr, and a summary at exit.

    Does nothing if it is printing already.
    """
    if _shown:
        return
    console = Console()
    recorder = EventRecorder(console.emit)
    _shown.append(recorder)
    INSTRUMENTATION.join(recorder)
    atexit.register(console.close)


def hide() -> None:
    """Stops printing calls. The summary at exit is printed all the same."""
    while _shown:
        INSTRUMENTATION.leave(_shown.pop())


class Console:
    """Prints the events of this process to stderr, in a daemon thread that starts at once.

    In a forked child the first event starts a thread of its own.
    """

    def __init__(self) -> None:
        self._drawing = _Drawing()

    @guarded(None)
    def emit(self, event: Event) -> None:
        """Queues an event to be printed.

        Never raises or waits; beyond `MAX_KEPT` queued events, only counts it as lost.
        """
        if self._drawing.pid != os.getpid():
            # A forked child does not have its parent's thread, and prints its own calls only.
            self._drawing = _Drawing()
        self._drawing.put(event)

    @guarded(None)
    def close(self) -> None:
        """Prints the queued events and the summary; waits for at most one second. Never raises."""
        if self._drawing.pid == os.getpid():
            self._drawing.close()


class _Drawing:
    """The queue and the thread of one process; the thread starts at once."""

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
        story = self._show.story
        while True:
            try:
                event = self._events.get(timeout=_TICK if story.open else None)
            except Empty:
                self._write(self._show.tick(time.time()))
                continue
            if event is None:
                story.totals.lost += self._lost
                self._write(self._show.summary())
                return
            self._write(self._show.take(event))

    @guarded(None)
    def _write(self, lines: Sequence[Line]) -> None:
        if lines:
            self._output.lines(lines)
