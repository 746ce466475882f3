"""The command `why`: a word's page, and what lies beneath a pasted text."""

from __future__ import annotations

import base64
import builtins
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from anthropic_otel.bundle import files
from anthropic_otel.cli.commands import cli
from anthropic_otel.cli.redaction import KEYS, redact
from anthropic_otel.cli.why import reading
from anthropic_otel.cli.why.pages import find, nearest


def invoke(*arguments: str, stdin: str | bytes = "") -> Result:
    return CliRunner().invoke(cli, ["why", *arguments], input=stdin)


def found(text: str) -> dict[str | None, int]:
    """How often each word lay beneath."""
    counted: Counter[str | None] = Counter()
    for failure, count in reading.failures(redact(text)).items():
        counted[failure.word] += count
    return dict(counted)


def is_exception(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)


REFUSED = """\
Traceback (most recent call last):
  File "/app/.venv/lib/python3.12/site-packages/httpx2/_transports/default.py", line 95, in map_httpcore_exceptions
    yield
  File "/app/.venv/lib/python3.12/site-packages/httpcore2/_backends/sync.py", line 204, in connect_tcp
    with map_exceptions(exc_map):
         ^^^^^^^^^^^^^^^^^^^^^^^
httpcore2.ConnectError: [Errno 111] Connection refused

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/app/.venv/lib/python3.12/site-packages/anthropic/_base_client.py", line 1456, in _attempt_request
    response = self._client.send(
httpx2.ConnectError: [Errno 111] Connection refused

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/app/main.py", line 18, in <module>
    answer = client.messages.create(**request)
anthropic.APIConnectionError: Connection error.
"""
WRAPPED = (
    REFUSED
    + """
The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/app/main.py", line 30, in answer
    raise ServiceError("Claude is away") from error
shop.errors.ServiceError: Claude is away
"""
)


# -- words -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "page"),
    [
        ("connection_reset", "connection_reset"),
        ("ECONNRESET", "connection_reset"),
        ("ENETUNREACH", "network_unreachable"),
        ("EAI_AGAIN", "name_resolution_error"),
        ("anthropic.APITimeoutError", "client_timeout_error"),
        ("apiconnectionerror", "APIConnectionError"),
        ("529", "529"),
        ("`overloaded_error`,", "529"),
        ("418", "4xx"),
        ("598", "5xx"),
        ("wait", "anthropic.client.network.phase"),
        ("ramp_limit_exceeded", "ramp_limit_exceeded"),
        ("AnthropicTimeouts", "AnthropicTimeouts"),
        ("anthropic.client.retry.delay", "anthropic.client.retry.delay"),
        ("anthropic_client_call_duration_seconds_bucket", "anthropic.client.call.duration"),
    ],
)
def test_a_word_is_found_as_it_is_met(word: str, page: str) -> None:
    """A cause, a system's error, an exception, a status, a type, a phase, an alert, an attribute, a metric."""
    result = invoke(word)
    assert result.exit_code == 0, result.output
    assert result.output.startswith("# ")
    assert (known := find(word)) is not None
    assert known.word == page


@pytest.mark.parametrize("word", ["", "a" * 5000, "../../etc/passwd", "a\x00b", "é", " "])
def test_whatever_is_asked_for_gets_one_line(word: str) -> None:
    """Also what no file could be named."""
    result = invoke(word)
    assert result.exit_code == 1
    assert len(result.output.splitlines()) == 1
    assert len(result.output) < 150


def test_an_unknown_word_gets_suggestions_and_a_failure() -> None:
    """In one line, without a traceback; a key that was pasted is not repeated."""
    result = invoke("conection_resett")
    assert result.exit_code == 1
    assert result.output.startswith("Error: no page for 'conection_resett'. Did you mean: connection_reset")
    assert nearest("timeout")
    assert "sk-ant" not in invoke("sk-ant-api03-abcdefghijkl").output
    assert invoke().exit_code == 2


def test_every_word_is_listed() -> None:
    """One line per page."""
    assert "429 rate_limit_error" in invoke("--list").output


def test_a_page_in_ascii_is_ascii() -> None:
    """Where the output has no other characters, none is a question mark."""
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "anthropic_otel.cli", "why", "connection_reset"]
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    assert b"failed after ... s" in done.stdout
    done = subprocess.run(
        [*command[:-1], "-"], env=environment, input=REFUSED.encode(), capture_output=True, check=True
    )
    assert done.stdout.startswith(b"1 x APIConnectionError: Connection error.")


