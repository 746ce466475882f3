"""Parses the text of SSE events, and finds one that the SDK cannot decode.

Rule: the caller has replaced the line endings of a text by newlines, so that an event ends at two of them.
"""

from __future__ import annotations

from anthropic_otel._core.event_json import ERROR, MESSAGE_STOP, PING, parsed
from anthropic_otel._core.stream_end import Break, is_known, meaning_of


def fields_of(event: bytes) -> tuple[bytes | None, bytes]:
    """Parses an event's lines. Returns its name and its data.

    The name is the value of the last `event` line; `None` without such a line, and if that value is empty. The data is
    the values of the `data` lines, joined by newlines; empty without any.
    """
    name, data = None, []
    for line in event.split(b"\n"):
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            # An empty name is none.
            name = value.removeprefix(b" ") or None
    return name, b"\n".join(data)


def break_in(text: bytes, by_names: bool, *, ended: bool) -> Break | None:
    """Returns whether the first event in `text` that the SDK cannot decode is before or after the end event.

    `None` if there is none, or if an `error` event comes first, at which the SDK stops. `text` begins with an event;
    what follows its last blank line is not searched. `by_names` is whether the SDK decodes only events whose names it
    knows, as up to 1.15. `ended` is whether the end event came before `text`.
    """
    for event in text.split(b"\n\n")[:-1]:
        name, data = fields_of(event)
        try:
            event.decode()
            if name not in (None, PING, ERROR) and (is_known(name) if by_names else data):
                parsed(data)
        except ValueError:
            return Break.AFTER_END if ended else Break.BEFORE_END
        if name == ERROR:
            return None
        ended = ended or meaning_of(name, data, by_names=by_names) == MESSAGE_STOP
    return None
