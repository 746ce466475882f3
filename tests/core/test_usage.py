"""Usage as the server tells it, by the arithmetic of the GenAI conventions."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from anthropic_otel._core import usage
from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.ending import End
from anthropic_otel._core.headers import ResponseFacts, by_name
from anthropic_otel._core.runtime import Runtime
from anthropic_otel._core.stream_end import StreamEnd
from anthropic_otel._core.usage import MAX_COUNT, Usage, report_of_start
from core.notes import FACTS, ManualClock, Notes

FULL = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 200,
    "cache_read_input_tokens": 3_000,
    "cache_creation": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 0},
    "output_tokens": 50,
    "output_tokens_details": {"thinking_tokens": 20},
    "server_tool_use": {"web_search_requests": 1},
    "service_tier": "standard",
}
"""As recorded responses have it: `input_tokens` without the cached ones."""
TOLD = Usage(3_210, 50, 3_000, 200, 20)


def iteration(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "input_tokens": 100, "output_tokens": 7, "cache_read_input_tokens": 1, **fields}


def stream(start: dict[str, Any] | None, *deltas: dict[str, Any], stop: dict[str, Any] | None = None) -> StreamEnd:
    """The end of a stream with that usage in its events."""
    first = {"type": "message_start", "message": {"usage": start}}
    return StreamEnd(
        True,
        first_usage=report_of_start(json.dumps(first).encode()) if start is not None else None,
        deltas=tuple(json.dumps({"type": "message_delta", "usage": each}).encode() for each in deltas),
        stop_event=json.dumps(stop).encode() if stop is not None else None,
    )


def test_the_cached_tokens_are_input_and_thinking_is_output() -> None:
    """The API's `input_tokens` leaves the cache out, that of the conventions does not; both are told apart too."""
    assert usage.of_reply({"usage": FULL}) == (TOLD,)
    details = SimpleNamespace(thinking_tokens=20)
    assert usage.of_reply(SimpleNamespace(usage=SimpleNamespace(**{**FULL, "output_tokens_details": details}))) == (
        TOLD,
    )


def test_fields_that_an_older_sdk_does_not_know_are_read() -> None:
    """Pydantic keeps them apart from the others."""
    known = SimpleNamespace(input_tokens=10, output_tokens=50)
    known.__pydantic_extra__ = {name: FULL[name] for name in FULL if name not in ("input_tokens", "output_tokens")}
    assert usage.of_reply(SimpleNamespace(usage=known)) == (TOLD,)


@pytest.mark.parametrize("reply", [None, "text", 7, {}, {"usage": None}, {"usage": {}}, {"usage": "x"}, object()])
def test_a_reply_without_usage_has_none(reply: object) -> None:
    """Such as a token count, or the text of a gateway's page."""
    assert usage.of_reply(reply) == ()


@pytest.mark.parametrize("count", [-1, MAX_COUNT + 1, 1.5, "7", True, None, [], {}])
def test_what_is_no_count_is_0(count: object) -> None:
    """A server may send anything: a metric that only grows must not shrink, nor leap."""
    assert usage.of_reply({"usage": {"input_tokens": count, "output_tokens": 5}}) == (Usage(0, 5),)


@pytest.mark.parametrize("nested", [dict, SimpleNamespace], ids=["dictionary", "object"])
@pytest.mark.parametrize("total", [{}, {"cache_creation_input_tokens": None}], ids=["absent", "null"])
def test_the_breakdown_of_cache_writes_stands_in_for_a_total_that_is_missing(
    total: dict[str, Any], nested: type[Any]
) -> None:
    """A gateway may keep only the newer of the two fields."""
    written = nested(ephemeral_5m_input_tokens=200, ephemeral_1h_input_tokens=30)
    told = {"input_tokens": 10, "output_tokens": 5, **total, "cache_creation": written}
    assert usage.of_reply({"usage": told}) == (Usage(240, 5, 0, 230),)
    if nested is dict:
        assert usage.of_stream(stream(told, {"output_tokens": 7})) == (Usage(240, 7, 0, 230),)


def test_the_total_of_cache_writes_counts_where_both_are_there() -> None:
    """The breakdown is a part of it, so it is not added."""
    assert usage.of_reply({"usage": FULL}) == (TOLD,)
    told = {**FULL, "cache_creation_input_tokens": 0}
    assert usage.of_reply({"usage": told}) == (Usage(3_010, 50, 3_000, 0, 20),)


