"""Exports what our providers still hold when the interpreter exits, and gives up early if no collector accepts it.

The OpenTelemetry SDK's providers retry at exit until each signal's timeout has passed, 10 s by default. Without a
collector a script of one second would take twelve and more to end.

Rule: the exit waits for `PATIENCE` seconds without a successful export, and then gives up.
`OTEL_EXPORTER_OTLP_TIMEOUT`, or the variable of one signal, sets another number of seconds. Each successful export
starts the time anew, up to `MAX_WAIT` in all. One line says that something was not delivered, and why if the exporter
named an error. The exporter's own lines, one for each retry, are dropped.

A child of multiprocessing that was forked exits without the functions of `atexit`. What was registered in such a child
is flushed by multiprocessing's own finalizers, once the app's threads have ended, unless the child is killed.
"""

from __future__ import annotations

import atexit
import inspect
import math
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final, Literal

from anthropic_otel._core.guard import guarded, log
from anthropic_otel._otel.exporter_logs import exporter_logs

PATIENCE: Final = 1.5
"""The seconds without a successful export after which the exit gives up, if the environment sets no others."""
MAX_WAIT: Final = 30.0
"""The seconds that the exit waits at most. It is the limit of the OpenTelemetry SDK."""

Signal = Literal["traces", "metrics"]


def flush_at_exit(provider: Any, exporter: Any, signal: Signal) -> None:
    """Arranges that `provider` is shut down, and so flushed, when the interpreter exits, within this module's limits.

    `exporter` is the provider's. The provider must have been made with `shutdown_on_exit=False`. Replaces
    `provider.shutdown` and `exporter.export` on these objects, and starts a daemon thread.
    """
    Leaving(provider, exporter, patience_of(signal)).register()


def patience_of(signal: Signal) -> float:
    """Returns the seconds without a successful export after which the exit gives up on a signal.

    From `OTEL_EXPORTER_OTLP_TRACES_TIMEOUT` or `…_METRICS_TIMEOUT`, or if that is unset or empty, from
    `OTEL_EXPORTER_OTLP_TIMEOUT`. `PATIENCE` if neither is set, or if the one that is used is no number.
    """
    own = os.environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_TIMEOUT")
    try:
        # In seconds, as OpenTelemetry's Python exporters read it.
        seconds = float(own or os.environ.get("OTEL_EXPORTER_OTLP_TIMEOUT") or PATIENCE)
    except ValueError:
        return PATIENCE
    # No thread can wait for NaN seconds.
    return PATIENCE if math.isnan(seconds) else seconds


