"""The proxy's variables: which one is used, and which break the client."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from anthropic_otel.cli.doctor.api import proxies
from anthropic_otel.cli.doctor.api.request import make
from anthropic_otel.cli.doctor.findings import State

from .conftest import Examine, bad, of, texts

UNUSABLE = {
    "ftp://proxy.example:1": "is not a proxy that the SDK can use (ftp://)",
    "socks4://proxy.example:1": "is not a proxy that the SDK can use (socks4://)",
    "http://proxy.example:port": "is not the URL of a proxy",
    "http://proxy.example:99999": "is not the URL of a proxy",
    "http://[::1": "is not the URL of a proxy",
    "http://": "is not the URL of a proxy",
    "http://proxy.example:3128\n": "has a blank or newline in it",
    '"http://proxy.example:3128"': "has quotes around it",
}


@pytest.mark.parametrize("value", UNUSABLE)
def test_a_malformed_proxy_is_a_finding(value: str, examine: Examine) -> None:
    """It says what is wrong, and nothing is tried."""
    findings = examine({"HTTPS_PROXY": value}, offline=True)
    [fault] = bad(findings)
    assert UNUSABLE[value] in fault.text
    assert (fault.cause, bool(fault.remedy)) == ("request_not_sent", True)


@pytest.mark.parametrize("value", ["ftp://proxy.example:1", "http://proxy.example:port", "http://[::1"])
def test_the_sdk_cannot_be_made_with_it(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for another scheme either: all of them are read."""
    monkeypatch.setenv("HTTP_PROXY", value)
    assert make("https://api.anthropic.com").cause == "request_not_sent"


@pytest.mark.parametrize("entry", ["[::1", "x:y", "\x01"])
def test_an_exception_that_the_sdk_cannot_read_is_named(entry: str, examine: Examine) -> None:
    """One of them breaks every client of the process, whatever its proxy is."""
    findings = examine({"NO_PROXY": f"localhost,10.0.0.0/8,::1,{entry},.example.com"}, offline=True)
    [fault] = bad(findings)
    assert fault.text.startswith("NO_PROXY has an entry that the SDK cannot read")
    assert (entry in fault.text) == entry.isprintable()


@pytest.mark.parametrize("value", ["*", "localhost, 127.0.0.1,10.0.0.0/8,::1", ".example.com,*.example.com,a_b:80"])
def test_an_exception_that_can_be_read_is_no_finding(value: str, examine: Examine) -> None:
    """They are what is usually there."""
    assert not bad(examine({"NO_PROXY": value}, offline=True))
    assert ",".join(proxies.readable_exceptions(value)) == value.replace(" ", "")


def test_socks_without_its_package_is_a_finding(examine: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The HTTP libraries need one more for it."""
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "socksio" else find_spec(name, *more)
    )
    [fault] = bad(examine({"ALL_PROXY": "socks5://127.0.0.1:1080"}, offline=True))
    assert fault.remedy == "pip install socksio"


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "Proxy none "),
        ({"HTTPS_PROXY": "http://proxy.example:3128"}, "http://proxy.example:3128   HTTPS_PROXY"),
        ({"https_proxy": "proxy.example:3128"}, "http://proxy.example:3128   https_proxy"),
        ({"ALL_PROXY": "socks5://proxy.example"}, "socks5://proxy.example:1080   ALL_PROXY"),
        ({"HTTPS_PROXY": "http://[fd00::8]:3128"}, "http://[fd00::8]:3128   HTTPS_PROXY"),
        ({"HTTP_PROXY": "http://proxy.example:3128"}, "none: HTTP_PROXY is not for https://"),
        (
            {"HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": "example.com,anthropic.com"},
            "none: NO_PROXY excepts api.anthropic.com from HTTPS_PROXY",
        ),
        ({"HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": "*"}, "none: NO_PROXY excepts api.anthropic.com"),
        (
            {"HTTPS_PROXY": "http://proxy.example:3128", "HTTP_PROXY": "http://proxy.example:3128"},
            "http://proxy.example:3128   HTTPS_PROXY",
        ),
    ],
)
def test_the_proxy_is_the_one_that_the_client_uses(variables: dict[str, str], said: str, examine: Examine) -> None:
    """With the variable that says so, or why there is none."""
    findings = examine(variables, offline=True)
    assert said in texts(of(findings, "Proxy"))
    assert not bad(findings)


def test_user_and_password_are_not_shown(examine: Examine) -> None:
    """But that there are some is."""
    said = texts(examine({"HTTPS_PROXY": "http://user-canary:pw-canary@proxy.example:3128"}, offline=True))
    assert "http://proxy.example:3128 (user and password not shown)   HTTPS_PROXY" in said
    assert "canary" not in said


def test_small_letters_go_first(examine: Examine) -> None:
    """Two that differ are worth a line."""
    variables = {"https_proxy": "http://a.example:1", "HTTPS_PROXY": "http://b.example:2"}
    said = texts(of(examine(variables, offline=True), "Proxy"))
    assert "http://a.example:1   https_proxy" in said
    assert "https_proxy and HTTPS_PROXY differ: https_proxy is used" in said


def test_tls_to_the_proxy_is_worth_a_line(examine: Examine) -> None:
    """It is seldom meant."""
    findings = of(examine({"HTTPS_PROXY": "https://proxy.example:3128"}, offline=True), "Proxy")
    assert [each.state for each in findings] == [State.INFO, State.NOTE]
    assert "HTTPS_PROXY asks for TLS to the proxy itself" in texts(findings)


def test_what_is_not_set_is_not_looked_at() -> None:
    """No variable, no finding."""
    environment: dict[str, Any] = {}
    assert proxies.wrong(environment) == []
