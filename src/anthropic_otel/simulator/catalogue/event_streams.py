"""Helpers for the entries about event streams: the bytes of events, and a function for each kind of entry.

Rule: an entry says what an app that uses the SDK gets. An event counts once its blank line has arrived, which is when
the SDK dispatches it; an event that is cut before its blank line counts as not sent.
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
"""The needs of faults that only a client can meet that decodes the events."""
PLAIN: Final = Delivery()
GZIP: Final = Delivery(encoding=Encoding.GZIP)
DEFLATE: Final = Delivery(encoding=Encoding.DEFLATE)

# -- events ------------------------------------------------------------------------------------------------------------


def event(name: str, data: str | dict[str, object] | None = None, newline: str = "\n") -> bytes:
    """Returns the bytes of an event with that name, as the API writes it; `newline` ends its lines.

    `data` is what its `data:` line has: text as it is, a dictionary as JSON, and for `None` the JSON `{"type": name}`.
    """
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
    """Returns the data of a `content_block_delta` event with that text."""
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}


DATA: Final[tuple[dict[str, object], ...]] = (
    {"type": "message_start", "message": MESSAGE},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    delta(),
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
    {"type": "message_stop"},
)
"""The data of the six events of a short, complete stream, in their order."""


def stream(newline: str = "\n") -> tuple[bytes, ...]:
    """Returns the six events of a short, complete stream as bytes, one item for each; `newline` ends their lines."""
    return tuple(event(str(data["type"]), data, newline) for data in DATA)


EVENTS: Final = stream()
BEGUN: Final = EVENTS[:3]
UNENDED: Final = EVENTS[:-1]
STOP: Final = EVENTS[-1]
PING: Final = event("ping")


def bytewise(data: bytes) -> tuple[bytes, ...]:
    """Returns the data as chunks of one byte each."""
    return tuple(data[at : at + 1] for at in range(len(data)))


def error(message: str = "Overloaded", error_type: str = "overloaded_error", newline: str = "\n") -> bytes:
    """Returns the bytes of the API's `error` event with that message and type; `newline` ends its lines."""
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
    """Returns an entry for a stream of status 200 with exactly these chunks in its body, which ends as HTTP requires.

    Only requests for a stream can meet it, and the SDK does not retry it. `error_type` is what the library reports, or
    `None` for an attempt that completes. `complete` is whether the end event of a stream that fails arrived; `None`:
    not stated. `needs` is how a client must be set up to meet the fault. `content_type` and `delivery` are those of
    `Chunks`.
    """
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
    """Returns a success: a stream of status 200 with exactly these chunks, which must hold the end event.

    `content_type` and `delivery` are those of `Chunks`.
    """
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
    """Returns a network fault: a stream whose body ends before its end event, or does not end as HTTP requires.

    Its response has status 200 and a request id; only requests for a stream can meet it, and the SDK does not retry it.
    `ending` is how the body ends after the chunks; `content_type` and `delivery` are those of `Chunks`. `complete` is
    whether the end event arrived; `None`: not stated. The other arguments are fields of `Fault`.
    """
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
    """Returns a fault: a stream whose chunks have an `error` event, reported as `overloaded_error`.

    The chunks are sent as they are; no event is added. `complete` is whether the end event arrived; `None`: not stated.
    `delivery` is that of `Chunks`.
    """
    return entry(name, description, chunks, "overloaded_error", delivery=delivery, complete=complete)


def unknown(name: str, description: str, *chunks: bytes) -> Fault:
    """Returns a fault: a stream whose chunks have an `error` event without a type of the API's; reported as `_OTHER`.

    The chunks are sent as they are; no event is added.
    """
    return entry(name, description, chunks, OTHER)


def invalid(name: str, description: str, *chunks: bytes, delivery: Delivery = PLAIN) -> Fault:
    """Returns a fault: a stream whose chunks have an event that the SDK cannot decode; reported as `invalid_event`.

    The chunks are sent as they are; no event is added. `delivery` is that of `Chunks`. Only a client that decodes the
    events can meet it.
    """
    return entry(name, description, chunks, "invalid_event", delivery=delivery, needs=SDK)
