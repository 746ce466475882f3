"""Starts the stack, ends it, and reports what runs.

Rule: `up` starts every program or none. A start that fails or is interrupted ends what it had started; if the start was
killed, `down` ends that.
"""

from __future__ import annotations

import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from anthropic_otel.cli.stack import binaries, guide, layout, processes, services
from anthropic_otel.cli.stack.layout import Layout
from anthropic_otel.cli.stack.service import Recording, Service, start
from anthropic_otel.cli.stack.state import Busy, State

_GRACE: Final = 10.0
"""Seconds that a program has to end before it is killed."""
_ROLLBACK: Final = 30.0
"""Seconds that an interrupted `up` has to end what it had started, before it is killed."""
_PATIENCE: Final = 90.0
"""Seconds that `down` waits for another command to end."""
_LAUNCH: Final = 5.0
"""Seconds to wait for the lock, because the last program that a killed `up` started holds it until it is recorded."""
_BUILD: Final = "build"


class Refused(Exception):
    """The command cannot be carried out. The message says why, and what to do."""


class Stack:
    """The stack with the working directory `work`. Each line for the user is passed to `say`.

    The methods raise `state.Unreadable` if a file about the stack is damaged.
    """

    def __init__(self, work: Path, say: Callable[[str], None]) -> None:
        self._state: Final = State(work)
        self.work: Final = work
        self._say: Final = say

    def up(self, where: Layout, *, story: bool = True) -> None:
        """Builds missing binaries, starts every program of the stack, waits until all are ready, says what to open.

        With `story`, also starts the demo's app, if the packages that it needs are installed. If the stack is up
        already, only reports its status. Raises `Refused` if another command holds the lock, a port is in use, only
        some of the programs run, or an earlier start was not completed and its programs run. If the start fails, ends
        what was started, and raises the failure, such as `Missing`, or `Refused` for an interrupt. SIGTERM and SIGHUP
        interrupt this process as SIGINT does from now on; after a start that failed, all three are ignored.
        """
        processes.interruptible()
        with self._locked("up") as lock:
            if self._is_up():
                self._say("already up:")
                self.status()
                return
            busy = layout.taken(where.ports)
            if busy:
                raise Refused(f"ports in use: {', '.join(busy)}. End what uses them, or add --free-ports")
            failure = self._start(where, story, lock)
        if failure:
            processes.uninterruptible()
            self.down(quiet=True)
            if isinstance(failure, KeyboardInterrupt):
                raise Refused("interrupted; what had been started is ended")
            raise failure
        self._say(self._guide())

    def down(self, *, quiet: bool = False) -> None:
        """Ends an `up` that still runs, then every program of the stack in the reverse order of their start.

        So a program that sends telemetry ends before the one that receives it. Unless `quiet`, says what was ended, or
        that nothing is up. Raises `Refused` if another command holds the lock for 90 seconds, `StillRuns` if a program
        does not end.
        """
        ended: list[str] = []
        deadline = time.monotonic() + _PATIENCE
        while self._state.exists:
            try:
                with self._state.locked("down", wait=1.0):
                    ended += self._end_parts()
                break
            except Busy:
                if time.monotonic() > deadline:
                    raise Refused(self._busy()) from None
                ended += self._end_starter()
        if not quiet:
            self._say(f"ended: {', '.join(ended)}" if ended else "nothing is up")

    def status(self) -> bool:
        """Says which programs run, which have ended by themselves, and what to open; returns whether any runs.

        Says too if the last start was not completed. If no program runs, says only that.
        """
        parts = self._state.parts
        if not any(process.alive for process in parts.values()):
            self._say("nothing is up")
            return False
        if not self._state.complete:
            self._say("the start has not finished, or was killed:")
        for name, process in parts.items():
            log = self.work / f"{name}.log"
            self._say(f"{name}: process {process.pid}" if process.alive else f"{name}: ended by itself; see {log}")
        self._say(self._guide())
        return True

    def where(self) -> Layout:
        """Returns the directories and ports of the running stack. Raises `Refused` if no program of it runs."""
        found = self._state.layout
        if found is None or not any(process.alive for process in self._state.parts.values()):
            raise Refused(f"nothing is up. Start it: {guide.command('up', self.work)}")
        return found

    # -- starting ------------------------------------------------------------------------------------------------------

    def _is_up(self) -> bool:
        """Returns whether every program runs that was started; `False` if none was.

        If all have ended, deletes their records and returns `False`. Raises `Refused` if only some run, or if all do
        and the start was not completed.
        """
        parts = self._state.parts
        alive = [name for name, process in parts.items() if process.alive]
        ended = [name for name in parts if name not in alive]
        if alive and (ended or not self._state.complete):
            why = f"{', '.join(ended)} ended by itself" if ended else "an earlier start was killed"
            raise Refused(f"{why}, and {', '.join(alive)} still runs. First run: {guide.command('down', self.work)}")
        for name in ended:
            self._state.forget(name)
        return bool(alive)

    def _start(self, where: Layout, story: bool, lock: int) -> BaseException | None:
        """Builds missing binaries, then starts one program after the other, each when the one before is ready.

        Records the layout `where` before, and after the last one that the start is complete. Returns the exception that
        stopped this, `None` if there was none. `story` adds the demo's app. `lock` is the descriptor of the held lock,
        which the processes inherit.
        """
        try:
            self._state.layout, self._state.complete = where, False
            for service in self._services(self._binaries(lock), where, story):
                service.start(recording=Recording(self._state.record_of(service.name), lock))
                self._say(f"{service.name}: runs")
            self._state.complete = True
        except BaseException as error:
            return error
        return None

    def _binaries(self, lock: int) -> dict[str, Path]:
        """Returns the paths of the stack's binaries, by the components' names.

        If Go is installed, missing ones are built in a process of their own, which is recorded, so that `down` can end
        it, and which inherits `lock`, the descriptor of the stack's lock. Raises `Refused` if the build fails,
        `Missing` if a binary is missing and there is no Go.
        """
        if shutil.which("go") and any(binaries.present(component) is None for component in binaries.STACK):
            command = [sys.executable, "-m", "anthropic_otel.cli", "stack", "build"]
            building = start(command, Recording(self._state.record_of(_BUILD), lock))
            if building.wait():
                raise Refused("not started, as the build failed: see above")
            self._state.forget(_BUILD)
        return binaries.everything(self._say, binaries.STACK)

    def _services(self, found: dict[str, Path], where: Layout, story: bool) -> Iterator[Service]:
        """Yields the service of each program, in the order in which to start them. `found` has the binaries by name.

        Grafana is among them if it is on the PATH; with `story`, also the demo's app, if the packages that it needs are
        installed. Each one's configs are written when it is asked for. Raises `Refused` if the bundle needs a newer
        Prometheus than the binary is, and `Missing` if Grafana's home directory is not found.
        """
        modern = binaries.major(found["Prometheus"]) >= 3
        if not modern and services.needs_prometheus_3(where):
            raise Refused(
                f"{where.files} is for native histograms, and {found['Prometheus']} is a Prometheus 2. Put a "
                "Prometheus 3 first on the PATH, or write the bundle with --histograms classic"
            )
        yield services.jaeger(found["Jaeger"], where)
        yield services.alertmanager(found["Alertmanager"], where)
        yield services.prometheus(found["Prometheus"], where, scrape=not modern)
        yield services.collector(
            found["Collector"],
            ("all-in-one.yaml", f"metrics/{'otlp' if modern else 'scrape'}.yaml"),
            where,
            TRACES_ENDPOINT=where.url("jaeger_otlp"),
            METRICS_ENDPOINT=f"{where.url('prometheus')}/api/v1/otlp",
        )
        grafana = shutil.which("grafana")
        if grafana:
            yield services.grafana(Path(grafana), where)
        if story and services.can_run_demo():
            yield services.demo(where)

    @contextmanager
    def _locked(self, command: str) -> Iterator[int]:
        try:
            with self._state.locked(command, wait=_LAUNCH) as lock:
                yield lock
        except Busy:
            raise Refused(self._busy()) from None

    def _busy(self) -> str:
        holder = self._state.holder
        if holder is None:
            return f"{self._state.folder} is in use by another command. Try again"
        down = guide.command("down", self.work)
        does = f"starting the stack. Wait for it, or run: {down}" if holder.command == "up" else "ending the stack"
        return f"process {holder.process.pid} is already {does}"

    def _guide(self) -> str:
        alive = {name for name, process in self._state.parts.items() if process.alive}
        found = self._state.layout
        return guide.what_to_open(found, alive) if found else ""

    # -- ending --------------------------------------------------------------------------------------------------------

    def _end_starter(self) -> list[str]:
        """Ends an `up` that holds the lock: by SIGTERM, so that it ends what it started; after 30 seconds by SIGKILL.

        Returns a list with a text for the user about that; does nothing and returns an empty list if no `up` holds it.
        """
        holder = self._state.holder
        if holder is None or holder.command != "up":
            return []
        holder.process.send(signal.SIGTERM)
        if not holder.process.ends_within(_ROLLBACK):
            holder.process.send(signal.SIGKILL)
        return ["a start that had not finished"]

    def _end_parts(self) -> list[str]:
        """Ends every recorded process, the last one first, deletes its record, and returns the names of those that ran.

        Raises `StillRuns` at the first one that does not end.
        """
        ended = []
        for name, process in reversed(self._state.parts.items()):
            if process.alive:
                processes.end_group(process, name, services.JAEGER_GRACE if name == "jaeger" else _GRACE)
                ended.append(name)
            self._state.forget(name)
        return ended
