"""`ANTHROPIC_BASE_URL`, malformed in every way that people have found."""

from __future__ import annotations

import json
import os
from importlib.util import find_spec
from pathlib import Path

import anthropic
import pytest

from anthropic_otel.cli.doctor.api import base_url
from anthropic_otel.cli.doctor.findings import State
from anthropic_otel.testing import capture

from .conftest import Examine, bad, of, texts

UNUSABLE = {
    "": "is set, but empty",
    "  ": "is set, but empty",
    "https://api.anthropic.com\n": "ends in a blank or newline",
    " https://api.anthropic.com": "begins with a blank",
    "https://api anthropic.com": "has a blank or control character in it",
    '"https://api.anthropic.com"': "has quotes around it",
    "api.anthropic.com": "has no https:// in front (api.anthropic.com)",
    "//api.anthropic.com": "has no https:// in front",
    "https:/api.anthropic.com": "has no https:// in front",
    "ftp://api.anthropic.com": "is neither https:// nor http:// (ftp://)",
    "htps://api.anthropic.com": "is neither https:// nor http:// (htps://)",
    "://": "is neither https:// nor http://",
    "https://": "has no host name",
    "https:///v1": "has no host name",
    "https://host:port": "has a port that is no number from 1 to 65535",
    "https://host:99999": "has a port that is no number from 1 to 65535",
    "https://host:0": "has a port that is no number from 1 to 65535",
    "https://[::1": "has a bracket without its other half",
    "http://[abc]/": "has brackets with no IPv6 address in them",
    "http://user@[127.0.0.1]:80": "has brackets with no IPv6 address in them",
    "http://[v1.a]/": "has brackets with no IPv6 address in them",
    "https://[::1]:port": "has a port that is no number from 1 to 65535",
}


@pytest.mark.parametrize("url", UNUSABLE)
def test_a_url_that_cannot_be_used_is_a_finding(url: str, examine: Examine) -> None:
    """It says what is wrong and what to do, with the word that an attempt would have, and nothing is tried."""
    findings = examine({base_url.NAME: url})
    [fault] = bad(findings)
    assert UNUSABLE[url] in fault.text
    assert fault.remedy
    assert fault.cause == "request_not_sent"
    assert [each.state for each in of(findings, "Network")] == [State.UNTRIED]


@pytest.mark.parametrize("url", ["api.anthropic.com", "ftp://api.anthropic.com", "://", "", " https://x"])
def test_the_sdk_agrees_that_it_cannot_be_used(url: str) -> None:
    """An attempt to such a URL has the same word."""
    client = anthropic.Anthropic(base_url=url, api_key="none", max_retries=0)
    with capture() as captured, client, pytest.raises(anthropic.APIConnectionError):
        client.messages.create(model="claude-opus-5", max_tokens=1, messages=[{"role": "user", "content": "Hello"}])
    assert [attempt.cause for attempt in captured.attempts] == ["request_not_sent"]


@pytest.mark.parametrize(
    "url", ["https://host:port", "https://[::1", "http://[abc]/", "http://[v1.a]/", "https://api.anthropic.com\n"]
)
def test_the_sdk_cannot_even_be_made_with_others(url: str) -> None:
    """Its constructor raises, so that there is no attempt: the word is that for what was not sent."""
    with pytest.raises(Exception, match=r".") as raised:
        anthropic.Anthropic(base_url=url, api_key="none", http_client=anthropic.DefaultHttpxClient())
    assert not isinstance(raised.value, anthropic.APIError)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://api.anthropic.com/v1", "ends in /v1"),
        ("https://api.anthropic.com/v1/", "ends in /v1"),
        ("https://api.anthropic.com/v1/messages", "ends in /v1"),
        ("https://gateway.example/?team=a", "has a query or fragment"),
    ],
)
def test_a_url_that_leads_elsewhere_is_a_fault(url: str, text: str, examine: Examine) -> None:
    """The SDK adds its path to whatever is there."""
    [fault] = bad(examine({base_url.NAME: url}, offline=True))
    assert text in fault.text


def test_a_path_and_user_information_are_not_shown(examine: Examine) -> None:
    """Either may be somebody's key."""
    findings = examine({base_url.NAME: "http://user:pw-canary@gateway.example:8080/path-canary"}, offline=True)
    said = texts(findings)
    assert "http://gateway.example:8080 (and a path)   ANTHROPIC_BASE_URL" in said
    assert "canary" not in said
    assert "has a user name or password in it" in said
    assert "http:// is not encrypted" in said


def test_without_a_variable_it_is_the_api_itself(examine: Examine) -> None:
    """And it says so."""
    [target, *_] = of(examine(offline=True), "Target")
    assert target.text == "https://api.anthropic.com   default; ANTHROPIC_BASE_URL is not set"


def test_the_base_url_of_a_profile_is_used(examine: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK takes it from there where no variable says more."""
    target, [finding, *_] = base_url.examine(os.environ, "http://127.0.0.1:8080/")
    assert target is not None
    assert target.shown == "http://127.0.0.1:8080"
    assert finding.text.endswith("the SDK's profile")


@pytest.mark.parametrize("url", [*(url for url in UNUSABLE if url), "https://gateway.example/v1?team=a"])
def test_a_fault_in_a_profile_is_not_put_down_to_the_variable(url: str) -> None:
    """A bad base URL of the SDK's profile is called that, and no remedy is about a variable that is not set."""
    _, findings = base_url.examine({}, url)
    faults = bad(findings)
    assert faults
    assert all(fault.text.startswith("base_url in the SDK's profile ") for fault in faults)
    assert base_url.NAME not in texts(findings)


@pytest.mark.skipif(find_spec("anthropic.lib.credentials") is None, reason="this SDK has no profiles")
@pytest.mark.parametrize("url", ["https://host:port", "http://gateway.example", "gateway.example", "https://[::1"])
def test_a_profile_that_the_sdk_cannot_use_is_told(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, examine: Examine
) -> None:
    """An app without a key of its own cannot make a client. With a key, the SDK does not read the profile."""
    (tmp_path / "configs").mkdir()
    profile = {"base_url": url, "authentication": {"type": "user_oauth", "credentials_path": str(tmp_path / "none")}}
    (tmp_path / "configs" / "default.json").write_text(json.dumps(profile))
    monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", str(tmp_path))
    with pytest.raises(Exception, match=r".") as raised:
        anthropic.Anthropic()
    [note] = of(examine(offline=True), "Profile")
    assert note.state is State.NOTE
    assert type(raised.value).__qualname__ in note.text
    assert url not in note.text
    assert not of(examine({"ANTHROPIC_API_KEY": "none"}, offline=True), "Profile")


def test_without_a_profile_nothing_is_said_of_one(examine: Examine) -> None:
    """The SDK makes a client for an app that has neither."""
    assert not of(examine(offline=True), "Profile")
