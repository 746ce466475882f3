"""The bundle for a Prometheus with native histograms: every query is written for them, and nothing else changes."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

if tuple(sys.version_info) < (3, 11):
    pytest.skip("the generator of the dashboards needs Python 3.11", allow_module_level=True)

from click.testing import CliRunner

from anthropic_otel._core import instruments
from anthropic_otel.bundle import BundleError, files, pages, write_bundle
from anthropic_otel.cli.commands import cli

promql_parser = pytest.importorskip("promql_parser")

HISTOGRAMS = "|".join(metric.prometheus_name for metric in instruments.METRICS if metric.buckets)
CLASSIC = re.compile(rf"(?<![\w:])(?:{HISTOGRAMS})_(?:count|sum|bucket)\b")
"""A series of a classic histogram; not the name under which a rule records a count."""
WHOLE = re.compile(rf"(?<![\w:])(?:{HISTOGRAMS})\b")
"""A native histogram."""


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle for native histograms."""
    path = tmp_path_factory.mktemp("native")
    write_bundle(path, histograms="native")
    return path


def _of_rules(groups: list[dict[str, Any]]) -> Iterator[str]:
    for group in groups:
        for rule in group["rules"]:
            yield rule["expr"] if "expr" in rule else rule["data"][0]["model"]["expr"]


def queries(folder: Path) -> dict[str, list[str]]:
    """Every query of a bundle, by the file that has it."""
    found: dict[str, list[str]] = {}
    for path in (folder / "dashboards").glob("*.json"):
        board = json.loads(path.read_text())
        found[path.name] = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    for name in ("rules", "prometheus-rule", "grafana-alerting"):
        whole = yaml.safe_load((folder / f"dashboards/alerts/{name}.yaml").read_text())
        found[name] = list(_of_rules(whole.get("spec", whole)["groups"]))
    for path in [*(folder / "docs/runbooks").glob("*.md"), *(folder / "docs/why").glob("*.md")]:
        found[path.name] = re.findall(r"```promql\n(.*?)```", path.read_text(), re.DOTALL)
    return found


def test_no_query_of_any_file_asks_for_a_series_of_a_classic_histogram(native: Path) -> None:
    """Neither for a count, nor for a sum, nor for a bucket: there is none, and the panel would be empty for ever."""
    asked = {name: "\n".join(found) for name, found in queries(native).items()}
    assert {name: CLASSIC.findall(text) for name, text in asked.items() if CLASSIC.search(text)} == {}
    assert not any(re.search(r"\ble\b", text) for text in asked.values())
    shipped = {name: "\n".join(found) for name, found in queries(files.root()).items() if name in asked}
    assert {name for name, text in shipped.items() if CLASSIC.search(text)} == {
        name for name, text in asked.items() if WHOLE.search(text)
    }
    dashboards = (native / "collector-config/kubernetes/dashboards.yaml").read_text()
    assert CLASSIC.search(dashboards) is None
    assert WHOLE.search(dashboards)


def test_every_query_parses(native: Path) -> None:
    """With some value for each of Grafana's variables."""
    for found in queries(native).values():
        for query in found:
            promql_parser.parse(re.sub(r"\$\w+", lambda one: {"$__rate_interval_ms": "60000"}.get(one[0], "1m"), query))


def test_only_what_asks_prometheus_or_configures_it_is_another(native: Path) -> None:
    """Panels, alerts, texts and links are the same; so are the Collector's configs, which carry either kind."""
    for board in ("overview", "attempts", "limits", "usage"):
        made, old = (json.loads((root / f"dashboards/{board}.json").read_text()) for root in (native, files.root()))
        for panel in (*made["panels"], *old["panels"]):
            for target in panel.get("targets", ()):
                target["expr"] = ""
        assert made == old
    made, old = (yaml.safe_load((root / "dashboards/alerts/rules.yaml").read_text()) for root in (native, files.root()))
    alerts = [
        [{**rule, "expr": ""} for group in rules["groups"] for rule in group["rules"] if "alert" in rule]
        for rules in (made, old)
    ]
    assert alerts[0] == alerts[1]
    different = {
        path.partition("/")[0] if path.startswith("docs") else path
        for path, source in files.shipped().items()
        if path.startswith(("docs", "collector-config")) and (native / path).read_bytes() != source.read_bytes()
    }
    assert different == {
        "docs",
        "collector-config/kubernetes/dashboards.yaml",
        "collector-config/kubernetes/prometheus-rule.yaml",
        "collector-config/prometheus/prometheus.yaml",
        "collector-config/prometheus/prometheus-scrape.yaml",
    }


