"""The two tiers, agent and gateway: which traces are kept, and what survives the death of a part."""

from __future__ import annotations

import signal
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from anthropic_otel.cli.stack import layout, services
from anthropic_otel.cli.stack.layout import Layout
from anthropic_otel.cli.stack.service import Service

from .conftest import App, eventually, running
from .test_story import fetch, spans

KEEP = 30
HEALTHY, FAILING = 200, 12


class Tiers:
    """Agent, gateway and Jaeger, each of which can be ended and started again."""

    def __init__(self, found: dict[str, Path], work: Path) -> None:
        agent, gateway = (Layout(work, layout.free_ports()) for _ in range(2))
        self.otlp, self.jaeger_url = agent.ports["otlp_http"], agent.url("jaeger")
        self.jaeger = services.jaeger(found["Jaeger"], agent)
        self.gateway = services.collector(
            found["Collector"],
            ("gateway.yaml",),
            gateway,
            "gateway",
            TRACES_ENDPOINT=agent.url("jaeger_otlp"),
            DECISION_WAIT="2s",
            KEEP_PERCENT=str(KEEP),
            BATCH_TIMEOUT="200ms",
        )
        self.agent = services.collector(
            found["Collector"],
            ("agent.yaml", "metrics/scrape.yaml"),
            agent,
            "agent",
            GATEWAY_HOST="localhost",
            GATEWAY_PORT=str(gateway.ports["otlp_grpc"]),
            BATCH_TIMEOUT="200ms",
        )

    def all(self) -> tuple[Service, ...]:
        """Every part, back end first."""
        return self.jaeger, self.gateway, self.agent

    def kept(self, service: str) -> set[str]:
        """The ids of the traces of a service in Jaeger."""
        query = urllib.parse.urlencode({"service": service, "limit": 5000, "lookback": "1h"})
        answer = fetch(f"{self.jaeger_url}/api/traces?{query}")
        return {trace["traceID"] for trace in (answer or {}).get("data") or ()}


@pytest.fixture(scope="module")
def tiers(found: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tiers]:
    """Both tiers, running."""
    made = Tiers(found, tmp_path_factory.mktemp("tiers"))
    with running(*made.all()):
        yield made


def test_the_gateway_keeps_every_trace_with_an_error_or_a_retry_and_a_share_of_the_rest(tiers: Tiers) -> None:
    """Nothing that a person would look for is sampled away, and the healthy ones are thinned out."""
    app = App("two-tiers", tiers.otlp)
    failing = app(f"calls {FAILING} failing")["traces"]
    retried = app("trace")["trace"]
    healthy = set(app(f"calls {HEALTHY} healthy")["traces"])
    app.end()
    wanted = {*failing, retried}
    eventually(lambda: wanted <= tiers.kept("two-tiers"), why="every failing trace in Jaeger")
    assert len(spans(tiers.jaeger_url, retried, 5)) == 5

    # A binomial share of 200: five standard deviations either way, so that chance fails this once in a million runs.
    spread = 5 * (HEALTHY * KEEP / 100 * (1 - KEEP / 100)) ** 0.5
    low, high = HEALTHY * KEEP / 100 - spread, HEALTHY * KEEP / 100 + spread
    eventually(lambda: len(tiers.kept("two-tiers") & healthy) >= low, why=f"at least {low:.0f} of the healthy traces")
    assert len(tiers.kept("two-tiers") & healthy) <= high


def test_spans_that_an_agent_accepted_survive_its_death_and_a_gateway_that_is_away(tiers: Tiers) -> None:
    """The queue is on disk: killed without warning, the agent sends what it had accepted after its restart."""
    tiers.gateway.stop()
    app = App("survivor", tiers.otlp)
    failing = set(app("calls 3 failing")["traces"])
    app.end()
    tiers.agent.stop(signal.SIGKILL)
    tiers.gateway.start()
    tiers.agent.start()
    eventually(lambda: failing <= tiers.kept("survivor"), 60, "the traces from the dead agent's queue")
