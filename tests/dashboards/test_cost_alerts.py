"""The alerts on what calls cost: they fire, stay quiet, and resolve, and a new service or a deployment is no news.

Prometheus' own promtool evaluates the rules as they are generated, over weeks, with a sample every fifteen minutes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest
import yaml

if tuple(sys.version_info) < (3, 11):
    pytest.skip("the generator of the rules needs Python 3.11", allow_module_level=True)

from anthropic_otel._core import instruments, semconv
from anthropic_otel.bundle import files, rules, settings, thresholds
from anthropic_otel.bundle.promql import label
from support import promtool as tool

pytestmark = pytest.mark.slow

STEP = 900
HOUR = 3600 // STEP
DAY = 24 * HOUR
MODEL = "claude-opus-5-5"
USD = 1_000_000 / 20
"""So many output tokens of that model are a dollar."""
BUDGET, RISE = "AnthropicDailyBudget", "AnthropicCostRise"
Fired = Callable[..., dict[str, list[float]]]
"""When which alert fires, in hours, of the dollars that services spend in each step."""


def spent(job: str, usd: Iterable[float | None], instance: str = "1", model: str = MODEL) -> dict[str, str]:
    """The counters of a process that spends so many dollars in each step, all for output; None: it is not there."""
    total, values = 0.0, []
    for each in usd:
        total += each or 0
        values.append("_" if each is None else f"{total * USD:.0f}")
    labels = f'job="{job}",instance="{instance}",{label(semconv.GEN_AI_REQUEST_MODEL)}="{model}"'
    nothing = " ".join("_" if value == "_" else "0" for value in values)
    found = {f"{metric.prometheus_name}{{{labels}}}": nothing for metric in instruments.USAGE}
    return found | {f"{instruments.USAGE_OUTPUT.prometheus_name}{{{labels}}}": " ".join(values)}


def hourly(*usd: float) -> list[float | None]:
    """The dollars of each step, of dollars of each hour."""
    return [each / HOUR for each in usd for _ in range(HOUR)]


@pytest.fixture(scope="module")
def fired(promtool_path: str, tmp_path_factory: pytest.TempPathFactory) -> Fired:
    """With a budget of 100 USD, if another one is not given."""
    work = tmp_path_factory.mktemp("promtool")

    def when(series: Mapping[str, str], budget: float = 100) -> dict[str, list[float]]:
        text = thresholds.edited(files.source("dashboards/thresholds.yaml").read_text(), budget_per_day=float(budget))
        groups = yaml.safe_load(rules.prometheus(settings.parse(text)))["groups"]
        needed = [r for g in groups for r in g["rules"] if "claude_" in r["expr"] or "gen_ai_client" in r["expr"]]
        assert {rule.get("alert") for rule in needed} == {None, RISE} | ({BUDGET} if budget else set())
        length = max(len(values.split()) for values in series.values()) * STEP
        found = tool.firing(promtool_path, work, needed, series, range(0, length, 1800), sample=STEP, interval=STEP)
        hours: dict[str, list[float]] = {BUDGET: [], RISE: []}
        for second, alerts in found.items():
            for alert in alerts:
                hours[alert["alertname"]].append(second / 3600)
                assert alert["severity"] == "ticket"
                assert alert["cause"] == "cost"
                assert alert.get("job") == {BUDGET: None, RISE: "shop"}[alert["alertname"]]
        return hours

    return when


WEEK = [2.0] * 24 * 8
"""Eight days at two dollars an hour."""


def test_a_service_that_costs_several_times_as_much_is_told_of_within_the_hour_and_then_no_more(fired: Fired) -> None:
    """Two dollars an hour for a week, then twelve for six hours; another service goes on as before."""
    series = spent("shop", hourly(*WEEK, *[12.0] * 6, *[2.0] * 8)) | spent("search", hourly(*[2.0] * (24 * 8 + 14)))
    hours = fired(series, budget=1000)
    begin = len(WEEK)
    assert hours[BUDGET] == []
    assert begin + 0.5 <= hours[RISE][0] <= begin + 1
    assert max(hours[RISE]) <= begin + 8
    assert {begin + 1.0, begin + 3.0, begin + 6.0} <= set(hours[RISE])


@pytest.mark.parametrize(
    ("usd", "why"),
    [
        ([*WEEK, *[5.5] * 8], "less than three times as much"),
        ([*[0.1] * 24 * 8, *[2.0] * 8], "twenty times as much, and few dollars"),
        ([*([20.0] * 8 + [0.0] * 16) * 10], "every day eight hours of work"),
        ([*([*([20.0] * 8 + [0.0] * 16) * 5, *[0.0] * 48] * 2), *[20.0] * 8], "a weekend before"),
        ([*[2.0] * 24, *[12.0] * 24], "a service of the day before"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_rise_is_not_told(fired: Fired, usd: list[float], why: str) -> None:
    """Neither growth below the threshold, nor small money, nor the rhythm of days and weeks, nor the first days."""
    assert fired(spent("shop", hourly(*usd)), budget=0) == {BUDGET: [], RISE: []}


def test_a_deployment_is_no_rise(fired: Fired) -> None:
    """Every six hours both processes are replaced, for six days: nothing is spent twice."""
    lives, series = 24, dict[str, str]()
    for number in range(lives):
        life = [None] * (number * 6 * HOUR) + hourly(*[2.0] * 6) + [None] * ((lives - 1 - number) * 6 * HOUR)
        for pod in range(2):
            series |= spent("shop", life, f"{number}-{pod}")
    assert fired(series, budget=98) == {BUDGET: [], RISE: []}


def test_a_gap_in_the_telemetry_makes_no_old_token_new(fired: Fired) -> None:
    """A process that has spent nearly 400 dollars, of which nothing was heard for five hours."""
    before, gap, after = hourly(*WEEK), 5 * HOUR, hourly(*[2.0] * 30)
    values = {
        one: " ".join(
            ["_" if len(before) <= at < len(before) + gap else value for at, value in enumerate(text.split())]
        )
        for one, text in spent("shop", [*before, *hourly(*[2.0] * 5), *after]).items()
    }
    assert fired(values, budget=150) == {BUDGET: [], RISE: []}


def test_the_budget_is_that_of_all_services_over_24_hours(fired: Fired) -> None:
    """Two services at three dollars an hour have spent 100 after 16 hours and 40 minutes; then one stops."""
    series = spent("shop", hourly(*[3.0] * 60)) | spent("search", hourly(*[3.0] * 24, *[0.0] * 36))
    hours = fired(series)
    first, last = hours[BUDGET][0], hours[BUDGET][-1]
    assert 16.6 <= first <= 17.5
    # 144 dollars at most, and three less every hour from the 24th on; told for half an hour longer.
    assert 38.5 <= last <= 39.5
    assert hours[BUDGET] == [first + half / 2 for half in range(len(hours[BUDGET]))]
    assert hours[RISE] == []


def test_what_stays_below_the_budget_is_not_told(fired: Fired) -> None:
    """Two dollars less, for three days."""
    assert fired(spent("shop", hourly(*[98 / 24] * 72)))[BUDGET] == []


def test_a_model_without_a_price_is_in_no_amount(fired: Fired) -> None:
    """However much of it is used."""
    series = spent("shop", hourly(*[50.0] * 24), model="our-own-model") | spent("search", hourly(*[1.0] * 24))
    assert fired(series) == {BUDGET: [], RISE: []}


def test_grafanas_own_alerts_say_the_same(promtool_path: str, tmp_path: Path) -> None:
    """Without a recording rule: the same service, of two, at the same time, and the same amount."""
    text = thresholds.edited(files.source("dashboards/thresholds.yaml").read_text(), budget_per_day=100.0)
    parsed = settings.parse(text)
    (group,) = yaml.safe_load(rules.grafana(parsed))["groups"]
    written = {rule["title"]: rule["data"][0]["model"]["expr"] for rule in group["rules"]}
    begin = len(WEEK)
    series = spent("shop", hourly(*WEEK, *[12.0] * 3)) | spent("search", hourly(*[2.5] * (begin + 3)))
    wanted = {
        (RISE, begin): None,
        (RISE, begin + 2): '{job="shop"} 12',
        (BUDGET, begin - 1): "{} 108",
        (BUDGET, 21): None,
    }
    expectations = [
        {
            "expr": f"round({written[alert]}, 0.01)",
            "eval_time": f"{hour}h",
            "exp_samples": [] if value is None else [{"labels": value.split()[0], "value": float(value.split()[1])}],
        }
        for (alert, hour), value in wanted.items()
    ]
    test = {
        "interval": f"{STEP}s",
        "input_series": [{"series": one, "values": values} for one, values in series.items()],
        "promql_expr_test": expectations,
    }
    assert tool.run(promtool_path, tmp_path, [], test, STEP) == ""
