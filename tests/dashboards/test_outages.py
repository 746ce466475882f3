"""The pages, minute by minute: when they come, what they must not come for, and what they say.

An app exports once a minute, and the rules are evaluated every 30 seconds, by Prometheus' own promtool.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from anthropic_otel.bundle import files, rules, settings, thresholds
from support import native, promtool

from .timeline import GONE, NO_DNS, OVERLOADED, REVOKED, SAMPLE, Failure, Instance, Timeline

pytestmark = pytest.mark.slow

SHOP = Instance("shop", "a")
MINUTE, HOUR = 60, 3600
Fires = Callable[[Timeline], dict[str, list[int]]]
Series = Callable[[dict[str, str]], dict[str, str]]
QUICK = Failure("overloaded_error", "529", attempts=3, each=2.0)
"""Fails within ten seconds."""


def shipped() -> list[dict[str, object]]:
    """The rules of the Prometheus file, in their order."""
    groups = yaml.safe_load(files.source("dashboards/alerts/rules.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.fixture
def fires(promtool_path: str, tmp_path: Path) -> Fires:
    """The seconds, 30 apart, at which each alert fires."""
    return firing(promtool_path, tmp_path, shipped(), dict)


def firing(path: str, work: Path, rules: list[dict[str, object]], series: Series) -> Fires:
    """What finds the seconds at which some rules fire, on the series of a timeline in some form."""

    def find(timeline: Timeline) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        moments = range(0, timeline.end, 30)
        for second, alerts in promtool.firing(
            path, work, rules, series(timeline.series()), moments, sample=SAMPLE
        ).items():
            for alert in alerts:
                name = alert["alertname"]
                if alert["severity"] == "page":
                    found.setdefault("pages", []).append(second)
                found.setdefault(name, []).append(second)
        return found

    return find


def paged(found: dict[str, list[int]]) -> int:
    """The first second at which something pages."""
    assert "pages" in found, "nothing pages"
    return found["pages"][0]


def steady(timeline: Timeline, instance: Instance, begin: int, end: int, every: float, *failing: Failure) -> None:
    """Calls at even distances, all of them failing, or all answered."""
    count = int((end - begin) / every)
    for number in range(count):
        timeline.call(instance, begin + number * every, failing[0] if failing else None)


@pytest.mark.parametrize("offset", [0, 30])
def test_a_total_outage_at_60_calls_a_minute_pages_within_5_minutes(fires: Fires, offset: int) -> None:
    """Of the first failed call, wherever between two exports it begins."""
    timeline = Timeline(40 * MINUTE)
    begin = 30 * MINUTE + offset
    steady(timeline, SHOP, 0, begin, 1)
    steady(timeline, SHOP, begin, timeline.end, 1, QUICK)
    first_failed = begin + 3 * 2 + 2
    assert first_failed < paged(fires(timeline)) <= first_failed + 5 * MINUTE


def test_with_a_call_in_ten_minutes_the_second_failed_one_pages_within_3_minutes_of_its_export(fires: Fires) -> None:
    """And the first pages nobody."""
    timeline = Timeline(90 * MINUTE)
    steady(timeline, SHOP, 0, HOUR, 600)
    steady(timeline, SHOP, HOUR, timeline.end, 600, QUICK)
    second = HOUR + 600 + 8
    exported = second + (SHOP.phase - second) % MINUTE
    assert exported <= paged(fires(timeline)) <= exported + 3 * MINUTE


@pytest.mark.parametrize(
    ("failure", "busy"), [(OVERLOADED, True), (NO_DNS, False), (REVOKED, True), (GONE, False)], ids=str
)
def test_one_failed_call_pages_nobody_and_opens_no_ticket(fires: Fires, failure: Failure, busy: bool) -> None:
    """With all its attempts, of which there are three."""
    timeline = Timeline(90 * MINUTE)
    if busy:
        steady(timeline, SHOP, 0, timeline.end, 30)
    timeline.call(SHOP, 40 * MINUTE + 7, failure)
    assert fires(timeline) == {}


@pytest.mark.parametrize("operation", ["messages.batches.retrieve", "messages.count_tokens"])
def test_good_polls_do_not_hide_that_no_message_is_answered(fires: Fires, operation: str) -> None:
    """Four messages a minute, all failing, beside eighty good polls."""
    timeline = Timeline(60 * MINUTE)
    for number in range(timeline.end * 80 // 60):
        timeline.call(SHOP, number * 0.75, operation=operation)
    steady(timeline, SHOP, 0, 30 * MINUTE, 15)
    steady(timeline, SHOP, 30 * MINUTE, timeline.end, 15, QUICK)
    assert 30 * MINUTE < paged(fires(timeline)) <= 37 * MINUTE


def test_a_model_that_is_3_percent_of_the_calls_pages_when_it_is_gone(fires: Fires) -> None:
    """Within six minutes, and by its own name; so does one that fails for another reason."""
    for failure, alert in ((GONE, "AnthropicModelGone"), (OVERLOADED, "AnthropicTargetFailing")):
        timeline = Timeline(40 * MINUTE)
        steady(timeline, SHOP, 0, timeline.end, 1)
        for at in range(0, timeline.end, 33):
            timeline.call(SHOP, at + 0.5, failure if at > 30 * MINUTE else None, model="claude-2.1")
        found = fires(timeline)
        assert 30 * MINUTE < found[alert][0] <= 36 * MINUTE + 30, alert
        assert "AnthropicAllCallsFailing" not in found


def test_an_operation_that_asks_no_model_opens_a_ticket_when_it_is_dead(fires: Fires) -> None:
    """And pages nobody."""
    timeline = Timeline(60 * MINUTE)
    steady(timeline, SHOP, 0, timeline.end, 5)
    for at in range(0, timeline.end, 60):
        timeline.call(SHOP, at + 0.5, REVOKED if at > 30 * MINUTE else None, operation="files.upload")
    found = fires(timeline)
    assert set(found) == {"AnthropicOperationFailing"}


def test_a_call_an_hour_that_always_fails_pages_once(fires: Fires) -> None:
    """It does not page and resolve once an hour, for ever."""
    timeline = Timeline(12 * HOUR)
    steady(timeline, SHOP, 0, timeline.end, HOUR, QUICK)
    found = fires(timeline)
    seconds = found["AnthropicAllCallsFailing"]
    assert seconds == list(range(seconds[0], timeline.end, 30))
    assert set(found) == {"AnthropicAllCallsFailing", "pages"}


def test_a_young_service_is_not_told_of_for_hours_after_three_bad_minutes(fires: Fires) -> None:
    """It has no past in which three minutes would be few."""
    timeline = Timeline(4 * HOUR)
    steady(timeline, SHOP, 0, 10 * MINUTE, 2)
    for at in range(10 * MINUTE, 13 * MINUTE, 2):
        timeline.call(SHOP, at, OVERLOADED if at % 4 else None)
    steady(timeline, SHOP, 13 * MINUTE, timeline.end, 2)
    found = fires(timeline)
    assert "AnthropicErrorBudgetBurnSlow" not in found
    assert "pages" not in found


class TestHanging:
    """What has started, and neither ends well nor badly."""

    @pytest.mark.parametrize(("every", "offset"), [(1, 0), (1, 40), (20, 20), (60, 0)])
    def test_a_total_hang_pages_within_6_minutes(self, fires: Fires, every: int, offset: int) -> None:
        """At a call a second and at one a minute, and nothing else is needed for it."""
        timeline = Timeline(40 * MINUTE)
        begin = 30 * MINUTE + offset
        steady(timeline, SHOP, 0, begin - 5, every)
        for at in range(begin, timeline.end, every):
            timeline.hang(SHOP, at)
        found = fires(timeline)
        # Where there is a call a minute, the alert waits for a second one that hangs.
        assert begin + 4 * MINUTE <= found["AnthropicHanging"][0] <= begin + 6 * MINUTE + (every if every > 30 else 0)

    def test_long_streams_of_a_busy_service_are_no_hang(self, fires: Fires) -> None:
        """Four minutes each, ten at a time."""
        timeline = Timeline(60 * MINUTE)
        for number in range(timeline.end // 24):
            timeline.call(SHOP, number * 24, took=240)
        assert fires(timeline) == {}

    def test_an_agents_event_stream_may_last_for_hours(self, fires: Fires) -> None:
        """It is no request that somebody waits for."""
        timeline = Timeline(60 * MINUTE)
        steady(timeline, SHOP, 0, timeline.end, 10)
        for number in range(5):
            timeline.hang(SHOP, 600 + number, **{"anthropic.operation.name": "sessions.events.stream"})
        assert fires(timeline) == {}

    def test_a_process_that_was_killed_in_the_middle_of_its_calls_hangs_no_more(self, fires: Fires) -> None:
        """A deploy of 20 pods, with four calls in flight in each."""
        timeline = Timeline(60 * MINUTE)
        for number in range(20):
            old = Instance("shop", f"old-{number}", dead=30 * MINUTE + number * 20)
            new = Instance("shop", f"new-{number}", born=30 * MINUTE + number * 20)
            steady(timeline, old, number, old.dead, 10)
            for extra in range(4):
                timeline.hang(old, old.dead - 5 * extra - 61)
            steady(timeline, new, new.born, timeline.end, 10)
        assert fires(timeline) == {}


class TestHangingOfNativeHistograms(TestHanging):
    """What has ended is counted by histograms, what has started is not: the two must still fit together."""

    @pytest.fixture
    def fires(self, promtool_3_path: str, tmp_path: Path) -> Fires:
        """The same with the rules for native histograms."""
        text = thresholds.edited(files.source("dashboards/thresholds.yaml").read_text(), histograms="native")
        groups = yaml.safe_load(rules.prometheus(settings.parse(text)))["groups"]
        return firing(promtool_3_path, tmp_path, [rule for group in groups for rule in group["rules"]], native.series)
