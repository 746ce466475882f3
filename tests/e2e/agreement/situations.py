"""The situations in which an app meets a fault: how it calls and how it reads.

Rule: a situation knows no fault by name. Which faults it is for follows from what their entries are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import anthropic
from anthropic._streaming import SSEDecoder

from anthropic_otel.simulator import Fault, Reply, Where
from support.apps import BareApp, SdkApp, request_of


class Got:
    """What has come to the app so far.

    - `reading`: it has a response, and reads the body.
    - `taken`: it has taken a part of the body.
    - `complete`: it has a message, or an event `message_stop`.
    - `left`: it has stopped of its own will.
    - `status`, `request_id`: what it could see of the response.
    - `error_event`: it found the API's error itself, in the bytes or among the events.
    """

    def __init__(self) -> None:
        self.reading = False
        self.taken = False
        self.complete = False
        self.left = False
        self.error_event = False
        self.status: int | None = None
        self.request_id: str | None = None

    def value(self, value: Any) -> None:
        """Takes what a method has returned as the answer."""
        # Of every object, such as an error, the SDK makes a message too, with nothing of one.
        self.complete = isinstance(value, anthropic.types.Message) and getattr(value, "content", None) is not None
        self.request_id = getattr(value, "_request_id", None)

    def event(self, event: Any) -> bool:
        """Takes an event of a stream. Returns whether it is the last one."""
        self.reading = self.taken = True
        kind = getattr(event, "type", None)
        self.complete = self.complete or kind == "message_stop"
        self.error_event = self.error_event or kind == "error"
        return self.complete


Use = Callable[[Any, Got, str], None]
"""Lets the app call and read. Its arguments: the app, what comes to it, and the prompt."""


@dataclass(frozen=True)
class Situation:
    """One of them. `first` is whether only the first attempt meets the fault, and all is well from then on."""

    name: str
    stream: bool
    use: Use
    meets: Callable[[Fault], bool]
    first: bool = False


# -- an app on the SDK -------------------------------------------------------------------------------------------------


def _create(app: SdkApp, got: Got, prompt: str) -> None:
    got.value(app.create(prompt))


def _parsed(app: SdkApp, got: Got, prompt: str) -> None:
    raw = app.driver(app.client.messages.with_raw_response.create(**request_of(prompt)))
    got.reading, got.status = True, raw.status_code
    got.value(app.driver(raw.parse()))


def _body(app: SdkApp, got: Got, prompt: str) -> None:
    manager = app.client.messages.with_streaming_response.create(**request_of(prompt))
    _within(app, manager, lambda raw: _read_body(app, got, raw))


def _read_body(app: SdkApp, got: Got, raw: Any) -> None:
    got.reading, got.status = True, raw.status_code
    app.driver(raw.read())
    got.value(app.driver(raw.parse()))


def _no_body(app: SdkApp, got: Got, prompt: str) -> None:
    manager = app.client.messages.with_streaming_response.create(**request_of(prompt))
    _within(app, manager, lambda _: None)
    got.left = True


def _events(app: SdkApp, got: Got, prompt: str) -> None:
    stream = app.create(prompt, stream=True)
    _read_events(app, got, stream)


def _raw_events(app: SdkApp, got: Got, prompt: str) -> None:
    manager = app.client.messages.with_streaming_response.create(**request_of(prompt, stream=True))
    _within(app, manager, lambda raw: _read_events(app, got, app.driver(raw.parse())))


def _helper(app: SdkApp, got: Got, prompt: str) -> None:
    _within(app, app.client.messages.stream(**request_of(prompt)), lambda stream: _read_events(app, got, stream))


def _read_events(app: SdkApp, got: Got, stream: Any) -> None:
    got.reading = True
    app.driver.each(stream, got.event)


def _first_event(app: SdkApp, got: Got, prompt: str) -> None:
    stream = app.create(prompt, stream=True)
    got.reading = True
    try:
        got.event(app.driver.next(stream))
    finally:
        app.driver(stream.close())
    got.left = True


def _no_event(app: SdkApp, got: Got, prompt: str) -> None:
    app.driver(app.create(prompt, stream=True).close())
    got.left = True


def _to_the_last_event(app: SdkApp, got: Got, prompt: str) -> None:
    stream = app.create(prompt, stream=True)
    try:
        while not got.event(app.driver.next(stream)):
            pass
    except (StopIteration, StopAsyncIteration):
        pass
    finally:
        app.driver(stream.close())


def _within(app: SdkApp, manager: Any, use: Callable[[Any], None]) -> None:
    """Uses what a context manager, sync or async, hands out, and leaves it as a `with` statement does."""
    entered = app.driver.enter(manager)
    try:
        use(entered)
    except BaseException as error:
        app.driver.leave(manager, error)
        raise
    app.driver.leave(manager)


# -- an app without the SDK --------------------------------------------------------------------------------------------


def _response(app: BareApp, got: Got, prompt: str) -> None:
    response = app.send(prompt)
    got.reading, got.status = True, response.status_code
    got.complete = _is_message(response)


def _is_message(response: Any) -> bool:
    try:
        found = response.json()
        return isinstance(found, dict) and "content" in found
    except ValueError:
        return False


def _chunks(app: BareApp, got: Got, prompt: str) -> None:
    with_body = app.send(prompt, stream=True)
    got.reading, got.status = True, with_body.status_code
    read = bytearray()
    try:
        app.driver.each(_iterated(app, with_body), read.extend)
    finally:
        app.driver.close(with_body)
        names = [event.event for event in SSEDecoder().iter_bytes(iter([bytes(read)])) if event.data]
        got.complete, got.error_event = "message_stop" in names, "error" in names


def _first_chunk(app: BareApp, got: Got, prompt: str) -> None:
    with_body = app.send(prompt, stream=True)
    got.reading, got.status = True, with_body.status_code
    try:
        app.driver.next(_iterated(app, with_body))
        got.taken = True
    finally:
        app.driver.close(with_body)
    got.left = True


def _iterated(app: BareApp, response: Any) -> Any:
    return response.aiter_bytes() if app.driver.asynchronous else response.iter_bytes()


# -- which fault is met in which situation -----------------------------------------------------------------------------


def _hurried(fault: Fault) -> bool:
    """Whether the client's timeouts have to be short, so that what is well may strike them on a slow machine."""
    needs = fault.needs
    timeouts = (needs.connect_timeout, needs.read_timeout, needs.write_timeout, needs.pool_timeout)
    return any(seconds is not None for seconds in timeouts)


