"""Whether anything is recorded at all, and by whom."""

from __future__ import annotations

import errno
import time
from dataclasses import replace
from importlib import resources
from typing import NoReturn

import pytest

from anthropic_otel._core import finalizer, operations
from anthropic_otel._core.clock import SystemClock
from anthropic_otel._core.ending import End
from anthropic_otel._core.invocation import Invocation
from anthropic_otel._core.runtime import Runtime
from core.notes import FACTS, ManualClock, Notes


def test_the_recorder_of_a_call_is_made_when_it_begins(runtime: Runtime, notes: Notes) -> None:
    """A call that begins has a recorder of its own, which is told of its attempts."""
    assert runtime.enabled()
    call = runtime.begin_call(Invocation())
    attempt = call.begin_attempt(FACTS)
    assert notes.told == [("call_started", call), ("attempt_started", attempt)]


def test_without_a_call_the_request_tells_the_retry(runtime: Runtime) -> None:
    """A request that says that it is a retry has its number; how long the backoff was is unknown."""
    first = runtime.lone_attempts(0).begin_attempt(FACTS)
    second = runtime.lone_attempts(2).begin_attempt(replace(FACTS, model="claude-opus-4-5"))
    assert (first.retry, first.model) == (None, None)
    assert second.retry is not None
    assert (second.retry.number, second.retry.delay, second.retry.reason, second.retry.source) == (2, None, None, None)
    assert second.model == "claude-opus-4-5"


def test_no_request_reads_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the operations are is read when the runtime is made: later the process may have no file descriptor left."""
    operations._routes.cache_clear()
    operations._kept.cache_clear()
    Runtime()

    def refused(package: str) -> NoReturn:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(resources, "files", refused)
    assert operations.operation_of("POST", "/v1/messages").name == "messages.create"


def test_a_runtime_is_made_where_no_file_can_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operations are read at the first request then."""
    operations._routes.cache_clear()
    operations._kept.cache_clear()

    def refused(package: str) -> NoReturn:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as without_files:
        without_files.setattr(resources, "files", refused)
        assert Runtime().enabled() is False
    assert operations.operation_of("POST", "/v1/messages").name == "messages.create"


def test_nothing_is_recorded_once_it_is_switched_off(runtime: Runtime) -> None:
    """One assignment disables every wrapper that another library still references."""
    runtime.active = False
    assert not runtime.enabled()


def test_nothing_is_recorded_where_the_recorder_is_disabled(runtime: Runtime, notes: Notes) -> None:
    """A recorder may say no at each call, as where instrumentation is suppressed."""
    notes.recording = False
    assert not runtime.enabled()


def test_nothing_is_recorded_without_a_recorder() -> None:
    """An instrumentation that every recorder has left records nothing."""
    assert not Runtime().enabled()


def test_one_of_several_recorders_is_enough(runtime: Runtime, notes: Notes) -> None:
    """A recorder that is disabled does not disable another one."""
    notes.recording = False
    other = Notes()
    runtime.recorders.join(other)
    assert runtime.enabled()
    runtime.recorders.leave(other)
    assert not runtime.enabled()


def test_each_beginning_reports_the_queued_ends(runtime: Runtime) -> None:
    """Ends that a finalizer has queued are reported with the next event, also when recording is switched off."""
    ended: list[str] = []
    finalizer.deferred.append(lambda: ended.append("on"))
    runtime.enabled()
    runtime.active = False
    finalizer.deferred.append(lambda: ended.append("off"))
    runtime.enabled()
    assert ended == ["on", "off"]


def test_the_systems_clock_is_the_default(notes: Notes) -> None:
    """Durations are from a monotonic clock of the machine, and the place on the calendar is from its wall clock."""
    clock = Runtime(notes).clock
    assert isinstance(clock, SystemClock)
    assert clock.now() <= clock.now()
    assert abs(clock.wall() - time.time_ns()) < 60e9


@pytest.mark.parametrize(("phases", "sdk_only"), [(True, False), (False, True)])
def test_a_provisional_runtime_adopts_the_options_and_recorders_of_the_app(
    clock: ManualClock, phases: bool, sdk_only: bool
) -> None:
    """A runtime that was there for a joined recorder becomes the app's, and tells both recorders."""
    joined, apps = Notes(), Notes()
    runtime = Runtime(joined, clock=clock, provisional=True)
    runtime.adopt(Runtime(apps, phases=phases, sdk_only=sdk_only))
    assert (runtime.phases, runtime.sdk_only, runtime.provisional) == (phases, sdk_only, False)
    attempt = runtime.lone_attempts(0).begin_attempt(FACTS)
    attempt.end(End.READ)
    assert joined.events == apps.events == ["attempt_started", "attempt_ended"]
