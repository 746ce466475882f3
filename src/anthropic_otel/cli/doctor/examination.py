"""Everything that `doctor` looks at, in the order in which it is told, within one deadline.

Rule: both ways are gone at once, each in a thread, and the self-test comes last. A section that fails by a fault of our
own says so, and the others are told all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Final

from anthropic_otel.cli.doctor import installed, self_test
from anthropic_otel.cli.doctor.api import way as api
from anthropic_otel.cli.doctor.collector import settings
from anthropic_otel.cli.doctor.collector import way as collector
from anthropic_otel.cli.doctor.collector.start import Start, detect
from anthropic_otel.cli.doctor.deadline import NETWORK, Deadline, Work, seconds_left
from anthropic_otel.cli.doctor.findings import Section, bad, untried
from anthropic_otel.cli.doctor.redaction import Redaction

_AT_LEAST: Final = 2 * NETWORK
"""Each way has a deadline of its own, and keeps to it. This one is for files of a file system that hangs."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command was asked for. `start` is the one to judge, `None` for the one that is found."""

    with_key: bool = False
    offline: bool = False
    start: Start | None = None


def examine(environment: Mapping[str, str], options: Options) -> Iterator[Section]:
    """The sections, each as soon as it is known, without any secret of the environment."""
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
    """Imports what takes long, so that the deadline is for the network and not for a slow disk."""
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
