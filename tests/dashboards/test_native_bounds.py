"""How many events took longer than a bound, of native histograms: on the panels, and in the alerts that Grafana keeps.

Both ask in one query, without a recording rule. The promtool of Prometheus 3 evaluates them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml

if tuple(sys.version_info) < (3, 11):
    pytest.skip("the generator of the dashboards needs Python 3.11", allow_module_level=True)

from anthropic_otel._core import instruments, semconv
from anthropic_otel.bundle import write_bundle
from anthropic_otel.bundle.promql import label
from anthropic_otel.cli.stack import panels
from support import native, promtool

from .scenarios import MODEL, name

pytestmark = pytest.mark.slow

MINUTE = 60
APPEARS = 40
BACKOFFS = name(instruments.RETRY_DELAY, retry_source="retry_after", retry_reason="429")
OTHERS = name(instruments.RETRY_DELAY, retry_source="retry_after", retry_reason="529")
STREAMS = name(instruments.ATTEMPT_TIME_TO_FIRST_CHUNK)
GAPS = name(instruments.STREAM_MAX_GAP)
Values = list[tuple[dict[str, str], float]]
Ask = Callable[[Mapping[str, str], str], Values]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle for native histograms."""
    path = tmp_path_factory.mktemp("bundle")
    write_bundle(path, histograms="native")
    return path


@pytest.fixture
def ask(promtool_3_path: str, tmp_path: Path) -> Ask:
    """What a query gives when some series have just appeared, and others have been there for longer than its window."""

    def found(series: Mapping[str, str], query: str) -> Values:
        return promtool.values(promtool_3_path, tmp_path, series, [query], (APPEARS + 2) * MINUTE, sample=MINUTE)[query]

    return found


def on_panel(bundle: Path, title: str) -> str:
    """The query of a panel, with Grafana's variables filled in."""
    return next(panels.resolved(one) for one in panels.queries(bundle / "dashboards") if one.panel == title)


def appears(count: int, short: int) -> str:
    """A series that appears with so many events, of which so many are short."""
    return f"_x{APPEARS} {native.histogram(count, count, short)}x5"


def idle(count: int) -> str:
    """A series that has been there for long and does not grow."""
    return f"{native.histogram(count, count, 0)}x60"


def test_a_panel_counts_the_backoffs_beyond_the_bound(bundle: Path, ask: Ask) -> None:
    """Three of ten; a series of the same source that does not grow, whose share is of nothing, adds none."""
    query = on_panel(bundle, "Backoffs longer than 10 s")
    assert ask({BACKOFFS: appears(10, 7), OTHERS: idle(5)}, query) == [({}, 3.0)]
    assert ask({BACKOFFS: appears(49, 48)}, query) == [({}, 1.0)]
    assert ask({BACKOFFS: appears(10, 10)}, query) == [({}, 0.0)]
    assert ask({OTHERS: idle(5)}, query) == [({}, 0.0)]
    assert ask({}, query) == []


def test_a_panel_shows_the_share_of_streams_that_begin_late(bundle: Path, ask: Ask) -> None:
    """Of those that there were in its window; where there were none, nothing."""
    query = on_panel(bundle, "Streams that begin later than 10 s")
    ((labels, share),) = ask({STREAMS: appears(10, 6)}, query)
    assert labels == {label(semconv.GEN_AI_REQUEST_MODEL): MODEL}
    assert share == pytest.approx(0.4)
    assert ask({STREAMS: idle(4)}, query) == []


def test_a_bound_inside_of_a_bucket_is_interpolated(bundle: Path, ask: Ask) -> None:
    """Of ten backoffs from 8 s to 16 s, which no one can tell apart, two thirds are taken to be longer than 10 s."""
    query = on_panel(bundle, "Backoffs longer than 10 s")
    within = f"_x{APPEARS} {{{{schema:0 count:10 sum:120 offset:4 buckets:[10]}}}}x5"
    ((_, value),) = ask({BACKOFFS: within}, query)
    assert value == pytest.approx(10 * 0.678, abs=0.01)


@pytest.mark.parametrize(
    ("alert", "series"),
    [("AnthropicLongBackoff", BACKOFFS), ("AnthropicSlowFirstChunk", STREAMS), ("AnthropicStreamStalls", GAPS)],
)
def test_grafanas_own_alert_fires_for_events_beyond_the_bound_and_for_no_others(
    bundle: Path, ask: Ask, alert: str, series: str
) -> None:
    """Its expression has no recording rule to ask."""
    (group,) = yaml.safe_load((bundle / "dashboards/alerts/grafana-alerting.yaml").read_text())["groups"]
    (query,) = (rule["data"][0]["model"]["expr"] for rule in group["rules"] if rule["title"] == alert)
    ((labels, value),) = ask({series: appears(20, 10)}, query)
    assert labels["job"] == "shop"
    assert value == pytest.approx(10 if alert == "AnthropicLongBackoff" else 0.5)
    assert ask({series: appears(20, 20)}, query) == []
    assert ask({series: idle(20)}, query) == []
