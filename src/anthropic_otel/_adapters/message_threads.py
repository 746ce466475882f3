"""Knows the refusals after which a message thread of the SDK sends its turn again, by another call of its own.

The server holds the conversation of a thread (`client.beta.messages.thread()`), and may have lost it. The SDK then
sends the whole conversation, and the app sees nothing of the refusal.

Rule: whether the SDK sends again is up to the state of its thread, which is found by the frames on the stack, and only
read. If it is not found, the SDK counts as not sending again.
"""

from __future__ import annotations

import sys
from typing import Any, Final

from anthropic_otel._core.cause_chain import is_a
from anthropic_otel._core.event_json import member
from anthropic_otel._core.guard import guarded
from anthropic_otel._core.stack import module_of

_MODULE: Final = "anthropic.lib.threads."
_SENDS_TURN: Final = "_create_with_recovery"
"""The function of the SDK's threads that sends a turn, and sends it again."""
REPLAYED: Final = ("thread_not_found", "thread_already_continued", "thread_continue_in_flight")
"""The error codes after which a thread that continues from a reply sends the whole conversation."""
_UNSUPPORTED: Final = "thread_unsupported_request"
"""The error code after which one that may do without a thread, as in a tool runner, goes on without one."""
_MAX_CALLERS: Final = 24
"""How many callers are looked at to find the function `_SENDS_TURN`."""


@guarded(False)
def sends_again(error: BaseException) -> bool:
    """Returns whether the call that is raising `error` is of a message thread that will send its turn again.

    To be called before the call raises to its caller, so that the SDK's function is still on the stack. `False` if no
    thread is found. Raises no error of its own.
    """
    if not is_a(error, "anthropic.APIStatusError"):
        return False
    code = member(member(member(getattr(error, "body", None), "error"), "details"), "error_code")
    if code not in (*REPLAYED, _UNSUPPORTED):
        return False
    state = _state_of_thread()
    if code in REPLAYED:
        return getattr(state, "previous_message_id", None) is not None
    goes_on = getattr(state, "unsupported_request_behavior", None) == "continue_unthreaded"
    return goes_on and getattr(state, "threading", None) is True


def _state_of_thread() -> Any:
    """Returns the state of the message thread whose turn is being sent by a caller of this, `None` without one."""
    frame = sys._getframe(1)
    for _ in range(_MAX_CALLERS):
        if frame.f_code.co_name == _SENDS_TURN and module_of(frame).startswith(_MODULE):
            return getattr(frame.f_locals.get("self"), "_state", None)
        if frame.f_back is None:
            break
        frame = frame.f_back
    return None