def _as_value(fault: Fault) -> bool:
    return fault.stream is not True


def _as_stream(fault: Fault) -> bool:
    """Before a response comes, a stream is asked for like anything else: once is enough."""
    return fault.stream is True or (fault.stream is None and fault.where in _AFTER_HEADERS)


def _after_headers(fault: Fault) -> bool:
    return _well_or_in_body(fault) or (fault.where is Where.RESPONSE and _as_value(fault) and not _hurried(fault))


def _well_or_in_body(fault: Fault) -> bool:
    return _as_value(fault) and not _hurried(fault) and (fault.where is Where.BODY or _is_plain(fault))


def _in_stream(fault: Fault) -> bool:
    return fault.stream is not False and not _hurried(fault) and (fault.where is Where.STREAM or _is_plain(fault))


def _is_plain(fault: Fault) -> bool:
    """Whether it is no fault at all: what is well in an odd form is met in fewer situations."""
    return fault.action == Reply()


def _well_as_stream(fault: Fault) -> bool:
    return fault.stream is not False and fault.where is Where.NOWHERE


def _recovers(fault: Fault) -> bool:
    return fault.retried and not fault.own_address and not _hurried(fault)


def _value_recovers(fault: Fault) -> bool:
    return _as_value(fault) and _recovers(fault)


def _stream_recovers(fault: Fault) -> bool:
    return _as_stream(fault) and _recovers(fault)


_AFTER_HEADERS: Final = (Where.NOWHERE, Where.RESPONSE, Where.BODY, Where.STREAM)

WITH_SDK: Final = (
    Situation("a message", False, _create, _as_value),
    Situation("a stream", True, _events, _as_stream),
    Situation("a message after a failure", False, _create, _value_recovers, first=True),
    Situation("a stream after a failure", True, _events, _stream_recovers, first=True),
    Situation("with_raw_response", False, _parsed, _after_headers),
    Situation("with_streaming_response", False, _body, _after_headers),
    Situation("with_streaming_response, unread", False, _no_body, _well_or_in_body),
    Situation("with_streaming_response of a stream", True, _raw_events, _in_stream),
    Situation("messages.stream()", True, _helper, _in_stream),
    Situation("a stream that is closed after its first event", True, _first_event, _in_stream),
    Situation("a stream that is closed unread", True, _no_event, _in_stream),
    Situation("a stream that is closed after its last event", True, _to_the_last_event, _well_as_stream),
)
"""Of an app on the SDK, which retries once."""

WITHOUT_SDK: Final = (
    Situation("a response", False, _response, _as_value),
    Situation("a stream", True, _chunks, _as_stream),
    Situation("a stream that is closed after its first chunk", True, _first_chunk, _in_stream),
)
"""Of an app that has nothing but the HTTP client."""
