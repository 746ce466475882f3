"""Several recorders beside each other, which join and leave while calls run."""

from __future__ import annotations

import os
import signal
import threading

import httpx
import pytest

from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.call import Call
from anthropic_otel._core.ending import End
from anthropic_otel._core.invocation import Invocation
from anthropic_otel._core.recorder import AfterFailure, Recorder
from anthropic_otel._core.runtime import Runtime
from anthropic_otel._core.semconv import CallOutcome
from anthropic_otel._core.send import Send
from anthropic_otel._core.tee import Tee
from core.notes import FACTS, ManualClock, Notes

RETRIED_CALL = [
    "call_started",
    *("attempt_started", "send_finished", "attempt_ended", "failure_decided"),
    *("attempt_started", "send_finished", "attempt_ended"),
    *("method_finished", "call_ended"),
]


def begin(tee: Tee, clock: ManualClock) -> Call:
    """A call that is about to run, recorded by `tee`."""
    call = Call(Invocation("messages.create", max_retries=2), clock)
    call.recorder = tee.start_call(call)
    return call


def send(call: Call, status: int) -> Attempt:
    """An attempt of `call` that is answered with `status`."""
    sending = Send(call, FACTS)
    attempt = sending.responded(status, {})
    assert attempt is not None
    attempt.end(End.READ)
    return attempt


def whole_call(tee: Tee, clock: ManualClock) -> Call:
    """A call with a retry."""
    call = begin(tee, clock)
    send(call, 529)
    send(call, 200)
    call.method_returned("result", None)
    return call


def pair() -> tuple[Notes, Notes, list[tuple[str, object]]]:
    """Two recorders that write into one list, each event with the recorder's name before it."""
    told: list[tuple[str, object]] = []
    return Notes("first ", told), Notes("second ", told), told


def test_each_recorder_is_told_of_everything(clock: ManualClock) -> None:
    """Beside another recorder, each is told what it would be told alone, with the same facts."""
    alone, first, second = Notes(), Notes(), Notes()
    whole_call(Tee(alone), clock)
    call = whole_call(Tee(first, second), clock)
    assert alone.events == first.events == second.events == RETRIED_CALL
    assert first.told == second.told
    assert list(first.after.values()) == list(second.after.values()) == [AfterFailure.RETRIED]
    assert first.results == second.results == [("result", None)]
    assert first.response_headers == second.response_headers == [{}, {}]
    assert call.ending.outcome is not None


def test_each_recorder_is_told_of_an_attempt_without_a_call(clock: ManualClock) -> None:
    """An attempt without a call is recorded by each recorder."""
    first, second = Notes(), Notes()
    attempt = Runtime(first, second, clock=clock).lone_attempts(0).begin_attempt(FACTS)
    attempt.end(End.READ)
    assert first.events == second.events == ["attempt_started", "attempt_ended"]


class InterruptedNotes(Notes):
    """Is interrupted at each end, after it has written it down."""

    def note(self, event: str, of: object) -> None:
        super().note(event, of)
        if event.endswith("_ended"):
            raise KeyboardInterrupt


def test_each_recorder_is_told_of_an_end_though_one_is_interrupted(clock: ManualClock) -> None:
    """An interrupt while one recorder writes an end is the app's, and the others are told of that end all the same."""
    first, second = InterruptedNotes(), Notes()
    call = begin(Tee(first, second), clock)
    with pytest.raises(KeyboardInterrupt):
        send(call, 200)
    with pytest.raises(KeyboardInterrupt):
        call.method_returned("result", None)
    assert first.events == second.events
    assert second.counts()["attempt_ended"] == second.counts()["call_ended"] == 1


def test_one_recorder_is_told_directly(notes: Notes) -> None:
    """With one recorder nothing is in between, also once another one has joined and left."""
    tee, other = Tee(notes), Notes()
    told: list[object] = [tee.recorder]
    tee.join(other)
    told.append(tee.recorder)
    tee.leave(other)
    assert [*told, tee.recorder] == [notes, tee, notes]


def test_without_a_recorder_nothing_is_recorded(clock: ManualClock) -> None:
    """A call that begins after the last recorder has left runs unrecorded."""
    tee = Tee()
    assert tee.empty
    assert not tee.enabled()
    call = whole_call(tee, clock)
    lone = Runtime(clock=clock).lone_attempts(0).begin_attempt(FACTS)
    lone.end(End.READ)
    assert (call.ending.outcome, call.recorder.start_attempt(lone).headers) == (CallOutcome.RECOVERED, {})
    assert lone.recorder.headers == {}


def test_a_recorder_that_joins_records_what_starts_from_then_on(clock: ManualClock) -> None:
    """A recorder that joins while a call runs records the next call, and nothing of the one that is running."""
    first, second = Notes(), Notes()
    tee = Tee(first)
    call = begin(tee, clock)
    tee.join(second)
    send(call, 200)
    call.method_returned(None, None)
    assert first.counts() == dict.fromkeys(
        ["call_started", "attempt_started", "send_finished", "attempt_ended", "method_finished", "call_ended"], 1
    )
    assert second.told == []
    later = whole_call(tee, clock)
    assert second.events == RETRIED_CALL
    assert second.count("call_started", later) == 1


