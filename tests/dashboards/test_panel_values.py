"""What the panels' queries say of telemetry as apps really send it: a sample a minute, gaps, jobs that soon end.

Prometheus' own promtool evaluates the queries of the shipped dashboards, with Grafana's variables filled in as Grafana
does it.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping

import pytest

from anthropic_otel._core import instruments
from anthropic_otel._core.instruments import Metric
from anthropic_otel.cli.stack import panels

from .scenarios import name

pytestmark = pytest.mark.slow

MINUTE = 60
"""Seconds between two samples: OpenTelemetry's own default."""
Evaluate = Callable[[Mapping[str, str], Mapping[str, float | None], range], None]


@pytest.fixture(scope="module")
def evaluate(promtool_path: str, tmp_path_factory: pytest.TempPathFactory) -> Evaluate:
    """Checks what some queries give at some minutes of some series; None: nothing."""
    work = tmp_path_factory.mktemp("promtool")

    def check(series: Mapping[str, str], wanted: Mapping[str, float | None], minutes: range) -> None:
        expectations = [
            {
                "expr": query,
                "eval_time": f"{minute}m",
                "exp_samples": [] if value is None else [{"labels": "{}", "value": value}],
            }
            for minute in minutes
            for query, value in wanted.items()
        ]
        test = {
            "interval": f"{MINUTE}s",
            "input_series": [{"series": one, "values": values} for one, values in series.items()],
            "promql_expr_test": expectations,
        }
        (work / "test.json").write_text(json.dumps({"evaluation_interval": "1m", "tests": [test]}))
        command = [promtool_path, "test", "rules", str(work / "test.json")]
        said = subprocess.run(command, capture_output=True, text=True)
        assert said.returncode == 0, said.stdout + said.stderr

    return check


def expression(panel: str, ref: str = "A") -> str:
    """The query of a panel over the time in which Grafana would look back from each of its points."""
    return next(panels.resolved(asked) for asked in panels.queries() if (asked.panel, asked.ref) == (panel, ref))


def quantiles(metric: Metric, **labels: str) -> dict[str, str]:
    """The series of a histogram, by their suffix and bound, that one job leaves behind."""
    bounds = [*(f"{bound:g}" for bound in metric.buckets), "+Inf"]
    return {f"_bucket {bound}": name(metric, "_bucket", bound, **labels) for bound in bounds} | {
        "_count": name(metric, "_count", **labels)
    }


@pytest.mark.parametrize("gap", [2, 3, 10, 40], ids="a gap of {} minutes".format)
def test_a_rate_is_right_with_a_sample_a_minute_and_has_no_peak_after_a_gap(evaluate: Evaluate, gap: int) -> None:
    """One call a second is one call a second: never none, and never all that the counter ever counted."""
    counted = name(instruments.CALL_DURATION, "_count", call_outcome="succeeded")
    before, after = 20, 30
    values = f"0+60x{before} _x{gap} {60 * (before + gap + 1)}+60x{after}"
    rate = expression("Calls by model")
    steady, peak = f"count(abs(sum({rate}) - 1) < 0.01)", f"sum({rate}) > 1.01"
    back = before + gap + 1
    evaluate({counted: values}, {steady: 1}, range(6, before))
    evaluate({counted: values}, {peak: None}, range(6, back + after))
    evaluate({counted: values}, {steady: 1}, range(back + 5, back + after))


def test_a_job_that_soon_ends_has_a_latency(evaluate: Evaluate) -> None:
    """All that Prometheus ever gets of it is one sample, in which every series is new: three calls of half a second."""
    series = quantiles(instruments.CALL_DURATION, call_outcome="succeeded")
    values = {
        one: "_x9 " + ("0x4" if where.startswith("_bucket") and float(where.split()[1]) < 0.5 else "3x4") + " stale"
        for where, one in series.items()
    }
    p95 = expression("Call duration, with retries", "B")
    evaluate(values, {f"count(({p95}) > 0.25 and ({p95}) <= 0.5)": 1}, range(10, 13))


def test_the_first_failure_after_silence_is_seen_by_every_panel_on_failures(evaluate: Evaluate) -> None:
    """A series that appears with its first failure, and never grows again."""
    failed = name(
        instruments.ATTEMPT_DURATION,
        "_count",
        error_type="529",
        attempt_outcome="failed",
        http_response_status_code="529",
    )
    titles = {
        "Failed attempts by error": "A",
        "529: the API is overloaded": "A",
        "429 against 529": "B",
        "429, 529, timeouts, broken streams, connections apart": "B",
        "Failing attempts: click an error to see its traces": "A",
    }
    queries = {f"count({expression(title, ref)} > 0)": 1.0 for title, ref in titles.items()}
    evaluate({failed: "_x40 1x30"}, queries, range(42, 44))


def test_the_table_names_a_service_as_its_spans_do(evaluate: Evaluate) -> None:
    """`namespace/name` is what Prometheus calls it; Jaeger and Tempo know `name`."""
    table = expression("Failing attempts: click an error to see its traces")
    for job, service in (("shop", "shop"), ("europe/shop", "shop")):
        failed = name(instruments.ATTEMPT_DURATION, "_count", error_type="529", attempt_outcome="failed")
        found = f'({table}) and on (service) label_replace(vector(1), "service", "{service}", "", "")'
        series = {failed.replace('job="shop"', f'job="{job}"'): "0 1x5"}
        evaluate(series, {f"count({found})": 1}, range(3, 4))


