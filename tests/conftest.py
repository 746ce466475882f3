"""Fixtures for every suite that runs an app against the simulator. The parts are in `support`."""

from __future__ import annotations

import gc
import signal
import warnings
from collections.abc import Generator, Iterator
from contextlib import suppress

import pytest

pytest.register_assert_rewrite("support.identities", "e2e.catalogue")

import anthropic_otel  # noqa: E402
from anthropic_otel.simulator import Simulator  # noqa: E402
from support import backoff, missing, telemetry  # noqa: E402
from support.driver import Driver  # noqa: E402
from support.stacks import Stack  # noqa: E402
from support.telemetry import Telemetry  # noqa: E402
from support.waiting import collect_garbage  # noqa: E402


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds what CI gives: there, nothing may be missing."""
    parser.addoption("--nothing-missing", action="store_true", help="fail what is skipped for want of an installation")


def pytest_configure() -> None:
    """Has the commands that tests start heed signals that are ignored here, as by `nohup` or in a shell's background.

    What is ignored is inherited, what is caught is not.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Makes failures of skips where nothing may be missing."""
    report = yield
    if item.config.getoption("nothing_missing"):
        missing.fail_if_wanting(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """Collects the garbage of a module's tests when they are over, so that no later test is told of it.

    The HTTP libraries leave sockets that broke to the collector. Not in a fixture: the last test holds something still.
    What is left has been imported or is pytest's, and stays: later collections need not go through it.
    """
    done = yield
    if nextitem is None or nextitem.path != item.path:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            collect_garbage()
        gc.freeze()
    return done


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for files that are skipped as a whole."""
    report = yield
    if collector.config.getoption("nothing_missing"):
        missing.fail_if_wanting(report)
    return report


def pytest_collection_finish() -> None:
    """Keeps modules and collected tests out of every collection of garbage: many a test collects, and they stay."""
    with suppress(ImportError):
        import hypothesis  # noqa: F401  # it looks for referrers of what it registers, and finds none that are frozen
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Says how to have this order again: pytest prints the seed in its header only, and that not with `-q`.

    And if something has failed, which library was tested: an environment may have another one than that of this tree.
    """
    seed = config.getoption("randomly_seed", None)
    if isinstance(seed, int):
        terminalreporter.write_line(f"In this order again: --randomly-seed={seed}")
    if terminalreporter.stats.keys() & {"failed", "error"}:
        terminalreporter.write_line(f"The library that was tested: {anthropic_otel.__file__}")


@pytest.fixture
def sim(request: pytest.FixtureRequest) -> Iterator[Simulator]:
    """A simulator at which all is well, that has seen nothing yet, and whose rate limits have just begun.

    It knows the API's models; with the mark `any_model` it takes any name.
    """
    with Simulator(models=None if request.node.get_closest_marker("any_model") else ()) as simulator:
        yield simulator


@pytest.fixture
def driver(stack: Stack) -> Iterator[Driver]:
    """Runs what a client of that stack returns. `stack` is a fixture of the module."""
    with Driver(asynchronous=stack.asynchronous) as made:
        yield made


@pytest.fixture
def recorded() -> Iterator[Telemetry]:
    """The telemetry of this test. Nothing is instrumented yet, and nothing is any more when the test is over."""
    with telemetry.recording() as found:
        yield found


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Cuts the SDK's backoffs short, and lists the seconds that it wanted to wait."""
    return backoff.shorten(monkeypatch)
