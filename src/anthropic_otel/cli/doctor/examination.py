"""Runs every check of `doctor`, and yields their sections in the order in which they are shown.

Rule: all checks share one deadline, but a check that would have too little time gets the least that it needs. Both
connections are checked at the same time, each in a thread, and the self-test comes last. If a section fails by a bug of
our own, a finding in it says so, and the other sections are shown all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Final

from anthropic_otel.cli.doctor import installed, self_test
from anthropic_otel.cli.doctor.api import connection as api
from anthropic_otel.cli.doctor.collector import connection as collector
from anthropic_otel.cli.doctor.collector import settings
from anthropic_otel.cli.doctor.collector.start import Start, detect
from anthropic_otel.cli.doctor.deadline import NETWORK, Deadline, Work, seconds_left
from anthropic_otel.cli.doctor.findings import Section, bad, untried
from anthropic_otel.cli.doctor.redaction import Redaction

_AT_LEAST: Final = 2 * NETWORK
"""The least seconds to wait for each connection's section. It is for a file system that hangs, as the checks
themselves keep to their deadlines."""


@dataclass(frozen=True, slots=True)
class Options:
    """The command's options.

    - `with_key`: whether the user's key is sent to the API.
    - `offline`: whether nothing is sent.
    - `start`: how the app starts telemetry; `None` to detect it.
    """

    with_key: bool = False
    offline: bool = False
    start: Start | None = None


def examine(environment: Mapping[str, str], options: Options) -> Iterator[Section]:
    """Runs the checks, and yields the sections, in a fixed order, each once it is complete, with secrets masked.

    The secrets are those of `environment`. Changes the process's environment and its OpenTelemetry providers for the
    self-test at the end, and does not restore them.
    """
    redaction = Redaction(environment)
    for section in _sections(environment, options):
        yield redaction.section(section)


def _sections(environment: Mapping[str, str], options: Options) -> Iterator[Section]:
    _load()
    deadline = Deadline(seconds_left())
    of_network = deadline.before(self_test.SECONDS)
    to_api = Work(lambda: api.section(environment, of_network, with_key=options.with_key, offline=options.offline))
    start = options.start or detect(environment)
    configured = settings.read_file(environment)
    to_collector = Work(lambda: collector.section(environment, start, configured, of_network, offline=options.offline))
    yield _whole("api", api.TITLE, lambda: to_api.result(deadline.at_least(_AT_LEAST), lambda: _late("api", api.TITLE)))
    of_settings = "settings", settings.TITLE
    yield _whole(*of_settings, lambda: settings.section(environment, start, configured, of_network))
    late = "collector", collector.TITLE
    yield _whole(*late, lambda: to_collector.result(deadline.at_least(_AT_LEAST), lambda: _late(*late)))
    yield _whole("installed", installed.TITLE, installed.section)
    yield _whole("self_test", self_test.TITLE, lambda: self_test.section(deadline))


def _load() -> None:
    """Imports large packages, if installed, before the checks, so that no check spends its least time on an import."""
    for name in ("anthropic", "requests", "opentelemetry.sdk.resources", "opentelemetry.sdk.trace.export"):
        with suppress(ImportError):
            import_module(name)


def _late(key: str, title: str) -> Section:
    return Section(key, title, (untried("Network", "not known: there was no time left for it"),))


def _whole(key: str, title: str, look: Callable[[], Section]) -> Section:
    try:
        return look()
    except Exception as error:
        text = f"could not be looked at: {type(error).__qualname__}"
        remedy = "a bug of doctor itself: report it with the versions below"
        return Section(key, title, (bad("Doctor", text, remedy),))
