"""Holds what is recorded of a response, chooses the reader of its body, and finds out whether a 2xx is an answer."""

from __future__ import annotations

from typing import Any, Final

from anthropic_otel._core.aws_event_stream import AwsEventStreamReader
from anthropic_otel._core.aws_frames import error_of_header
from anthropic_otel._core.content import (
    CONTENT,
    MAX_START,
    Content,
    Expected,
    content_of,
    in_utf8,
    is_error,
    is_message,
    is_object,
    is_plain_message,
)
from anthropic_otel._core.event_json import ApiError, api_error, error_of_body, error_of_ends
from anthropic_otel._core.event_stream import EventStreamReader
from anthropic_otel._core.guard import report
from anthropic_otel._core.headers import RawHeaders, ResponseFacts
from anthropic_otel._core.start_of_body import JsonLines, StartAndEnd, StartOfBody, StartOfReply
from anthropic_otel._core.stream_end import StreamEnd
from anthropic_otel._core.stream_reader import StreamReader

_STREAMS: Final = (Content.SSE, Content.AWS_EVENT_STREAM)
_JSON: Final = (Expected.JSON, Expected.JSON_OR_NULL, Expected.JSON_LINES, Expected.JSON_OR_EVENT_STREAM)
MAX_STATUS: Final = 999
"""The greatest status that is recorded as a number. On HTTP/2 a server may send any, also one of more than 64 bits."""
_EMPTY: Final = (204, 205)
"""The statuses with which a body may be empty."""
_MAX_ERROR: Final = 16 * 1024
"""How many bytes of an error's body are parsed. Of a longer one so many are searched at its start, and at its end."""


def is_success(status: int) -> bool:
    """Returns whether `status` is a 2xx. The SDK raises for any other, also for a redirect that was not followed."""
    return 200 <= status < 300


STATUS_CLASSES: Final = {number: f"{number}xx" for number in range(1, 6)}
"""The classes of a status, such as `5xx`, by its hundreds. HTTP has no others."""


