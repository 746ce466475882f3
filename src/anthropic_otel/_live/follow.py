"""Sends the events of an app to the `anthropic-otel run` that has started it.

Rule: the app does not change. The events are recorded beside the app's own recorders, libraries are patched only after
the app has imported them, and nothing of OpenTelemetry is imported.
"""

from __future__ import annotations

import os
from typing import Final

from anthropic_otel._adapters import patches
from anthropic_otel._core.guard import guarded
from anthropic_otel._instrument import INSTRUMENTATION
from anthropic_otel._live.events import EventRecorder
from anthropic_otel._live.sender import HOST, Sender

VARIABLE: Final = "ANTHROPIC_OTEL_RUN"
"""Where a `run` listens, `127.0.0.1:PORT:TOKEN`, in the environment of what it has started."""

_joined: Final[list[EventRecorder]] = []


@guarded(None)
def follow(target: str | None = None, executed: str = "") -> None:
    """Sends events to the `run` that `target`, or the environment, names. Called again, it patches new imports.

    `executed` is the module that is just being imported and whose code has run.
    """
    patches.executed.add(executed)
    if _joined:
        INSTRUMENTATION.patch_imported()
        return
    host, _, rest = (target or os.environ.get(VARIABLE, "")).partition(":")
    port, _, token = rest.partition(":")
    if host != HOST or not port.isdigit() or not token:
        return
    recorder = EventRecorder(Sender(int(port), token))
    _joined.append(recorder)
    INSTRUMENTATION.join(recorder, importing=False)
