"""The catalogue is complete and does not contradict itself."""

from __future__ import annotations

import dataclasses
import errno
import re
import socket

import httpx
import pytest

from anthropic_otel._core.semconv import API_ERROR_TYPES, OTHER, AttemptOutcome, NetworkCause
from anthropic_otel.simulator import FAULTS, Fault, Reply, Simulator, Where, fault

ALL = pytest.mark.parametrize("each", FAULTS.values(), ids=FAULTS)


OF_NO_SERVER = {
    NetworkCause.REQUEST_NOT_SENT,
    NetworkCause.EVENT_LOOP_CLOSED,
    NetworkCause.CLIENT_CLOSED,
    NetworkCause.APP_EXCEPTION,
}
"""What an app does to itself, whatever the server is."""

OF_HTTP_2 = {NetworkCause.STREAM_RESET}
"""What only a server that speaks HTTP/2 can do, which the simulator is not."""


def test_every_network_cause_has_a_fault() -> None:
    """Every cause that a server of HTTP/1.1 can make is made by some fault, but for those of nothing in particular."""
    made = {each.cause for each in FAULTS.values()}
    rest = {NetworkCause.OTHER, NetworkCause.CONNECTION_ERROR}
    assert set(NetworkCause) - made == OF_NO_SERVER | OF_HTTP_2 | rest


def test_every_documented_status_has_a_fault() -> None:
    """Every error status that the API documents is there, and one 5xx that nobody documents."""
    documented = {400, 401, 402, 403, 404, 409, 413, 422, 429, 500, 502, 503, 504, 520, 529}
    assert documented <= {each.status for each in FAULTS.values()}


@ALL
def test_an_entry_describes_itself(each: Fault) -> None:
    """A name is a word for code, a description a sentence for documents."""
    assert re.fullmatch(r"[a-z][a-z0-9_]+", each.name)
    assert each.description[0].isupper()
    assert each.description.endswith(".")
    assert fault(each.name) is each


@ALL
def test_an_entry_expects_words_of_the_schema(each: Fault) -> None:
    """The error type is the cause, the status, what an event says, or what a 200 is instead; only a failure has one."""
    assert (each.error_type is None) == (each.outcome is AttemptOutcome.COMPLETED)
    if each.cause is not None:
        assert each.error_type == each.cause_word
    elif each.where is Where.STREAM:
        assert each.error_type in (*API_ERROR_TYPES, OTHER, "invalid_event")
    elif each.status is not None and each.status < 300:
        assert each.error_type in (None, "unexpected_content")
    elif each.error_type is not None:
        assert each.error_type == str(each.status)


@ALL
def test_an_entry_names_real_errors_of_the_system(each: Fault) -> None:
    """Every errno is a name that the platform has."""
    assert all(hasattr(errno, name) or hasattr(socket, name) for name in each.errno)


@ALL
def test_a_fault_is_a_plain_value(each: Fault) -> None:
    """A fault can be hashed, compared, and changed into another one."""
    other = dataclasses.replace(each, name="other")
    assert {each, dataclasses.replace(each)} == {each}
    assert other != each


@ALL
def test_a_request_id_needs_a_response(each: Fault) -> None:
    """Without a status there is no request id."""
    assert each.status is not None or not each.request_id


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    """A misspelt name says which names there are."""
    with pytest.raises(KeyError, match="connection_reset"):
        fault("conection_reset")


def test_a_rate_limited_reply_has_nothing_left() -> None:
    """The 429 says that every limit is used up and when to come back."""
    action = fault("http_429").action
    assert isinstance(action, Reply)
    headers = dict(action.headers)
    assert headers.pop("retry-after") == "1"
    assert headers.pop("x-should-retry") == "true"
    assert set(headers.values()) == {"0"}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        *((f"http_{status}", "false") for status in (400, 401, 402, 403, 404, 422)),
        *((name, "false") for name in ("error_too_large", "error_billing", "error_on_hold", "error_linked_limit")),
        *((name, "true") for name in ("http_429", "http_429_no_retry_after", "error_ramp_limit", "http_529")),
        *((name, "false") for name in ("http_429_should_not_retry", "error_contract_limit")),
        ("http_400_should_retry", "true"),
        *((name, None) for name in ("http_409", "http_500", "http_504", "http_413", "http_451", "http_400_json")),
    ],
)
def test_a_refusal_says_whether_a_retry_helps(name: str, told: str | None) -> None:
    """As recorded responses do, in `x-should-retry`. What is in front of the API, and what is not known, does not."""
    with Simulator() as sim, httpx.Client(base_url=sim.base_url) as http:
        sim.play(name)
        assert http.post("/v1/messages").headers.get("x-should-retry") == told