def test_a_recorder_that_leaves_records_to_its_end_what_has_started(clock: ManualClock) -> None:
    """A recorder that leaves while a call runs is told of that call to its end, and of no later one."""
    first, second = Notes(), Notes()
    tee = Tee(first, second)
    call = begin(tee, clock)
    open_attempt = call.begin_attempt(FACTS)
    tee.leave(second)
    open_attempt.fail(httpx.ReadTimeout(""))
    send(call, 200)
    call.method_returned(None, None)
    assert second.told == first.told
    before = list(second.told)
    whole_call(tee, clock)
    assert second.told == before
    assert not tee.empty


def test_a_recorder_that_has_not_joined_may_leave(notes: Notes, clock: ManualClock) -> None:
    """To leave twice, or without having joined, changes nothing for the others."""
    tee, other = Tee(notes), Notes()
    tee.leave(other)
    tee.join(other)
    tee.leave(other)
    tee.leave(other)
    whole_call(tee, clock)
    assert (notes.events, other.events) == (RETRIED_CALL, [])


def test_a_disabled_recorder_is_left_out(clock: ManualClock) -> None:
    """Of several recorders only those that are enabled record what starts, the call and each attempt of it."""
    first, second = Notes(), Notes(recording=False)
    tee = Tee(first, second)
    assert tee.enabled()
    call = begin(tee, clock)
    second.recording = True
    send(call, 200)
    call.method_returned(None, None)
    assert first.count("call_ended") == 1
    assert second.told == []


def test_where_none_is_enabled_nothing_is_recorded(clock: ManualClock) -> None:
    """Several recorders that are disabled are like none."""
    disabled = Notes(recording=False), Notes(recording=False)
    tee = Tee(*disabled)
    assert not tee.enabled()
    whole_call(tee, clock)
    Runtime(*disabled, clock=clock).lone_attempts(0).begin_attempt(FACTS).end(End.READ)
    assert [recorder.told for recorder in disabled] == [[], []]


def test_the_headers_of_all_recorders_go_with_the_request(clock: ManualClock) -> None:
    """The trace contexts of the recorders are merged; of a name that two have, the one that joined last wins."""
    first = Notes(headers={"traceparent": "first", "baggage": "first"})
    second = Notes(headers={"traceparent": "second", "tracestate": "second"})
    attempt = begin(Tee(first, second), clock).begin_attempt(FACTS)
    assert attempt.recorder.headers == {"traceparent": "second", "baggage": "first", "tracestate": "second"}


def test_what_started_last_is_finished_first(clock: ManualClock) -> None:
    """Recorders attach contexts on top of each other, so the last one detaches first; ends are told in order."""
    first, second, told = pair()
    call = begin(Tee(first, second), clock)
    send(call, 200)
    call.method_returned(None, None)
    assert [event for event, _ in told] == [
        *("first call_started", "second call_started"),
        *("first attempt_started", "second attempt_started"),
        *("second send_finished", "first send_finished"),
        *("first attempt_ended", "second attempt_ended"),
        *("second method_finished", "first method_finished"),
        *("first call_ended", "second call_ended"),
    ]


def test_a_tee_is_a_recorder_of_another(clock: ManualClock) -> None:
    """An instrumentation that has adopted another one tells the recorders of both, also those that join later."""
    first, second, third = Notes(), Notes(), Notes()
    inner = Tee(second)
    outer = Tee(first, inner)
    inner.join(third)
    whole_call(outer, clock)
    assert first.events == second.events == third.events == RETRIED_CALL
    inner.leave(second)
    inner.leave(third)
    whole_call(outer, clock)
    assert (len(first.events), second.events, third.events) == (2 * len(RETRIED_CALL), RETRIED_CALL, RETRIED_CALL)


def test_no_recorder_is_lost_when_threads_join_at_once(clock: ManualClock) -> None:
    """Recorders that join and leave in several threads at once do not undo each other."""
    tee, stay = Tee(), [Notes() for _ in range(8)]
    barrier = threading.Barrier(len(stay))

    def join(recorder: Notes) -> None:
        barrier.wait()
        for _ in range(200):
            guest = Notes()
            tee.join(guest)
            tee.leave(guest)
        tee.join(recorder)

    threads = [threading.Thread(target=join, args=(recorder,)) for recorder in stay]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    whole_call(tee, clock)
    assert [recorder.events for recorder in stay] == [RETRIED_CALL] * len(stay)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_recorder_joins_in_a_child_whose_parent_was_changing_recorders() -> None:
    """The thread that held the parent's lock is not in the child, which would wait for it."""
    inside, forked = threading.Event(), threading.Event()

    class SlowTee(Tee):
        def _set(self, recorders: tuple[Recorder, ...]) -> None:
            super()._set(recorders)
            if recorders and not forked.is_set():
                inside.set()
                forked.wait()

    tee = SlowTee()
    thread = threading.Thread(target=tee.join, args=(Notes(),))
    thread.start()
    inside.wait()
    child = os.fork()
    if not child:
        ended = 1
        try:
            # Ends a child that hangs.
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(20)
            forked.set()
            tee.join(Notes())
            ended = int(len(tee._recorders) != 2)
        finally:
            os._exit(ended)
    forked.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
