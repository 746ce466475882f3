"""Reads one event of an SSE stream that is too long to be kept.

Rule: the text is searched as it comes, and only its last bytes are kept. Its line endings are newlines.
"""

from __future__ import annotations

import re
from typing import Final

from anthropic_otel._core.event_json import JsonTypes
from anthropic_otel._core.stream_end import Dispatched, StreamEnd

_CONTINUATIONS: Final = bytes(range(0x80, 0xC0))
"""The bytes that continue a character of UTF-8."""
_NAME_LINE: Final = re.compile(rb"\nevent(?:: ?([^\n]{0,64}))?(?=\n)")
_LONGEST_NAME_LINE: Final = len(b"\nevent: \n") + 64


class LongEvent:
    """An event that is too long to be kept, which begins with `begun`, or is all of that.

    Only its `name`, the `types` found in its JSON and its last bytes are kept. `name` is that of its last `event` line,
    without those that have a name of more than 64 bytes; `None` if that is empty, or there is no such line.
    """

    __slots__ = ("_before", "name", "types")

    def __init__(self, begun: bytes) -> None:
        self.name: bytes | None = None
        self.types: Final = JsonTypes()
        self._before = b"\n"
        self.feed(begun)

    @property
    def tail(self) -> bytes:
        """The last bytes of the event so far, at most `_LONGEST_NAME_LINE`, without the rest of a cut character."""
        return self._before.lstrip(_CONTINUATIONS)

    def dispatch(self, end: StreamEnd) -> Dispatched | None:
        """Passes the event's `name` and `types` to `end`, and returns what `end` returns.

        To be called when the event is complete.
        """
        return end.dispatch_long(self.name, self.types)

    def feed(self, text: bytes) -> int | None:
        """Takes the event's next text. Returns the index in `text` after the blank line that ends it, else `None`."""
        known = len(self._before)
        text = self._before + text
        end = text.find(b"\n\n", known - 1)
        part = text if end < 0 else text[: end + 1]
        for line in _NAME_LINE.finditer(part):
            self.name = line[1] or None
        self.types.feed(part[known:])
        self._before = part[-_LONGEST_NAME_LINE:]
        return None if end < 0 else end + 2 - known
