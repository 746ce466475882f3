"""The command `bundle`: what it prints, and what it hands on to `write_bundle`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from anthropic_otel.bundle import Written
from anthropic_otel.cli.commands import cli


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["bundle", *arguments])


def test_bundle_writes_once_and_keeps_what_somebody_has_changed(tmp_path: Path) -> None:
    """A second time everything is up to date, a changed file is named and kept, and --force takes it back."""
    directory = tmp_path / "monitoring"
    first = invoke(str(directory))
    assert (first.exit_code, number_of_files(directory)) == (0, number(r"^(\d+) files written, 0 ", first.output))
    assert re.search(r"monitoring/dashboards  \d+ files$", first.output, re.MULTILINE)
    told = re.search(r"docker compose -f (\S+) up -d$", first.output, re.MULTILINE)
    assert told
    assert Path(told[1]).is_file()
    again = invoke(str(directory))
    assert number(r"^0 files written, (\d+) were up to date$", again.output) == number_of_files(directory)
    rules = directory / "dashboards" / "alerts" / "rules.yaml"
    shipped = rules.read_text(encoding="utf-8")
    rules.write_text("mine", encoding="utf-8")
    kept = invoke(str(directory))
    assert (kept.exit_code, rules.read_text(encoding="utf-8")) == (1, "mine")
    assert kept.output.endswith("Use --force to replace them:\n  dashboards/alerts/rules.yaml\n")
    assert invoke(str(directory), "--force").exit_code == 0
    assert rules.read_text(encoding="utf-8") == shipped


def number_of_files(directory: Path) -> int:
    return sum(path.is_file() and not path.name.startswith(".") for path in directory.rglob("*"))


def number(pattern: str, text: str) -> int:
    found = re.search(pattern, text, re.MULTILINE)
    assert found, text
    return int(found[1])


def test_bundle_hands_its_options_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Job, objective, addresses, budget, prices, thresholds and force mean what they mean to the function behind it."""
    given: list[object] = []

    def write_bundle(directory: Path, **options: object) -> Written:
        given.extend((directory, options))
        return Written((), ())

    monkeypatch.setattr("anthropic_otel.bundle.write_bundle", write_bundle)
    own = tmp_path / "own.yaml"
    own.touch()
    links = {"grafana": "https://grafana.example.com", "runbooks": "https://wiki.example.com"}
    addresses = [word for name, url in links.items() for word in (f"--{name}", url)]
    options = ["--job", "shop", "--slo", "99.5", "--thresholds", str(own), "--force"]
    options += ["--budget", "100", "--prices", "claude-opus-5-5, claude-sonnet-5-5", "--histograms", "native"]
    assert invoke(str(tmp_path), *options, *addresses).exit_code == 0
    wanted = {"job": "shop", "slo": 99.5, "budget": 100.0, "prices": ["claude-opus-5-5", "claude-sonnet-5-5"], **links}
    wanted["histograms"] = "native"
    assert given == [tmp_path, {**wanted, "thresholds": str(own), "force": True, "only": []}]


@pytest.mark.parametrize("slo", ["0", "100", "101", "high"])
def test_bundle_refuses_an_objective_that_is_none(tmp_path: Path, slo: str) -> None:
    """Nothing is written for an error of usage."""
    assert invoke(str(tmp_path / "new"), "--slo", slo).exit_code == 2
    assert not (tmp_path / "new").exists()


def test_bundle_says_what_is_wrong_with_thresholds(tmp_path: Path) -> None:
    """One sentence with the file's name, no traceback."""
    pytest.importorskip("yaml")
    pytest.importorskip("grafana_foundation_sdk", reason="what makes dashboards needs Python 3.11")
    own = tmp_path / "own.yaml"
    own.write_text("job: shop\n", encoding="utf-8")
    result = invoke(str(tmp_path / "new"), "--thresholds", str(own))
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert "own.yaml" in result.output