# -- pasted texts ------------------------------------------------------------------------------------------------------


def test_a_traceback_is_explained_by_what_lay_beneath_it() -> None:
    """Counted, with the word, the likely reasons and where to read more, however the app wrapped it."""
    result = invoke("-", stdin=REFUSED + "some other line\n" + REFUSED + WRAPPED)
    assert result.exit_code == 0
    assert result.output.startswith("3 × APIConnectionError: Connection error.")
    assert "under it: [Errno 111] Connection refused" in result.output
    assert "connection_refused: Nothing listens at the address" in result.output
    assert "1 A wrong host or port  2 A firewall or network policy" in result.output
    assert "More    anthropic-otel why connection_refused" in result.output


def indented(text: str) -> str:
    return "".join(f"    {line}" for line in text.splitlines(keepends=True))


def before_each_line(*prefixes: str) -> Callable[[str], str]:
    """Puts one of the prefixes before each line, one after the other."""
    return lambda text: "".join(
        f"{prefixes[at % len(prefixes)]}{line}" for at, line in enumerate(text.splitlines(keepends=True))
    )


def docker(text: str) -> str:
    return "".join(
        json.dumps({"log": line, "stream": "stderr", "time": "2026-11-29T03:12:07Z"}) + "\n"
        for line in text.splitlines(keepends=True)
    )


def as_rich_prints(text: str) -> str:
    """The text as `rich.traceback` prints it: in boxes, and with classes that have no module."""
    text = re.sub(
        r"(?m)^Traceback \(most recent call last\):$", f"╭{'─' * 9} Traceback (most recent call last) {'─' * 9}╮", text
    )
    text = re.sub(r'(?m)^  File "(.*)", line (\d+), in (.*)$', r"│ \1:\2 in \3   │", text)
    text = re.sub(r"(?m)^    (.*)$", r"│ ❱ 3 \1   │", text)
    return re.sub(r"(?m)^(?:httpx2|httpcore2|anthropic)\.(\w+: )", rf"╰{'─' * 60}╯\n\1", text)


def as_structlog_has_it(text: str) -> list[dict[str, object]]:
    """The exceptions of the text as structlog's `dict_tracebacks` has them, the outermost first."""
    named = re.findall(r"(?m)^\w+\.(\w+): (.*)$", text)
    return [
        {
            "exc_type": name,
            "exc_value": message,
            "is_cause": bool(at),
            "frames": [{"filename": "/a.py", "lineno": 1, "name": "f"}],
        }
        for at, (name, message) in enumerate(reversed(named))
    ]


@pytest.mark.parametrize(
    "wrap",
    [
        str,
        indented,
        docker,
        lambda text: json.dumps({"level": "error", "event": "Claude failed", "exc_info": text}),
        lambda text: json.dumps({"text": f"03:12:07 | ERROR | Claude failed\n{text}", "record": {"level": {"no": 40}}}),
        lambda text: text.replace("\n", "\\n"),
        lambda text: f"level=error msg=failed exc_info={json.dumps(text)} pod=shop-1",
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "".join(f"shop-1  | {line}" for line in text.splitlines(keepends=True)),
        lambda text: "".join(f"2026-11-29T03:12:07.1Z stderr F {line}" for line in text.splitlines(keepends=True)),
        lambda text: "".join(f"Nov 29 03:12:07 web shop[12]: {line}" for line in text.splitlines(keepends=True)),
        lambda text: f"ERROR:shop:Claude failed: Connection error.\n{text}",
        lambda text: text.replace("Traceback (", "2026-11-29 ERROR Traceback (", 1),
        before_each_line("2026-11-29T03:12:07.123Z shop[12]: ", "2026-11-29T03:12:08.009Z shop[12]: "),
        before_each_line("12:01:02,003 ERROR shop MainThread ", "12:01:02,004 ERROR shop MainThread "),
        before_each_line("> "),
        lambda text: re.sub(r"(?m)^(Traceback|anthropic)", "\x1b[1;31m\\1\x1b[0m", text),
        as_rich_prints,
        lambda text: json.dumps({"event": "failed", "exception": as_structlog_has_it(text)}),
    ],
    ids=[
        *("plain", "indented", "docker", "json", "loguru", "escaped", "logfmt", "crlf"),
        *("compose", "cri", "journald", "headline", "prefixed"),
        *("times", "thread", "quoted", "colours", "rich", "structlog"),
    ],
)
def test_a_traceback_is_read_whatever_stands_around_it(wrap: object) -> None:
    """As loggers and containers write it, it is one failure, with what lay beneath it."""
    assert callable(wrap)
    [(failure, count)] = reading.failures(redact(wrap(REFUSED))).items()
    assert (failure.shown, failure.beneath, failure.word, count) == (
        "APIConnectionError: Connection error.",
        "[Errno 111] Connection refused",
        "connection_refused",
        1,
    )


