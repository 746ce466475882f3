"""Reads and writes the files about a running stack: its processes, its addresses, and the lock that changes need.

Rule: only the command that holds the lock starts or ends a process of the stack. A process that is starting holds the
lock too until it is recorded, so that the next holder finds every process recorded, even if the starter was killed.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from anthropic_otel.cli.stack.launch import write
from anthropic_otel.cli.stack.layout import Layout
from anthropic_otel.cli.stack.processes import Process, eventually, this_process


class Busy(Exception):
    """The lock is held by another command, or by a process that is starting."""


class Unreadable(Exception):
    """A file of the state has another content than `anthropic-otel stack` writes. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The command (`up` or `down`) that holds the lock or was the last to hold it, and its process."""

    command: str
    process: Process


class State:
    """The files about the stack with the working directory `work`. They are in its subdirectory `folder`.

    A property that reads a file raises `Unreadable` if the file is damaged.
    """

    def __init__(self, work: Path) -> None:
        self.work: Final = work
        self.folder: Final = work / "run"
        self._holder: Final = self.folder / "holder.json"
        self._layout: Final = self.folder / "layout.json"
        self._complete: Final = self.folder / "complete"

    @property
    def exists(self) -> bool:
        """Whether the subdirectory `folder` is there, which the first start creates."""
        return self.folder.is_dir()

    @contextmanager
    def locked(self, command: str, wait: float = 0.0) -> Iterator[int]:
        """Holds the lock in its block, which gets the lock's file descriptor, and records `command` as the holder.

        If the lock is held, waits for `wait` seconds at most, and then raises `Busy`. A process that has inherited the
        descriptor keeps the lock after the block. Makes the directory `folder` if there is none.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if not eventually(lambda: _taken(lock), wait):
                raise Busy
            holder = this_process()
            write(self._holder, {"command": command, "pid": holder.pid, "started": holder.started})
            yield lock
        finally:
            # Closed and not unlocked: unlocking would release the lock of the parts that are starting, too.
            os.close(lock)

    @property
    def holder(self) -> Holder | None:
        """The last command to hold the lock, if its process still runs; `None` if not, or if there was none."""
        found = _read(self._holder)
        if found is None:
            return None
        holder = Holder(_typed(found, "command", str, self._holder), _process(found, self._holder))
        return holder if holder.process.alive else None

    @property
    def layout(self) -> Layout | None:
        """The directories and ports of the last start, completed or not; `None` if there was none.

        Setting it writes them.
        """
        found = _read(self._layout)
        if found is None:
            return None
        ports = _typed(found, "ports", dict, self._layout)
        return Layout(self.work, ports, Path(_typed(found, "files", str, self._layout)))

    @layout.setter
    def layout(self, layout: Layout) -> None:
        write(self._layout, {"ports": dict(layout.ports), "files": str(layout.files)})

    @property
    def complete(self) -> bool:
        """Whether every program was ready in the last start. Setting it creates or deletes a file."""
        return self._complete.exists()

    @complete.setter
    def complete(self, complete: bool) -> None:
        if complete:
            self._complete.touch()
        else:
            self._complete.unlink(missing_ok=True)

    def record_of(self, name: str) -> Path:
        """Returns the path of the file in which the next process to be started, called `name`, must record itself.

        The file's name has the number of records that exist, so that names are in the order of the starts.
        """
        return self.folder / f"part-{len(self._records()):02}-{name}.json"

    @property
    def parts(self) -> dict[str, Process]:
        """The recorded processes of the stack, by name, in the order of their start. Some may have ended."""
        found = {name: (path, _read(path)) for name, path in self._records().items()}
        # A record is None if another command has just deleted it.
        return {name: _process(record, path) for name, (path, record) in found.items() if record is not None}

    def forget(self, name: str) -> None:
        """Deletes the record of the process with that name. Raises `KeyError` if there is none."""
        self._records()[name].unlink()

    def _records(self) -> dict[str, Path]:
        return {path.stem.split("-", 2)[2]: path for path in sorted(self.folder.glob("part-*.json"))}


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(path: Path) -> dict[str, Any] | None:
    """Returns the JSON object in a file; `None` if there is no file. Raises `Unreadable` for any other content."""
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except ValueError:
        raise _unreadable(path) from None
    if not isinstance(found, dict):
        raise _unreadable(path)
    return found


def _typed(found: Mapping[str, Any], name: str, kind: type[Any], path: Path) -> Any:
    if not isinstance(found.get(name), kind):
        raise _unreadable(path)
    return found[name]


def _process(found: Mapping[str, Any], path: Path) -> Process:
    return Process(_typed(found, "pid", int, path), _typed(found, "started", str, path))


def _unreadable(path: Path) -> Unreadable:
    return Unreadable(f"{path} was changed or damaged. End the process that it names, if there is one, and delete it")
