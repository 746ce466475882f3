"""Sends the events of an app to the `anthropic-otel run` that started it.

Rule: the app behaves as it does without it. Events are recorded beside the app's own telemetry, libraries are patched
only after the app has imported them, and OpenTelemetry is not imported.
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
"""The environment variable with the address of a `run`, `127.0.0.1:PORT:TOKEN`, in processes that it starts."""

_joined: Final[list[EventRecorder]] = []


@guarded(None)
def follow(target: str | None = None, executed: str = "") -> None:
    """Patches the imported libraries, and starts to send this process's events to the `anthropic-otel run` at `target`.

    `target` is `127.0.0.1:PORT:TOKEN`; without one, it is the value of the environment variable `VARIABLE`. Does
    neither if it is missing, malformed, or on another host. `executed` is the name of a module whose code has just run,
    which may be patched although its import has not returned yet; empty for none. If sending has started already, only
    patches the libraries that were imported since. Never raises.
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