def of_instance(series: str, instance: str) -> str:
    """The same series of another process; with an empty name, of one that has none."""
    return series.replace('instance="1"', f'instance="{instance}"')


UP = 'up{job="otelcol",instance="collector:8888"}'
"""What Prometheus has of the Collector's own port, which it scrapes."""
BACKWARDS = "5 3 6 4 7 5 8 6 9 7"
"""What two processes make of one counter: it goes backwards five times."""


@pytest.mark.parametrize(
    ("instance", "found"),
    [("", 5.0), ("collector:8888", 5.0), ("b2a8", None)],
    ids=["by OTLP", "by a scrape of the Collector", "with an id"],
)
def test_several_processes_in_one_series_are_seen(evaluate: Evaluate, instance: str, found: float | None) -> None:
    """A process without an id of its own has no instance, or that of the Collector. One with an id only restarts."""
    started = of_instance(name(instruments.ATTEMPT_STARTED), instance)
    evaluate(
        {started: BACKWARDS, UP: "1x9"}, {f"sum({expression('Processes that share one series')})": found}, range(9, 10)
    )


def test_a_process_that_prometheus_scrapes_itself_has_an_id(evaluate: Evaluate) -> None:
    """Its address is its own, under its own job."""
    own = 'up{job="shop",instance="shop:9464"}'
    started = of_instance(name(instruments.ATTEMPT_STARTED), "shop:9464")
    panel = f"sum({expression('Processes that share one series')})"
    evaluate({started: BACKWARDS, UP: "1x9", own: "1x9"}, {panel: None}, range(9, 10))


def test_the_failed_calls_of_a_process_stand_beside_its_machine(evaluate: Evaluate) -> None:
    """From `target_info`, also where one process has two of them or none, and where nothing has failed."""

    def calls(instance: str, outcome: str) -> str:
        return of_instance(name(instruments.CALL_DURATION, "_count", call_outcome=outcome), instance)

    series = {
        calls("one", "failed"): "_x4 3x5",
        calls("one", "succeeded"): "5x9",
        calls("two", "succeeded"): "5x9",
        calls("three", "failed"): "_x4 7x5",
        'target_info{job="shop",instance="one",host_name="a",k8s_pod_name="shop-1",k8s_node_name="n1"}': "1x9",
        'target_info{job="shop",instance="two",host_name="b",service_version="1"}': "1x3",
        'target_info{job="shop",instance="two",host_name="b",service_version="2"}': "_x3 1x5",
    }
    panel = expression("Failed calls by process, and where it runs")
    queries = {f"count({panel})": 3.0}
    for instance, host, pod, node, failed in [
        ("one", "a", "shop-1", "n1", 3.0),
        ("two", "b", "", "", 0.0),
        ("three", "", "", "", 7.0),
    ]:
        row = "vector(1)"
        labels = {"instance": instance, "host_name": host, "k8s_pod_name": pod, "k8s_node_name": node}
        for key, value in labels.items():
            row = f'label_replace({row}, "{key}", "{value}", "", "")'
        queries[f"sum(({panel}) and on ({', '.join(labels)}) {row})"] = failed
    evaluate(series, queries, range(9, 10))


def test_half_a_percent_of_failed_calls_leaves_half_of_a_budget_of_one_percent(evaluate: Evaluate) -> None:
    """From what the rules have recorded, and from its first minutes on."""
    recorded = "job_outcome:anthropic_client_call_duration_seconds_count:inference_increase5m"
    outcomes = {"succeeded": 900, "recovered": 95, "failed": 2, "exhausted": 3, "cancelled": 700}
    series = {f'{recorded}{{job="shop",anthropic_client_call_outcome="{k}"}}': f"{v}x20" for k, v in outcomes.items()}
    left = expression("Error budget left (30d)")
    evaluate(series, {f"count(abs(({left}) - 0.5) < 0.001)": 1}, range(2, 20, 6))


def test_the_alerts_of_a_chosen_service_stand_beside_those_of_all(evaluate: Evaluate) -> None:
    """The alert on the daily budget has no job, and a Collector's has its own."""
    alerts = {"AnthropicOverloaded": "shop", "AnthropicHanging": "other", "AnthropicCollectorDown": "otelcol"}
    fires = 'component="anthropic-client",alertstate="firing",severity="ticket"'
    series = {f'ALERTS{{alertname="{alert}",job="{job}",{fires}}}': "1x9" for alert, job in alerts.items()}
    series[f'ALERTS{{alertname="AnthropicDailyBudget",{fires}}}'] = "1x9"
    series["job_outcome:anthropic_client_call_duration_seconds_count:inference_increase5m"] = "1x9"
    [panel] = (asked.expression for asked in panels.queries() if asked.panel == "Alerts that fire now")
    shown = panel.replace("$job", "shop")
    wanted = {"AnthropicOverloaded": 1.0, "AnthropicHanging": None, "AnthropicCollectorDown": 1.0}
    wanted["AnthropicDailyBudget"] = 1.0
    evaluate(
        series,
        {f'sum(({shown}) and on (alertname) ALERTS{{alertname="{alert}"}})': count for alert, count in wanted.items()},
        range(5, 6),
    )
