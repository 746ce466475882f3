"""What a finalizer does at once, and what it puts off, by what is below it on the stack."""

from __future__ import annotations

import functools
import gc
import logging
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from anthropic_otel._core import finalizer
from anthropic_otel._core.finalizer import drain, finalize, fork_generation


class Body:
    """A body that the app drops."""

    def __init__(self, end: Callable[[], None]) -> None:
        self.end = end

    def __del__(self) -> None:
        finalize(self.end, fork_generation())


@pytest.fixture
def ends() -> Iterator[list[str]]:
    """How often the end was told. Nothing of an earlier test is waiting, and nothing of this one for a later."""
    drain()
    yield []
    drain()


def called_by(module: str, act: Callable[[], None], function: str = "emit") -> None:
    """Runs `act` below a function of `module`."""
    scope: dict[str, Any] = {"__name__": module, "act": act}
    exec(f"def {function}():\n    act()", scope)
    scope[function]()


def drop(ends: list[str], word: str = "end") -> None:
    Body(lambda: ends.append(word))


def test_what_the_app_drops_ends_at_once(ends: list[str]) -> None:
    """Nobody below holds a lock."""
    drop(ends)
    assert ends == ["end"]


@pytest.mark.parametrize(
    "module",
    [
        "opentelemetry.sdk.trace.export",
        "opentelemetry.sdk.metrics._internal.aggregation",
        "logging",
        "logging.handlers",
        "threading",
        "queue",
        "multiprocessing.queues",
    ],
)
def test_where_a_lock_may_be_held_it_is_put_off(ends: list[str], module: str) -> None:
    """The garbage collector runs in the middle of any code; ending a span there may wait for ever."""
    called_by(module, lambda: drop(ends))
    assert ends == []
    drain()
    assert ends == ["end"]


def test_however_deep_below_the_lock_is_held(ends: list[str]) -> None:
    """An exporter calls functions of many libraries."""
    called_by("opentelemetry.sdk", lambda: called_by("json.encoder", lambda: called_by("app", lambda: drop(ends))))
    assert ends == []


def test_a_module_that_is_only_named_alike_is_the_apps(ends: list[str]) -> None:
    """Its name is compared up to the first dot."""
    called_by("opentelemetry_demo.views", lambda: drop(ends))
    called_by("app.threading", lambda: drop(ends))
    assert ends == ["end", "end"]


def test_a_function_without_a_module_is_the_apps(ends: list[str]) -> None:
    """`exec` gives it none, or anything."""
    exec("act()", {"act": lambda: drop(ends)})
    exec("act()", {"act": lambda: drop(ends), "__name__": None})
    assert ends == ["end", "end"]


def test_what_a_thread_of_the_apps_drops_ends_at_once(ends: list[str]) -> None:
    """At the bottom of every thread are frames of `threading`, which hold nothing while the app's code runs."""
    thread = threading.Thread(target=drop, args=(ends,))
    thread.start()
    thread.join()
    assert ends == ["end"]


def test_what_a_threads_own_class_drops_ends_at_once(ends: list[str]) -> None:
    """Its `run` is the app's."""

    class Worker(threading.Thread):
        def run(self) -> None:
            drop(ends)

    worker = Worker()
    worker.start()
    worker.join()
    assert ends == ["end"]


@pytest.mark.parametrize("function", ["run", "_bootstrap", "_bootstrap_inner"])
def test_what_is_dropped_while_a_thread_starts_is_put_off(ends: list[str], function: str) -> None:
    """The start itself takes a lock: only below code of the app's is it known to have been released."""
    body: list[object] = [Body(lambda: ends.append("end"))]
    scope: dict[str, Any] = {"__name__": "threading", "body": body}
    exec(f"def {function}():\n    body.clear()\n", scope)
    scope[function]()
    assert ends == []


def test_what_the_garbage_collector_finds_in_a_condition_is_put_off(ends: list[str]) -> None:
    """A thread that waits in the standard library holds a lock of it."""

    class Waiting(queue.Queue[Any]):
        def _qsize(self) -> int:
            gc.collect()
            return super()._qsize()

    # Only the collection that the test asks for may find it.
    gc.disable()
    try:
        body = Body(lambda: ends.append("end"))
        body.cycle = body  # type: ignore[attr-defined]
        del body
        with pytest.raises(queue.Empty):
            Waiting().get_nowait()
    finally:
        gc.enable()
    assert ends == []
    drain()
    assert ends == ["end"]


def test_what_was_put_off_comes_in_order(ends: list[str]) -> None:
    """And once."""
    for number in range(3):
        called_by("opentelemetry.sdk", functools.partial(drop, ends, str(number)))
    drain()
    drain()
    assert ends == ["0", "1", "2"]


def test_of_several_threads_that_drain_each_takes_what_is_left(
    ends: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread may empty the list between a look and a grasp."""

    class Raced(list[Any]):
        def popleft(self) -> Any:
            raise IndexError

    monkeypatch.setattr(finalizer, "deferred", Raced([lambda: ends.append("end")]))
    drain()
    assert ends == []


def test_a_failure_in_a_finalizer_is_reported_and_nothing_else(
    ends: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """An exception in `__del__` would be printed to the app's console."""

    def fail() -> None:
        raise RuntimeError("broken")

    with caplog.at_level(logging.WARNING, "anthropic_otel"):
        Body(fail)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
