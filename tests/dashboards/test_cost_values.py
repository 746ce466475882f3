"""What the dashboards say that calls cost, of a known load: what the simulator has sent, by the prices of the package
that they were taken from.

Prometheus' own promtool evaluates the shipped rules and the queries of the shipped dashboards.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import anthropic
import pytest
import yaml

from anthropic_otel._core import instruments, semconv
from anthropic_otel._core.instruments import Metric
from anthropic_otel.bundle import files, prices, settings, spend, thresholds
from anthropic_otel.bundle.promql import label
from anthropic_otel.simulator import Cut, Ending, ErrorEvent, Point, Simulator
from anthropic_otel.simulator.exchange import Served
from support import promtool
from support.telemetry import Telemetry

from .test_panel_values import expression

genai_prices = pytest.importorskip("genai_prices", reason="genai-prices needs Python 3.11")
pytestmark = [pytest.mark.slow, pytest.mark.any_model]

MINUTE = 60
MODEL, OUTCOME, KIND = map(label, (semconv.GEN_AI_REQUEST_MODEL, semconv.ATTEMPT_OUTCOME, semconv.RATELIMIT_KIND))
OPUS, HAIKU, UNKNOWN, ADVISOR = "claude-opus-5-5", "claude-haiku-4-5-20251001", "our-own-model", "claude-advisor-1"
CACHED: list[Any] = [{"type": "text", "text": "A long system prompt. " * 50, "cache_control": {"type": "ephemeral"}}]
THINKING: dict[str, Any] = {"thinking": {"type": "adaptive"}, "max_tokens": 2048}
BUDGETED: dict[str, Any] = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2048}
BETAS = {"anthropic-beta": "compact-2026-01-12,advisor-tool-2026-03-01"}
COMPACTION = {"context_management": {"edits": [{"type": "compact_20260112"}]}}
SEARCH = {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}
ADVISED = {"tools": [{"type": "advisor_20260301", "name": "advisor", "model": ADVISOR}]}
SHIPPED = settings.load().spend
Holds = Callable[..., None]
"""Checks that some queries give some values of some series, at the tenth minute or at another one."""


@pytest.fixture(scope="module")
def holds(promtool_path: str, tmp_path_factory: pytest.TempPathFactory) -> Holds:
    """With the shipped rules."""
    groups = yaml.safe_load(files.source("dashboards/alerts/rules.yaml").read_text())["groups"]
    named = re.compile("claude_|gen_ai_")
    recording = [rule for group in groups for rule in group["rules"] if named.search(rule.get("record", ""))]
    work = tmp_path_factory.mktemp("promtool")

    def check(series: Mapping[str, str], wanted: Mapping[str, float], at: int = 10) -> None:
        expectations = [
            {
                "expr": f"count(abs(({query}) - {value!r}) < {1e-12 * max(1.0, value)!r})",
                "eval_time": f"{at}m",
                "exp_samples": [{"labels": "{}", "value": 1}],
            }
            for query, value in wanted.items()
        ]
        test = {
            "interval": f"{MINUTE}s",
            "input_series": [{"series": one, "values": values} for one, values in series.items()],
            "promql_expr_test": expectations,
        }
        said = promtool.run(promtool_path, work, recording, test, MINUTE)
        assert not said, said

    return check


@pytest.fixture
def used(sim: Simulator, recorded: Telemetry) -> dict[str, str]:
    """The counters, from the fifth minute on, of a load of every kind of reply, and of failures."""
    recorded.instrument()
    with anthropic.Anthropic(base_url=sim.base_url, api_key="sk-ant-none", max_retries=1) as client:
        for model in (OPUS, HAIKU, UNKNOWN):
            thinking = BUDGETED if model == HAIKU else THINKING
            for more in ({}, {"system": CACHED}, {"system": CACHED}, {"extra_body": thinking}, {"extra_body": SEARCH}):
                _ask(client, model, **more)
        _ask(client, OPUS, extra_body=COMPACTION, extra_headers=BETAS)
        _ask(client, OPUS, extra_body=ADVISED, extra_headers=BETAS)
        sim.play("http_529", "ok")
        _ask(client, HAIKU)
        sim.play(ErrorEvent("overloaded_error", "no", after=6))
        with suppress(anthropic.APIError):
            for _ in client.messages.create(**_request(OPUS), stream=True, system=CACHED):
                pass
        sim.play(Cut(Point.BODY, Ending.STALL, after=3))
        stream = client.messages.create(**_request(OPUS), stream=True)
        for _ in stream:
            stream.close()
            break
    return _series(recorded)


def _request(model: str) -> dict[str, Any]:
    return {"model": model, "max_tokens": 1024, "messages": [{"role": "user", "content": "Say something."}]}


def _ask(client: anthropic.Anthropic, model: str, **more: Any) -> None:
    client.messages.create(**_request(model), **more)


def _series(recorded: Telemetry) -> dict[str, str]:
    found: dict[str, str] = {}
    for metric in instruments.USAGE:
        for point in recorded.points(metric):
            labels = {"job": "shop", "instance": "1"} | {label(k): str(v) for k, v in point.attributes.items()}
            text = ",".join(f'{key}="{value}"' for key, value in labels.items())
            found[f"{metric.prometheus_name}{{{text}}}"] = f"_x5 {point.sum:g}x20"
    return found


# -- what it costs, by the package itself ------------------------------------------------------------------------------


def paid(served: Served) -> Counter[str]:
    """The price of the tokens of a reply by model, without what its server tools cost."""
    found: Counter[str] = Counter()
    if served.usage is None:
        return found
    model = json.loads(served.request.body)["model"]
    parts = [(model, served.usage)]
    for more in served.usage.get("iterations") or ():
        if more["type"] != "message":
            parts.append((more.get("model") or model, more))
    for name, usage in parts:
        with suppress(LookupError):
            found[name] += _price(name, usage)  # type: ignore[assignment]
    return found


def _price(model: str, usage: Mapping[str, Any]) -> Decimal:
    fields = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    reply = {"model": model, "usage": {name: usage.get(name) or 0 for name in fields}}
    day = datetime.fromisoformat(f"{SHIPPED.prices_of}T00:00:00+00:00")
    price: Decimal = (
        genai_prices.extract_usage(reply, provider_id="anthropic").calc_price(genai_request_timestamp=day).total_price
    )
    return price


def test_the_cost_of_a_known_load_is_right_to_the_last_digit(
    holds: Holds, used: dict[str, str], sim: Simulator
) -> None:
    """Cache reads, cache writes, thinking, compaction, retries, and streams that broke or were left."""
    by_model: Counter[str] = sum((paid(each) for each in sim.served), Counter())
    assert by_model.keys() == {OPUS, HAIKU}
    total = float(sum(by_model.values()))
    broken, left = (float(sum(paid(each).values())) for each in sim.served[-2:])
    assert 0 < left < broken < total
    queries = {
        expression("Cost"): total,
        expression("Cost of the last 24 hours"): total,
        expression("Cost of failures"): broken + left,
        expression("Cost of 24 hours, by service"): total,
        'job:claude_cost_usd:increase1h{job="shop"}': total,
    }
    holds(used, {f"sum({query})": value for query, value in queries.items()})


def test_what_has_no_price_is_shown_as_not_priced(holds: Holds, used: dict[str, str], sim: Simulator) -> None:
    """With all of its tokens; what has a price is not there."""
    shown = expression("Not priced: tokens of models without a price")
    tokens = {UNKNOWN: _tokens(sim, UNKNOWN), ADVISOR: 550}
    each = {f"sum({_only(shown, MODEL, model)})": float(count) for model, count in tokens.items()}
    holds(used, each | {f"count({shown})": 2.0})


def _only(query: str, name: str, value: str) -> str:
    """What a query gives with this value of a label."""
    return f'({query}) and on ({name}) label_replace(vector(1), "{name}", "{value}", "", "")'


def _tokens(sim: Simulator, model: str) -> int:
    found = 0
    for each in sim.served:
        if each.usage and json.loads(each.request.body)["model"] == model:
            found += sum(each.usage[name] for name in ("input_tokens", "output_tokens"))
            found += sum(each.usage[f"cache_{how}_input_tokens"] for how in ("read", "creation"))
    return found


def steady(minutely: Mapping[Metric, int], model: str = OPUS, outcome: str = "completed") -> dict[str, str]:
    """Counters that grow by so much every minute."""
    labels = f'job="shop",instance="1",{MODEL}="{model}",{OUTCOME}="{outcome}"'
    return {f"{metric.prometheus_name}{{{labels}}}": f"0+{minutely.get(metric, 0)}x20" for metric in instruments.USAGE}


PRICE = next(price for price in SHIPPED.prices if price.model == OPUS)
LIMIT = (
    f'{instruments.RATELIMIT_LIMIT.prometheus_name}{{job="shop",instance="1",{MODEL}="{OPUS}",{KIND}="output_tokens"}}'
)
THOUSAND = {
    instruments.USAGE_INPUT: 3000,
    instruments.USAGE_CACHE_READ: 1000,
    instruments.USAGE_CACHE_WRITE: 1000,
    instruments.USAGE_OUTPUT: 1000,
    instruments.USAGE_REASONING: 1000,
}
"""A thousand tokens of each kind that has a price of its own; the reasoning is all of the output."""
HOURLY = 60 * 1000 / 1_000_000
STEADY = {
    ("Input from the cache", "A"): 1 / 3,
    ("Cost an hour, by model", "A"): HOURLY * (PRICE.input + PRICE.cache_read + PRICE.cache_write_5m + PRICE.output),
    ("Cost an hour, by service", "A"): HOURLY * (PRICE.input + PRICE.cache_read + PRICE.cache_write_5m + PRICE.output),
    ("Cost an hour, by kind of token", "A"): HOURLY * PRICE.cache_read,
    ("Cost an hour, by kind of token", "B"): HOURLY * PRICE.cache_write_5m,
    ("Cost an hour, by kind of token", "C"): HOURLY * PRICE.input,
    ("Cost an hour, by kind of token", "D"): HOURLY * PRICE.output,
    ("Prices of a million tokens", "A"): PRICE.input + PRICE.cache_read + PRICE.cache_write_5m + PRICE.output,
    ("Tokens per second by model", "A"): 4000 / MINUTE,
    ("Tokens per second by kind", "A"): 1000 / MINUTE,
    ("Tokens per second by kind", "B"): 1000 / MINUTE,
    ("Tokens per second by kind", "C"): 1000 / MINUTE,
    ("Tokens per second by kind", "D"): 1000 / MINUTE,
    ("Tokens per second by kind", "E"): 0.0,
    ("Input from the cache, by model", "A"): 1 / 3,
    ("Output tokens a second, against the limit", "A"): 1000 / MINUTE,
    ("Output tokens a second, against the limit", "B"): 4000 / MINUTE,
    ("Share of the output limit that is used", "A"): 0.25,
}
"""What the panels show of it, by title and letter of the query."""


def test_a_steady_load_has_the_numbers_that_it_has(holds: Holds) -> None:
    """Every amount an hour, every rate, every share: a cached token is not paid twice, nor one of reasoning."""
    series = steady(THOUSAND) | {LIMIT: "4000x20"}
    holds(series, {f"sum({expression(*panel)})": value for panel, value in STEADY.items()})


def test_what_attempts_cost_that_were_for_nothing_is_told_by_how_they_ended(holds: Holds) -> None:
    """Twelve dollars an hour for what broke, six for what the app left; what was completed is not in it."""
    series = {
        name: values
        for outcome, tokens in (("completed", 7000), ("failed", 10_000), ("abandoned", 5000))
        for name, values in steady({instruments.USAGE_OUTPUT: tokens}, outcome=outcome).items()
    }
    query = expression("Cost of failures an hour")
    each = {f"sum({_only(query, OUTCOME, outcome)})": usd for outcome, usd in (("failed", 12.0), ("abandoned", 6.0))}
    holds(series, each | {f"count({query})": 2.0})


def test_a_rise_is_shown_as_how_many_times_the_dearest_hour_until_a_day_ago(holds: Holds) -> None:
    """Two dollars, once four, and twelve since an hour: three times as much."""
    rise = settings.load().alerts.AnthropicCostRise
    recorded = f'{spend.recorded_cost(rise.window)}{{job="shop"}}'
    series = {recorded: "2x60 4x60 2x1620 12x120"}
    holds(series, {expression(f"Cost of {rise.window} against the dearest of {rise.before}"): 3.0}, at=1800)


def test_every_panel_of_the_dashboard_is_judged() -> None:
    """In this module. A new panel needs a number."""
    board = json.loads(files.source("dashboards/usage.json").read_text())
    titles = {(panel["title"], target["refId"]) for panel in board["panels"] for target in panel.get("targets", ())}
    source = Path(__file__).read_text()
    judged = {panel for panel in titles if panel in STEADY or f'expression("{panel[0]}")' in source}
    assert {title for title, _ in titles - judged} == {"Cost of 1h against the dearest of 7d"}


def test_the_shipped_prices_are_those_of_their_source_and_day() -> None:
    """The package, at the version that the suite runs with, gives the same lines for that day."""
    day = datetime.fromisoformat(f"{SHIPPED.prices_of}T00:00:00+00:00")
    source, lines = prices.of_day((price.model for price in SHIPPED.prices), day)
    assert source == SHIPPED.prices_from
    text = files.source("dashboards/thresholds.yaml").read_text()
    assert thresholds.with_prices(text, lines) == text
