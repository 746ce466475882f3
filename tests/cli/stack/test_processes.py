"""The bookkeeping of processes: who is alive, who is signalled, what is on disk when a starter dies."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from anthropic_otel.cli.stack import launch, processes
from anthropic_otel.cli.stack.layout import Layout
from anthropic_otel.cli.stack.processes import Process
from anthropic_otel.cli.stack.state import Busy, State, Unreadable
from support.stacks import LONG
from support.waiting import until

pytestmark = pytest.mark.without_sdk


@contextmanager
def child(program: str = "print(flush=True); input()") -> Iterator[tuple[subprocess.Popen[bytes], Process]]:
    """A process that leads a group and has printed its first line, and its record."""
    command = [sys.executable, "-I", "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as popen:
        assert popen.stdout is not None
        popen.stdout.readline()
        mark = launch.start_id(popen.pid)
        assert mark is not None
        try:
            yield popen, Process(popen.pid, mark)
        finally:
            popen.kill()


def test_a_process_is_alive_until_it_ends_even_if_nobody_has_waited_for_it() -> None:
    """A zombie has ended."""
    with child() as (popen, process):
        assert process.alive
        popen.kill()
        assert process.ends_within(LONG)
        assert popen.returncode is None


@pytest.mark.skipif(shutil.which("ps") is None, reason="no ps on the PATH")
def test_a_process_is_recognized_where_there_is_no_proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on macOS."""
    monkeypatch.setattr(launch, "_PROC", tmp_path)
    with child() as (popen, process):
        assert process.alive
        assert not Process(popen.pid, "Thu Jan 1 00:00:00 1970").alive
        popen.kill()
        assert process.ends_within(LONG)


def test_a_process_that_was_given_a_recorded_number_is_never_signalled() -> None:
    """The record is of a process that has ended; its number belongs to another one now."""
    with child() as (popen, process):
        recorded = Process(process.pid, "an earlier start")
        recorded.send(signal.SIGKILL)
        recorded.send_to_group(signal.SIGKILL)
        processes.end_group(recorded, "part", grace=0)
        assert process.alive
        popen.communicate(b"\n")
        assert popen.returncode == 0


def test_a_group_ends_with_what_the_process_has_started() -> None:
    """A build ends with its compilers."""
    program = "import subprocess; print(subprocess.Popen(['sleep', '600']).pid, flush=True); input()"
    command = [sys.executable, "-I", "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as popen:
        assert popen.stdout is not None
        grandchild = int(popen.stdout.readline())
        processes.end_group(Process(popen.pid, launch.start_id(popen.pid) or ""), "part", grace=LONG)
        until(lambda: launch.start_id(grandchild) is None)


def test_a_process_that_does_not_end_when_asked_is_killed() -> None:
    """After the seconds that it was given."""
    program = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); input()"
    with child(program) as (popen, process):
        processes.end_group(process, "part", grace=0.1)
        assert popen.wait() == -signal.SIGKILL


def test_a_process_of_another_user_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person without the right to end it learns which process it is."""

    def refuse(pid: int, number: int) -> None:
        raise PermissionError

    with child() as (_, process):
        monkeypatch.setattr(os, "killpg", refuse)
        with pytest.raises(processes.StillRuns, match=rf"part: process {process.pid} belongs to another user"):
            processes.end_group(process, "part", grace=0)


STARTER = """
import os, signal, sys
from pathlib import Path
from anthropic_otel.cli.stack.service import Recording, start
from anthropic_otel.cli.stack.state import State

state = State(Path(sys.argv[1]))
with state.locked("up") as lock:
    started = start(["sleep", "600"], Recording(state.record_of("part"), lock))
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_part_is_recorded_though_its_starter_is_killed_as_soon_as_it_has_started_it(tmp_path: Path) -> None:
    """The lock is free only once the part has recorded itself, so that whoever gets it finds the part."""
    starter = subprocess.run([sys.executable, "-c", STARTER, str(tmp_path)])
    assert starter.returncode == -signal.SIGKILL
    state = State(tmp_path)
    with state.locked("down", wait=LONG):
        part = state.parts["part"]
        assert part.alive
        processes.end_group(part, "part", grace=LONG)
        state.forget("part")
        assert part.ends_within(0)
        assert state.parts == {}


def test_the_lock_has_one_holder_who_can_be_asked_for(tmp_path: Path) -> None:
    """The second command is refused and learns who the first is; once that has let go, nobody holds it."""
    first, second = State(tmp_path), State(tmp_path)
    with first.locked("up"):
        with pytest.raises(Busy), second.locked("down"):
            pytest.fail("two holders")
        holder = second.holder
        assert holder is not None
        assert (holder.command, holder.process.pid) == ("up", os.getpid())
    with second.locked("down"):
        assert second.holder is not None
        assert second.holder.command == "down"


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    """Addresses and directories survive the command that chose them."""
    state, where = State(tmp_path), Layout(tmp_path, {"prometheus": 9090}, tmp_path / "files")
    with state.locked("up"):
        assert state.layout is None
        state.layout = where
    assert State(tmp_path).layout == where


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"pid": "1", "started": "x"}', '{"pid": 1}', '{"pid": 1'])
def test_a_damaged_record_is_an_error_that_names_the_file(tmp_path: Path, text: str) -> None:
    """Nothing is signalled on the word of a file that this command did not write."""
    state = State(tmp_path)
    with state.locked("up"):
        path = state.record_of("part")
        path.write_text(text)
        with pytest.raises(Unreadable, match=str(path)):
            assert state.parts
