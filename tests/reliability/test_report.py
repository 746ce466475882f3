"""The report goes on after a part that did not hold, and says at its end what that was."""

from __future__ import annotations

import json

import pytest

from reliability import report
from reliability.report import Part, close, run

FIGURES = json.dumps(
    {
        "exporter": "well",
        "calls": 9,
        "attempts": 9,
        "in_flight": 0,
        "sockets_left": 3,
        "resident_bytes_per_call": 0.0,
        "calls_per_second": 1,
    }
)


def part(program: str, figure: str = "_passed") -> Part:
    return Part("name", "Title", ["-c", program], getattr(report, figure))


@pytest.mark.parametrize(
    ("program", "figure", "said"),
    [
        (
            "print('FAILED a.py::b - why'); print('1 failed in 1s'); raise SystemExit(1)",
            "_passed",
            "  FAILED a.py::b - why",
        ),
        (
            "print('SKIPPED [1] a.py:1: not here'); print('1 skipped in 1s')",
            "_passed",
            "  SKIPPED [1] a.py:1: not here",
        ),
        ("raise AssertionError('fails under the library')", "_sdk", "  AssertionError: fails under the library"),
        (f"print({FIGURES!r}); raise SystemExit(1)", "_load", f"  {FIGURES}"),
        ("", "_load", "  nothing was printed"),
    ],
    ids=["a test", "a skipped test", "an error", "a load", "silence"],
)
def test_what_did_not_hold_is_said_last(
    program: str, figure: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The part, and of it the tests or the last words: in the last lines, and with an exit code."""
    bad, good = run(part(program, figure)), run(part("print('2 passed in 1s')"))
    assert "**no**" in bad.row
    assert good.row == f"| Title | yes | 2 passed | {good.seconds:.0f} |"
    capsys.readouterr()
    assert close([bad, good]) == 1
    assert capsys.readouterr().out.splitlines() == ["", "Title (name):", said, "", "reliability: 1 passed, 1 failed"]
    assert close([good]) == 0
