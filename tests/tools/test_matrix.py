"""The matrix has the cells that the README promises, as far as the machine has their Python."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "matrix.py"
HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture(scope="module")
def matrix() -> Any:
    """The program, as a module."""
    spec = importlib.util.spec_from_file_location("tools_matrix", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up there
    try:
        spec.loader.exec_module(module)
        return module
    finally:
        del sys.modules[spec.name]


def cells(matrix: Any, *pythons: str) -> set[tuple[str, str, str | None]]:
    """The cells on a machine with this Python and those: the SDK, Python, and OpenTelemetry where it is an old one."""
    found = {version: version for version in matrix.PYTHONS if version in {HERE, *pythons}}
    return {(case.sdk, case.python, case.otel[0] if case.otel else None) for case in matrix._cases(found)}


def test_each_python_of_the_machine_has_a_cell_with_the_newest_sdk(matrix: Any) -> None:
    """And the one that runs it has one for every SDK, and one for the lowest OpenTelemetry."""
    here = {(sdk, HERE, None) for sdk in (*matrix.SDKS, "newest")} | {("newest", HERE, "1.30.0")}
    assert cells(matrix) == here
    others = {version for version in matrix.PYTHONS if version != HERE}
    assert cells(matrix, *others) >= here | {("newest", version, None) for version in others}


def test_the_lowest_opentelemetry_is_the_one_that_is_declared(matrix: Any) -> None:
    """So that the lowest version that a user may have is one that is tested."""
    declared = (SCRIPT.parents[1] / "pyproject.toml").read_text("utf-8")
    api, contrib = matrix.LOWEST_OTEL
    assert f'"opentelemetry-api>={api.removesuffix(".0")}"' in declared
    assert f'"opentelemetry-instrumentation>={contrib}"' in declared


def test_an_old_opentelemetry_is_not_held_to_the_versions_of_a_new_one(matrix: Any) -> None:
    """Its requirements name its versions; the constraints hold neither it nor what it wants in older versions."""
    old = matrix.Case("newest", HERE, sys.executable, matrix.LOWEST_OTEL)
    new = matrix.Case("newest", HERE, sys.executable)
    assert "opentelemetry-sdk==1.30.0" in old.requirements
    assert "opentelemetry-" in new.constraints
    assert "opentelemetry-" not in old.constraints
    assert "\nanthropic==" not in new.constraints


def test_the_catalogue_runs_once_on_each_line_and_every_other_test_everywhere(matrix: Any) -> None:
    """One SDK of each line on this Python has it; the other cells leave those files out, unless they are asked for."""
    found = {version: version for version in matrix.PYTHONS}
    cases = matrix._cases({HERE: HERE, **found})
    having = [case for case in cases if not matrix._left_out(case, matrix.SUITES)]
    assert [(case.sdk, case.python, case.otel) for case in having] == [(sdk, HERE, None) for sdk in matrix.AGREEING]
    assert set(matrix.AGREEING) <= {*matrix.SDKS, "newest"}
    others = [matrix._left_out(case, matrix.SUITES) for case in cases if case not in having]
    left_out = [f"--ignore={path}" for path in matrix.CATALOGUE]
    assert others == [left_out] * (len(cases) - len(having))
    assert not any(matrix._left_out(case, ["tests/e2e"]) for case in cases)
    assert all((SCRIPT.parents[1] / path).is_file() for path in matrix.CATALOGUE)