@pytest.mark.parametrize("nested", [7, "x", [], {}, {"ephemeral_5m_input_tokens": "9"}, {"other": 9}])
def test_a_breakdown_that_says_nothing_adds_nothing(nested: object) -> None:
    """Whatever a server sends."""
    told = {"input_tokens": 10, "output_tokens": 5, "cache_creation": nested}
    assert usage.of_reply({"usage": told}) == (Usage(10, 5),)


@pytest.mark.parametrize("garbage", [-1, MAX_COUNT + 1, 1.5, 1e300, float("inf"), "7", True, None, [], {}])
def test_what_is_no_count_replaces_none(garbage: Any) -> None:
    """A gateway that garbles one event does not take away what another one said, in either order."""
    fields = [name for name in FULL if name.endswith("_tokens")]
    wrong = {**dict.fromkeys(fields, garbage), "cache_creation": garbage, "iterations": garbage}
    for details in (garbage, {"thinking_tokens": garbage}):
        wrong["output_tokens_details"] = details
        assert usage.of_stream(stream(FULL, wrong)) == (TOLD,)
        assert usage.of_stream(stream(wrong, FULL)) == (TOLD,)
        assert usage.of_stream(stream(wrong, wrong)) == ()
    metrics = {"inputTokenCount": garbage, "outputTokenCount": 51}
    stop = {"type": "message_stop", "amazon-bedrock-invocationMetrics": metrics}
    assert usage.of_stream(stream(FULL, stop=stop)) == (TOLD._replace(output_tokens=51),)


def test_a_count_may_be_written_with_a_point() -> None:
    """As by a gateway whose language has only floating-point numbers."""
    assert usage.of_reply({"usage": {"input_tokens": 10.0, "output_tokens": 5e0}}) == (Usage(10, 5),)


def test_tokens_of_the_cache_count_without_the_others() -> None:
    """What is known is a lower bound."""
    assert usage.of_reply({"usage": {"cache_read_input_tokens": 7}}) == (Usage(7, 0, 7),)


def test_a_compaction_is_billed_with_the_reply_and_an_advisor_by_its_own_model() -> None:
    """The API leaves both out of the usage of the reply; other iterations are in it, or were declined."""
    iterations = [
        iteration("compaction"),
        iteration("message", model="declined"),
        iteration("advisor_message", model="advisor"),
        iteration("advisor_message", model="advisor"),
        iteration("advisor_message", model=7),
        iteration("advisor_message", model=""),
        iteration("fallback_message", model="served"),
        "no iteration",
    ]
    assert usage.of_reply({"usage": {**FULL, "iterations": iterations}}) == (
        Usage(3_210 + 101, 50 + 7, 3_000 + 1, 200, 20),
        Usage(202, 14, 2, 0, 0, "advisor"),
    )


def test_of_the_iterations_of_a_first_event_only_what_is_billed_is_kept() -> None:
    """An open stream keeps that until its end. What else a server sends there may take a hundred times its text."""
    steps = [iteration("compaction"), iteration("compaction"), iteration("message", note="n"), *[[]] * 900]
    event = {"message": {"usage": {**FULL, "iterations": steps}}}
    assert report_of_start(json.dumps(event).encode()).beside == (Usage(202, 14, 2),)
    more = {"iterations": [iteration("advisor_message", model="advisor")]}
    told = {**FULL, "iterations": [iteration("compaction")]}
    assert usage.of_stream(stream(told)) == (Usage(3_210 + 101, 50 + 7, 3_000 + 1, 200, 20),)
    assert usage.of_stream(stream(told, more)) == (TOLD, Usage(101, 7, 1, 0, 0, "advisor"))
    assert usage.of_stream(stream(told, {"iterations": []})) == (TOLD,)