class Response(ResponseFacts):
    """A response to a request that asked for `expected`; `of_message` is whether that is a message.

    `received` are all its headers, of which it keeps the recorded ones; `version` is its `protocol_version`.

    - `is_success`: whether its status is a 2xx. `protocol_version`: the HTTP version, `None` if not known.
    - `error_headers`: all headers if the status is no 2xx, as by these the SDK decides on a retry; `None` for a 2xx.
    - `is_unexpected`: whether it is a 2xx whose body `judge` has found to be no answer to its request.
    """

    __slots__ = (
        "_content",
        "_expected",
        "_of_message",
        "_status",
        "error_headers",
        "is_success",
        "is_unexpected",
        "protocol_version",
    )

    def __init__(
        self, status: int, received: RawHeaders, version: str | None, expected: Expected, of_message: bool
    ) -> None:
        super().__init__(received)
        self.protocol_version: Final = version
        # Not by the function, as it runs for every attempt.
        self.is_success: Final = 200 <= status < 300
        self.error_headers: Final = None if self.is_success else received
        self.is_unexpected = False
        self._status: Final = status
        self._content: Final = content_of(received)
        self._expected: Final = expected
        self._of_message: Final = of_message

    @property
    def is_asked_for_as_stream(self) -> bool:
        """Whether it is a 2xx that has to be an event stream: the app is known to have asked for one (`Expected`)."""
        return self.is_success and self._expected is Expected.EVENT_STREAM

    @property
    def may_be_empty(self) -> bool:
        """Whether its status is 204 or 205, so that it may have no body, and no message was asked for."""
        return self._status in _EMPTY and not self._of_message

    @property
    def is_to_be_parsed(self) -> bool:
        """Whether it is a 2xx that has to be JSON or lines of it, or may have to be, and is not `is_unexpected`."""
        return self.is_success and self._expected in _JSON and not self.is_unexpected

    def body_reader(self, *, by_names: bool) -> StreamReader[Any] | StartOfBody | None:
        """Makes the reader that the chunks of the body are to be fed to; `None` if nothing in the body matters.

        It is a `StreamReader` for an event stream, else a `StartOfBody`, which keeps what `judge` needs.
        `by_names` is whether the SDK decodes only stream events whose names it knows, as up to 1.15.
        """
        if not self.is_success:
            return StartAndEnd(_MAX_ERROR)
        if self._expected is Expected.JSON or self._expected is Expected.JSON_OR_NULL:
            return StartOfReply(_MAX_ERROR, CONTENT)
        if self._expected is Expected.JSON_LINES:
            return JsonLines(MAX_START)
        if self._content is Content.AWS_EVENT_STREAM:
            return AwsEventStreamReader()
        if self._content is Content.SSE or self._expected is Expected.EVENT_STREAM:
            return EventStreamReader(by_names=by_names)
        return StartOfReply(_MAX_ERROR, CONTENT) if self._expected is Expected.JSON_OR_EVENT_STREAM else None

    def judge_whole(self, body: bytes) -> ApiError | None:
        """Does what `judge` does, for the whole body. Of lines of JSON only the first bytes are looked at."""
        if self._of_message and self.is_success and is_plain_message(body):
            # As nearly every one is.
            return None
        return self.judge(body, b"", self._expected is Expected.JSON_LINES or body.find(CONTENT) >= 0, whole=True)

    def judge(self, start: bytes | None, last: bytes, has_content: bool, *, whole: bool) -> ApiError | None:
        """Sets `is_unexpected` by the body of a 2xx that has to be JSON: whether it is no answer to the request.

        Leaves it unchanged if an event stream may come and has come, and if the response `may_be_empty`.

        Returns the API's error in the body of a response of another status, or of an unexpected one. If a response of
        another status has none there, returns the one that Bedrock tells in a header. An error with neither a
        documented type nor a code does not count; `None` without one. Of a body of more than 16 KiB, so many bytes at
        both ends are searched.

        - `start`: the body, or its beginning, for an error with its end; `None` if it could not be seen. Then only HTML
          is known to be unexpected. An empty body is unexpected.
        - `last`: the body's last byte that is not blank, if it was read to its end; else empty. It may also be empty if
          `start` is the whole body.
        - `has_content`: whether the word `"content"`, which every message has, is in the body. For lines of JSON it is
          whether all lines may be JSON.
        - `whole`: whether `start` or `last` has the body's end.
        """
        if self.is_success and self._expected in _JSON:
            self._compare(start, last, whole, has_content)
        error = self._error_in(start) if start and (self.is_unexpected or not self.is_success) else None
        if error is None and self.error_headers is not None:
            return error_of_header(self.error_headers.get(b"x-amzn-errortype", b""))
        return error

    def _error_in(self, body: bytes) -> ApiError | None:
        told = self.error_headers
        if len(body) > _MAX_ERROR:
            error = error_of_ends(body[:_MAX_ERROR], body[-_MAX_ERROR:])
        else:
            error = error_of_body(body, told.get(b"content-type", b"")) if told is not None else api_error(body)
        return error if error.is_known else None

    def _compare(self, start: bytes | None, last: bytes, whole: bool, has_content: bool) -> None:
        if self._expected is Expected.JSON_OR_EVENT_STREAM and self._content in _STREAMS:
            return
        if start is None:
            self.is_unexpected = self.is_unexpected or (self._content is Content.PAGE and not self.may_be_empty)
        elif self._of_message:
            self.is_unexpected = not is_message(start + last, whole, has_content)
        elif not self.may_be_empty:
            broken = self._content in _STREAMS or (self._expected is Expected.JSON_LINES and not has_content)
            found = is_object(self._content, start, or_null=self._expected is Expected.JSON_OR_NULL)
            self.is_unexpected = broken or not found or is_error(in_utf8(start))

    def is_no_stream(self, end: StreamEnd, *, read_to_end: bool) -> bool:
        """Returns whether the app asked for an event stream, and the body is none by its first bytes.

        `end` is how the body ended by its reader, `read_to_end` whether the app has read the last byte. By the content
        type:

        - AWS frames: `False`.
        - Server-sent events: `True` if the first bytes are not those of a stream, no message was asked for, and the SDK
          is not known to have failed to decode an event.
        - Any other: `True` if the first bytes are not those of a stream. If they are not known, as for an empty body,
          `True` for HTML, and if the body was read to its end and is not in an encoding that only the app decodes.
        """
        if self._expected is not Expected.EVENT_STREAM or self._content is Content.AWS_EVENT_STREAM:
            return False
        if self._content is Content.SSE:
            # A stream of a message that is none lacks its end event too, and is told as incomplete.
            return end.is_event_stream is False and not (self._of_message or end.invalid)
        if end.is_event_stream is None:
            return self._content is Content.PAGE or (read_to_end and end.complete is not None)
        return not end.is_event_stream


def says_nothing(reply: Any, of_message: bool) -> bool:
    """Returns whether `reply`, which the SDK has made of a body, has nothing of what its operation returns.

    The SDK makes a reply of every object, such as a gateway's `{"code": 401}` with status 200. A message
    (`of_message`) says nothing if its `content` is `None`. Any other reply does if the object had none of its fields
    and at least one is required. `False` for a reply without fields, such as a text. Never raises an error of its own.
    """
    # Guarded in place, as it runs at every call.
    try:
        if of_message:
            return getattr(reply, "__dict__", {}).get("content", True) is None
        if getattr(reply, "__pydantic_fields_set__", None) != set():
            return False
        return any(field.is_required() for field in type(reply).model_fields.values())
    except Exception as error:
        report("says_nothing", error)
        return False
