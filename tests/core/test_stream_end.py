"""What the events of a stream say of its end."""

from __future__ import annotations

from anthropic_otel._core.event_json import ApiError, JsonTypes
from anthropic_otel._core.event_stream import EventStreamReader
from anthropic_otel._core.stream_end import Break, Dispatched, StreamEnd, weightier
from anthropic_otel._core.usage import report_of_start


def _start(output_tokens: int) -> bytes:
    return b'{"message": {"usage": {"output_tokens": %d}}}' % output_tokens


def test_an_error_weighs_more_than_an_end_and_an_end_more_than_nothing() -> None:
    """Of two events of one chunk the one that decides more is told, in whichever order they came."""
    stop, error = Dispatched.STOP, Dispatched.ERROR
    for one, other, found in ((stop, error, error), (None, stop, stop), (None, error, error), (None, None, None)):
        assert weightier(one, other) is weightier(other, one) is found


def test_the_first_error_counts_and_the_first_start_and_the_last_deltas() -> None:
    """The SDK reads no further than the first error; usage is in the first and the last event of a message."""
    end = StreamEnd()
    told = [
        end.dispatch(name, data)
        for name, data in (
            *((b"message_start", _start(1)), (b"message_start", _start(2)), (b"message_delta", b"0")),
            *((b"message_delta", b"3"), (b"message_delta", b"4")),
            *((b"ping", b""), (None, b""), (b"message_stop", b'{"type": "message_stop"}')),
            (b"error", b'{"error": {"type": "api_error"}}'),
            (b"error", b'{"error": {"type": "overloaded_error"}}'),
        )
    ]
    assert told == [*[None] * 7, Dispatched.STOP, Dispatched.ERROR, Dispatched.ERROR]
    assert end == StreamEnd(
        complete=True,
        error=ApiError("api_error", raw_type="api_error"),
        first_usage=report_of_start(_start(1)),
        deltas=(b"3", b"4"),
    )


def test_an_end_is_unchecked_after_an_event_of_its_chunk_that_is_too_long() -> None:
    """An end event that comes in one chunk with a long event is told apart, as the SDK may not have got to it."""
    for long, unchecked in ((True, True), (False, False)):
        end = StreamEnd()
        if long:
            end.dispatch_long(b"content_block_delta", JsonTypes())
        end.stop()
        assert end.unchecked is unchecked
        end.could_not_be_taken()
        assert (end.complete, end.invalid) == ((False, True) if unchecked else (True, False))


def test_an_end_in_the_last_chunk_is_unchecked_unless_something_was_found_in_it() -> None:
    """The SDK may have stopped at an event before it, for another reason than that it cannot be decoded."""
    stop = b'event: message_stop\ndata: {"type": "message_stop"}\n\n'
    for after, complete in ((b"", False), (b"event: message_delta\ndata: {\n\n", True)):
        reader = EventStreamReader()
        reader.feed(stop + after)
        end = reader.finish(read_to_end=False)
        assert end.complete
        end.could_not_be_taken()
        assert end.complete is complete


def test_an_end_event_is_kept_where_it_says_more() -> None:
    """The end event of Amazon Bedrock has the usage in it. Others say nothing but their type, and are not kept."""
    for data, kept in ((b'{"type": "message_stop"}', False), (b'{"type": "message_stop", "metrics": {"a": 1}}', True)):
        end = StreamEnd()
        end.dispatch(b"message_stop", data)
        assert end.stop_event == (data if kept else None)


def test_an_end_event_without_data_is_none() -> None:
    """The SDK dispatches no event without data."""
    end = StreamEnd()
    assert end.dispatch(b"message_stop", b"") is None
    assert not end.complete


def test_where_the_sdk_breaks_nothing_after_it_counts() -> None:
    """An event that cannot be decoded decides before an error and an end that came with or after it."""
    end = StreamEnd()
    end.dispatch(b"message_start", _start(1))
    end.dispatch(b"message_delta", b"{}")
    end.stop()
    end.fail(ApiError("api_error"))
    end.broke_off(Break.BEFORE_END)
    assert (end.complete, end.error, end.invalid) == (False, None, True)
    assert (end.first_usage, end.deltas) == (report_of_start(_start(1)), ())


def test_of_an_event_that_is_too_long_the_types_count() -> None:
    """An event that is not kept is known by the types that passed, and a delta before it stays."""
    end, types = StreamEnd(), JsonTypes()
    end.dispatch(b"message_delta", b"1")
    assert end.dispatch_long(b"message_delta", types) is None
    assert end.deltas == (b"1",)
    types.feed(b'{"type": "error", "error": {"type": "overloaded_error", "details": {"error_code": "busy"}}}')
    assert end.dispatch_long(b"error", types) is Dispatched.ERROR
    assert end.error == ApiError("overloaded_error", "busy", "overloaded_error")
    assert end.dispatch_long(b"message_stop", types) is Dispatched.STOP
    assert StreamEnd().dispatch_long(b"error", JsonTypes()) is Dispatched.ERROR
