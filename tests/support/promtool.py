"""Rules as Prometheus' own promtool evaluates them: which alerts fire when, over series that a test makes up.

promtool only compares. Of what it did not expect it says what it got, and that is what is read here.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

Labels = Mapping[str, str]

_AT = re.compile(r"time: (\S+),$")
_EXPRESSION = re.compile(r'expr: (".*"), time: ')
_SAMPLE = re.compile(r"\{([^{}]*)\} (\S+?)(?:,|$)")
_LABELS = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_UNITS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}


def run(promtool: str, work: Path, rules: Sequence[Mapping[str, Any]], test: Mapping[str, Any], interval: int) -> str:
    """What promtool says of a test of some rules; empty if everything is as the test expects."""
    (work / "rules.json").write_text(json.dumps({"groups": [{"name": "shipped", "rules": list(rules)}]}))
    path = work / "test.json"  # promtool reads YAML, of which JSON is a part
    whole = {"rule_files": ["rules.json"], "evaluation_interval": f"{interval}s", "tests": [test]}
    path.write_text(json.dumps(whole))
    said = subprocess.run([promtool, "test", "rules", str(path)], capture_output=True, text=True)
    return said.stdout + said.stderr if said.returncode else ""


def values(
    promtool: str, work: Path, series: Mapping[str, str], queries: Iterable[str], at: int, *, sample: int
) -> dict[str, list[tuple[dict[str, str], float]]]:
    """What each query gives at a second: the labels and the value of each of its series. Without one: an empty list."""
    asked = list(dict.fromkeys(queries))
    test = {
        "interval": f"{sample}s",
        "input_series": [{"series": one, "values": samples} for one, samples in series.items()],
        "promql_expr_test": [{"expr": query, "eval_time": f"{at}s", "exp_samples": []} for query in asked],
    }
    found: dict[str, list[tuple[dict[str, str], float]]] = {query: [] for query in asked}
    query = ""
    said = run(promtool, work, [], test, sample)
    for line in said.splitlines():
        if expression := _EXPRESSION.search(line):
            query = json.loads(expression[1])
        elif line.strip().startswith("got: "):
            found[query] = [
                (dict(_LABELS.findall(labels)), float(value))
                for labels, value in _SAMPLE.findall(line)
                if query in found
            ]
    assert not said or "got: " in said, said
    return found


def firing(
    promtool: str,
    work: Path,
    rules: Sequence[Mapping[str, Any]],
    series: Mapping[str, str],
    at: Iterable[int],
    *,
    sample: int,
    interval: int = 30,
) -> dict[int, list[dict[str, str]]]:
    """The labels of the alerts that fire, by the second. `sample` is the number of seconds between two values."""
    moments = list(at)
    expectations = [
        {"expr": 'ALERTS{alertstate="firing"}', "eval_time": f"{second}s", "exp_samples": []} for second in moments
    ]
    test = {
        "interval": f"{sample}s",
        "input_series": [{"series": one, "values": values} for one, values in series.items()],
        "promql_expr_test": expectations,
    }
    found: dict[int, list[dict[str, str]]] = {second: [] for second in moments}
    second = -1
    said = run(promtool, work, rules, test, interval)
    for line in said.splitlines():
        if moment := _AT.search(line):
            second = sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([wdhms])", moment[1]))
        elif line.strip().startswith("got: "):
            found[second] = [dict(_LABELS.findall(one)) for one in re.findall(r"\{(.*?)\} \S+", line)]
    assert not said or "got: " in said, said
    return found