def test_tracebacks_of_two_threads_that_are_written_between_each_other_are_told_apart() -> None:
    """Line by line, each under the name of its thread."""
    others = REFUSED.replace("[Errno 111] Connection refused", "[Errno -2] Name or service not known")
    one, two = (before_each_line(f"[worker-{name}] ")(text).splitlines() for name, text in ((1, REFUSED), (2, others)))
    text = "\n".join(line for pair in zip(one, two, strict=True) for line in pair)
    assert found(text) == {"connection_refused": 1, "name_resolution_error": 1}


GROUP = """\
  + Exception Group Traceback (most recent call last):
  |   File "/app/main.py", line 10, in main
  |     async with asyncio.TaskGroup() as group:
  | ExceptionGroup: unhandled errors in a TaskGroup (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/lib/httpcore2/_async/connection.py", line 156, in _connect
    |     stream = await self._network_backend.connect_tcp(**kwargs)
    | httpcore2.ConnectError: [Errno -2] Name or service not known
    |
    | The above exception was the direct cause of the following exception:
    |
    | Traceback (most recent call last):
    |   File "/lib/anthropic/_base_client.py", line 1032, in request
    |     raise APIConnectionError(request=request) from err
    | anthropic.APIConnectionError: Connection error.
    +---------------- 2 ----------------
    | Traceback (most recent call last):
    |   File "/lib/anthropic/_base_client.py", line 1047, in request
    |     raise self._make_status_error_from_response(err.response) from None
    | anthropic.RateLimitError: Error code: 429 - {'type': 'error', 'error': {'type': 'rate_limit_error'}}
    +------------------------------------
"""


@pytest.mark.parametrize(
    ("function", "last", "found_there"),
    [
        ("__stream__", "anthropic", {"invalid_event": 1}),
        ("__stream__", "app", {"_OTHER": 1}),
        ("snapshot", "anthropic", {"_OTHER": 1}),
    ],
)
def test_what_the_sdk_makes_no_message_of_is_an_event(function: str, last: str, found_there: dict[str, int]) -> None:
    """A builtin exception of the code that collects a message is of an event; one of the app's code is not."""
    text = f"""\
Traceback (most recent call last):
  File "app.py", line 1, in ask
  File "/x/anthropic/lib/streaming/_messages.py", line 130, in {function}
    self.__final_message_snapshot = accumulate_event(
  File "/x/{last}/lib/streaming/_messages.py", line 480, in accumulate_event
IndexError: list index out of range
"""
    assert found(text) == found_there


def test_what_is_in_an_exception_group_is_explained_one_by_one() -> None:
    """The group itself says nothing."""
    assert found(GROUP) == {"name_resolution_error": 1, "429": 1}


@pytest.mark.parametrize("name", [name for name, each in vars(builtins).items() if is_exception(each)])
def test_a_traceback_may_end_in_any_exception_of_python(name: str) -> None:
    """Also in one that is not made of a message."""
    frame = '  File "/lib/anthropic/_base_client.py", line 1, in request\n    raise\n'
    assert sum(found(f"Traceback (most recent call last):\n{frame}{name}: x\n").values()) <= 1


def test_a_line_of_source_is_no_failure() -> None:
    """It names an exception that may never have been raised."""
    assert found("    raise APIConnectionError(request=request) from err\n  ❱ 3 raise RateLimitError(x)\n") == {}


def test_a_log_that_powershell_has_written_is_read() -> None:
    """It is in UTF-16, with a mark in front that says so."""
    for encoding in ("utf-16", "utf-8-sig"):
        assert invoke("-", stdin=REFUSED.encode(encoding)).output.startswith(
            "1 × APIConnectionError: Connection error."
        )


