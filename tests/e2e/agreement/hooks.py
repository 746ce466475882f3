"""Everything that is told of an attempt through either door for an HTTP client, and where the two differ.

`python -m e2e.agreement.hooks`, with `tests` on the path, writes the table of the differences in `docs/usage.md` anew.

Rule: all of spans, metrics and log records is compared. Only what differs between any two runs is reduced to a word: a
time, an id that the server has made, a port that it was given.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from anthropic_otel._core import instruments, semconv
from anthropic_otel._core.finalizer import drain
from anthropic_otel._core.instruments import Instrument
from anthropic_otel.simulator import FAULTS, Endpoint, Fault, Served, Simulator
from e2e.agreement.doors import DOORS, Door, app_by
from e2e.agreement.meeting import prepare, settled, situations, use
from e2e.agreement.situations import Situation
from support import backoff
from support.cases import meets
from support.driver import Driver
from support.stacks import HTTPCORE_STACKS, Stack, http_client
from support.telemetry import Point, Telemetry, recording
from support.waiting import collect_garbage

BY_SEND, BY_HOOKS = DOORS
DOCUMENTATION: Final = Path(__file__).parents[3] / "docs" / "usage.md"
HEADER: Final = (
    "| the catalogue's entry | attribute | `instrument_http_client()` | `event_hooks()` |\n|---|---|---|---|\n"
)
NOTHING: Final = "-"
"""What stands for an attribute that is absent."""

Row = tuple[str, str, str, str]
"""An entry, an attribute, and its values through either door."""
_Told = dict[str, Any]


@dataclass(frozen=True)
class Told:
    """What was told of one meeting: the attempts' spans, each point of each metric, and the records of the log."""

    spans: list[_Told]
    points: list[_Told]
    records: list[_Told]


def rows(faults: Iterable[Fault], stack: Stack, sim: Simulator, driver: Driver) -> list[Row]:
    """What the doors tell otherwise of these faults, in every situation in which an app on that stack meets them."""
    found: dict[Row, None] = {}
    for fault in faults:
        for situation in situations(fault, stack) if meets(fault, stack) else ():
            found |= dict.fromkeys((fault.name, *each) for each in _kept(fault, stack, situation, sim, driver))
    return sorted(found)


def _kept(
    fault: Fault, stack: Stack, situation: Situation, sim: Simulator, driver: Driver
) -> set[tuple[str, str, str]]:
    """What three meetings through either door differ in, each time in the same.

    What an app that leaves a stream has got of it depends on when the bytes came, which is no difference of the doors.
    """
    kept: set[tuple[str, str, str]] | None = None
    for _ in range(3):
        by_send, by_hooks = (told(door, fault, stack, situation, sim, driver) for door in (BY_SEND, BY_HOOKS))
        found = set(_differences(by_send, by_hooks))
        kept = found if kept is None else kept & found
        if not kept:
            break
    return kept or set()


def documented() -> list[Row]:
    """The rows of the table in the documentation."""
    lines = DOCUMENTATION.read_text("utf-8").partition(HEADER)[2].partition("\n\n")[0].splitlines()
    cells = ([cell.strip(" `") for cell in line.split("|")[1:-1]] for line in lines)
    return [(entry, attribute, by_send, by_hooks) for entry, attribute, by_send, by_hooks in cells]


def table(of: Iterable[Row]) -> str:
    """The rows as Markdown."""
    return "".join(f"| {' | '.join(f'`{cell}`' if cell != NOTHING else cell for cell in row)} |\n" for row in of)


# -- what is told ------------------------------------------------------------------------------------------------------


def told(door: Door, fault: Fault, stack: Stack, situation: Situation, sim: Simulator, driver: Driver) -> Told:
    """What is told of a call that meets the fault, once the app has forgotten its error."""
    endpoint = Endpoint(sim.base_url, needs=fault.needs) if situation.first else sim.endpoint(fault)
    with recording() as telemetry:
        client = http_client(stack, endpoint, **door.options(telemetry))
        app = app_by(client, stack, endpoint, driver, telemetry)
        door.open(telemetry, client)
        prepare(app, situation, fault, sim)
        use(app, situation, fault, stack)
        served = settled(sim)
        del app, client
        collect_garbage()
        drain()
        return _told(telemetry, _Words(served, endpoint))


