"""Every alert fires, stays quiet, resolves, keeps still at low traffic, and sees a first error after silence.

Prometheus' own promtool evaluates the rules as they are shipped, and that of Prometheus 3 those of native histograms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from anthropic_otel._core import instruments, semconv
from anthropic_otel.bundle import files, settings, thresholds
from anthropic_otel.bundle.promql import label
from anthropic_otel.bundle.rules import prometheus as rules_of
from support import native
from support import promtool as tool

from .scenarios import COUNTED, MODEL, STEP, Weather, name

pytestmark = pytest.mark.slow

Check = tuple[int, Mapping[str, str] | None]
"""At this step the alert fires with these labels; None: it neither fires nor is pending."""
Promtool = Callable[[str, Mapping[str, str], list[Check], str], None]
QUIET: Mapping[str, str] | None = None
PENDING_AT_MOST: Mapping[str, str] = {"": ""}
"""It does not fire."""


@pytest.fixture(scope="session")
def promtool(promtool_path: str, tmp_path_factory: pytest.TempPathFactory) -> Promtool:
    """Checks an alert at some steps of some series, with promtool."""
    work = tmp_path_factory.mktemp("promtool")
    return checking(promtool_path, work, files.source("dashboards/alerts/rules.yaml").read_text())


@pytest.fixture(scope="session")
def promtool_3(promtool_3_path: str, tmp_path_factory: pytest.TempPathFactory) -> Promtool:
    """The same with the rules for native histograms, and with native series."""
    text = thresholds.edited(files.source("dashboards/thresholds.yaml").read_text(), histograms="native")
    rules = rules_of(settings.parse(text))
    check = checking(promtool_3_path, tmp_path_factory.mktemp("promtool-3"), rules)
    return lambda alert, series, checks, severity: check(alert, native.series(series), checks, severity)


def checking(promtool_path: str, work: Path, text: str) -> Promtool:
    """What checks the alerts of a file of rules with a promtool."""
    rules = [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]

    def check(alert: str, series: Mapping[str, str], checks: list[Check], severity: str) -> None:
        needed = _needed(rules, alert)
        assert needed[-1]["labels"]["severity"] == severity
        fixed = {"alertname": alert, "alertstate": "firing", **needed[-1]["labels"]}
        expectations = [
            {
                "expr": "ALERTS"
                + _selector({"alertname": alert, **({"alertstate": "firing"} if labels is not None else {})}),
                "eval_time": f"{step * STEP}s",
                "exp_samples": []
                if labels is None or labels is PENDING_AT_MOST
                else [{"labels": _selector({"__name__": "ALERTS", **fixed, "job": "shop", **labels}), "value": 1}],
            }
            for step, labels in checks
        ]
        test = {
            "interval": f"{STEP}s",
            "input_series": [{"series": one, "values": values} for one, values in series.items()],
            "promql_expr_test": expectations,
        }
        said = tool.run(promtool_path, work, needed, test, STEP)
        assert not said, said

    return check


def _needed(rules: list[dict[str, Any]], alert: str) -> list[dict[str, Any]]:
    """The shipped rule of an alert after the recording rules that it names: the others would only take time."""
    (found,) = (rule for rule in rules if rule.get("alert") == alert)
    return [*(rule for rule in rules if rule.get("record", "-") in found["expr"]), found]


def _selector(labels: Mapping[str, str]) -> str:
    return "{" + ", ".join(f'{key}="{value}"' for key, value in labels.items()) + "}"


ELSEWHERE = {
    "AnthropicLowHeadroom",
    "AnthropicTelemetryAbsent",
    "AnthropicCollectorDown",
    "AnthropicTelemetryQueue",
    "AnthropicHanging",
    "AnthropicCostRise",
}
"""The alerts on something that is not counted, and those with tests of their own: AnthropicHanging in test_outages.py,
AnthropicCostRise and AnthropicDailyBudget, which there is with a budget only, in test_cost_alerts.py."""

each = pytest.mark.parametrize("weather", COUNTED, ids=lambda w: f"{w.alert} {w.id}".strip())


@each
def test_it_fires_in_trouble(promtool: Promtool, weather: Weather) -> None:
    """Good weather first, so that the trouble has to stand out."""
    series = weather.series(("healthy", 10), ("idle", weather.settle), ("trouble", weather.trouble_steps))
    promtool(weather.alert, series, [(9 + weather.settle + weather.trouble_steps, weather.labels)], weather.severity)


@each
def test_it_stays_quiet_in_good_weather(promtool: Promtool, weather: Weather) -> None:
    """With the few errors that there always are."""
    checks = [(step, QUIET) for step in range(0, 150, 10)]
    promtool(weather.alert, weather.series(("healthy", 150)), checks, weather.severity)


@each
def test_it_resolves_when_the_trouble_is_over(promtool: Promtool, weather: Weather) -> None:
    """It does not stay for longer than its windows."""
    series = weather.series(("trouble", weather.trouble_steps), ("idle", weather.settle + 60))
    checks = [(weather.trouble_steps - 1, weather.labels), (weather.trouble_steps + weather.settle, QUIET)]
    promtool(weather.alert, series, checks, weather.severity)


@each
def test_it_keeps_still_at_low_traffic(promtool: Promtool, weather: Weather) -> None:
    """One or two failures among hardly any calls wake nobody, whatever their share."""
    series = weather.series(("idle", 10), ("few", 1), ("idle", 60))
    promtool(weather.alert, series, [(step, QUIET) for step in range(10, 70, 2)], weather.severity)


@each
def test_it_sees_the_first_errors_after_silence(promtool: Promtool, weather: Weather) -> None:
    """All of them within one export: their series appear and never grow again, and `rate()` is 0 throughout."""
    before = weather.silence
    series = weather.series(("idle", before), ("burst", 1), ("idle", 20))
    checks = [(before - 1, QUIET), (before + weather.seen, weather.labels)]
    promtool(weather.alert, series, checks, weather.severity)


@pytest.mark.parametrize("weather", [w for w in COUNTED if w.seen == 6], ids=lambda w: f"{w.alert} {w.id}".strip())
def test_an_outage_of_prometheus_makes_no_old_error_new(promtool: Promtool, weather: Weather) -> None:
    """After a gap that is longer than the window, counters come back with all that they ever counted."""
    totals = {one: values for one, values in weather.series(("burst", 1)).items() if values != "_"}
    series = {one: f"{total}x40 _x40 {total}x40" for one, total in totals.items()}
    promtool(weather.alert, series, [(step, QUIET) for step in range(82, 120, 4)], weather.severity)


NATIVE = list({weather.alert: weather for weather in COUNTED if weather.id != "le=10.0"}.values())
"""One scenario for each alert on something that is counted."""

each_native = pytest.mark.parametrize("weather", NATIVE, ids=lambda w: w.alert)


class TestNative:
    """The same of native histograms: an alert may not depend on how Prometheus has them."""

    @each_native
    def test_it_fires_in_trouble(self, promtool_3: Promtool, weather: Weather) -> None:
        """As it does with classic ones."""
        test_it_fires_in_trouble(promtool_3, weather)

    @each_native
    def test_it_stays_quiet_in_good_weather(self, promtool_3: Promtool, weather: Weather) -> None:
        """Also where it looks at how long something took."""
        test_it_stays_quiet_in_good_weather(promtool_3, weather)

    @each_native
    def test_it_keeps_still_at_low_traffic(self, promtool_3: Promtool, weather: Weather) -> None:
        """A share of the bound's bucket is no further failure."""
        test_it_keeps_still_at_low_traffic(promtool_3, weather)

    @pytest.mark.parametrize("weather", [w for w in NATIVE if w.silence == 40], ids=lambda w: w.alert)
    def test_it_sees_the_first_errors_after_silence(self, promtool_3: Promtool, weather: Weather) -> None:
        """A native series that appears has no increase either, whatever its first sample holds."""
        test_it_sees_the_first_errors_after_silence(promtool_3, weather)

    @pytest.mark.parametrize("weather", [w for w in NATIVE if w.seen == 6], ids=lambda w: w.alert)
    def test_an_outage_of_prometheus_makes_no_old_error_new(self, promtool_3: Promtool, weather: Weather) -> None:
        """The samples after the gap hold all that there ever was, as classic ones do."""
        test_an_outage_of_prometheus_makes_no_old_error_new(promtool_3, weather)

    @pytest.mark.parametrize("weather", NATIVE[2:], ids=lambda w: w.alert)
    def test_it_resolves_when_the_trouble_is_over(self, promtool_3: Promtool, weather: Weather) -> None:
        """It does not stay for longer than its windows."""
        test_it_resolves_when_the_trouble_is_over(promtool_3, weather)


