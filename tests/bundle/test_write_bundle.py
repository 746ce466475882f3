"""The bundle that a user writes out: complete, with their thresholds, and careful with what they changed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from anthropic_otel.bundle import BundleError, Changed, files, thresholds, write_bundle
from anthropic_otel.bundle.write import MEMORY

THRESHOLDS = "dashboards/thresholds.yaml"
RULES = "dashboards/alerts/rules.yaml"

generates = pytest.mark.skipif(sys.version_info < (3, 11), reason="the dashboards' generator needs Python 3.11")


def texts(directory: Path) -> dict[str, str]:
    """Every file of a directory, by its path."""
    return {
        path.relative_to(directory).as_posix(): path.read_text()
        for path in directory.rglob("*")
        if path.is_file() and path.name != MEMORY
    }


def test_the_bundle_has_dashboards_alerts_runbooks_and_configs_as_they_are_shipped(tmp_path: Path) -> None:
    """Byte for byte, in the same folders, so that the compose file and the stack find what they name."""
    done = write_bundle(tmp_path)
    assert set(done.written) == set(texts(tmp_path)) == set(files.shipped())
    for path in (
        RULES,
        THRESHOLDS,
        "dashboards/overview.json",
        "docs/runbooks/AnthropicTimeouts.md",
        "collector-config/compose.yaml",
        "collector-config/builder.yaml",
    ):
        assert (tmp_path / path).read_bytes() == files.source(path).read_bytes()


def test_the_defaults_need_nothing_but_the_standard_library() -> None:
    """Neither PyYAML nor Grafana's SDK is imported to copy what is shipped."""
    program = """
import sys, tempfile
from anthropic_otel.bundle import write_bundle
write_bundle(tempfile.mkdtemp())
sys.exit(any(name in sys.modules for name in ("yaml", "grafana_foundation_sdk")))
"""
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