def test_the_last_word_of_a_stream_wins_field_by_field() -> None:
    """What `message_delta` says is cumulative, and may have the input once more, as it grew by the server's tools."""
    start = {"input_tokens": 10, "cache_read_input_tokens": 3_000, "output_tokens": 1}
    assert usage.of_stream(stream(start)) == (Usage(3_010, 1, 3_000),)
    assert usage.of_stream(stream(start, {"output_tokens": 50, "input_tokens": None})) == (Usage(3_010, 50, 3_000),)
    more = {"input_tokens": 90, "output_tokens": 60, "output_tokens_details": {"thinking_tokens": 4}}
    assert usage.of_stream(stream(start, {"output_tokens": 50}, more)) == (Usage(3_090, 60, 3_000, 0, 4),)
    assert usage.of_stream(stream(None, more)) == (Usage(90, 60, 0, 0, 4),)


def test_the_end_event_of_bedrock_says_it_once_more() -> None:
    """And does not say what thinking took."""
    metrics = {"inputTokenCount": 11, "outputTokenCount": 51, "cacheReadInputTokenCount": 7, "invocationLatency": 9}
    stop = {"type": "message_stop", "amazon-bedrock-invocationMetrics": metrics}
    start = {"input_tokens": 10, "output_tokens": 1}
    delta = {"output_tokens": 50, "output_tokens_details": {"thinking_tokens": 20}}
    assert usage.of_stream(stream(start, delta, stop=stop)) == (Usage(18, 51, 7, 0, 20),)
    assert usage.of_stream(stream(None, stop=stop)) == (Usage(18, 51, 7),)


@pytest.mark.parametrize("event", [b"", b"{", b"[]", b"7", b'{"message": 7}', b'{"message": {"usage": []}}', b"\xff"])
def test_an_event_that_is_none_says_nothing(event: bytes) -> None:
    """Whatever a server sends."""
    assert usage.of_stream(StreamEnd(True, first_usage=report_of_start(event), deltas=(event,), stop_event=event)) == ()


def test_the_headers_of_bedrock_tell_it() -> None:
    """Of a whole reply, which then need not be parsed."""
    names = ("input", "output", "cache-read-input", "cache-write-input")
    headers = {f"x-amzn-bedrock-{name}-token-count".encode(): b"%d" % at for at, name in enumerate(names, 1)}
    assert usage.of_headers(ResponseFacts(headers)) == (Usage(1 + 3 + 4, 2, 3, 4),)
    assert usage.of_headers(ResponseFacts({b"content-type": b"x"})) == ()
    assert usage.of_headers(ResponseFacts({**headers, b"x-amzn-bedrock-input-token-count": b"-1"})) == (
        Usage(7, 2, 3, 4),
    )


def test_counts_that_a_gateway_has_copied_are_read_once() -> None:
    """The header is there twice with the same value. With two values it says nothing."""
    named = b"x-amzn-bedrock-%s-token-count"
    twice = by_name([(named % name, value) for name in (b"input", b"output") for value in (b"8", b"8")])
    assert usage.of_headers(ResponseFacts(twice)) == (Usage(8, 8),)
    assert usage.of_headers(ResponseFacts({**twice, named % b"input": b"8, 9"})) == (Usage(0, 8),)
    assert usage.of_headers(ResponseFacts({**twice, named % b"output": b"9" * 19})) == (Usage(8, 0),)


def test_what_was_told_is_not_told_again() -> None:
    """Headers and then the reply; a reply that is parsed twice; one that says less."""
    notes = Notes()
    attempt = _answered(notes)
    attempt.take_usage((Usage(8, 2, 3, 4),))
    attempt.take_usage((Usage(8, 2, 3, 4, 1), Usage(5, 5, model="advisor")))
    attempt.take_usage((Usage(8, 2, 3, 4, 1), Usage(5, 5, model="advisor")))
    attempt.take_usage((Usage(1, 1),))
    told = [Usage(8, 2, 3, 4), Usage(0, 0, 0, 0, 1), Usage(5, 5, model="advisor")]
    assert notes.used == [(attempt, each) for each in told]


def _answered(notes: Notes, path_is_known: bool = True) -> Attempt:
    send = Runtime(notes, clock=ManualClock()).lone_attempts(0)
    attempt = send.begin_attempt(FACTS)
    attempt.responded(200, {})
    attempt.end(End.READ)
    return attempt


def test_a_reply_is_taken_at_any_time_after_the_attempt() -> None:
    """It is parsed when its attempt has ended, and may be parsed again."""
    notes = Notes()
    attempt = _answered(notes)
    for _ in range(2):
        attempt.take_usage(usage.of_reply({"usage": FULL}))
    assert notes.used == [(attempt, TOLD)]
