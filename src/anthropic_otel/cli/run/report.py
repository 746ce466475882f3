"""Prints the events of a `run` to stderr, and writes them to a file if there is one, in a thread of its own.

Rule: whatever happens to stderr, the file or an event, the program goes on, and `run` exits with its status.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from dataclasses import dataclass
from typing import Final, TextIO

from anthropic_otel._live.events import STARTED, Event
from anthropic_otel._live.show import Show
from anthropic_otel._render.output import Output
from anthropic_otel._render.styled import Line, Piece, Style
from anthropic_otel._version import __version__
from anthropic_otel.cli.run.listener import Listener

FORMAT: Final = 1
"""The version of the lines that `--save` and `--json` write."""
_TICK: Final = 0.5
_BACKLOG: Final = 0.05
_SILENCE: Final = 0.3
"""After the program's end: the seconds without an event after which no further one is waited for."""
_AT_MOST: Final = 5.0
"""After the program's end: the seconds after which no further event is waited for, even if there are more."""


@dataclass(frozen=True, slots=True)
class Options:
    """Where and how events are written.

    - `save`: a text file to which each readable event, apart from `started`, is also written as a line of JSON, after a
      line of type `run` and before one of type `summary`, until a write fails, which stderr is told; `None` for none.
    - `json`: whether stderr gets such lines of JSON, in place of lines for a person.
    """

    save: TextIO | None = None
    json: bool = False


class Report(threading.Thread):
    """A daemon thread that prints a listener's events to stderr and saves them, as `options` say, until `close`.

    `start` begins it. A `started` event is neither saved nor printed as JSON.
    """

    def __init__(self, listener: Listener, options: Options) -> None:
        super().__init__(name="anthropic-otel-run", daemon=True)
        self._listener: Final = listener
        self._json: Final = options.json
        self._file = options.save
        self._screen: Output | None = Output(sys.stderr)
        self._show: Final = Show(self._screen.width, self._screen.glyphs, followed=False)
        self._missing: Final[set[str]] = set()
        self._ending = False

    def close(self) -> None:
        """Has the thread report the events that have been sent, print the summary and end. Waits for that.

        Call it after the program's end. A process that outlives the program prolongs the wait for as long as less than
        0.3 seconds pass between its events, but by some 5 seconds at most. Its later events are not reported.
        """
        self._ending = True
        self._listener.wake()
        self.join()

    def run(self) -> None:
        self._record({"type": "run", "time": round(time.time(), 6), "format": FORMAT, "anthropic_otel": __version__})
        while not self._ending:
            self._receive(_TICK)
            self._print(self._show.tick(time.time()))
        # Events that were sent have arrived by now. A process that outlives the program stays connected, and is not
        # waited for. If it sends one event after the other, there is no silence by which to know that these have come.
        end = time.monotonic() + _AT_MOST
        while self._receive(_BACKLOG) or (self._listener.connections and self._receive(_SILENCE)):
            if time.monotonic() >= end:
                break
        self._sum_up()

    def _receive(self, timeout: float) -> int:
        """Prints and saves the events that `Listener.receive` yields, and returns how many these were.

        An event with missing or wrong fields is only counted, here and in the listener's `bad_lines`. Waits for at most
        `timeout` seconds, as `Listener.receive` does. Fits the lines to the screen's present width.
        """
        count = 0
        if self._screen is not None:
            self._show.width = self._screen.width
        for event in self._listener.receive(timeout):
            count += 1
            self._take(event)
        return count

    def _take(self, event: Event) -> None:
        try:
            if event["type"] == "missing":
                self._warn_of_missing(event)
            else:
                self._print(self._show.take(event))
            if event["type"] != STARTED:
                self._record(event)
        except (KeyError, TypeError, ValueError, OverflowError):
            self._listener.bad_lines += 1

    def _warn_of_missing(self, event: Event) -> None:
        executable = str(event["executable"])
        self._show.followed = True  # what is said of it is more than that it was not followed
        if executable not in self._missing:
            self._missing.add(executable)
            self._print(
                [
                    (Piece(f"{self._show.glyphs.bad} {executable} has the Anthropic SDK, but not", Style.BAD),),
                    (Piece(f"  anthropic-otel {__version__}: its calls are not seen. Install it there:", Style.BAD),),
                    (Piece(f"  {executable} -m pip install anthropic-otel"),),
                ]
            )

    def _sum_up(self) -> None:
        self._show.tracker.totals.lost += self._listener.bad_lines
        self._print(self._show.summary())
        self._record({**self._show.tracker.summary, "time": round(time.time(), 6)})

    # -- where it goes -------------------------------------------------------------------------------------------------

    def _print(self, lines: list[Line]) -> None:
        if lines and not self._json and self._screen is not None:
            try:
                self._screen.lines(lines)
            except OSError:
                # Its reader has gone.
                self._screen = None

    def _record(self, event: Event) -> None:
        line = json.dumps(event, separators=(",", ":")) + "\n"
        if self._json and self._screen is not None:
            try:
                self._screen.text(line)
            except OSError:
                self._screen = None
        if self._file is not None:
            try:
                self._file.write(line)
                self._file.flush()
            except OSError as error:
                self._file = None
                self._print([(Piece(f"The file cannot be written any more: {error.strerror}", Style.BAD),)])
                # To stderr, with `--json`.
                self._record({"type": "unsaved", "time": round(time.time(), 6), "error": str(error.strerror)})