@pytest.mark.parametrize("missing", ["yaml", "grafana_foundation_sdk"])
@pytest.mark.parametrize(
    ("version", "said"),
    [((3, 12), "pip install 'anthropic-otel[bundle]'"), ((3, 10), "need Python 3.11 or newer")],
    ids=["new Python", "old Python"],
)
def test_without_the_generator_it_says_what_to_install(
    tmp_path: Path, missing: str, version: tuple[int, int], said: str
) -> None:
    """On a Python for which Grafana's SDK is not made, that another one will do."""
    program = f"""
import sys
from anthropic_otel.bundle import BundleError, write_bundle
sys.modules[{missing!r}], sys.version_info = None, {version}
try:
    write_bundle({str(tmp_path / "out")!r}, job="shop")
except BundleError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert said in run.stdout, run.stdout + run.stderr
    assert not (tmp_path / "out").exists()


@generates
def test_job_and_objective_reach_rules_dashboards_and_the_thresholds_file(tmp_path: Path) -> None:
    """One option, and everything agrees."""
    write_bundle(tmp_path, job="shop|it's", slo=99.9)
    thresholds = (tmp_path / THRESHOLDS).read_text()
    values = yaml.safe_load(thresholds)
    assert (values["job"], values["slo"]["objective"]) == ("shop|it's", 99.9)
    assert thresholds.count("#") == files.source(THRESHOLDS).read_text().count("#")
    rules = (tmp_path / RULES).read_text()
    assert rules.count('job=~"shop|it\'s"') > 20
    assert "> 0.0144" in rules
    board = json.loads((tmp_path / "dashboards/overview.json").read_text())
    (job,) = (variable for variable in board["templating"]["list"] if variable["name"] == "job")
    assert job["allValue"] == "shop|it's"
    assert "99.9 %" in json.dumps(board)


@generates
def test_the_addresses_of_grafana_and_of_the_runbooks_reach_every_alert_and_panel(tmp_path: Path) -> None:
    """So that whoever is paged comes to the right page by one click."""
    write_bundle(tmp_path, grafana="https://grafana.example.com/", runbooks="https://wiki.example.com/claude")
    for path in (RULES, "dashboards/alerts/grafana-alerting.yaml", "collector-config/kubernetes/prometheus-rule.yaml"):
        text = (tmp_path / path).read_text()
        assert text.count("runbook_url: https://wiki.example.com/claude/Anthropic") == 25, path
        assert text.count("dashboard_url: https://grafana.example.com/d/anthropic-otel-") == 25, path
    board = (tmp_path / "dashboards/attempts.json").read_text()
    assert "https://wiki.example.com/claude/AnthropicTimeouts.md" in board


@generates
@pytest.mark.parametrize(
    ("job", "absent"),
    [
        ("shop", [('job="shop"', None)]),
        ("shop|shops/billing", [('job="shop"', None), ('job="shops/billing"', None)]),
        ("shop.*", [('job=~"shop.*"', "shop.*")]),
    ],
)
def test_a_service_that_never_reported_is_missed_by_its_name(
    tmp_path: Path, job: str, absent: list[tuple[str, str | None]]
) -> None:
    """Each of a list for itself; a pattern as a whole, with the pattern for a name."""
    write_bundle(tmp_path, job=job)
    groups = yaml.safe_load((tmp_path / RULES).read_text())["groups"]
    (rule,) = (r for group in groups for r in group["rules"] if r.get("alert") == "AnthropicTelemetryAbsent")
    found = re.findall(
        r"absent\(anthropic_client_attempt_started_total\{(.*?)\}\)(?:, \"job\", \"(.*?)\")?", rule["expr"]
    )
    assert found == [(selector, name or "") for selector, name in absent]


@generates
def test_an_edited_thresholds_file_moves_the_rule_and_the_line_on_the_panel(tmp_path: Path) -> None:
    """The documented way to change a threshold."""
    write_bundle(tmp_path)
    path = tmp_path / THRESHOLDS
    edited = re.sub(r"(AnthropicTimeouts: .*ratio: )0.05", r"\g<1>0.07", path.read_text())
    path.write_text(edited)
    done = write_bundle(tmp_path, thresholds=path)
    assert THRESHOLDS in done.unchanged
    assert set(done.written) >= {RULES, "dashboards/attempts.json", "dashboards/alerts/grafana-alerting.yaml"}
    assert "> 0.07" in (tmp_path / RULES).read_text()
    board = json.loads((tmp_path / "dashboards/attempts.json").read_text())
    (panel,) = (panel for panel in board["panels"] if panel["title"] == "Timeouts by kind")
    assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"][-1]["value"] == 0.07


def test_writing_it_again_changes_nothing(tmp_path: Path) -> None:
    """The second time there is nothing to do."""
    write_bundle(tmp_path)
    assert write_bundle(tmp_path).written == ()


def test_a_changed_file_is_not_overwritten_and_nothing_else_is_written_either(tmp_path: Path) -> None:
    """All or nothing, and the message names the file."""
    write_bundle(tmp_path)
    (tmp_path / RULES).write_text("mine")
    (tmp_path / "dashboards/limits.json").unlink()
    with pytest.raises(Changed, match=re.escape(RULES)) as caught:
        write_bundle(tmp_path)
    assert caught.value.paths == (RULES,)
    assert (tmp_path / RULES).read_text() == "mine"
    assert not (tmp_path / "dashboards/limits.json").exists()


def test_force_overwrites_a_changed_file(tmp_path: Path) -> None:
    """On request only."""
    write_bundle(tmp_path)
    (tmp_path / RULES).write_text("mine")
    assert write_bundle(tmp_path, force=True).written == (RULES,)
    assert (tmp_path / RULES).read_bytes() == files.source(RULES).read_bytes()


def test_a_file_that_was_there_before_the_first_bundle_counts_as_changed(tmp_path: Path) -> None:
    """Nobody's file is taken for ours because of its name."""
    (tmp_path / "docs/runbooks").mkdir(parents=True)
    (tmp_path / "docs/runbooks/README.md").write_text("our own")
    with pytest.raises(Changed):
        write_bundle(tmp_path)


