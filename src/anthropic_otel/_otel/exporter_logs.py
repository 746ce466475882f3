"""What OpenTelemetry's exporters log while the interpreter exits: held back, and said in one line at the end.

An exporter logs a line for each of its retries. At the end of a short script they would stand between what the script
has printed and the one line that says what to do.

Rule: only what an exporter of ours logs while it exports and shuts down at the exit. Another's lines are the app's.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_REASON: Final = re.compile(
    r"\[(?:Errno|WinError) -?\d+\] [\w ]+|code: \d{3}(?:, reason: [\w ]+)?|\bStatusCode\.\w+|Read timed out"
)
"""What is repeated of a line. The rest may quote what the endpoint has in its URL."""


class ExporterLogs(logging.Filter):
    """Holds back what is logged in a thread within `held_back`. `reason` is the last thing that was said there."""

    def __init__(self) -> None:
        super().__init__()
        self.reason = ""
        self._thread: Final = threading.local()

    def attach(self) -> None:
        """Filters each logger of OpenTelemetry: a filter sees no record of the loggers below its own."""
        for name in list(logging.root.manager.loggerDict):
            if name.startswith("opentelemetry."):
                logging.getLogger(name).addFilter(self)

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """What this thread logs within is held back from when `attach` was called."""
        before = getattr(self._thread, "ours", False)
        self._thread.ours = True
        try:
            yield
        finally:
            self._thread.ours = before

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is logged."""
        if not getattr(self._thread, "ours", False):
            return True
        self.note(record.getMessage())
        return False

    def note(self, text: str) -> None:
        """Keeps what `text` says of the reason why nothing was delivered."""
        found = _REASON.search(text)
        if found is not None:
            self.reason = found[0]


exporter_logs: Final = ExporterLogs()
