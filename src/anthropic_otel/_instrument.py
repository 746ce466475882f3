"""Wires the layers together: decides which clients are recorded and by which runtime, and applies and undoes patches.

Rule: everything is patched on classes, once, for the process and for single clients alike. What differs is only the
runtime that is looked up for a client. To instrument or uninstrument twice does no harm. One thread at a time makes a
change: two that instrument at once would patch everything twice.
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
"""Makes a runtime. It is called only if the app has not instrumented the process, or the client, yet."""


class Instrumentation:
    """Instruments the process or single clients, and knows the runtime of each. Thread-safe.

    There is one instance, `INSTRUMENTATION`. `process` is the runtime that records the whole process, `None` if none
    does. `clients` are weak references to the HTTP clients that were given a `Mark`.
    """

    def __init__(self) -> None:
        self.process: Runtime | None = None
        self._sends: Final = SendPatches(self)
        self._calls: Final = CallPatches(self)
        self.clients: Clients = []
        self._joined: list[Recorder] = []
        """The recorders that have joined and not left. Every new runtime gets them beside its own."""

    @property
    def is_left_to_another_copy(self) -> bool:
        """Whether another copy of this library has patched a class of HTTP clients: what these send is left to it."""
        return self._sends.are_left_to_another_copy

    # -- what is instrumented ------------------------------------------------------------------------------------------

    @property
    def is_instrumented(self) -> bool:
        """Whether the app has instrumented the whole process. Recorders that have joined do not count."""
        return self.process is not None and not self.process.provisional

    def instrument_process(self, runtime_factory: RuntimeFactory) -> None:
        """Instruments all clients, existing and future, for the runtime that `runtime_factory` makes.

        Imports the installed HTTP libraries and the SDK. If recorders that have joined have a runtime already, that
        adopts the new one. Does nothing if the process is instrumented already, or, with a warning, if no HTTP library
        can be imported.
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
        """Has `recorder` record the calls, and the attempts without a call, that start from now on, until `leave`.

        Those of excluded clients are left out. The app need not have instrumented anything. If it has not instrumented
        the process, imports the installed libraries first. If there is no HTTP library, warns, and `recorder` records
        what the app instruments later. Patches what is imported. Without `importing` it neither imports nor warns: then
        libraries that the app imports later are not recorded until the caller calls `patch_imported`.
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
        """Gives the process a runtime with the recorders that have joined, if it has none and there are any.

        Such a runtime is provisional: the process does not count as instrumented by the app.
        """
        if self.process is None and self._joined:
            self.process = self._hosting(Runtime(provisional=True))

    def _hosting(self, runtime: Runtime) -> Runtime:
        """Adds the recorders that have joined to `runtime`, and returns it."""
        for recorder in self._joined:
            runtime.recorders.join(recorder)
        return runtime

    def patch_again(self) -> None:
        """Imports the installed libraries and patches what is not patched, such as copies that a reloader has imported.

        Warns if no HTTP library can be imported.
        """
        _import_libraries()
        self.patch_imported()

    def patch_imported(self) -> None:
        """Patches the HTTP libraries and the SDK as far as they are imported and not patched yet. Imports nothing."""
        with changing():
            self._sends.patch_libraries()
            self._calls.patch_library()

    def leave(self, recorder: Recorder) -> None:
        """Undoes `join`: `recorder` records no call, and no attempt without a call, that starts from now on.

        It records to their end those that have started, of such a call also the attempts that are still to come.
        If the process was recorded for such recorders alone, that ends when the last one leaves. The patches are then
        undone, unless single clients are instrumented.
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
        """Instruments one SDK client, with its calls, and its copies by `with_options`, which share its HTTP client.

        Imports the installed libraries and patches them. If that client is instrumented already, changes no more. If
        only its HTTP client was instrumented, that one's runtime records the calls too. Raises `TypeError` if `client`
        is no SDK client.
        """
        http_client = http_client_of(client)
        if http_client is None:
            raise TypeError(f"Expected a client of the Anthropic SDK, got {type(client).__name__}")
        self.instrument_http_client(http_client, runtime_factory, calls=True)

    def instrument_http_client(self, http_client: Any, runtime_factory: RuntimeFactory, *, calls: bool = False) -> None:
        """Records every request of one HTTP client as an attempt; with `calls`, the SDK calls that it sends too.

        Imports the installed libraries, and patches those for HTTP; with `calls` the SDK too. A client that is
        instrumented by itself already keeps its runtime, and its calls stay recorded without `calls` too; for any
        other, `runtime_factory` makes the runtime. Raises `TypeError` if `http_client` is no client of httpx or httpx2.
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
        """Called when a request of the SDK is sent that is to be recorded and belongs to no running call.

        If another library has taken a patch of the SDK away, patches it again, however often. Warns only once in a
        process.
        """
        with changing():
            self._calls.look_again()

    def runtime_of_calls(self, http_client: Any) -> Runtime | None:
        """Returns the runtime for SDK calls that are sent by `http_client`, `None` if they are not to be recorded.

        That is the client's own if it was instrumented with calls, or by itself in a process that is recorded too;
        `None` if it is excluded; else that of the process. Unless the result is `None`, patches the client's class
        where that is needed (`SendPatches.meet_client`).
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
        """Gives `copy`, which the copy of an SDK client has made for itself, the mark of `http_client`, the original's.

        Does nothing if that has none, and for the same client.
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
        """Undoes every instrumentation, but recorders that have joined still record, until they `leave`.

        Undoes too what a copy of this package has instrumented that a reloader imported before this one, as nothing
        else can undo that. Wrappers that other libraries added later stay; ours underneath becomes a pass-through.
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
        """Undoes the instrumentation of one SDK client or HTTP client. Does nothing for any other object.

        An object counts as an SDK client if its `_client` is an object with a `__dict__` that allows weak references.
        If the app has instrumented the process, excludes the client from that, with those that share its HTTP client,
        and with copies of this that are made from now on, until `uninstrument`. Else undoes the patches if nothing else
        is recorded. Both go for what `copied` has given the mark of the HTTP client too.
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
        """Undoes the patches if neither the process nor a client is instrumented any more."""
        if self.process is None and not marks.marked(self.clients):
            self._sends.undo()
            self._calls.undo()

    def runtimes(self) -> list[Runtime]:
        """Returns every runtime that records something now, each once."""
        runtimes = (self.process, *map(marks.runtime_of, marks.marked(self.clients)))
        found = {id(runtime): runtime for runtime in runtimes if runtime is not None}
        return list(found.values())


def _import_libraries() -> bool:
    """Imports the HTTP libraries that are installed, and the SDK if it is installed too.

    Returns whether there is an HTTP library. If there is none, warns, and does not import the SDK.
    """
    found = [import_if_installed(name) for name in LIBRARIES]
    if not any(found):
        log.warning("Neither httpx nor httpx2 can be imported: there is nothing to instrument")
        return False
    import_if_installed("anthropic")
    return True


INSTRUMENTATION: Final = Instrumentation()