def pasted_lines() -> list[tuple[str, str | None]]:
    """Lines of logs, each with the word that explains it, if it says enough."""
    text = Path(__file__).with_name("pasted_lines.tsv").read_text(encoding="utf-8")
    return [(line, word or None) for word, _, line in (row.partition("\t") for row in text.splitlines())]


@pytest.mark.parametrize(("text", "word"), pasted_lines())
def test_a_line_is_explained_without_a_traceback(text: str, word: str | None) -> None:
    """As far as it says anything. Linux, macOS and Windows number and word the same errors differently."""
    assert list(found(text)) == [word]


def test_what_the_sdk_alone_says_is_said_to_be_no_cause() -> None:
    """And how to make the next log say it."""
    output = invoke("-", stdin="anthropic.APIConnectionError: Connection error.\n").output
    assert "1 × APIConnectionError: Connection error." in output
    assert "logging.exception" in output


@pytest.mark.parametrize("name", ["anthropic.APIConnectionError", "litellm.exceptions.APIConnectionError"])
def test_of_a_message_that_may_quote_the_app_only_the_first_sentence_is_shown(name: str) -> None:
    """That of LiteLLM's exceptions too, which have the SDK's sentence and then more."""
    text = f'Traceback (most recent call last):\n  File "a.py", line 1, in f\n{name}: Connection error. I asked: who'
    assert [failure.shown for failure in reading.failures(text)] == ["APIConnectionError: Connection error."]


def test_a_text_without_a_failure_says_so_and_fails() -> None:
    """Errors of the app's own are none of the network's."""
    text = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    {}[1]\nKeyError: 1\n'
    result = invoke("-", stdin=text)
    assert result.exit_code == 1
    assert "Nothing in it looks like a failure" in result.output
    assert found('Traceback (most recent call last):\n  File "a.py", line 1, in f\nOSError: disk on fire\n') == {}


@pytest.mark.slow
def test_what_is_not_text_and_what_is_long_is_read_as_far_as_it_goes() -> None:
    """Bytes of no encoding, and more than 8 MB, of which the first are read."""
    assert invoke("-", stdin=b"\xff\xfe\x00" + REFUSED.encode()).output.startswith("1 × APIConnectionError")
    long = invoke("-", stdin=REFUSED.encode() + b"x" * (8 * 1024 * 1024))
    assert "Only the first 8 MB were read" in long.output


# -- redaction ---------------------------------------------------------------------------------------------------------

SECRET = "swordfish-1234567890"


@pytest.mark.parametrize(
    "text",
    [
        f"key sk-ant-api03-{SECRET}",
        f"Authorization: Bearer {SECRET}",
        f"authorization: Basic {SECRET}",
        f"{{'x-api-key': '{SECRET}', 'a': 1}}",
        f"Headers([('authorization', '{SECRET}'), ('host', 'x')])",
        f'curl -H "x-api-key: {SECRET}" https://api.anthropic.com',
        f"ANTHROPIC_API_KEY={SECRET}",
        f'"AWS_SECRET_ACCESS_KEY": "{SECRET}"',
        f"HTTPS_PROXY=http://user:{SECRET}@proxy.corp:3128",
        f"GET https://api.anthropic.com/v1/files?token={SECRET} failed",
        f"Max retries exceeded with url: /token?assertion={SECRET} (Caused by",
        f"httpx.LocalProtocolError: Illegal header value b'{SECRET}\\n'",
        f"json_data: {{'messages': [{{'role': 'user', 'content': 'my password is {SECRET}'}}]}}",
        f'{{"type":"content_block_delta","delta":{{"type":"text_delta","text":"it is {SECRET}"}}}}',
        json.dumps({"body": json.dumps({"messages": [{"content": f'{SECRET} "quoted" {SECRET}'}]})}),
        f"{{'system': 'be {SECRET}",
        f"{{'input': {{'city': '{SECRET}', 'more': ['{SECRET}']}}, 'name': 'x'}}",
        f"Message(content=[TextBlock(citations=None, text='{SECRET}', type='text')], role='assistant')",
        f"create(max_tokens=64, system='{SECRET}', messages=[{{'role': 'user'}}, '{SECRET}'])",
        f"app --api-key {SECRET} --auth-token={SECRET} --no-color",
        f"curl -u me:{SECRET} --user you:{SECRET} https://gateway.corp/",
        f"x-goog-api-key: {SECRET}",
        f"https://login.corp/#access_token={SECRET}",
        f"passwd={SECRET} private_key: {SECRET} authToken='{SECRET}' token={SECRET}",
        f"OPENAI_KEY is sk-proj-{SECRET}, GitHub's ghp_{'a1' * 10}{SECRET.replace('-', '')}",
        f"-----BEGIN RSA PRIVATE KEY-----\nMII{SECRET.replace('-', '')}\nMII\n-----END RSA PRIVATE KEY-----",
        f"-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: DES-CBC,01A\n\n{SECRET.replace('-', '')}",
        f"-----BEGIN EC PRIVATE KEY-----\\nProc-Type: 4,ENCRYPTED\\nDEK-Info: DES-CBC,0\\n\\n{SECRET.replace('-', '')}",
    ],
)  # fmt: skip
def test_what_nobody_else_may_read_is_taken_out(text: str) -> None:
    """Keys, headers, variables, proxy passwords, query strings, prompts, replies and tools' input; once is enough."""
    redacted = redact(text)
    assert SECRET not in redacted
    assert SECRET.replace("-", "") not in redacted
    assert redact(redacted) == redacted


