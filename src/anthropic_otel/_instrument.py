"""Wires the layers together: decides which clients are recorded and by which runtime, and applies and undoes patches.

Rule: patches are put on classes, each once, also where only single clients are recorded. Whether a client is recorded
is up to the runtime that is looked up for it. To instrument or uninstrument twice does no harm. One thread at a time
makes a change: two that instrument at once would patch everything twice.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, Final

from anthropic_otel._adapters import marks
from anthropic_otel._adapters.library_patches import LIBRARIES, CallPatches, SendPatches, is_client
from anthropic_otel._adapters.marks import Clients, Mark, mark_of
from anthropic_otel._adapters.patches import import_if_installed
from anthropic_otel._adapters.sdk import http_client_of
from anthropic_otel._core.changing import changing
from anthropic_otel._core.guard import guarded, log
from anthropic_otel._core.recorder import Recorder
from anthropic_otel._core.runtime import Runtime

RuntimeFactory = Callable[[], Runtime]
"""Makes a runtime. It is not called for a process or a client that the app has instrumented already."""


class Instrumentation:
    """Instruments the process or single clients, and knows the runtime of each. Thread-safe.

    There is one instance, `INSTRUMENTATION`.

    - `process`: the runtime that records the whole process, `None` if none does. It is a provisional one if only
      recorders that have joined need it.
    - `clients`: weak references to the HTTP clients that were given a `Mark`. Not each of them still has it.
    """

    def __init__(self) -> None:
        self.process: Runtime | None = None
        self._sends: Final = SendPatches(self)
        self._calls: Final = CallPatches(self)
        self.clients: Clients = []
        self._joined: list[Recorder] = []
        """The recorders that have joined and not left. Every runtime that is used here has them beside its own."""

    @property
    def is_left_to_another_copy(self) -> bool:
        """Whether `send` of a client class of an HTTP library is the replacement of another copy of this library."""
        return self._sends.are_left_to_another_copy

    # -- what is instrumented ------------------------------------------------------------------------------------------

    @property
    def is_instrumented(self) -> bool:
        """Whether the app has instrumented the whole process. Recorders that have joined do not count."""
        return self.process is not None and not self.process.provisional

    def instrument_process(self, runtime_factory: RuntimeFactory) -> None:
        """Has all clients, existing and future, recorded by the runtime that `runtime_factory` makes.

        But a client that was instrumented by itself keeps its own. Imports the installed HTTP libraries and the SDK,
        and patches them. If the process has a provisional runtime, that one stays, and adopts the new one. Only warns
        if no HTTP library can be imported. Does nothing if the app has instrumented the process already.
        """
        if not self.is_instrumented and _import_libraries():
            self._record_process(runtime_factory())

    def _record_process(self, runtime: Runtime) -> None:
        with changing():
            if self.is_instrumented:
                # Another thread was faster.
                return
            self.patch_imported()
            if self.process is not None:
                self.process.adopt(runtime)
            else:
                self.process = self._hosting(runtime)

    def join(self, recorder: Recorder, *, importing: bool = True) -> None:
        """Has `recorder` record the calls, and the attempts without a call, that start in the process until `leave`.

        Leaves out only those of excluded clients. The app may have instrumented nothing. Patches what is imported.

        With `importing`, and if the app has not instrumented the process, first imports the installed libraries. If
        there is no HTTP library, warns, and `recorder` records only what the app instruments later. Without `importing`
        it imports nothing: libraries that are imported later are recorded from the next `patch_imported` on.
        """
        found = not importing or self.is_instrumented or _import_libraries()
        with changing():
            for runtime in self.runtimes():
                runtime.recorders.join(recorder)
            self._joined.append(recorder)
            self.patch_imported()
            if found:
                self._host()

    def _host(self) -> None:
        """Gives the process a provisional runtime with the recorders that have joined.

        Does nothing if it has a runtime, or if no recorder has joined. With a provisional runtime the process does not
        count as instrumented by the app.
        """
        if self.process is None and self._joined:
            self.process = self._hosting(Runtime(provisional=True))

    def _hosting(self, runtime: Runtime) -> Runtime:
        """Adds the recorders that have joined to `runtime`, and returns it."""
        for recorder in self._joined:
            runtime.recorders.join(recorder)
        return runtime

    def patch_again(self) -> None:
        """Imports the HTTP libraries, and the SDK with them, if they are installed. Then calls `patch_imported`.

        A reloader may have imported new copies of them. If no HTTP library can be imported, warns, and does not import
        the SDK.
        """
        _import_libraries()
        self.patch_imported()

    def patch_imported(self) -> None:
        """Patches the HTTP libraries and the SDK as far as they are imported and not patched, or not any more.

        Imports nothing.
        """
        with changing():
            self._sends.patch_libraries()
            self._calls.patch_library()

    def leave(self, recorder: Recorder) -> None:
        """Undoes `join`: `recorder` records no call, and no attempt without a call, that starts from now on.

        `recorder` records to their end those that have started, with the attempts that such a call sends later. These
        later attempts may be missing if the process was recorded only for recorders that have joined, and `recorder` is
        the last of them: then the patches are undone, unless single clients are instrumented.
        """
        with changing():
            self._joined = [other for other in self._joined if other is not recorder]
            for runtime in self.runtimes():
                runtime.recorders.leave(recorder)
            if self.process is not None and self.process.provisional and self.process.recorders.empty:
                self.process.active = False
                self.process = None
                self._unpatch_unused()

    def instrument_client(self, client: Any, runtime_factory: RuntimeFactory) -> None:
        """Instruments the HTTP client of an SDK client, and the calls of every SDK client that sends by it.

        Copies of `client` by `with_options` do so, too. Imports the installed libraries and patches them. If the HTTP
        client is instrumented with calls already, changes no more. If it is instrumented without, its runtime records
        the calls too. Raises `TypeError` if `client` has no HTTP client of httpx or httpx2 as an SDK client has one.
        """
        http_client = http_client_of(client)
        if http_client is None:
            raise TypeError(f"Expected a client of the Anthropic SDK, got {type(client).__name__}")
        self.instrument_http_client(http_client, runtime_factory, calls=True)

    def instrument_http_client(self, http_client: Any, runtime_factory: RuntimeFactory, *, calls: bool = False) -> None:
        """Instruments one HTTP client: has its requests recorded as attempts, and with `calls` the SDK's calls by it.

        Imports the installed libraries, and patches those for HTTP; with `calls` the SDK too. A client that is
        instrumented by itself already keeps its runtime, and if its calls are recorded, that stays so without `calls`.
        For any other client, also an excluded one, `runtime_factory` makes the runtime. Raises `TypeError` if
        `http_client` is no client of httpx or httpx2.
        """
        if not is_client(http_client):
            raise TypeError(f"Expected an httpx or httpx2 client, got {type(http_client).__name__}")
        _import_libraries()
        # Made without the lock, as that imports OpenTelemetry.
        runtime = marks.runtime_of(http_client) or runtime_factory()
        with changing():
            self._sends.patch_libraries()
            self._sends.meet(type(http_client))
            if calls:
                self._calls.patch_library()
            mark = mark_of(http_client) or Mark()
            if mark.runtime is None or (calls and not mark.calls):
                given = Mark(mark.runtime or self._hosting(runtime), calls=calls)
                self.clients = marks.give(http_client, given, self.clients)

    # -- what the adapters ask -----------------------------------------------------------------------------------------

    def missed_call(self) -> None:
        """Called when a request of the SDK is sent that is to be recorded, and is not known to be of a running call.

        If another library has taken a patch of the SDK away, patches the SDK again, however often, and warns the first
        time in a process.
        """
        with changing():
            self._calls.look_again()

    def runtime_of_calls(self, http_client: Any) -> Runtime | None:
        """Returns the runtime for SDK calls that are sent by `http_client`, `None` if they are not to be recorded.

        That is the client's own if it was instrumented with calls, or if it was instrumented without and the process
        has a runtime too; `None` if the client is excluded; else that of the process. Unless the result is `None`,
        patches the client's class where that is needed (`SendPatches.meet_client`).
        """
        # Without a marked client there is no copy of one either, which would have the mark too.
        mark, runtime = mark_of(http_client) if self.clients else None, self.process
        if mark is not None and (mark.calls or mark.runtime is None or runtime is not None):
            runtime = mark.runtime
        if runtime is not None:
            self._sends.meet_client(http_client)
        return runtime

    @guarded(None)
    def copied(self, http_client: Any, copy: Any) -> None:
        """Gives `copy` the mark of `http_client`, and patches the class of `copy`.

        `http_client` is the HTTP client of an SDK client, `copy` that of a copy of this SDK client. Does nothing if
        `http_client` has no mark, if both are the same client, or if `copy` is no client of httpx or httpx2.
        """
        if not self.clients or copy is http_client or not is_client(copy):
            return
        with changing():
            mark = mark_of(http_client)
            if mark is not None:
                self._sends.meet(type(copy))
                self.clients = marks.give(copy, mark, self.clients)

    # -- how it is undone ----------------------------------------------------------------------------------------------

    def uninstrument(self) -> None:
        """Undoes what the app has instrumented. Recorders that have joined still record the process until they `leave`.

        Undoes too what a copy of this package has instrumented that a reloader imported before this one, if a patch of
        its is still on a class of an HTTP library: the app can no longer reach that copy. Wrappers that other libraries
        added later stay; ours underneath becomes a pass-through.
        """
        with changing():
            # Found first: a mark is over once its runtime is not active.
            marked = marks.marked(self.clients)
            for runtime in self.runtimes():
                runtime.active = False
            self.process = None
            marks.take_all(marked)
            self.clients = []
            self._unpatch_unused()
            self._sends.undo_earlier_copies()
            if self._joined:
                self.patch_imported()
                self._host()

    def uninstrument_client(self, client: Any) -> None:
        """Undoes the instrumentation of one HTTP client: `client` itself, or that of an SDK client.

        If the app has instrumented the process, excludes the HTTP client from that, until `uninstrument` or until it is
        instrumented by itself. A copy that is made of it while it is excluded is excluded too. Else takes its mark off,
        and undoes the patches if nothing else is recorded. The same is done to each HTTP client to which `copied` has
        given the same mark.

        Does nothing if `client` is no HTTP client, and its `_client` is missing, allows no weak references, or has no
        `__dict__` that is a dictionary.
        """
        try:
            http_client = client if is_client(client) else http_client_of(client)
            weakref.ref(http_client)
        except Exception:
            # Nothing is there, as the object itself says, or what allows no weak references, as a text.
            return
        if not isinstance(getattr(http_client, "__dict__", None), dict):
            # What cannot have a mark, as a class.
            return
        with changing():
            if self.is_instrumented:
                self.clients = marks.give(http_client, Mark(excluded_from=self.process), self.clients)
            else:
                marks.take(http_client, self.clients)
                self._unpatch_unused()

    def _unpatch_unused(self) -> None:
        """Undoes the patches if the process has no runtime, and none of `clients` has a mark that is not over."""
        if self.process is None and not marks.marked(self.clients):
            self._sends.undo()
            self._calls.undo()

    def runtimes(self) -> list[Runtime]:
        """Returns each runtime in use once: the process's, also a provisional one, and those of marked clients."""
        runtimes = (self.process, *map(marks.runtime_of, marks.marked(self.clients)))
        found = {id(runtime): runtime for runtime in runtimes if runtime is not None}
        return list(found.values())


def _import_libraries() -> bool:
    """Imports the HTTP libraries that are installed, and the SDK if it is installed too.

    Returns whether any HTTP library could be imported. If not, warns, and does not import the SDK.
    """
    found = [import_if_installed(name) for name in LIBRARIES]
    if not any(found):
        log.warning("Neither httpx nor httpx2 can be imported: there is nothing to instrument")
        return False
    import_if_installed("anthropic")
    return True


INSTRUMENTATION: Final = Instrumentation()
