"""Holds the message threads of the simulated API: which reply a turn of a conversation may continue from.

Rule: of a thread only the ids of its replies are kept, as the simulated replies do not depend on a conversation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from anthropic_otel.simulator.answers import Refused
from anthropic_otel.simulator.wire import Json

_LOST: Final = "thread: no usable thread state was found for `previous_message_id`"
_CONTINUED: Final = "thread: the response that `previous_message_id` names has already been continued"


class Threads:
    """The threads of one API. A reply to a request with a `thread` can be continued from once, by its id."""

    def __init__(self) -> None:
        self._continued: dict[str, bool] = {}
        """Whether a reply has been continued, by its id."""

    def refusal_of(self, body: Json) -> Refused | None:
        """Returns the API's refusal of a body that continues from what cannot be continued from, else `None`."""
        before = _continues(body)
        if before is None or self._continued.get(before) is False:
            return None
        if before not in self._continued:
            return Refused(404, "not_found_error", _LOST, code="thread_not_found")
        return Refused(400, "invalid_request_error", _CONTINUED, code="thread_already_continued")

    def keeping(self, body: Json, reply_id: str, change: Callable[[], None] | None) -> Callable[[], None] | None:
        """Returns a function that calls `change`, and remembers the reply if the body asks for that; else `change`."""
        if not body.get("thread"):
            return change

        def keep() -> None:
            if change is not None:
                change()
            before = _continues(body)
            if before is not None:
                self._continued[before] = True
            self._continued[reply_id] = False

        return keep


def _continues(body: Json) -> str | None:
    """Returns the id of the reply that a body continues from, `None` if it continues from none."""
    thread = body.get("thread")
    return str(thread["previous_message_id"]) if thread and thread["type"] == "continue" else None
