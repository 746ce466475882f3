"""The pages of `why`: every word has one, they name only words that exist, and their code runs and cures."""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import re
import subprocess
import sys
import typing
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from anthropic_otel._core import errors, instruments, semconv
from anthropic_otel._otel import logs
from anthropic_otel.bundle import files
from anthropic_otel.cli.why import schema
from anthropic_otel.cli.why.pages import CHECK, FIX, LIKELY, Page, find, pages
from anthropic_otel.simulator import FAULTS, Simulator
from support import backoff, looks

httpx2 = pytest.importorskip("httpx2")

ALL = list(dict.fromkeys(pages().values()))
SCHEMA = {
    *(each.value for values in (semconv.NetworkCause, semconv.AttemptOutcome, semconv.CallOutcome) for each in values),
    *(each.value for values in (semconv.RetryStop, semconv.RetrySource, semconv.Phase) for each in values),
    *semconv.API_ERROR_TYPES,
    *semconv.BEDROCK_EXCEPTIONS,
    *(semconv.UNEXPECTED_CONTENT, semconv.INVALID_EVENT, semconv.FALLBACK),
    *(errors.CLIENT_TIMEOUT_ERROR, errors.CONNECTION_ERROR, errors.CLIENT_ERROR),
}
ATTRIBUTES = {each.name for each in schema.ATTRIBUTES}
STATUSES = {"2xx", "3xx", "4xx", "5xx"}
REQUEST: dict[str, Any] = {
    "model": "claude-sonnet-5-5",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "Hello"}],
}


@functools.cache
def codes() -> set[str]:
    """The error codes that the installed SDK knows."""
    import anthropic.types.shared as shared

    found: set[str] = set()
    for name, cls in vars(shared).items():
        if name.endswith("ErrorDetails") and isinstance(cls, type):
            found.update(typing.get_args(cls.__annotations__["error_code"]))
    return found


each_page = pytest.mark.parametrize("page", ALL, ids=lambda page: page.word)


def test_every_word_of_the_schema_has_a_page() -> None:
    """Causes, outcomes, stop reasons, sources, phases, the API's types and codes, and every status of the catalogue."""
    statuses = {str(fault.status) for fault in FAULTS.values() if fault.status not in (None, 200, 204)}
    assert sorted(word for word in SCHEMA | codes() | statuses if find(word) is None) == []


def test_the_log_names_the_page_of_an_error_code() -> None:
    """Of each code whose page is not that of a status: where the log of a failed call leads to."""
    found = {word: find(word) for word in codes() | logs.CODES_WITH_A_PAGE}
    own = {word for word, page in found.items() if page is not None and not page.word[0].isdigit()}
    assert own == logs.CODES_WITH_A_PAGE


def test_a_word_has_one_page() -> None:
    """No two pages claim the same word."""
    words = [word for page in ALL for word in page.words]
    assert sorted({word for word in words if words.count(word) > 1}) == []


@each_page
def test_a_page_is_for_words_that_exist(page: Page) -> None:
    """Those of the schema, statuses, the API's codes, and the SDK's exceptions."""
    known = SCHEMA | ATTRIBUTES | STATUSES | codes() | {"phase"}
    for word in page.words:
        assert word in known or re.fullmatch(r"[3-5]\d\d", word) or hasattr(anthropic, word) or _shared(word), word


def _shared(name: str) -> bool:
    """Whether it is an exception that the SDK keeps beside its types."""
    import anthropic.types.shared as shared

    return hasattr(shared, name)


@each_page
def test_a_page_names_only_words_that_exist(page: Page) -> None:
    """Whatever looks like a word of the telemetry, or is a page to go to, is one."""
    for name in re.findall(r"`((?:anthropic|http|network|url|server|exception|error)\.[a-z_.]+\*?)", page.text):
        prefix = name.removesuffix("*")
        assert name in ATTRIBUTES or (prefix != name and any(each.startswith(prefix) for each in ATTRIBUTES)), name
    for metric in re.findall(r"\banthropic_client_\w+", page.text):
        assert metric.removesuffix("_count") in {each.prometheus_name for each in instruments.METRICS}, metric
    neighbours = re.findall(r"^- (`.+?):", page.section("Not to be confused with"), re.MULTILINE)
    for word in re.findall(r"`([^`]+)`", " ".join(neighbours)):
        assert find(word) is not None or word == "EMFILE", word
    for word in re.findall(r"anthropic-otel why (\w[\w.]*)", page.text):
        assert find(word) is not None, word


