"""Telemetry never hurts the app: what is held back, what passes, and how it is reported."""

from __future__ import annotations

import asyncio
import functools
import logging
import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest

from anthropic_otel._core import guard
from anthropic_otel._core.guard import guarded, report

LOGGER = "anthropic_otel"


@guarded("default")
def risky(error: BaseException | None = None) -> str:
    """Does what it says."""
    if error is not None:
        raise error
    return "result"


def levels(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.levelname for record in caplog.records if record.name == LOGGER]


@pytest.fixture(autouse=True)
def _debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, LOGGER)


def test_what_does_not_fail_is_what_it_was(caplog: pytest.LogCaptureFixture) -> None:
    """Result, name and docstring."""
    assert risky() == "result"
    assert (risky.__name__, risky.__doc__) == ("risky", "Does what it says.")
    assert levels(caplog) == []


@pytest.mark.parametrize("error", [ValueError(), RecursionError(), MemoryError(), StopIteration(), AssertionError()])
def test_an_exception_becomes_the_default(error: Exception) -> None:
    """Of whatever kind."""
    assert risky(error) == "default"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), asyncio.CancelledError(), GeneratorExit()])
def test_what_is_the_apps_passes(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    """An interrupt or a cancellation that arrives while our code runs is not ours to swallow."""
    with pytest.raises(type(error)):
        risky(error)
    assert levels(caplog) == []


def test_each_kind_is_one_warning_and_then_debug(caplog: pytest.LogCaptureFixture) -> None:
    """A kind is the function and the exception's type: a failure of every attempt is one line."""
    for _ in range(3):
        risky(ValueError())
    risky(KeyError())
    report("elsewhere", ValueError())
    assert levels(caplog) == ["WARNING", "DEBUG", "DEBUG", "DEBUG", "WARNING", "DEBUG", "WARNING", "DEBUG"]


def test_the_warning_names_the_place_and_the_type_and_no_text(caplog: pytest.LogCaptureFixture) -> None:
    """An exception's text may quote what the app sent; the lines that it came through are for those who want DEBUG."""
    risky(ValueError("the prompt"))
    warning, debug = caplog.records
    assert "risky" in warning.getMessage()
    assert "ValueError" in warning.getMessage()
    assert "the prompt" not in warning.getMessage() + debug.getMessage()
    assert warning.exc_info is None
    assert debug.exc_info is None
    assert "test_guard.py" in debug.getMessage()


def test_the_number_of_kinds_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """Beyond it there are debug records only."""
    for number in range(guard._MAX_KINDS + 50):
        report(f"place {number}", ValueError())
    assert levels(caplog).count("WARNING") == guard._MAX_KINDS
    assert levels(caplog).count("DEBUG") == guard._MAX_KINDS + 50


def test_a_log_handler_that_raises_is_no_failure_of_the_apps() -> None:
    """There is nobody left to tell."""

    class Broken(logging.Handler):
        def handle(self, record: logging.LogRecord) -> bool:
            raise RuntimeError("disk full")

    logger, handler = logging.getLogger(LOGGER), Broken()
    logger.addHandler(handler)
    try:
        assert risky(ValueError()) == "default"
    finally:
        logger.removeHandler(handler)


# -- what a signal handler of the app raises ---------------------------------------------------------------------------


class SoftTimeLimit(Exception):
    """What a task queue raises in a task that takes too long."""


def function(number: int, frame: FrameType | None) -> None:
    """A handler as most are."""
    raise SoftTimeLimit


class Handlers:
    """Handlers that are no plain functions."""

    def method(self, number: int, frame: FrameType | None) -> None:
        raise SoftTimeLimit

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.method(number, frame)


def wrapper(*args: Any) -> None:
    """A handler that another library has wrapped."""
    function(*args)


def unnamed(*_: Any) -> None:
    """A handler that does not name what it is given."""
    raise SoftTimeLimit


@pytest.fixture
def handled(request: pytest.FixtureRequest) -> Iterator[None]:
    """The handler of the test is that of SIGUSR1."""
    before = signal.signal(signal.SIGUSR1, request.param)
    yield
    signal.signal(signal.SIGUSR1, before)


HANDLERS = pytest.mark.parametrize(
    "handled",
    [function, Handlers().method, Handlers(), functools.partial(function), wrapper, unnamed],
    indirect=True,
    ids=["function", "method", "object", "partial", "wrapper", "unnamed"],
)


@guarded("default")
def signalled(inner: Callable[[], object] = lambda: None) -> str:
    """Is interrupted by a signal, and does something else before."""
    inner()
    signal.raise_signal(signal.SIGUSR1)
    return "result"


@HANDLERS
@pytest.mark.usefixtures("handled")
def test_what_a_signal_handler_raises_is_the_apps(caplog: pytest.LogCaptureFixture) -> None:
    """An exception that the app's signal handler raises while our code runs reaches the app, and is not reported."""
    with pytest.raises(SoftTimeLimit):
        signalled()
    with pytest.raises(SoftTimeLimit):
        guarded("outer")(signalled)()
    assert levels(caplog) == []


@pytest.mark.parametrize("handled", [function], indirect=True)
@pytest.mark.usefixtures("handled")
def test_a_signal_in_a_handler_of_logging_is_the_apps(caplog: pytest.LogCaptureFixture) -> None:
    """The app's signal handler is heard too while a failure of ours is being logged."""

    class Signalled(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            signal.raise_signal(signal.SIGUSR1)
            return True

    chosen = Signalled()
    guard.log.addFilter(chosen)
    try:
        with pytest.raises(SoftTimeLimit):
            risky(ValueError())
    finally:
        guard.log.removeFilter(chosen)


def test_the_same_exception_of_ours_is_held_back() -> None:
    """The type of the exception does not make it the app's."""
    assert risky(SoftTimeLimit()) == "default"