def test_what_follows_a_private_key_stays() -> None:
    """Also if it is redacted a second time, as the text inside of a JSON record is."""
    redacted = redact(f"-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\n{REFUSED}")
    assert redacted.endswith(REFUSED)
    assert redact(redacted) == redacted


@pytest.mark.parametrize("before", ["", "a", "ab"])
def test_a_key_in_base64_is_taken_out(before: str) -> None:
    """As bytes are written in a span's attributes, wherever in them the key begins."""
    encoded = base64.b64encode(f"{before}sk-ant-api03-{SECRET}".encode()).decode()
    assert encoded[-12:] not in redact(f"attribute: {encoded}")


def test_what_helps_to_find_the_cause_stays() -> None:
    """A traceback, the API's error type and code, a request id, a status, a host."""
    kept = (
        REFUSED,
        "Error code: 429 - {'type': 'error', 'error': {'type': 'rate_limit_error', 'message': 'Slow down'}, "
        "'request_id': 'req_011CS'}",
        "messages.create attempt 1 of 3 failed after 0.247 s: 529 (overloaded_error), retried after 1.000 s, "
        "api.anthropic.com:443, request id req_01jFHjfkWr8e7jMghfDqEXgE",
        "usage: input_tokens=12, output_tokens=3, max_tokens: 64; the prompt is too long; content-type: text/plain",
        "ValueError: Unexpected token at position 3; --token-file is missing; python -u app.py --verbose",
    )
    for text in kept:
        assert redact(text) == text


def test_nothing_of_a_secret_is_printed() -> None:
    """Whatever of a text is shown passed the same rules."""
    text = REFUSED.replace("Connection error.", f"Connection error. sk-ant-api03-{SECRET}")
    text += f"httpx.ConnectError: [Errno 111] Connection refused http://u:{SECRET}@proxy:1/?a={SECRET}\n"
    assert SECRET not in invoke("-", stdin=text).output


@pytest.mark.parametrize("tier", ["agent.yaml", "all-in-one.yaml"])
def test_the_collector_masks_keys_by_the_same_patterns(tier: str) -> None:
    """One rule set: those of the Collector configs are among those of the command."""
    config = yaml.safe_load(files.source(f"collector-config/{tier}").read_text(encoding="utf-8"))
    assert set(config["processors"]["redaction"]["blocked_values"]) <= set(KEYS)


def test_a_long_log_is_read_in_one_go() -> None:
    """The time grows with the length, and not with its square, also for what looks like the beginning of a secret."""
    beginnings = (
        *("x-api-key: ", '{"content": "', "{'messages': [", "https://a?", "[Errno ", "Traceback "),
        *("http://", "anthropic.", "\\", "eyJaaaaaaaa-", '{"a":' + "[" * 10_000),
    )
    for line in beginnings:
        text = line * (1_000_000 // len(line))
        assert redact(text) is not None
        assert reading.failures(text) is not None


def test_the_pages_need_no_sdk(tmp_path: Path) -> None:
    """Whoever is on call has the command alone: neither the SDK nor OpenTelemetry's is imported."""
    code = (
        "import sys; from anthropic_otel.cli.why import reading, pages; pages.find('529'); "
        "print([m for m in ('anthropic', 'httpx', 'opentelemetry.sdk') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