@each_page
def test_a_page_answers_what_somebody_on_call_asks(page: Page) -> None:
    """What it means, what it likely is, how to check, what to do, how to tell it from its neighbours."""
    assert page.text.startswith("# ")
    headings = re.findall(r"^## (.+)$", page.text, re.MULTILINE)
    optional = ["How it looks"] if page.word in looks.FAULT_OF else []
    assert headings == [LIKELY, CHECK, FIX, *optional, "Not to be confused with"]
    assert page.likely
    assert page.meaning.endswith((".", "?"))
    assert len(page.meaning) <= 240


@pytest.mark.parametrize("page", list(looks.FAULT_OF))
def test_a_page_shows_what_its_fault_looks_like(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's error, the span, the metric and the log line, as an app meets the fault now."""
    assert _told(pages()[page].section("How it looks")) == _told(looks.look(page, monkeypatch))


def _told(section: str) -> list[str]:
    """The rows, without the texts of exceptions, which differ between versions of Python and of OpenSSL."""
    return [re.sub(r"`(\w+): [^`]*`", r"`\1`", row) if row.startswith("- SDK") else row for row in section.splitlines()]


# -- the code of the pages ---------------------------------------------------------------------------------------------

CURES = {
    "529": ("http_529", "http_529", "http_529"),
    "500": (),
    "incomplete_body": ("stream_cut", "stream_reset"),
    "incomplete_stream": ("stream_incomplete", "stream_incomplete"),
    "invalid_event": ("stream_invalid_json",),
    "not_retryable": ("stream_overloaded",),
    "429": ("http_429_retry_after_ms",),
    "ramp_limit_exceeded": ("error_ramp_limit",),
    "connection_refused": ("http_529", "http_529", "http_529", "http_529", "http_529"),
    "server_disconnected": ("server_disconnected", "server_disconnected"),
    "409": ("http_409", "http_409", "http_409", "http_409"),
    "exhausted": ("http_529", "http_529"),
}
"""By page, what the code of the page meets first, and gets an answer all the same."""


def blocks() -> Iterator[Any]:
    """Every Python block of every page, but for that which instruments: it would set up logging here."""
    for page in ALL:
        for number, code in enumerate(python_of(page.text), 1):
            if "anthropic_otel" not in code:
                yield pytest.param(page.word, code, id=f"{page.word}-{number}")


def python_of(text: str) -> list[str]:
    """The Python blocks of a page."""
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def run(code: str, name: str = "page") -> dict[str, Any]:
    """What the block defines."""
    made: dict[str, Any] = {}
    exec(compile(code, name, "exec"), made)
    return made


@pytest.mark.parametrize(("page", "code"), list(blocks()))
def test_the_code_of_a_page_gets_an_answer(page: str, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it meets the page's fault first. What asks is asked; a client without that asks by itself."""
    backoff.shorten(monkeypatch)
    with Simulator() as simulator:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", simulator.base_url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-not-a-key\n" if page == "request_not_sent" else "sk-ant-not")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        code = code.replace("https://api.anthropic.com", simulator.base_url)
        code = re.sub(r"proxy=f?\"[^\"]*\"", "proxy=None", code)
        made = run(code, page)
        simulator.play(*CURES.get(page, ()))
        _ask(made)
        for value in made.values():
            if isinstance(value, anthropic.Anthropic):
                value.close()


def test_what_a_page_adds_to_an_app_names_the_cause() -> None:
    """The lines that lead from "Connection error." to the word for what lay beneath, run in an app of their own."""
    [code] = [code for page in ALL for code in python_of(page.text) if "anthropic_otel" in code]
    call = f"import anthropic\nanthropic.Anthropic(api_key='none', max_retries=0).messages.create(**{REQUEST})\n"
    with Simulator() as simulator:
        simulator.play("connection_reset")
        done = subprocess.run(
            [sys.executable, "-c", code + call],
            env={**os.environ, "ANTHROPIC_BASE_URL": simulator.base_url, "NO_PROXY": "127.0.0.1"},
            capture_output=True,
            text=True,
            check=False,
        )
    assert "see: anthropic-otel why connection_reset" in done.stderr
    assert done.stderr.rstrip().endswith("APIConnectionError: Connection error.")


def _ask(made: dict[str, Any]) -> None:
    """Uses what a block defines as its reader would."""
    for name in ("ask", "first_words"):
        if name in made:
            assert made[name](**REQUEST)
            return
    if "ask_async" in made:
        assert asyncio.run(_asked(made))
    elif "fits" in made:
        assert made["fits"](**REQUEST)
    elif "too_large" in made:
        assert not made["too_large"](**REQUEST)
        assert made["too_large"](limit=10, **REQUEST)
    elif "models" in made:
        assert made["models"]() is not None
    elif isinstance(made.get("client"), anthropic.Anthropic):
        client = next((made[name] for name in ("impatient", "patient") if name in made), made["client"])
        assert client.messages.create(**REQUEST).content


async def _asked(made: dict[str, Any]) -> Any:
    try:
        return await made["ask_async"](**REQUEST)
    finally:
        await made["client"].close()


@pytest.mark.parametrize(
    ("page", "function", "fault", "expected"),
    [
        ("billing_error", "out_of_credit", "http_402", True),
        ("billing_error", "out_of_credit", "http_429", False),
        ("enforced_spend_limit_reached", "spent", "error_spend_limit", True),
        ("enforced_spend_limit_reached", "spent", "error_ramp_limit", False),
        ("anthropic.error.code", "error_code", "error_on_hold", "organization_on_hold"),
        ("4xx", "who", "http_451", None),
    ],
)
def test_a_function_of_a_page_tells_one_error_from_another(
    page: str, function: str, fault: str, expected: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the SDK raises them."""
    backoff.shorten(monkeypatch)
    [code] = re.findall(r"^```python\n(.*?)^```$", pages()[page].text, re.MULTILINE | re.DOTALL)
    with Simulator() as simulator:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", simulator.base_url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-not-a-key")
        made = run(code, page)
        simulator.play(*[fault] * 3)
        if "error" not in inspect.signature(made[function]).parameters:
            assert made[function](**REQUEST)[0] == FAULTS[fault].status
            return
        with anthropic.Anthropic() as client, pytest.raises(anthropic.APIStatusError) as raised:
            client.messages.create(**REQUEST)
    assert made[function](raised.value) == expected


def test_the_code_for_a_company_ca_makes_its_certificate_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways, against a server whose certificate no public CA has signed."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-not-a-key")
    page = pages()["tls_certificate_error"]
    assert "SSL_CERT_FILE=/etc/ssl/company-ca.pem python app.py" in page.text
    [code] = re.findall(r"^```python\n(.*?)^```$", page.text, re.MULTILINE | re.DOTALL)
    with Simulator() as simulator:
        endpoint = simulator.endpoint("ok_tls")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", endpoint.base_url)
        made = run(code.replace("cafile=None", f"cafile={str(endpoint.ca_file)!r}"))
        with made["client"] as client:
            assert client.messages.create(**REQUEST).content
        monkeypatch.setenv("SSL_CERT_FILE", str(endpoint.ca_file))
        with anthropic.Anthropic() as client:
            assert client.messages.create(**REQUEST).content


def test_the_code_for_a_proxy_goes_through_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pages' option sends the request to the proxy, here to one that refuses."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-not-a-key")
    for page in ("name_resolution_error", "proxy_error"):
        [code] = re.findall(r"^```python\n(.*?)^```$", pages()[page].text, re.MULTILINE | re.DOTALL)
        with Simulator() as simulator:
            endpoint = simulator.endpoint("proxy_403")
            monkeypatch.setenv("ANTHROPIC_BASE_URL", endpoint.base_url)
            code = code.replace("http://proxy.internal:3128", str(endpoint.proxy))
            code = code.replace("proxy.internal:3128", str(endpoint.proxy).rpartition("/")[2])
            client = run(code)["client"]
            with client, pytest.raises(anthropic.APIConnectionError) as raised:
                client.with_options(max_retries=0).messages.create(**REQUEST)
        assert type(raised.value.__cause__).__name__ == "ProxyError"


def test_the_pages_are_shipped() -> None:
    """`bundle` writes them beside the runbooks, which lead to them."""
    shipped = files.shipped()
    assert {f"docs/why/{page.word}.md" for page in ALL} <= set(shipped)
