"""What a user types and is wrong: one line that says what is, and what to do; never a traceback, never exit code 0."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from anthropic_otel.cli.commands import cli


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of its own, with a file, with binary data, and with what is no YAML."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00\x01")
    (tmp_path / "broken.yaml").write_text("a: [\n")
    (tmp_path / "list.yaml").write_text("- 1\n")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("simulate --port 70000", "'--port': 70000 is not in the range"),
        ("simulate --port x", "'--port': 'x' is not a whole number"),
        ("simulate --port=", "'--port': '' is not a whole number"),
        ("simulate --mix=", "--mix: no fault is named ''"),
        ("simulate --mix http_529=nan", "--mix: probabilities must not be negative"),
        ("simulate --mix http_529=inf", "--mix: probabilities must not be negative or add up"),
        ("simulate --mix http_529=0.1=0.2", "--mix: 'http_529=0.1=0.2' is not FAULT=PROBABILITY"),
        ("simulate --latency nan", "'--latency': 'nan' is not a number"),
        ("simulate --latency 1e400", "'--latency': '1e400' is not a number"),
        ("simulate --pace inf", "'--pace': 'inf' is not a number"),
        ("simulate --words 99999999999999999999", "'--words': 99999999999999999999 is not in the range"),
        ("simulate --seed 1.5", "'--seed': '1.5' is not a whole number"),
        ("simulate more", "unexpected extra argument"),
        ("demo --pace nan", "'--pace': 'nan' is not a number"),
        ("bundle", "Missing argument 'DIRECTORY'"),
        ("bundle ''", "'DIRECTORY': it is empty"),
        ("bundle file", "'DIRECTORY': Directory 'file' is a file"),
        ("bundle file/below", "cannot write to file/below"),
        ("bundle new --job (", "--job is not a valid regular expression: '('"),
        ("bundle new --job 'a\nb'", "--job has a line break or another character that is not printable: 'a\\nb'"),
        ("bundle new --job 'a\xa0b'", "--job has a line break or another character that is not printable: 'a\\xa0b'"),
        ("bundle new --slo nan", "'--slo': 'nan' is not a number"),
        ("bundle new --slo 100", "'--slo': 100.0 is not in the range"),
        ("bundle new --runbooks 'https://a\nb'", "--runbooks has a line break"),
        ("bundle new --grafana=", "--grafana must be an address such as https://grafana.example.com, not ''"),
        ("bundle new --grafana http://u:p@h", "--grafana must be an address"),
        ("bundle new --grafana http://h/?orgId=1", "--grafana must be an address"),
        ("bundle new --runbooks ftp://h", "--runbooks must be an address"),
        ("bundle new --budget inf", "'--budget': 'inf' is not a number"),
        ("bundle new --budget -1", "'--budget': -1.0 is not in the range"),
        ("bundle new --thresholds missing", "'--thresholds': File 'missing' does not exist"),
        ("bundle new --thresholds=", "'--thresholds': it is empty"),
        ("bundle new --thresholds .", "'--thresholds': File '.' is a directory"),
        ("bundle new --thresholds bytes", "it is not text in UTF-8"),
        ("bundle new --thresholds broken.yaml", "it is not YAML (line 2, column 1)"),
        ("bundle new --thresholds list.yaml", "the file must be a mapping"),
        ("bundle new --only=", "--only: names no part"),
        ("bundle new --only rules,nope", "no such part: nope"),
        ("run", "Missing argument"),
        ("run ''", "COMMAND is empty"),
        ("run --sav x -- true", "no such option: --sav"),
        ("run -- missing-program", "missing-program: No such file or directory"),
        ("run --save . -- true", "'--save': '.': Is a directory"),
        ("run --save missing/file -- true", "'--save': 'missing/file': No such file"),
        ("doctor --report=", "'--report': it is empty"),
        ("doctor --report .", "'--report': File '.' is a directory"),
        ("doctor --start never", "'--start': 'never' is not one of"),
        ("stack up --bundle=", "'--bundle': it is empty"),
        ("stack up --bundle file", "'--bundle': Directory 'file' is a file"),
        ("stack up --work=", "'--work': it is empty"),
        ("why never", "no page for 'never'"),
        ("why one two", "unexpected extra argument"),
    ],
)
def test_wrong_input_is_told_in_one_line(line: str, said: str) -> None:
    """With an exit code of failure, and before anything is written."""
    result = invoke(*_words(line))
    assert result.exit_code != 0
    assert isinstance(result.exception, SystemExit)
    [told] = [each for each in result.output.splitlines() if each.startswith("Error: ")]
    assert said in told
    assert result.output.rstrip().endswith(told)
    assert not Path("new").exists()


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"])
@pytest.mark.parametrize(
    "url", ["http://[::1", "http://canary:port", "http://", "ftp://canary", " ", "http://canary x", "'http://canary'"]
)
def test_an_endpoint_to_which_the_demo_can_send_nothing_is_told_before_it_is_played(
    url: str, name: str, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the name of its variable, without the URL, which may be secret."""
    for each in [each for each in os.environ if each.startswith("OTEL_")]:
        monkeypatch.delenv(each)
    monkeypatch.setenv(name, url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    monkeypatch.setattr("anthropic_otel.cli.commands.isolate", _never)
    result = invoke("demo")
    assert result.exit_code == 2
    last = result.output.splitlines()[-1]
    assert last.startswith(f"Error: {name} ")
    assert last.endswith(". Set one such as http://localhost:4318, or unset it")
    assert "canary" not in result.output


def _never() -> None:
    raise AssertionError("the demo went on")


def _words(line: str) -> list[str]:
    """The words of a line, of which one may be quoted."""
    before, quote, rest = line.partition("'")
    inside, _, after = rest.partition("'")
    return [*before.split(), *([inside] if quote else []), *after.split()]
