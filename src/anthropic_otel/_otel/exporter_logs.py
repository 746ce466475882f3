"""Drops what OpenTelemetry's exporters log while the interpreter exits, and keeps the last error that they name.

An exporter logs a line for each of its retries. At the end of a short script they would stand between the output of the
script and the one line that says what to do.

Rule: at the exit, only those records of OpenTelemetry's loggers are dropped that come from a thread in which an
exporter of ours exports, or our provider or exporter is shut down. All others are the app's.
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
"""The part of a record's text that may be shown. The rest may quote a secret in the endpoint's URL."""


class ExporterLogs(logging.Filter):
    """A filter for loggers. Once attached, it drops the records which a thread logs within `held_back`. Thread-safe.

    `reason` is the last error that a dropped record, or a text passed to `note`, has named; empty before.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reason = ""
        self._thread: Final = threading.local()

    def attach(self) -> None:
        """Adds this filter to every logger that exists now and whose name begins with `opentelemetry.`.

        Before that, no record is dropped.
        """
        # To each of them: a logger's filter does not see the records of the loggers below it.
        for name in list(logging.root.manager.loggerDict):
            if name.startswith("opentelemetry."):
                logging.getLogger(name).addFilter(self)

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """Returns a context manager within which records of this thread are dropped.

        These are the ones that it logs by a logger to which `attach` has added this filter.
        """
        before = getattr(self._thread, "ours", False)
        self._thread.ours = True
        try:
            yield
        finally:
            self._thread.ours = before

    def filter(self, record: logging.LogRecord) -> bool:
        """Returns whether the record is to be logged: always outside of `held_back`, and never within it.

        The message of a record that is dropped is passed to `note`.
        """
        if not getattr(self._thread, "ours", False):
            return True
        self.note(record.getMessage())
        return False

    def note(self, text: str) -> None:
        """Sets `reason` to the error that `text` names, such as `[Errno 111] Connection refused`, if it names one."""
        found = _REASON.search(text)
        if found is not None:
            self.reason = found[0]


exporter_logs: Final = ExporterLogs()