def test_prometheus_is_told_to_make_native_histograms_of_fixed_buckets_too(native: Path) -> None:
    """So an app that does not send exponential histograms yet is seen as well, by OTLP and by a scrape."""
    otlp, scrape = (
        yaml.safe_load((native / f"collector-config/prometheus/{name}.yaml").read_text())
        for name in ("prometheus", "prometheus-scrape")
    )
    assert otlp["otlp"]["convert_histograms_to_nhcb"] is True
    apps, collector = scrape["scrape_configs"]
    assert apps["scrape_native_histograms"] is apps["convert_classic_histograms_to_nhcb"] is True
    assert "scrape_native_histograms" not in collector


def test_it_is_remembered_and_can_be_taken_back(tmp_path: Path) -> None:
    """The next run writes native queries too; `classic` gives the shipped files again, byte for byte."""
    write_bundle(tmp_path, histograms="native")
    assert write_bundle(tmp_path).written == ()
    assert "histograms: 'native'" in (tmp_path / "dashboards/thresholds.yaml").read_text()
    write_bundle(tmp_path, histograms="classic")
    for path, source in files.shipped().items():
        if path != "dashboards/thresholds.yaml":
            assert (tmp_path / path).read_bytes() == source.read_bytes(), path


def test_another_word_is_refused_in_one_line(tmp_path: Path) -> None:
    """With the two that there are, and nothing is written."""
    said = "the thresholds: histograms must be classic or native, not 'sparse'"
    with pytest.raises(BundleError, match=said):
        write_bundle(tmp_path / "out", histograms="sparse")
    run = CliRunner().invoke(cli, ["bundle", str(tmp_path / "out"), "--histograms", "sparse"])
    assert run.exit_code == 1
    assert run.output == f"Error: {said}\n"
    assert not (tmp_path / "out").exists()


def test_a_page_names_no_series_that_there_is_not(native: Path) -> None:
    """Outside of queries too: what a fault looks like in the metric."""
    for folder in ("docs/runbooks", "docs/why"):
        named = {path.name: CLASSIC.findall(path.read_text()) for path in (native / folder).glob("*.md")}
        assert {name: found for name, found in named.items() if found} == {}
    series = '`histogram_count(anthropic_client_attempt_duration_seconds{error_type="529"})`'
    assert series in (native / "docs/why/529.md").read_text()


@pytest.mark.parametrize("word", ["AnthropicSlowFirstChunk", "AnthropicOverloaded", "529"])
def test_why_prints_a_page_for_either(word: str) -> None:
    """A page with queries says how to have those for native histograms."""
    classic, native = (
        CliRunner().invoke(cli, ["why", word, *option]).output for option in ((), ("--histograms", "native"))
    )
    assert CLASSIC.search(classic) is not None
    assert CLASSIC.search(native) is None
    assert WHOLE.search(native) is not None
    assert (f"why {word} --histograms native" in classic) == ("```promql" in classic)
    assert "--histograms native" not in native


@pytest.mark.parametrize(
    ("classic", "wanted"),
    [
        (
            'increase(anthropic_client_call_duration_seconds_count{error_type="529"}[15m])',
            'histogram_count(increase(anthropic_client_call_duration_seconds{error_type="529"}[15m]))',
        ),
        (
            "last_over_time(anthropic_client_retry_delay_seconds_sum[1h] offset 15m)",
            "histogram_sum(last_over_time(anthropic_client_retry_delay_seconds[1h] offset 15m))",
        ),
        (
            "sum by (job) (anthropic_client_attempt_duration_seconds_count)",
            "sum by (job) (histogram_count(anthropic_client_attempt_duration_seconds))",
        ),
        (
            "sum by (le, job) (rate(anthropic_client_stream_max_gap_seconds_bucket[5m]))",
            "sum by (job) (rate(anthropic_client_stream_max_gap_seconds[5m]))",
        ),
        ("increase(traces_span_metrics_calls_total[5m])", "increase(traces_span_metrics_calls_total[5m])"),
    ],
)
def test_a_pages_query_is_changed_where_it_asks_for_a_part_of_a_histogram(classic: str, wanted: str) -> None:
    """And nowhere else."""
    assert pages.query(classic) == wanted
