"""The benchmark programs run: every case, every variant of ours, every figure. Their figures are not looked at."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow


def _run(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_case_runs_and_every_figure_is_printed() -> None:
    """The whole program runs with the smallest counts and prints a figure for each case and each goal of ours."""
    report = _run("benchmarks", "--tiny", "--no-peers")
    sections = report.split("\n## ")
    rows = Counter(section.partition("\n")[0].partition(":")[0] for section in sections)
    assert rows["Calls"] == 2
    goals = next(section for section in sections if section.startswith("Goals")).splitlines()[4:]
    unknown = [goal for goal in goals if goal.endswith("| -     |")]
    assert len(goals) == 10
    assert all("HTTPX2" in goal or "growth" in goal for goal in unknown)


def test_a_delta_is_measured_in_chunks_of_both_kinds() -> None:
    """With an event per chunk and in chunks of 1,460 bytes, sync and async, each with whether it is cheap enough."""
    header, _, *rows = _run("benchmarks.deltas", "--tiny").splitlines()
    assert header.split("|")[-2].strip() == "at most 5 %"
    found = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]
    assert [row[0] for row in found] == [
        "an event per chunk",
        "chunks of 1,460 bytes",
        "an event per chunk, async",
        "chunks of 1,460 bytes, async",
    ]
    assert {row[-1] for row in found} <= {"yes", "NO"}


def test_a_create_is_measured_where_nothing_is_taken_off() -> None:
    """Also with cold caches, with its ratio to the floor and to the instrumentor."""
    header, _, *rows = _run("benchmarks.steady", "--tiny").splitlines()
    assert [cell.strip() for cell in header.split("|")[-4:-1]] == ["ours / floor", "ours / by hand", "ours / httpx2"]
    assert [row.split("|")[1].strip() for row in rows] == ["create, async", "create, cold"]


def test_the_reading_of_a_log_is_measured_for_each_kind() -> None:
    """Next to finding its words, each with whether that is cheap enough."""
    header, _, *rows = _run("benchmarks.logs", "--tiny").splitlines()
    assert header.split("|")[-2].strip() == "at most 8"
    assert len(rows) == 5
    assert {row.split("|")[-2].strip() for row in rows} <= {"yes", "NO"}


def test_the_floor_makes_the_calls_that_the_library_makes() -> None:
    """The recording has the attempt's span with its start and end, and a measurement for each histogram of a call."""
    first, *others = [case.split("#   ")[0] for case in _run("benchmarks.floor").split("# Case")[1:]]
    assert first.count("start_span(") == 1
    assert first.count(".set_attributes(") == 1
    assert first.count(".end(") == 1
    assert first.count(".add(") == 0
    assert first.count(".record(") == 2
    assert "inject" in first
    # A stream has its first chunk as well. Each case is recorded anew.
    assert [case.count(".record(") for case in others] == [4, 2]


def test_the_profile_names_functions_of_the_library() -> None:
    """The profile of a call lists functions of ours, with how often they were entered."""
    assert "_otel/call_recorder.py" in _run("benchmarks.profile_call")


def test_the_bytecodes_of_a_call_are_counted() -> None:
    """So are those that differ, next to the instrumentor's, those of each function, and how often it was entered."""
    printed = _run("benchmarks.bytecodes", "create")
    ours, peer = ([int(cell.replace(",", "")) for cell in row.split("|")[2:4]] for row in printed.splitlines()[2:4])
    assert 0 < ours[1] < ours[0]
    assert 0 < peer[1] < peer[0]
    assert "_otel/call_recorder.py" in printed
    assert [line.split(":")[0] for line in printed.splitlines() if "entered" in line and ":" in line] == [
        *("anthropic_otel", "opentelemetry", "others")
    ]
