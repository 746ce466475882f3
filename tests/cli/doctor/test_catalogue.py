"""Every fault of the catalogue that can be met before an answer, and every answer that is not the right one.

`pool_timeout`, `write_timeout` and what strikes in a large request cannot be met by one small request.
"""

from __future__ import annotations

from typing import Any

import pytest

from anthropic_otel._core.semconv import UNEXPECTED_CONTENT
from anthropic_otel.cli.doctor.findings import Finding, State
from anthropic_otel.cli.why import pages
from anthropic_otel.simulator import FAULTS, Fault, Simulator
from anthropic_otel.simulator.faults import Where
from support.versions import SDK_LIBRARY

from .conftest import Examine, bad, seconds_for, variables_for

_STEPS = ("DNS", "TCP", "TLS to proxy", "CONNECT", "SOCKS", "TLS", "HTTP")
_RIGHT = ("http_401", "http_400", "http_400_should_retry")
_ACCEPTED = (
    *("ok_308", "json_blank_first", "json_other_type", "json_with_mark"),
    *("json_in_utf_16", "json_in_utf_16_le", "json_in_utf_32"),
    *("json_as_text", "json_as_html", "json_as_events"),
)
"""A 200 to an empty request."""
_FIRST = (
    *_RIGHT,
    *_ACCEPTED,
    "ok",
    "ok_tls",
    "ok_redirected",
    "http_403",
    "http_404",
    "http_429",
    "http_502",
    "http_529",
)
_KINDS = ("http_401_gateway", "http_500_empty", "http_529_html", "error_on_hold", "http_307_nowhere", "html", "nothing")
_LEFT_OUT = (Where.REQUEST, Where.BODY, Where.STREAM)


def _can_be_met(fault: Fault) -> bool:
    needs = fault.needs
    return (
        SDK_LIBRARY in fault.applies_to
        and fault.stream is not True
        and fault.where not in _LEFT_OUT
        and needs.sdk is None
        and needs.follow_redirects
        and not (needs.busy_connections or needs.request_bytes)
    )


_MET = [fault for fault in FAULTS.values() if _can_be_met(fault)]
_BY_CAUSE = [fault for fault in _MET if fault.cause is not None]
_ANSWERED = [fault for fault in _MET if fault.cause is None]


def _steps(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if set(finding.subject.split(", ")) <= set(_STEPS)]


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # httpcore leaves sockets to the collector
@pytest.mark.parametrize("fault", _BY_CAUSE, ids=lambda fault: fault.name)
def test_a_fault_of_the_network_gets_the_word_of_the_telemetry(fault: Fault, sim: Simulator, examine: Examine) -> None:
    """It is one fault with its remedy, nothing after it is green, and the word is that of an attempt's span."""
    endpoint = sim.endpoint(fault.name)
    findings = _steps(examine(variables_for(endpoint), seconds=seconds_for(endpoint)))
    [found] = bad(findings)
    assert found.cause == fault.cause_word, found
    assert found.remedy
    after = findings[findings.index(found) + 1 :]
    assert all(each.state is State.UNTRIED for each in after), after
    if fault.errno:
        assert any(each in found.text for each in fault.errno), found.text


def _slow_but_for_one_of_a_kind(fault: Fault) -> Any:
    quick = fault.name in (*_FIRST, *_KINDS) or fault.own_address
    return pytest.param(fault, id=fault.name, marks=() if quick else pytest.mark.slow)


@pytest.mark.parametrize("fault", [_slow_but_for_one_of_a_kind(fault) for fault in _ANSWERED])
def test_only_the_right_answer_is_green(fault: Fault, sim: Simulator, examine: Examine) -> None:
    """That is a 401 of the API itself, or its 400 where a gateway adds the key. Everything else is judged by its status
    and by whether the API gave it.
    """
    findings = examine(variables_for(sim.endpoint(fault.name)))
    [answer] = [each for each in findings if each.subject == "HTTP" and not each.text.startswith("30")] or findings[-1:]
    if fault.error_type == UNEXPECTED_CONTENT:
        assert (answer.state, answer.cause) == (State.BAD, UNEXPECTED_CONTENT)
    elif fault.name in _ACCEPTED:
        assert answer.state is State.NOTE, answer
    elif fault.error_type is None or fault.name in _RIGHT:
        assert answer.state is State.GOOD, answer
        assert "the API itself (req_" in answer.text
    elif fault.request_id:
        assert answer.state is State.BAD, answer
        assert answer.text.startswith(f"{fault.status}, ")
        assert answer.cause == fault.error_type
        assert "by the API (req_" in answer.text
    else:
        assert answer.state in (State.BAD, State.NOTE), answer
        assert answer.text.startswith(str(fault.status))
    assert answer.remedy or answer.state is State.GOOD


@pytest.mark.parametrize("fault", [fault for fault in _MET if fault.error_type], ids=lambda fault: fault.name)
def test_every_word_has_a_page(fault: Fault) -> None:
    """`doctor` sends people there: `anthropic-otel why WORD`."""
    assert pages.find(str(fault.error_type)) is not None


def test_the_catalogue_is_not_empty() -> None:
    """What is met and what is left out is what one would expect."""
    assert len(_BY_CAUSE) > 30
    assert len(_ANSWERED) > 60
    assert {"tls_expired", "proxy_407", "read_timeout", "redirect_refused"} <= {fault.name for fault in _BY_CAUSE}
