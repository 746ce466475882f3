"""`why -` on tracebacks in the forms in which people paste them: of other tools, encodings, shippers of logs."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from anthropic_otel.cli.commands import cli
from anthropic_otel.cli.redaction import redact
from anthropic_otel.cli.why import reading

PASTED = Path(__file__).parent / "pasted"
REFUSED = """\
Traceback (most recent call last):
  File "/app/.venv/lib/python3.12/site-packages/httpx2/_transports/default.py", line 95, in map_httpcore_exceptions
    yield
httpcore2.ConnectError: [Errno 111] Connection refused

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/app/main.py", line 18, in <module>
    answer = client.messages.create(**request)
anthropic.APIConnectionError: Connection error.
"""
LINES = REFUSED.splitlines()


def words(text: str) -> list[tuple[str | None, int]]:
    """The word of each failure that is found, and how often it was."""
    return [(failure.word, count) for failure, count in reading.failures(redact(text)).items()]


@pytest.mark.parametrize("path", sorted(PASTED.glob("*.txt")), ids=lambda path: path.stem)
def test_a_tool_that_prints_source_is_read_as_one_failure(path: Path) -> None:
    """What pytest, IPython and loguru really printed of a refused connection: nothing in the source is a failure."""
    found = reading.failures(redact(path.read_text(encoding="utf-8")))
    assert [(failure.word, failure.errno, count) for failure, count in found.items()] == [
        ("connection_refused", "ECONNREFUSED", 1)
    ]


def test_what_a_test_had_logged_is_read_beside_its_failure() -> None:
    """pytest prints it below the source; its summary repeats the failure and says nothing new."""
    text = """\
=================================== FAILURES ===================================
____________________________________ test_a ____________________________________

    def test_a():
>       raise anthropic.RateLimitError(...)
E       AssertionError: assert 1 == 2

test_a.py:4: AssertionError
------------------------------ Captured log call -------------------------------
WARNING  anthropic_otel.attempt:logs.py:1 messages.create attempt 1 of 1 failed after 0.2 s: 529 (x)
=========================== short test summary info ============================
FAILED test_a.py::test_a - anthropic.APIConnectionError: Connection error.
"""
    assert words(text) == [("529", 1)]


@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(lambda line: {"MESSAGE": line, "_PID": "1", "PRIORITY": "3", "_HOSTNAME": "web-1"}, id="journald"),
        pytest.param(lambda line: {"log": line + "\n", "kubernetes": {"pod": "app-1"}}, id="fluent bit"),
        pytest.param(lambda line: {"message": line, "host": "web-1", "file": "/var/log/app"}, id="vector"),
        pytest.param(lambda line: {"severity": "ERROR", "textPayload": line}, id="google cloud"),
    ],
)
def test_a_traceback_of_which_each_line_is_a_record_is_one_traceback(wrap: Callable[[str], object]) -> None:
    """The host and the rest of a record do not stand between its lines."""
    text = "".join(json.dumps(wrap(line)) + "\n" for line in LINES)
    assert words(text) == [("connection_refused", 1)]


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(
            {"text": REFUSED, "record": {"type": "APIConnectionError", "value": "Connection error."}},
            id="the same again by name",
        ),
        pytest.param({"message": REFUSED, "exc_info": REFUSED}, id="twice"),
        pytest.param({"exc": json.dumps({"tb": REFUSED})}, id="JSON in JSON"),
        pytest.param(
            {"message": "anthropic.APIConnectionError: Connection error.", "cause": "[Errno 111] Connection refused"},
            id="the cause in a field of its own",
        ),
    ],
)
def test_a_record_tells_of_one_failure_once(record: object) -> None:
    """However often, and however deep in it, the record has it."""
    found = words(json.dumps(record))
    assert ("connection_refused", 1) in found
    assert sum(count for word, count in found if word is not None) == 1


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(REFUSED.encode("utf-16-le"), id="UTF-16, no mark"),
        pytest.param(REFUSED.encode("utf-16-be"), id="UTF-16 big endian, no mark"),
        pytest.param(codecs.BOM_UTF16_BE + REFUSED.encode("utf-16-be"), id="UTF-16 big endian"),
        pytest.param(codecs.BOM_UTF8 + REFUSED.replace("\n", "\r\n").encode(), id="UTF-8 with a mark"),
        pytest.param(REFUSED.replace(" ", "\N{NO-BREAK SPACE}").encode(), id="spaces of a web page"),
        pytest.param("".join(f"\x1b]8;;file:///a\x1b\\{line}\x1b]8;;\x07\n" for line in LINES).encode(), id="links"),
        pytest.param("".join(f"\x1b(B\x1b[m{line}\x1b[38:5:1m\n" for line in LINES).encode(), id="character sets"),
    ],
)
def test_a_text_is_read_as_it_was_meant(raw: bytes) -> None:
    """Whatever the shell or the terminal that it comes from has put around and into it."""
    said = CliRunner().invoke(cli, ["why", "-"], input=raw).output
    first, second, *_ = said.splitlines()
    assert first == "1 × APIConnectionError: Connection error."
    assert second.strip() == "under it: [Errno 111] Connection refused   ECONNREFUSED"


@pytest.mark.parametrize(
    "line",
    [
        "             │ └ <class 'anthropic.APIConnectionError'>",
        "    client: anthropic.Anthropic = anthropic.Anthropic()",
        "    timeout: float | httpx.Timeout | None | NotGiven = not_given,",
        "returns aiohttp.ClientSession and httpx.Response",
    ],
)
def test_a_class_that_is_named_was_not_raised(line: str) -> None:
    """A client, an answer, and what a debugger says of a variable."""
    assert words(line) == []
