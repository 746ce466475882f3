"""The examples of `docs/own-retries.md` do what the page says of them, and the table is right."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import pytest
from opentelemetry.trace import StatusCode

from anthropic_otel._core import instruments, semconv
from anthropic_otel.simulator import Simulator
from support.telemetry import Telemetry
from support.versions import TRACES_ITSELF

pytest.importorskip("anthropic.lib.middleware", reason="this SDK has no middleware")
pytestmark = pytest.mark.usefixtures("waits")

PAGE = (Path(__file__).parents[2] / "docs/own-retries.md").read_text("utf-8")
REQUEST: dict[str, Any] = {
    "model": "claude-sonnet-5-5",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "Hello"}],
}


class Example:
    """The code of a section of the page, run, with the app's own telemetry beside the library's."""

    def __init__(self, sim: Simulator, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch) -> None:
        self._telemetry = telemetry
        monkeypatch.setenv("ANTHROPIC_BASE_URL", sim.base_url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "none")
        self.names: dict[str, Any] = {}

    def run(self, heading: str) -> dict[str, Any]:
        _, _, section = PAGE.partition(f"## {heading}\n")
        found = re.search(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
        assert found is not None
        code = found[1]
        # The app's providers are the global ones; here they are those of the test.
        code = code.replace("trace.get_tracer", "traces.get_tracer").replace("metrics.get_meter", "meters.get_meter")
        if TRACES_ITSELF:
            code = code.replace(
                "anthropic.Anthropic(", 'anthropic.Anthropic(open_telemetry={"tracer_provider": traces}, '
            )
        self.names = {"traces": self._telemetry.tracer_provider, "meters": self._telemetry.meter_provider}
        exec(compile(code, heading, "exec"), self.names)
        self._telemetry.instrument()
        return self.names

    def close(self) -> None:
        if "client" in self.names:
            self.names["client"].close()


@pytest.fixture
def example(sim: Simulator, recorded: Telemetry, monkeypatch: pytest.MonkeyPatch) -> Iterator[Example]:
    made = Example(sim, recorded, monkeypatch)
    yield made
    made.close()


def outcomes(telemetry: Telemetry) -> dict[str, int]:
    """How many calls had each outcome."""
    counted: dict[str, int] = {}
    for point in telemetry.points(instruments.CALL_DURATION):
        outcome = str(point.attributes[semconv.CALL_OUTCOME])
        counted[outcome] = counted.get(outcome, 0) + point.count
    return counted


def traces(telemetry: Telemetry) -> int:
    """How many traces the attempts are in."""
    return len({span.context.trace_id for span in telemetry.attempts if span.context is not None})


def counts(telemetry: Telemetry, name: str) -> dict[str, int]:
    """The value of an own counter of the app's, by its outcome."""
    data = telemetry.reader.get_metrics_data()
    assert data is not None
    points = [
        point
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == name
        for point in metric.data.data_points
    ]
    return {str((point.attributes or {}).get("outcome", "")): int(getattr(point, "value", 0)) for point in points}


def test_a_fallback_below_the_sdk_is_one_call_that_recovered(
    sim: Simulator, recorded: Telemetry, example: Example
) -> None:
    """With two attempts in one trace, and nothing of the error budget burnt."""
    client = example.run("A fallback inside the call")["client"]
    sim.play("http_529")
    assert client.messages.create(**REQUEST).content
    assert outcomes(recorded) == {"recovered": 1}
    assert (len(recorded.attempts), traces(recorded)) == (2, 1)


def test_a_span_around_own_retries_makes_them_one_trace(sim: Simulator, recorded: Telemetry, example: Example) -> None:
    """The operation is no error, though two of its three calls burn the budget."""
    answer = example.run("One operation, one trace")["answer"]
    sim.play("http_529", "connection_reset")
    assert answer(**REQUEST).content
    assert outcomes(recorded) == {"failed": 2, "succeeded": 1}
    assert (len(recorded.attempts), traces(recorded)) == (3, 1)
    [operation] = [span for span in recorded.spans if span.name == "answer the customer"]
    assert operation.status.status_code is StatusCode.UNSET


def test_without_a_span_each_turn_is_a_trace_of_its_own(sim: Simulator, recorded: Telemetry, example: Example) -> None:
    """As the table says of a loop around the SDK."""
    client = example.run("One operation, one trace")["client"]
    sim.play("http_529")
    with pytest.raises(anthropic.InternalServerError):
        client.messages.create(**REQUEST)
    client.messages.create(**REQUEST)
    assert traces(recorded) == 2


def test_an_own_counter_counts_who_was_served(sim: Simulator, recorded: Telemetry, example: Example) -> None:
    """One question that the fallback answered, and one that nobody did."""
    answer = example.run("Your own error budget")["answer"]
    sim.play("http_529")
    assert answer(**REQUEST).content
    sim.play("http_529", "http_529")
    assert answer(**REQUEST) is None
    assert counts(recorded, "shop.answers") == {"served": 1, "not served": 1}


def test_a_breaker_records_what_it_did_not_ask(sim: Simulator, recorded: Telemetry, example: Example) -> None:
    """Open after three failures, no attempt is made; what was held back is counted, and one call decides at the end."""
    names = example.run("What an open breaker hides")
    now = [0.0]
    breaker = names["Breaker"](clock=lambda: now[0])
    sim.play(*["http_529"] * 9)
    for _ in range(3):
        with pytest.raises(anthropic.InternalServerError):
            breaker.ask(**REQUEST)
    attempts = len(recorded.attempts)
    for _ in range(2):
        with pytest.raises(names["Open"]):
            breaker.ask(**REQUEST)
    assert len(recorded.attempts) == attempts == 9
    assert counts(recorded, "shop.not_asked") == {"": 2}
    assert [(span.attributes or {}).get("shop.breaker") for span in recorded.spans].count("open") == 2
    now[0] = 31.0
    assert breaker.ask(**REQUEST).content
