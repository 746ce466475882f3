"""What the events of a stream, and the JSON of an error, say of its end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anthropic_otel._core.semconv import API_ERROR_TYPES
from anthropic_otel._core.stream_end import (
    ApiError,
    Break,
    Dispatched,
    Events,
    JsonTypes,
    StreamEnd,
    api_error,
    known_type,
    parsed,
    weightier,
)


def test_an_error_weighs_more_than_an_end_and_an_end_more_than_nothing() -> None:
    """Of two events of one chunk the one that decides more is told, in whichever order they came."""
    stop, error = Dispatched.STOP, Dispatched.ERROR
    for one, other, found in ((stop, error, error), (None, stop, stop), (None, error, error), (None, None, None)):
        assert weightier(one, other) is weightier(other, one) is found


@pytest.mark.parametrize("kind", API_ERROR_TYPES)
def test_an_error_has_the_apis_type(kind: str) -> None:
    """Every type that the API documents is passed on."""
    assert api_error(b'{"type": "error", "error": {"type": "%s"}}' % kind.encode()) == ApiError(kind, told=kind)


API_ERROR = ApiError("api_error", told="api_error")


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (
            b'{"error": {"type": "api_error", "details": {"error_code": "a_1"}}}',
            ApiError("api_error", "a_1", "api_error"),
        ),
        (b'{"error": {"type": "api_error", "details": {"error_code": "no code"}}}', API_ERROR),
        (b'{"error": {"type": "api_error", "details": {"error_code": "%s"}}}' % (b"x" * 65), API_ERROR),
        (b'{"error": {"type": "api_error", "details": {"error_code": 7}}}', API_ERROR),
        (b'{"error": {"type": "api_error", "details": "x"}}', API_ERROR),
        (b'{"error": {"type": "secret"}}', ApiError("_OTHER", told="secret")),
        (b'{"error": {"type": "%s"}}' % (b"x" * 65), ApiError("_OTHER", told="x" * 64)),
        (b'{"error": {"type": ["api_error"]}}', ApiError("_OTHER")),
        (b'{"error": "api_error"}', ApiError("_OTHER")),
        (b"[]", ApiError("_OTHER")),
        (b"<html>", ApiError("_OTHER")),
        (b"\xff", ApiError("_OTHER")),
        (b"[" * 100_000, ApiError("_OTHER")),
    ],
)
def test_what_is_no_documented_type_or_code_is_not_passed_on(data: bytes, error: ApiError) -> None:
    """Types are of a closed list and codes are short words; nothing else of an error gets through."""
    assert api_error(data) == error


@pytest.mark.parametrize("data", [b"{", b"", b"\xff", b"[" * 100_000])
def test_what_the_sdk_cannot_parse_is_a_value_error(data: bytes) -> None:
    """Whatever is wrong with a text that is no JSON, there is one exception for it."""
    with pytest.raises(ValueError):  # noqa: PT011
        parsed(data)


@pytest.mark.parametrize("name", [None, 7, [], "", "api_error ", "secret"])
def test_a_type_that_is_not_documented_is_other(name: object) -> None:
    """A type that the API does not document is `_OTHER`, of whichever kind it is."""
    assert known_type(name) == "_OTHER"


def test_the_first_error_counts_and_the_first_start_and_the_last_deltas() -> None:
    """The SDK reads no further than the first error; usage is in the first and the last event of a message."""
    events = Events()
    told = [
        events.dispatch(name, data)
        for name, data in (
            *((b"message_start", b"1"), (b"message_start", b"2"), (b"message_delta", b"0")),
            *((b"message_delta", b"3"), (b"message_delta", b"4")),
            *((b"ping", b""), (None, b""), (b"message_stop", b'{"type": "message_stop"}')),
            (b"error", b'{"error": {"type": "api_error"}}'),
            (b"error", b'{"error": {"type": "overloaded_error"}}'),
        )
    ]
    assert told == [*[None] * 7, Dispatched.STOP, Dispatched.ERROR, Dispatched.ERROR]
    assert events.end(None, is_event_stream=True) == StreamEnd(
        complete=True,
        error_type="api_error",
        told_type="api_error",
        is_event_stream=True,
        first_event=b"1",
        deltas=(b"3", b"4"),
    )


def test_an_end_is_unchecked_after_an_event_of_its_chunk_that_is_too_long() -> None:
    """An end event that comes in one chunk with a long event is told apart, as the SDK may not have got to it."""
    for long, unchecked in ((True, True), (False, False)):
        events = Events()
        if long:
            events.dispatch_long(b"content_block_delta", JsonTypes())
        events.stop()
        assert events.end(None, is_event_stream=True).unchecked is unchecked


def test_an_end_event_is_kept_where_it_says_more() -> None:
    """The end event of Amazon Bedrock has the usage in it. Others say nothing but their type, and are not kept."""
    for data, kept in ((b'{"type": "message_stop"}', False), (b'{"type": "message_stop", "metrics": {"a": 1}}', True)):
        events = Events()
        events.dispatch(b"message_stop", data)
        assert events.end(None, is_event_stream=True).stop_event == (data if kept else None)


def test_an_end_event_without_data_is_none() -> None:
    """The SDK dispatches no event without data."""
    events = Events()
    assert events.dispatch(b"message_stop", b"") is None
    assert not events.complete


def test_where_the_sdk_breaks_nothing_after_it_counts() -> None:
    """An event that cannot be decoded decides before an error and an end that came with or after it."""
    events = Events()
    events.dispatch(b"message_start", b"{}")
    events.dispatch(b"message_delta", b"{}")
    events.stop()
    events.fail(ApiError("api_error"))
    end = events.end(Break.BEFORE_END, is_event_stream=True)
    assert (end.complete, end.error_type, end.invalid) == (False, None, True)
    assert (end.first_event, end.deltas) == (b"{}", ())


def test_of_an_event_that_is_too_long_the_types_count() -> None:
    """An event that is not kept is known by the types that passed, and a delta before it stays."""
    events, types = Events(), JsonTypes()
    events.dispatch(b"message_delta", b"1")
    assert events.dispatch_long(b"message_delta", types) is None
    assert events.deltas == (b"1",)
    types.feed(b'{"type": "error", "error": {"type": "overloaded_error", "details": {"error_code": "busy"}}}')
    assert events.dispatch_long(b"error", types) is Dispatched.ERROR
    assert events.error == ApiError("overloaded_error", "busy", "overloaded_error")
    assert events.dispatch_long(b"message_stop", types) is Dispatched.STOP
    assert Events().dispatch_long(b"error", JsonTypes()) is Dispatched.ERROR


TEXT = b'{"type": "error", "error": {"details": {"error_code": "busy"}, "type": "overloaded_error", "message": "x"}}'


@given(st.lists(st.integers(0, len(TEXT)), max_size=6).map(sorted))
def test_types_are_found_wherever_the_pieces_are_cut(cuts: list[int]) -> None:
    """A type that is cut between two pieces is found all the same."""
    types = JsonTypes()
    for start, end in zip([0, *cuts], [*cuts, len(TEXT)], strict=True):
        types.feed(TEXT[start:end])
    assert (types.event, types.error, types.code) == (b"error", "overloaded_error", "busy")


def test_what_a_model_writes_is_not_taken_for_a_type() -> None:
    """Within a JSON string the quotes are escaped."""
    types = JsonTypes()
    types.feed(rb'{"type": "content_block_delta", "delta": {"text": "{\"type\": \"error\"}"}}')
    assert (types.event, types.error, types.code) == (None, None, None)
