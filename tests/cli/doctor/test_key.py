"""Malformed keys, tokens and headers: what is wrong, where, and what the SDK does with them."""

from __future__ import annotations

import anthropic
import pytest

from anthropic_otel.cli.doctor.api import key
from anthropic_otel.cli.doctor.findings import Finding, State
from anthropic_otel.simulator import Simulator
from anthropic_otel.testing import capture

from .conftest import bad, texts

SECRET = "sk-ant-api03-CANARYcanary0123456789"
UNSENDABLE = {
    f"{SECRET}\n": "ends in a newline",
    f"{SECRET}\r\n": "ends in a newline",
    f"{SECRET} ": "ends in a blank",
    f"{SECRET}\t": "ends in a blank",
    f"{SECRET}\n{SECRET}": "has a line break at 36 of 71",
    f"{SECRET}\x00x": "has a control character at 36 of 37",
    " ": "is blank",
}
UNKNOWN = {
    f'"{SECRET}"': "has quotes around it",
    f"'{SECRET}'": "has quotes around it",
    f" {SECRET}": "begins with a space",
    f"{SECRET}–": "has a character that no key has, at 36 of 36 (U+2013)",
    f"\ufeff{SECRET}": "has a character that no key has, at 1 of 36 (U+FEFF)",
    f"Bearer {SECRET}": 'begins with "Bearer "',
    "${ANTHROPIC_API_KEY}": "looks like a placeholder",
    "$(cat key)": "looks like a placeholder",
    "<your key>": "looks like a placeholder",
    "sk-ant-...": "looks like a placeholder",
    "your-api-key": "looks like a placeholder",
    "sk-ant-admin01-CANARYcanary": "is an admin key",
}


def of_key(value: str, name: str = key.KEY, **others: str) -> list[Finding]:
    return key.examine({name: value, **others}, to_the_api=True)


@pytest.mark.parametrize("value", UNSENDABLE)
def test_a_key_that_cannot_be_sent_has_the_word_for_it(value: str) -> None:
    """That is `request_not_sent`; the SDK says no more than that there was a connection error."""
    [fault, *_] = bad(of_key(value))
    assert UNSENDABLE[value] in fault.text
    assert 'the SDK will say "Connection error."' in fault.text
    assert (fault.cause, bool(fault.remedy)) == ("request_not_sent", True)


@pytest.mark.parametrize("value", [value for value in UNSENDABLE if value.strip()])
def test_the_sdk_agrees_that_it_cannot_be_sent(value: str, sim: Simulator) -> None:
    """An attempt with such a key has the same word, and nothing reached the server."""
    before = len(sim.requests)
    client = anthropic.Anthropic(base_url=sim.base_url, api_key=value, max_retries=0)
    with capture() as captured, client, pytest.raises(anthropic.APIConnectionError, match="Connection error"):
        client.messages.create(model="claude-opus-5", max_tokens=1, messages=[{"role": "user", "content": "Hello"}])
    assert [attempt.cause for attempt in captured.attempts] == ["request_not_sent"]
    assert len(sim.requests) == before


@pytest.mark.parametrize("value", UNKNOWN)
def test_a_key_that_the_api_cannot_know_is_a_fault(value: str) -> None:
    """It can be sent, so that it has no word of the network's."""
    [fault, *_] = bad(of_key(value))
    assert UNKNOWN[value] in fault.text
    assert (fault.cause, bool(fault.remedy)) == (None, True)


@pytest.mark.parametrize("value", [*UNSENDABLE, *UNKNOWN])
def test_nothing_of_a_key_is_shown(value: str) -> None:
    """But its length."""
    said = texts(of_key(value))
    assert "CANARY" not in said
    assert f"ANTHROPIC_API_KEY, {len(value)} characters" in said


def test_a_key_as_it_should_be_is_a_fact_and_not_green() -> None:
    """It has not been tried."""
    [only] = of_key(SECRET)
    assert (only.state, only.text) == (State.INFO, f"ANTHROPIC_API_KEY, {len(SECRET)} characters")


def test_another_services_key_is_worth_a_line_only_for_the_api() -> None:
    """A gateway has keys of its own."""
    assert [each.state for each in of_key("abc")] == [State.INFO, State.NOTE]
    assert [each.state for each in key.examine({key.KEY: "abc"}, to_the_api=False)] == [State.INFO]


def test_a_long_key_may_have_any_word_in_it_by_chance() -> None:
    """A hundred random letters are no placeholder."""
    assert not bad(of_key("sk-ant-api03-" + "xxx".join(["A1b2C3d4E5f6G7h8"] * 6)))


def test_the_token_is_looked_at_too() -> None:
    """And two at once are worth a line, as versions of the SDK differ."""
    findings = of_key(f"{SECRET}\n", key.TOKEN, **{key.KEY: SECRET})
    [fault] = bad(findings)
    assert fault.text.startswith("ends in a newline")
    assert "ANTHROPIC_AUTH_TOKEN is set beside ANTHROPIC_API_KEY" in texts(findings)


def test_without_a_key_it_is_said() -> None:
    """An empty one is no key."""
    assert "neither ANTHROPIC_API_KEY nor ANTHROPIC_AUTH_TOKEN is set here" in texts(key.examine({}, to_the_api=True))
    assert "ANTHROPIC_API_KEY is set, but empty" in texts(of_key(""))


@pytest.mark.parametrize(
    ("value", "text", "cause"),
    [
        ("no colon CANARY", "line 1 of ANTHROPIC_CUSTOM_HEADERS has no colon", None),
        (
            "x: 1\nbad name: CANARY",
            "line 2 of ANTHROPIC_CUSTOM_HEADERS: its name is not one of a header",
            "request_not_sent",
        ),
        (": CANARY", "line 1 of ANTHROPIC_CUSTOM_HEADERS: its name is not one of a header", "request_not_sent"),
        ("x: CANARY\x00", "line 1 of ANTHROPIC_CUSTOM_HEADERS has a control character", "request_not_sent"),
    ],
)
def test_malformed_headers_are_findings(value: str, text: str, cause: str | None) -> None:
    """A header in each line, as the SDK reads them."""
    findings = key.examine({key.HEADERS: value}, to_the_api=True)
    [fault] = bad(findings)
    assert text in fault.text
    assert fault.cause == cause
    assert "CANARY" not in texts(findings)


def test_headers_as_they_should_be_are_counted() -> None:
    """Their values are not shown."""
    findings = key.examine({key.HEADERS: "X-One: CANARY\nX-Two: b"}, to_the_api=True)
    assert not bad(findings)
    assert "ANTHROPIC_CUSTOM_HEADERS, 2 lines (values not shown)" in texts(findings)
    assert "CANARY" not in texts(findings)
