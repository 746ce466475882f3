"""Findings on a screen, in JSON and in a report."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from anthropic_otel._render.styled import ASCII, UNICODE, Glyphs, plain
from anthropic_otel.cli.doctor import document
from anthropic_otel.cli.doctor.command import doctor
from anthropic_otel.cli.doctor.findings import Section, State, bad, good, info, merged, note, untried
from anthropic_otel.cli.doctor.redaction import Redaction
from anthropic_otel.cli.doctor.render import Rendering, summary
from anthropic_otel.cli.redaction import MASK

ROOT = Path(__file__).parents[3]
SECTION = Section(
    "api",
    "The way to the API",
    (
        info("Target", "https://api.anthropic.com   default; ANTHROPIC_BASE_URL is not set"),
        info("Key", "ANTHROPIC_API_KEY, 109 characters"),
        bad("Key", 'ends in a newline: the SDK will say "Connection error."', "strip it", "request_not_sent"),
        good("DNS", "proxy.corp is 10.0.0.8, fd00::8", 0.002),
        good("TCP", "10.0.0.8:3128", 0.0012),
        note("TCP", "not reached: fd00::8 (ENETUNREACH)", "a client that tries these first loses time"),
        bad(
            "TLS",
            'signed by "Corp Inspect CA", which is not among the CAs',
            "SSL_CERT_FILE=x",
            "tls_certificate_error",
            0.031,
        ),
        untried("HTTP", "not tried"),
    ),
)


def rendered(width: int, glyphs: Glyphs = UNICODE) -> str:
    return plain(Rendering(width, glyphs).section(SECTION))


def test_a_section_at_80_columns() -> None:
    """What is said of a fact stands below it, and a remedy below its fault."""
    assert rendered(80) == (
        "The way to the API\n"
        "  Target    https://api.anthropic.com   default; ANTHROPIC_BASE_URL is not set\n"
        "  Key       ANTHROPIC_API_KEY, 109 characters\n"
        '✗           ends in a newline: the SDK will say "Connection error."\n'
        "            request_not_sent\n"
        "            → strip it\n"
        "            more: anthropic-otel why request_not_sent\n"
        "✓ DNS       proxy.corp is 10.0.0.8, fd00::8        2.0 ms\n"
        "✓ TCP       10.0.0.8:3128                          1.2 ms\n"
        "! TCP       not reached: fd00::8 (ENETUNREACH)\n"
        "            → a client that tries these first loses time\n"
        '✗ TLS       signed by "Corp Inspect CA", which is not among the CAs\n'
        "            31 ms  tls_certificate_error\n"
        "            → SSL_CERT_FILE=x\n"
        "            more: anthropic-otel why tls_certificate_error\n"
        "· HTTP      not tried"
    )


SAMPLE = Section(
    "api",
    "The way to the API",
    (
        SECTION.findings[0],
        info("Proxy", "http://proxy.corp:3128 (user and password not shown)   HTTPS_PROXY"),
        info("CAs", "/etc/ssl/corp.pem, 142   SSL_CERT_FILE"),
        SECTION.findings[1],
        bad("Key", SECTION.findings[2].text, "strip it; rotate it if it was logged", "request_not_sent"),
        good("DNS", "proxy.corp is 10.0.0.8, fd00::8", 0.002),
        good("TCP", "10.0.0.8:3128", 0.001),
        good("CONNECT", "200", 0.014),
        bad("TLS", SECTION.findings[6].text, "SSL_CERT_FILE=/path/to/corp-ca.pem", "tls_certificate_error", 0.031),
        untried("HTTP", "not tried"),
    ),
)


def test_the_document_shows_what_is_printed() -> None:
    """And names every option and every mark."""
    text = (ROOT / "docs/doctor.md").read_text("utf-8")
    [sample] = re.findall(r"^```text\n(.*?)\n```$", text, re.MULTILINE | re.DOTALL)
    assert sample == plain(Rendering(80, UNICODE).section(SAMPLE))
    options = {option for parameter in doctor.params for option in parameter.opts}
    assert set(re.findall(r"`(--[a-z-]+)", text)) == options
    assert {state.value for state in State} <= set(re.findall(r"`([a-z_]+)`", text))


@pytest.mark.parametrize("width", [60, 72, 80, 132])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_no_line_is_longer_than_the_screen(width: int, glyphs: Glyphs) -> None:
    """But for what must be copied whole."""
    assert max(len(line) for line in rendered(width, glyphs).splitlines()) <= width


def test_ascii_is_ascii() -> None:
    """For an output that has nothing else."""
    text = rendered(80, ASCII)
    assert text.isascii()
    assert "x TLS" in text
    assert "-> SSL_CERT_FILE=x" in text


def test_a_word_is_explained_once() -> None:
    """However often it is met."""
    rendering = Rendering(80, UNICODE)
    text = plain([*rendering.section(SECTION), *rendering.section(SECTION)])
    assert text.count("more: anthropic-otel why tls_certificate_error") == 1


def test_the_last_line_says_what_it_comes_to() -> None:
    """Faults by name, the rest by number."""
    assert plain([summary([SECTION])]) == "2 faults: Key, TLS, 1 note, 1 not tried"
    assert plain([summary([Section("api", "", (good("DNS", "x"),))])]) == "No fault found"


def test_json_has_every_field() -> None:
    """`healthy` is what the exit status says."""
    found = json.loads(document.as_json([SECTION]))
    assert found["healthy"] is False
    assert found["sections"]["api"][6] == {
        "state": "bad",
        "subject": "TLS",
        "text": 'signed by "Corp Inspect CA", which is not among the CAs',
        "remedy": "SSL_CERT_FILE=x",
        "cause": "tls_certificate_error",
        "seconds": 0.031,
    }


def test_a_report_has_names_of_variables_and_no_values() -> None:
    """It goes to people outside."""
    text = document.report([SECTION], {"ANTHROPIC_API_KEY": "CANARY", "https_proxy": "CANARY", "HOME": "CANARY"})
    assert "CANARY" not in text
    assert "  ANTHROPIC_API_KEY\n  https_proxy\n" in text
    assert "HOME" not in text
    assert "✗ TLS" in text


def test_what_is_the_same_is_said_once() -> None:
    """Of both signals together."""
    findings = merged([bad("Traces", "x", "y"), bad("Metrics", "x", "y"), bad("Metrics", "z", "y")])
    assert [each.subject for each in findings] == ["Traces, Metrics", "Metrics"]


@pytest.mark.parametrize(
    ("name", "value", "secrets"),
    [
        ("ANTHROPIC_API_KEY", " 'key-CANARY'\n", ["key-CANARY"]),
        ("ANTHROPIC_AUTH_TOKEN", "token-CANARY", ["token-CANARY"]),
        ("ANTHROPIC_CUSTOM_HEADERS", "X-A: one-CANARY\nX-B: two-CANARY", ["one-CANARY", "two-CANARY"]),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=one%20CANARY,b=two-CANARY", ["one CANARY", "one%20CANARY", "two-CANARY"]),
        ("HTTPS_PROXY", "http://user-CANARY:p%40ss-CANARY@proxy:3128", ["user-CANARY", "p%40ss-CANARY", "p@ss-CANARY"]),
        ("https_proxy", "user-CANARY:pw-CANARY@proxy:3128", ["user-CANARY", "pw-CANARY"]),
        ("ALL_PROXY", "socks5://user-CANARY:a@b/c-CANARY@proxy", ["a@b/c-CANARY"]),
        ("ANTHROPIC_BASE_URL", "https://gateway.example/?key=query-CANARY#x", ["query-CANARY"]),
        ("DATABASE_PASSWORD", "other-CANARY", ["other-CANARY"]),
    ],
)
def test_a_secret_that_gets_into_a_finding_is_hidden(name: str, value: str, secrets: list[str]) -> None:
    """The second line of defence."""
    redaction = Redaction({name: value})
    for secret in secrets:
        assert redaction.text(f"before {secret} after") == f"before {MASK} after"


def test_what_is_no_secret_stays() -> None:
    """A short word could be any word, and a file's name is needed."""
    redaction = Redaction({"ANTHROPIC_API_KEY": "none", "SOME_KEY_FILE": "/etc/ssl/key.pem", "PATH": "/usr/bin:/bin"})
    assert redaction.text("none at /etc/ssl/key.pem in /usr/bin:/bin") == "none at /etc/ssl/key.pem in /usr/bin:/bin"
    assert redaction.text("/keys/sk-ant-api03-CANARY") == f"/keys/{MASK}"
