"""What entries about event streams are made of: the bytes of events, and an entry for each way that a stream ends.

Rule: what the entry says follows from what an app on the SDK gets. An event counts when it is dispatched, which is at
its blank line; an event that is not, is as if it had never come.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Final

from anthropic_otel._core.semconv import OTHER, Phase
from anthropic_otel._core.semconv import NetworkCause as Cause
from anthropic_otel.simulator.actions import Chunks, Delivery, Encoding, Ending
from anthropic_otel.simulator.faults import NO_NEEDS, Fault, Needs, Where, answered, network
from anthropic_otel.simulator.wire import error_body

SDK: Final = Needs(sdk="Anthropic")
"""Only a client that decodes the events meets one that cannot be decoded."""
PLAIN: Final = Delivery()
GZIP: Final = Delivery(encoding=Encoding.GZIP)
DEFLATE: Final = Delivery(encoding=Encoding.DEFLATE)

# -- events ------------------------------------------------------------------------------------------------------------


def event(name: str, data: str | dict[str, object] | None = None, newline: str = "\n") -> bytes:
    """Return an event as the API writes it; `data` `None` is the usual one of an event without any content."""
    value = {"type": name} if data is None else data
    text = value if isinstance(value, str) else json.dumps(value)
    return f"event: {name}{newline}data: {text}{newline}{newline}".encode()


MESSAGE: Final[dict[str, object]] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-5-5",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
    "usage": {"input_tokens": 9, "output_tokens": 1},
}


def delta(text: str = "hi") -> dict[str, object]:
    """Return the data of an event with some text."""
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}


DATA: Final[tuple[dict[str, object], ...]] = (
    {"type": "message_start", "message": MESSAGE},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    delta(),
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
    {"type": "message_stop"},
)
"""The data of the events of a short stream."""


def stream(newline: str = "\n") -> tuple[bytes, ...]:
    """Return the events of a short stream, whose lines end like that."""
    return tuple(event(str(data["type"]), data, newline) for data in DATA)


EVENTS: Final = stream()
BEGUN: Final = EVENTS[:3]
UNENDED: Final = EVENTS[:-1]
STOP: Final = EVENTS[-1]
PING: Final = event("ping")


def bytewise(data: bytes) -> tuple[bytes, ...]:
    """Return chunks of one byte each."""
    return tuple(data[at : at + 1] for at in range(len(data)))


def error(message: str = "Overloaded", error_type: str = "overloaded_error", newline: str = "\n") -> bytes:
    """Return the API's `error` event."""
    return event("error", error_body(error_type, message), newline)


# -- entries -----------------------------------------------------------------------------------------------------------


def entry(
    name: str,
    description: str,
    chunks: tuple[bytes, ...],
    error_type: str | None,
    *,
    content_type: str | None = "text/event-stream; charset=utf-8",
    delivery: Delivery = PLAIN,
    needs: Needs = NO_NEEDS,
    complete: bool | None = None,
) -> Fault:
    """A 200 with those chunks; `error_type` is that of an API's error or of an event."""
    return answered(
        name,
        description,
        Chunks(chunks, content_type, delivery=delivery),
        error_type,
        where=Where.STREAM,
        complete=complete,
        stream=True,
        needs=needs,
    )


def whole(
    name: str,
    description: str,
    *chunks: bytes,
    content_type: str | None = "text/event-stream; charset=utf-8",
    delivery: Delivery = PLAIN,
) -> Fault:
    """A stream that is complete, whatever its form."""
    return entry(name, description, chunks, None, content_type=content_type, delivery=delivery)


def cut(
    name: str,
    description: str,
    *chunks: bytes,
    ending: Ending = Ending.CLEAN,
    cause: Cause = Cause.INCOMPLETE_STREAM,
    content_type: str | None = "text/event-stream; charset=utf-8",
    delivery: Delivery = PLAIN,
    errno: tuple[str, ...] = (),
    complete: bool | None = None,
    needs: Needs = NO_NEEDS,
) -> Fault:
    """A stream whose body ends too early, or not at all."""
    made = network(
        name,
        description,
        Where.STREAM,
        Chunks(chunks, content_type, ending, delivery),
        cause,
        Phase.RECEIVE,
        errno=errno,
        status=200,
        retried=False,
        stream=True,
        needs=needs,
    )
    return replace(made, complete=complete)


def overloaded(
    name: str, description: str, *chunks: bytes, delivery: Delivery = PLAIN, complete: bool | None = None
) -> Fault:
    """A stream with an `overloaded_error` event."""
    return entry(name, description, chunks, "overloaded_error", delivery=delivery, complete=complete)


def unknown(name: str, description: str, *chunks: bytes) -> Fault:
    """A stream with an `error` event that names no type of the API's."""
    return entry(name, description, chunks, OTHER)


def invalid(name: str, description: str, *chunks: bytes, delivery: Delivery = PLAIN) -> Fault:
    """A stream with an event that the SDK cannot decode."""
    return entry(name, description, chunks, "invalid_event", delivery=delivery, needs=SDK)
