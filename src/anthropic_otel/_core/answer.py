"""Compares a 2xx response with its request: chooses the reader of its body, and finds out whether it is an answer."""

from __future__ import annotations

from typing import Any, Final

from anthropic_otel._core.aws_event_stream import AwsEventStreamReader
from anthropic_otel._core.content import CONTENT, MAX_START, Content, Expected, in_utf8, is_error, is_json, is_message
from anthropic_otel._core.event_stream import EventStreamReader
from anthropic_otel._core.guard import guarded
from anthropic_otel._core.reading import BodyReader, StartOfBody
from anthropic_otel._core.stream_end import StreamEnd

_STREAMS: Final = (Content.SSE, Content.AWS_EVENT_STREAM)
_JSON: Final = (Expected.JSON, Expected.JSON_OR_EVENT_STREAM)


class Answer:
    """A 2xx response. `expected` is what its request asked for, `content` what it contains by its content type.

    `is_unexpected` is whether it is no answer to its request. `judge` sets it; it is `False` before.
    """

    __slots__ = ("_content", "_expected", "is_unexpected")

    def __init__(self, expected: Expected, content: Content) -> None:
        self._expected = expected
        self._content = content
        self.is_unexpected = False

    @property
    def is_page(self) -> bool:
        """Whether the response is HTML by its content type."""
        return self._content is Content.PAGE

    @property
    def is_to_be_parsed(self) -> bool:
        """Whether the SDK has to parse the body as JSON, and `judge` has not found it to be no answer."""
        return self._expected in _JSON and not self.is_unexpected

    @property
    def is_asked_for_as_stream(self) -> bool:
        """Whether the app has asked for an event stream."""
        return self._expected is Expected.EVENT_STREAM

    def body_reader(self, *, by_names: bool) -> BodyReader | StartOfBody | None:
        """Makes the reader that the chunks of the body are to be fed to; `None` if nothing in the body matters.

        It reads an event stream, or keeps the body's beginning. `by_names` is whether the SDK decodes only stream
        events whose names it knows, as up to 1.15.
        """
        if self._expected is Expected.JSON:
            return StartOfBody(MAX_START, CONTENT)
        if self._content is Content.AWS_EVENT_STREAM:
            return AwsEventStreamReader()
        if self._content is Content.SSE or self._expected is Expected.EVENT_STREAM:
            return EventStreamReader(by_names=by_names)
        return StartOfBody(MAX_START, CONTENT) if self._expected is Expected.JSON_OR_EVENT_STREAM else None

    def judge(
        self, start: bytes | None, *, of_message: bool, may_be_empty: bool, whole: bool, has_content: bool
    ) -> None:
        """Sets `is_unexpected` to whether the body is not the JSON that it has to be. Else leaves it as it is.

        - `start`: the body, or its beginning, as for `is_json`.
        - `of_message`: whether the operation returns a message, which `is_message` judges if `start` is not `None`.
        - `may_be_empty`: whether the status allows an empty body. Then nothing but a message is judged.
        - `whole`: whether `start` has the body's end too. `has_content`: whether `CONTENT` is anywhere in the body.
        """
        is_stream = self._content in _STREAMS
        if self._expected is Expected.JSON_OR_EVENT_STREAM and is_stream:
            return
        if self._expected in _JSON and of_message and start is not None:
            self.is_unexpected = not is_message(start, whole=whole, has_content=has_content)
        elif self._expected in _JSON and not may_be_empty:
            no_json = is_stream or not is_json(self._content, start)
            self.is_unexpected = no_json or (start is not None and is_error(in_utf8(start)))

    def is_no_stream(self, end: StreamEnd, *, read_to_end: bool) -> bool:
        """Returns whether the app asked for an event stream, and neither content type nor first bytes are those of one.

        `end` is how the body ended by its reader, `read_to_end` whether the app has read the last byte. An empty body
        is no event stream if it was read to its end, or its content type is HTML.
        """
        if self._expected is not Expected.EVENT_STREAM or self._content in _STREAMS:
            return False
        if end.is_event_stream is None:
            return self.is_page or (read_to_end and end.complete is not None)
        return not end.is_event_stream


@guarded(False)
def says_nothing(reply: Any, *, of_message: bool) -> bool:
    """Returns whether `reply`, which the SDK has made of a JSON object, has nothing of what its operation returns.

    The SDK makes a reply of every object, such as a gateway's `{"code": 401}` with status 200. A message
    (`of_message`) says nothing without a `content`. Any other reply says nothing without one of its fields, if one is
    required. Never raises; `False` for what is no reply of the SDK's.
    """
    if of_message:
        return getattr(reply, "__dict__", {}).get("content", reply) is None
    if getattr(reply, "__pydantic_fields_set__", None) != set():
        return False
    return any(field.is_required() for field in type(reply).model_fields.values())
