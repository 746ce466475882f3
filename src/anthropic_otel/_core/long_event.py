"""Reads one event of an SSE stream that is too long to be kept.

Rule: the text is searched as it comes, and not kept but for its last bytes. Its line endings are newlines.
"""

from __future__ import annotations

import re
from typing import Final

from anthropic_otel._core.event_json import JsonTypes
from anthropic_otel._core.stream_end import Dispatched, StreamEnd

_CONTINUATIONS: Final = bytes(range(0x80, 0xC0))
"""The bytes of UTF-8 that begin no character."""
_NAME_LINE: Final = re.compile(rb"\nevent(?:: ?([^\n]{0,64}))?(?=\n)")
_LONGEST_NAME_LINE: Final = len(b"\nevent: \n") + 64


class LongEvent:
    """An event that is too long to be kept, which begins with `begun`.

    Only its `name` (`None` without one), the `types` found in its JSON and its last bytes are kept.
    """

    __slots__ = ("_before", "name", "types")

    def __init__(self, begun: bytes) -> None:
        self.name: bytes | None = None
        self.types: Final = JsonTypes()
        self._before = b"\n"
        self.feed(begun)

    @property
    def tail(self) -> bytes:
        """The last bytes of what was fed, at most `_LONGEST_NAME_LINE`, beginning with a whole character."""
        return self._before.lstrip(_CONTINUATIONS)

    def dispatch(self, end: StreamEnd) -> Dispatched | None:
        """Passes the event to `end`, once it is complete. Returns what `end` returns."""
        return end.dispatch_long(self.name, self.types)

    def feed(self, text: bytes) -> int | None:
        """Takes the event's next text. Returns the index in `text` after its blank line, else `None`."""
        known = len(self._before)
        text = self._before + text
        end = text.find(b"\n\n", known - 1)
        part = text if end < 0 else text[: end + 1]
        for line in _NAME_LINE.finditer(part):
            self.name = line[1] or None
        self.types.feed(part[known:])
        self._before = part[-_LONGEST_NAME_LINE:]
        return None if end < 0 else end + 2 - known