def test_low_headroom(promtool: Promtool) -> None:
    """A gauge: it fires below its share, also the first time it is seen, and ends with the gauge or when it refills.

    One low value before silence is none: by OTLP nobody says that a gauge has ended, and it is seen for 5 minutes more.
    A limit that is low for a moment, again and again, is.
    """
    kind = {"ratelimit_kind": "input_tokens"}
    limit, left = name(instruments.RATELIMIT_LIMIT, **kind), name(instruments.RATELIMIT_REMAINING, **kind)
    labels = {label(semconv.RATELIMIT_KIND): "input_tokens", label(semconv.GEN_AI_REQUEST_MODEL): MODEL}
    alert = "AnthropicLowHeadroom"
    promtool(alert, {limit: "1000x40", left: "50x40"}, [(30, labels)], "ticket")
    promtool(alert, {limit: "1000x40", left: "500x40"}, [(step, QUIET) for step in range(0, 40, 5)], "ticket")
    promtool(alert, {limit: "1000x70", left: "50x30 900x40"}, [(29, labels), (60, QUIET)], "ticket")
    promtool(alert, {limit: "_x20 1000x40", left: "_x20 50x40"}, [(19, QUIET), (50, labels)], "ticket")
    silent = {limit: "1000x30 stale", left: "50x30 stale"}
    promtool(alert, silent, [(29, labels), (60, QUIET)], "ticket")
    once = {limit: "_x5 1000x2 _x40", left: "_x5 50x2 _x40"}
    promtool(alert, once, [(step, PENDING_AT_MOST) for step in range(48)], "ticket")
    dipping = {limit: "1000x40", left: " ".join(["50", "900", "900", "900"] * 10)}
    promtool(alert, dipping, [(step, labels) for step in range(27, 38, 2)], "ticket")