class _Words:
    """Reduces a value of one run to what every run has."""

    def __init__(self, served: Sequence[Served], endpoint: Endpoint) -> None:
        headers = [header for each in served for header in each.headers]
        self._ids = {value for name, value in headers if name.lower().endswith(("-id", "requestid"))}
        self._sizes = {value for name, value in headers if name.lower() == "content-length"}
        self._ports = {urlsplit(endpoint.base_url).port, 443}
        self._proxy = urlsplit(endpoint.proxy).netloc if endpoint.proxy is not None else None

    def of(self, attributes: Mapping[str, Any]) -> _Told:
        return {name: self._word(name, value) for name, value in attributes.items()}

    def _word(self, name: str, value: Any) -> Any:
        if isinstance(value, float):
            return "seconds"
        if name == semconv.NETWORK_PEER_PORT:
            return "the server's" if value in self._ports else "another"
        if name == semconv.PROXY_ADDRESS and value == self._proxy:
            return "the proxy"
        if name == semconv.HTTP_RESPONSE_BODY_SIZE and str(value) in self._sizes:
            return "as sent"  # a compressed body of other ids has another size
        if isinstance(value, str) and value in self._ids:
            return "as sent"
        if name in (semconv.REQUEST_ID, semconv.RESPONSE_ID):
            return "not sent to the call"  # but to one that only occupied a connection
        return value

    def of_text(self, text: str) -> str:
        without_times = re.sub(r"\d+\.\d{3} s", "seconds", text)
        return re.sub("|".join(map(re.escape, self._ids)) or "$^", "as sent", without_times)


def _told(telemetry: Telemetry, words: _Words) -> Told:
    spans = [
        words.of(span.attributes or {})
        | {
            "name": span.name,
            "kind": span.kind.name,
            "status": span.status.status_code.name,
            "parent": span.parent is not None,
            "described": span.status.description == (span.attributes or {}).get(semconv.EXCEPTION_TYPE),
        }
        for span in telemetry.attempts
    ]
    points = [_of_point(metric, point, words) for metric in instruments.METRICS for point in telemetry.points(metric)]
    records = [
        words.of({name: value for name, value in vars(record).items() if "." in name})
        | {"level": record.levelname, "message": words.of_text(record.getMessage())}
        for record in telemetry.records
    ]
    return Told(
        spans,
        # A point of another outcome comes elsewhere, and a record comes later where the end was seen later.
        sorted(points, key=repr),
        sorted(records, key=lambda record: record.get(semconv.HTTP_REQUEST_RESEND_COUNT, 0)),
    )


def _of_point(metric: instruments.Metric, point: Point, words: _Words) -> _Told:
    # What is left of a limit has become more since the last run.
    counted = metric.instrument is not Instrument.HISTOGRAM and metric is not instruments.RATELIMIT_REMAINING
    return {"metric": metric.name, "value": point.sum if counted else point.count, **words.of(point.attributes)}


# -- where it differs --------------------------------------------------------------------------------------------------


def _differences(by_send: Told, by_hooks: Told) -> set[tuple[str, str, str]]:
    found: set[tuple[str, str, str]] = set()
    for kind in ("spans", "points", "records"):
        ours, theirs = getattr(by_send, kind), getattr(by_hooks, kind)
        if len(ours) != len(theirs):
            found.add((kind, str(len(ours)), str(len(theirs))))
        for one, other in zip(ours, theirs, strict=False):
            names = {name for name in {**one, **other} if one.get(name, NOTHING) != other.get(name, NOTHING)}
            if names != {"message"}:
                names -= {"message"}  # a sentence of the attributes
            found |= {(name, _shown(one, name), _shown(other, name)) for name in names}
    return found


def _shown(told: _Told, name: str) -> str:
    # The documents name the classes of one library; the other one has the same.
    return re.sub(r"^httpx\.", "httpx2.", str(told.get(name, NOTHING)))


# -- the documentation -------------------------------------------------------------------------------------------------


def write() -> None:
    """Writes the table of the documentation anew."""
    collect_garbage()
    gc.freeze()  # what has been imported stays, and each meeting collects
    found: dict[Row, None] = {}
    with pytest.MonkeyPatch.context() as patch, Simulator() as sim:
        backoff.shorten(patch)
        for stack in HTTPCORE_STACKS:
            with Driver(asynchronous=stack.asynchronous) as driver:
                found |= dict.fromkeys(rows(FAULTS.values(), stack, sim, driver))
    before, header, after = DOCUMENTATION.read_text("utf-8").partition(HEADER)
    rest = after[after.index("\n\n") + 1 :]
    DOCUMENTATION.write_text(f"{before}{header}{table(sorted(found))}{rest}", "utf-8")


if __name__ == "__main__":
    write()
