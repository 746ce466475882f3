"""The proof that the tests hold what was mended: each row names what is there, and is judged by what really failed."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from anthropic_otel.simulator import FAULTS

ROOT = Path(__file__).parents[2]
TEST = "tests/test_words.py::test_the_words_are_those_of_the_entry[ok-httpx2-sync]"
COMMIT = subprocess.run(["git", "-C", str(ROOT), "cat-file", "-e", "a9e8f6a"], capture_output=True, check=False)


@pytest.fixture(scope="module")
def rows() -> Any:
    """The module of the table."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        return importlib.import_module("tools.mended.rows")


@pytest.fixture(scope="module")
def program(rows: Any) -> Any:
    """The module of the program."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        return importlib.import_module("tools.mended.__main__")


def test_each_row_names_entries_and_tests_that_are_there(rows: Any) -> None:
    """One that is renamed is renamed in the table too: pytest runs nothing where it is given a name in vain."""
    assert {fault for row in rows.ROWS for fault in row.faults} <= set(FAULTS)
    for row in rows.ROWS:
        for test in row.tests:
            file, _, name = test.partition("::")
            path = ROOT / ("tools/mended/words.py" if file == "tests/test_words.py" else file)
            functions = {each.name for each in ast.parse(path.read_text("utf-8")).body if hasattr(each, "name")}
            assert name.partition("[")[0] in functions, test


@pytest.mark.parametrize(
    ("control", "found", "proved"),
    [
        ("", "failure: AssertionError: error.type None, not overloaded_error", True),
        ("", "failure: KeyError: 'error.type'", True),
        ("", "", False),
        ("", "error: ImportError: cannot import name 'capture'", False),
        ("", "failure: TypeError: instrument() got an unexpected keyword argument 'sdk_only'", False),
        ("", "failure: KeyError: 'anthropic.client.phase.auth'", False),
        ("", "skipped: httpx2 is not installed", False),
        ("failure: AssertionError: ", "failure: AssertionError: ", False),
        ("error: fixture", "failure: AssertionError: ", False),
    ],
)
def test_a_row_is_proved_by_a_failure_that_is_not_one_of_names(
    rows: Any, program: Any, control: str, found: str, proved: bool
) -> None:
    """A test that fails on today's library, passes on the one from before, or asks it for a new name proves nothing."""
    row = rows.Row("something", ("ok",))
    assert program.judge(row, {TEST: control}, {TEST: found}).proved is proved


def test_a_row_whose_test_did_not_run_is_not_proved(rows: Any, program: Any) -> None:
    """Neither on today's library nor on the one from before."""
    row = rows.Row("something", ("ok", "ok_gzip"))
    failed = "failure: AssertionError: "
    assert not program.judge(row, {TEST: ""}, {TEST: failed}).proved
    assert not program.judge(rows.Row("something", ("ok",)), {TEST: ""}, {}).proved


@pytest.mark.slow
@pytest.mark.skipif(COMMIT.returncode != 0, reason="no checkout with the history of the project")
def test_a_row_fails_on_the_library_from_before() -> None:
    """The program builds both libraries, runs the tests of one row on each, and says so."""
    command = [sys.executable, "-m", "tools.mended", "--only", "inside its end event"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mended: 1 of 1 rows fail" in done.stdout