@generates
@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("objective: 99.0", "objective: 100.0", "slo.objective must lie between 0 and 100"),
        ("objective: 99.0", "objective: 90.0", "slo.page[0].burn_rate 14.4 can never be reached"),
        ("short: 5m", "short: 1h", "slo.page[0].short must be shorter than long"),
        ("slow_interval: 2m", "slow_interval: 5m", "evaluation.slow_interval must be shorter than 5m"),
        ("export_interval: 60s", "export_interval: 3m", "slo window 5m must be at least twice"),
        ('job: ""', 'job: "("', "job is not a valid regular expression"),
        ('job: ""', 'job: "(?!staging/).*"', "which Prometheus does not know"),
        ('job: ""', "job: |\n  shop", "job has a line break or another character that is not printable: 'shop\\n'"),
        ("prices_from: '", 'prices_from: "my\\n" #\'', "spend.prices_from has a line break"),
        ("grafana: http://localhost:3000", "grafana: nonsense", "links.grafana must be an address"),
        ("grafana: http://localhost:3000", "grafana: http://[::1", "links.grafana must be an address"),
        ("runbooks: docs/runbooks", "runbooks: 'javascript:x'", "links.runbooks must be an address"),
        ("remaining: 0.1", "remaining: 10", "alerts.AnthropicLowHeadroom.remaining must lie between 0 and 1"),
        ("longer_than: 10,", "longer_than: 11,", "must be a bucket bound"),
        ("window: 5m", "window: 5 minutes", "must be a duration such as 5m"),
        ("AnthropicTimeouts:", "AnthropicTimeout:", "unknown in alerts: AnthropicTimeout"),
        ("burn_rate: 14.4", "burn_rate: fast", "must be a number"),
        ("job:", "job: [", "not YAML"),
        ("budget_per_day: 0", "budget_per_day: -1", "spend.budget_per_day must be a number of at least 0, not -1"),
        ("budget_per_day: 0", "budget_per_day: .inf", "spend.budget_per_day must be a number of at least 0, not inf"),
        ("max_retries: 2", "max_retries: .nan", "max_retries must be a number of at least 0, not nan"),
        ("max_retries: 2", f"max_retries: 1{'0' * 400}", "max_retries must be a number of at least 0, not 1"),
        ("max_retries: 2", f"max_retries: {'[' * 3000}", "it is not YAML: RecursionError"),
        ("prices_of: '2026-11-29'", "prices_of: 2026-13-01", "it is not YAML: month must be in 1..12"),
        ("cache_writes: 5m", "cache_writes: 2h", "spend.cache_writes must be 5m or 1h, not '2h'"),
        ("prices_of: '2026-", "prices_of: 'x2026-", "spend.prices_of must be a day such as '2026-11-29'"),
        ("model: claude-opus-5,", "model: claude opus,", "must be the name of a model, not 'claude opus'"),
        ("model: claude-opus-5,", "model: claude-opus-5-5,", "spend.prices[11].model: claude-opus-5-5 has two prices"),
        ("input: 10, ", "", "missing in spend.prices[0]: input"),
        ("rise: 3", "rise: 0.5", "alerts.AnthropicCostRise.rise must be at least 1, not 0.5"),
        ("before: 7d", "before: 1h", "alerts.AnthropicCostRise.before must be at least twice its window"),
    ],
)
def test_thresholds_that_cannot_work_are_refused_with_the_place_and_the_reason(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    """Before anything is written."""
    path = tmp_path / "mine.yaml"
    path.write_text(files.source(THRESHOLDS).read_text().replace(old, new))
    with pytest.raises(BundleError, match=re.escape(said)):
        write_bundle(tmp_path / "out", thresholds=path)
    assert not (tmp_path / "out").exists()


@generates
def test_an_option_that_is_not_given_is_what_it_was_the_last_time(tmp_path: Path) -> None:
    """A later run brings new files, and takes back no decision; another value, an empty one too, is a new decision."""
    write_bundle(tmp_path, job="shop", slo=99.9)
    assert write_bundle(tmp_path).written == ()
    done = write_bundle(tmp_path, slo=99.5)
    assert RULES in done.changed
    values = yaml.safe_load((tmp_path / THRESHOLDS).read_text())
    assert (values["job"], values["slo"]["objective"]) == ("shop", 99.5)
    write_bundle(tmp_path, job="")
    assert yaml.safe_load((tmp_path / THRESHOLDS).read_text())["job"] == ""
    path = tmp_path / THRESHOLDS
    path.write_text(path.read_text().replace("objective: 99.5", "objective: 98.0"))
    write_bundle(tmp_path, thresholds=path)
    assert "objective: 98.0" in path.read_text(), "the file that was given says what holds now"
    assert write_bundle(tmp_path).written == ()


def test_some_parts_only(tmp_path: Path) -> None:
    """A team that has its Collectors elsewhere gets none; the rules come with their runbooks and the routing."""
    dashboards = set(write_bundle(tmp_path / "a", only=["dashboards"]).written)
    rules = set(write_bundle(tmp_path / "b", only=["rules"]).written)
    collector = set(write_bundle(tmp_path / "c", only=["collector"]).written)
    assert dashboards | rules | collector == set(files.shipped())
    assert "dashboards/overview.json" in dashboards
    assert not any("alerts" in path or path.startswith("docs") for path in dashboards)
    assert {RULES, "docs/runbooks/AnthropicTimeouts.md", "collector-config/alertmanager/alertmanager.yaml"} <= rules
    assert all(path.startswith("collector-config/") for path in collector)
    with pytest.raises(BundleError, match="no such part: alerts"):
        write_bundle(tmp_path / "d", only=["alerts"])


@generates
def test_prices_are_taken_from_the_package_by_the_names_of_models_and_stay_until_somebody_asks_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With their source and their day, in the rules and on the dashboard; a later run needs the package no more."""
    pytest.importorskip("genai_prices")
    bedrock = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
    monkeypatch.setattr("anthropic_otel.bundle.prices.today", lambda: datetime(2026, 11, 20, tzinfo=timezone.utc))
    write_bundle(tmp_path, prices=["claude-opus-5-5", bedrock])
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    assert write_bundle(tmp_path).written == ()
    spend = yaml.safe_load((tmp_path / THRESHOLDS).read_text())["spend"]
    assert [price["model"] for price in spend["prices"]] == ["claude-opus-5-5", bedrock]
    assert spend["prices"][0] | {"model": ""} == {
        "model": "",
        "input": 4,
        "cache_read": 0.2,
        "cache_write_5m": 5,
        "cache_write_1h": 8,
        "output": 20,
    }
    assert spend["prices"][1]["output"] == 16.5
    said = f"genai-prices {version('genai-prices')}, list prices of 2026-11-20"
    for path in (RULES, "dashboards/alerts/grafana-alerting.yaml", "dashboards/usage.json"):
        assert said in (tmp_path / path).read_text(), path
    assert "claude-haiku" not in (tmp_path / RULES).read_text()


@generates
@pytest.mark.parametrize(
    ("prices", "said"),
    [
        (["claude-opus-5-5", "claude-next"], "has no price of the model 'claude-next'"),
        ([], "no model is named: --prices"),
    ],
)
def test_a_model_without_a_price_is_refused_by_its_name(tmp_path: Path, prices: list[str], said: str) -> None:
    """Before anything is written."""
    pytest.importorskip("genai_prices")
    with pytest.raises(BundleError, match=said):
        write_bundle(tmp_path / "out", prices=prices)
    assert not (tmp_path / "out").exists()


@generates
def test_a_budget_brings_its_alert_and_its_line_on_the_dashboard(tmp_path: Path) -> None:
    """Zero takes them away again."""
    write_bundle(tmp_path, budget=1234567)
    assert "> 1234567" in (tmp_path / RULES).read_text()
    assert '"value": 1234567' in (tmp_path / "dashboards/usage.json").read_text()
    write_bundle(tmp_path, budget=0)
    assert "AnthropicDailyBudget" not in (tmp_path / RULES).read_text()


@generates
def test_cache_writes_of_an_hour_have_their_own_price_and_a_dated_model_may_have_one(tmp_path: Path) -> None:
    """The name of a version comes before the name that stands for all of them, wherever it is in the list."""
    row = "{{model: claude-opus-5{}, input: {}, cache_read: 1, cache_write_5m: 2, cache_write_1h: {}, output: 4}}"
    text = files.source(THRESHOLDS).read_text().replace("cache_writes: 5m", "cache_writes: 1h")
    rows = [f"- {row.format('', 5, 7)}", f"- {row.format('-20261101', 6, 8)}"]
    path = tmp_path / "own.yaml"
    path.write_text(thresholds.with_prices(text, rows))
    write_bundle(tmp_path / "out", thresholds=path)
    groups = yaml.safe_load((tmp_path / "out" / RULES).read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"] if "claude_price" in rule.get("record", "")]
    prices = {rule["labels"]["kind"]: re.findall(r"[*] ([0-9.]+)$", rule["expr"], re.MULTILINE) for rule in rules}
    assert prices == {"input": ["6", "5"], "cache_read": ["1", "1"], "cache_write": ["8", "7"], "output": ["4", "4"]}
