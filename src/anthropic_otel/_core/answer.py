"""A 2xx response compared with its request: which reader its body needs, and whether it is an answer at all."""

from __future__ import annotations

from typing import Final

from anthropic_otel._core.aws_event_stream import AwsEventStreamReader
from anthropic_otel._core.content import MAX_START, Content, Expected, is_error, is_json, is_message
from anthropic_otel._core.event_stream import EventStreamReader
from anthropic_otel._core.reading import BodyReader, StartOfBody
from anthropic_otel._core.stream_end import StreamEnd

_STREAMS: Final = (Content.SSE, Content.AWS_EVENT_STREAM)
_JSON: Final = (Expected.JSON, Expected.JSON_OR_EVENT_STREAM)


class Answer:
    """A 2xx response. `is_unexpected` is whether it is no answer to its request, known after `judge`."""

    __slots__ = ("_content", "_expected", "is_unexpected")

    def __init__(self, expected: Expected, content: Content) -> None:
        self._expected = expected
        self._content = content
        self.is_unexpected = False

    @property
    def is_page(self) -> bool:
        """Whether it is HTML by its content type."""
        return self._content is Content.PAGE

    @property
    def is_to_be_parsed(self) -> bool:
        """Whether it looks like the JSON that the app has asked for."""
        return self._expected in _JSON and not self.is_unexpected

    @property
    def is_asked_for_as_stream(self) -> bool:
        """Whether the app has asked for an event stream."""
        return self._expected is Expected.EVENT_STREAM

    def body_reader(self, *, by_names: bool) -> BodyReader | StartOfBody | None:
        """The reader for its body, `None` if nothing in the body matters. `by_names` is that of the request."""
        if self._expected is Expected.JSON:
            return StartOfBody(MAX_START)
        if self._content is Content.AWS_EVENT_STREAM:
            return AwsEventStreamReader()
        if self._content is Content.SSE or self._expected is Expected.EVENT_STREAM:
            return EventStreamReader(by_names=by_names)
        return StartOfBody(MAX_START) if self._expected is Expected.JSON_OR_EVENT_STREAM else None

    def judge(self, start: bytes | None, *, of_message: bool, may_be_empty: bool, whole: bool) -> None:
        """Decides whether it is an answer. `start` is the beginning of its body, as for `is_json`, or all of it."""
        is_stream = self._content in _STREAMS
        if self._expected is Expected.JSON_OR_EVENT_STREAM and is_stream:
            return
        if self._expected in _JSON and of_message and start is not None:
            self.is_unexpected = not is_message(start, whole=whole)
        elif self._expected in _JSON and not may_be_empty:
            no_json = is_stream or not is_json(self._content, start)
            self.is_unexpected = no_json or (start is not None and is_error(start))

    def is_no_stream(self, end: StreamEnd, *, read_to_end: bool) -> bool:
        """Whether an event stream was asked for and something else was sent: by its type, or by its first byte."""
        if self._expected is not Expected.EVENT_STREAM or self._content in _STREAMS:
            return False
        if end.is_event_stream is None:
            return self.is_page or (read_to_end and end.complete is not None)
        return not end.is_event_stream