def test_telemetry_absent(promtool: Promtool) -> None:
    """Gone is told from idle; back again ends it."""
    started = name(instruments.ATTEMPT_STARTED)
    alert: str = "AnthropicTelemetryAbsent"
    promtool(alert, {started: "5x20 stale _x60"}, [(15, QUIET), (45, {})], "ticket")
    promtool(alert, {started: "5x100"}, [(step, QUIET) for step in range(0, 100, 10)], "ticket")
    promtool(alert, {started: "5x20 stale _x40 1x40"}, [(45, {}), (64, QUIET)], "ticket")
    promtool(alert, {started: "_x40 1x40"}, [(step, QUIET) for step in range(0, 80, 10)], "ticket")


def test_collector_down(promtool: Promtool) -> None:
    """It answers no scrape, or is not there to be scraped any more; one that never was is not missed."""
    up, alert = 'up{job="otelcol",instance="c:8888"}', "AnthropicCollectorDown"
    promtool(alert, {up: "1x20 0x40"}, [(20, QUIET), (45, {"job": "otelcol"})], "ticket")
    promtool(alert, {up: "1x20 stale _x60"}, [(15, QUIET), (45, {"job": "otelcol"})], "ticket")
    promtool(alert, {up: "1x20 0x4 1x40"}, [(step, PENDING_AT_MOST) for step in range(60)], "ticket")
    promtool(alert, {'up{job="node"}': "0x60"}, [(step, QUIET) for step in range(0, 60, 5)], "ticket")


def test_a_queue_that_fills(promtool: Promtool) -> None:
    """A trace back end that is down: the queue grows, and no failure is counted."""
    labels = 'job="otelcol",exporter="otlp_http/traces"'
    series = {f"otelcol_exporter_queue_capacity{{{labels}}}": "1000x80"}
    size, alert = f"otelcol_exporter_queue_size{{{labels}}}", "AnthropicTelemetryQueue"
    wanted = {"job": "otelcol", "exporter": "otlp_http/traces"}
    promtool(alert, series | {size: "0x10 0+30x60"}, [(20, QUIET), (60, wanted)], "ticket")
    promtool(alert, series | {size: "100x80"}, [(step, QUIET) for step in range(0, 80, 5)], "ticket")
    promtool(alert, series | {size: "900x40 0x40"}, [(39, wanted), (70, QUIET)], "ticket")


def test_a_short_lived_service_may_be_silent(promtool_path: str, tmp_path: Path) -> None:
    """A cron job that is named in the settings; another one is still missed."""
    text = files.source("dashboards/thresholds.yaml").read_text()
    parsed = settings.parse(thresholds.edited(text, short_lived="night.*"))
    rule = [r for g in yaml.safe_load(rules_of(parsed))["groups"] for r in g["rules"]]
    series = {f'anthropic_client_attempt_started_total{{job="{job}"}}': "5x5 stale" for job in ("nightly", "shop")}
    found = tool.firing(promtool_path, tmp_path, rule, series, range(0, 3600, 600), sample=STEP)
    absent = [a for alerts in found.values() for a in alerts if a["alertname"] == "AnthropicTelemetryAbsent"]
    assert {alert["job"] for alert in absent} == {"shop"}


def test_a_short_lived_service_may_be_silent_although_job_names_it(promtool_path: str, tmp_path: Path) -> None:
    """It has not run since Prometheus was started; of the service beside it, which never reported, the alert tells."""
    text = files.source("dashboards/thresholds.yaml").read_text()
    parsed = settings.parse(thresholds.edited(text, job="nightly|shop", short_lived="night.*"))
    rule = [r for g in yaml.safe_load(rules_of(parsed))["groups"] for r in g["rules"]]
    found = tool.firing(promtool_path, tmp_path, rule, {"up": "1x200"}, range(0, 3600, 600), sample=STEP)
    absent = [a for alerts in found.values() for a in alerts if a["alertname"] == "AnthropicTelemetryAbsent"]
    assert {alert["job"] for alert in absent} == {"shop"}


def test_every_alert_has_its_scenarios() -> None:
    """An alert that is not tested above fails here."""
    tested = {weather.alert for weather in COUNTED} | ELSEWHERE
    text = Path(files.source("dashboards/alerts/rules.yaml")).read_text()
    shipped = {line.split()[-1] for line in text.splitlines() if line.strip().startswith("- alert:")}
    assert shipped == tested
    assert shipped - set(vars(settings.load().alerts)) == {
        "AnthropicErrorBudgetBurnFast",
        "AnthropicErrorBudgetBurnSlow",
    }