class Leaving:
    """Shuts one provider down at exit, in a thread that is started early: an exiting interpreter cannot start one.

    Replaces `provider.shutdown` and `exporter.export` when it is made: the former keeps the exit from shutting down
    again, the latter notes whether each export succeeds, and once the exit has begun returns `None` instead of raising.
    `patience` is in seconds.
    """

    def __init__(self, provider: Any, exporter: Any, patience: float) -> None:
        self._exporter: Final = exporter
        self._patience: Final = patience
        self._shutdown: Final[Callable[..., None]] = provider.shutdown
        self._export: Final[Callable[..., Any]] = exporter.export
        self._leave: Final = threading.Event()
        self._left: Final = threading.Event()
        self._progressed = time.monotonic()
        self._begun = self._failed = False
        self._thread = threading.Thread(target=self._wait, name="anthropic-otel-exit", daemon=True)
        provider.shutdown = self._shut_down_by_app
        exporter.export = self._export_noted

    def register(self) -> None:
        """Starts the thread, which waits, and has `begin` and then `finish` called when the interpreter exits.

        All that are registered begin before the first one is waited for.
        """
        self._thread.start()
        if not _leaving:
            atexit.register(_leave)
            _register_in_child()
        _leaving.append(self)

    def _export_noted(self, *args: Any, **kwargs: Any) -> Any:
        # Not only at the exit: an export may be under way when it begins.
        with exporter_logs.held_back():
            try:
                result = self._export(*args, **kwargs)
            except Exception as error:
                # Older exporters raise without a collector. The provider would log the traceback.
                if not self._begun:
                    raise
                exporter_logs.note(str(error))
                result = None
        succeeded = getattr(result, "name", None) == "SUCCESS"
        if succeeded:
            self._progressed = time.monotonic()
        self._failed = not succeeded
        return result

    def _shut_down_by_app(self, *args: Any, **kwargs: Any) -> None:
        """Replaces the provider's `shutdown`: calls it, and keeps the exit from doing so again."""
        self._left.set()
        self._leave.set()
        self._shutdown(*args, **kwargs)

    def _wait(self) -> None:
        self._leave.wait()
        if not self._left.is_set():
            self._shut_down()

    @guarded(None)
    def _shut_down(self) -> None:
        try:
            with exporter_logs.held_back():
                self._shutdown()
        finally:
            self._left.set()

    def begin(self) -> None:
        """Begins to shut the provider down in its thread, and starts the time of `patience`. Does not wait for the end.

        Does nothing if the provider was shut down, or is being shut down by the app. Without a live thread, as in a
        forked child, a new one is started. Only if that fails, the provider is shut down before this returns.
        """
        if self._left.is_set():
            return
        self._progressed = time.monotonic()
        self._begun, self._failed = True, False
        if self._thread.is_alive():
            self._leave.set()
            return
        try:
            threading.Thread(target=self._shut_down, daemon=True).start()
        except RuntimeError:
            self._shut_down()

    def finish(self, deadline: float) -> bool:
        """Waits until the provider is shut down. Returns `False` if its last export failed, or if it was given up.

        The provider is given up after `patience` seconds without a successful export, or at `deadline`, a time of
        `time.monotonic`. Then its exporter is shut down, which ends the retries. Returns `True` otherwise, also if
        nothing was exported.

        An export before `begin` does not count as the last one. But if the app has shut the provider down itself, every
        export counts, and there is no wait.
        """
        while not self._left.is_set():
            rest = min(self._progressed + self._patience, deadline) - time.monotonic()
            if rest <= 0:
                self._give_up()
                return False
            self._left.wait(rest)
        return not self._failed

    @guarded(None)
    def _give_up(self) -> None:
        # Ends the retries. A gRPC exporter waits for 30 s by default. In old ones only the base has the parameter.
        with exporter_logs.held_back():
            for owner in type(self._exporter).__mro__:
                shutdown = vars(owner).get("shutdown")
                if shutdown is not None and "timeout_millis" in inspect.signature(shutdown).parameters:
                    shutdown(self._exporter, timeout_millis=0)
                    return
            self._exporter.shutdown()


_leaving: Final[list[Leaving]] = []


@guarded(None)
def _register_in_child() -> None:
    """Has `_leave` called at the end of this process if multiprocessing has started it, by any method.

    Imports nothing.
    """
    process, util = (sys.modules.get(f"multiprocessing.{name}") for name in ("process", "util"))
    if process is not None and util is not None and process.parent_process() is not None:
        # After the finalizers of queues and pools, which may still wait for work.
        util.Finalize(None, _leave_after_threads, exitpriority=-100)


@guarded(None)
def _leave_after_threads() -> None:
    """Calls `_leave` once no thread of the app is left that keeps the process alive: now, or in a thread that waits.

    multiprocessing's finalizers run before Python waits for such threads, and the functions of `atexit` after it.
    """
    if not _others():
        _leave()
        return
    # Not here: Python tells the threads of an executor to end only after the finalizers.
    threading.Thread(target=_wait_and_leave, name="anthropic-otel-exit", daemon=False).start()


@guarded(None)
def _wait_and_leave() -> None:
    while others := _others():
        for each in others:
            each.join()
    _leave()


def _others() -> list[threading.Thread]:
    """Returns the threads for which the exit of the process waits, without the main thread and the current one."""
    known = (threading.main_thread(), threading.current_thread())
    # One that is about to start is not alive yet, and cannot be waited for. The thread that starts it is.
    return [each for each in threading.enumerate() if each.is_alive() and not each.daemon and each not in known]


@guarded(None)
def _leave() -> None:
    """Shuts down every registered provider that the app has not, all at once, and waits `MAX_WAIT` seconds at most.

    Drops what their exporters log meanwhile, and warns if something was not delivered. Does nothing when it is called
    again: in a spawned child both multiprocessing and `atexit` call it. Never raises.
    """
    registered = _leaving.copy()
    _leaving.clear()
    deadline = time.monotonic() + MAX_WAIT
    exporter_logs.attach()
    for each in registered:
        each.begin()
    sent = [each.finish(deadline) for each in registered]
    if not all(sent):
        reason = f" ({exporter_logs.reason})" if exporter_logs.reason else ""
        log.warning(
            f"The last telemetry was not delivered before the exit{reason}. Is a collector running? "
            "Check: anthropic-otel doctor. OTEL_EXPORTER_OTLP_TIMEOUT sets how many seconds the exit waits"
        )
