"""A `job` is accepted if Prometheus accepts it, by promtool's own word."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from anthropic_otel.bundle import re2

PATTERNS = (
    "", "shop", "shop|search", "shop.*", "[a-z]+/shop", r"eu\.shop", r"[)(?=]+", r"[^]]x", "(?:a|b)c", "(?i)shop",
    "(?i:shop)", "(?P<name>a)", "a{2,3}", "a{1000}", "a+?", r"\(\?=", r"\d+\w\s\b", r"\Ashop", "(?s).",
    "(?!staging/).*", "(?=a)b", "(?<=a)b", "(?<!a)b", r"(a)\1", "(?P<n>a)(?P=n)", "(?>a)", "(a)?(?(1)b|c)", r"shop\Z",
    "a++", "a{1001}", "(?x)a b", "(?a)a", "(", "a)", "[a", "*a", "a**", r"\u0041", "(?#c)a",
    r"[\b]", r"[\\b]", r"\é", r"[\é]", "[[:foo:]]", "(a{100}){100}", "(a{10}){100}", "((a{10}|b){10}c){11}",
    "(?:a{3}){400}", "(?-x:a)",
    "(a{1000})b{1000}", "(a{2,}){501}", r"\{900}\{900}", r"[{,5}]\{,5}", "ü",
)  # fmt: skip


@pytest.mark.parametrize("pattern", ["a{,5}", "a{,}", "(a|b){,2}", "[[:alpha:]]"])
def test_what_prometheus_reads_in_another_way_is_refused(pattern: str) -> None:
    """Prometheus accepts these, but a count without a least number is plain text to it: the rule would never fire."""
    assert "Prometheus" in (re2.problem(pattern) or "")


def test_what_is_accepted_is_what_promtool_accepts(tmp_path: Path) -> None:
    """Each pattern in a rule of its own."""
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("no promtool on the PATH: apt-get install prometheus")
    for pattern in PATTERNS:
        rule = {"record": "a:b", "expr": f"up{{job=~{json.dumps(pattern)}}}"}
        path = tmp_path / "rules.json"
        path.write_text(json.dumps({"groups": [{"name": "g", "rules": [rule]}]}))
        theirs = subprocess.run([tool, "check", "rules", str(path)], capture_output=True).returncode == 0
        assert (re2.problem(pattern) is None) == theirs, pattern
