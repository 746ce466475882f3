"""Follows a send within a recorded send that belongs to the same attempt, as of a subclass that sends a copy.

Rule: as for a recorded send, what the app gets back and what is raised are the same objects.
"""

from __future__ import annotations

from typing import Any, Final

from anthropic_otel._adapters.patches import Function
from anthropic_otel._adapters.trace_functions import Lent, take_off
from anthropic_otel._core.guard import guarded
from anthropic_otel._core.send import Send


class InnerSend:
    """A send of `request` within a recorded send, the outer one, for the same attempt. No method raises.

    `trace` is the attempt's `trace` function, `None` without one. It is put on `request`, unless it is there already,
    until `returned` or `raised`. `send` is the outer send if no trace events are read of the outer send's transport:
    then the end of the inner send is recorded on `send`. Else `send` is `None`.
    """

    __slots__ = ("_lent", "_request", "_send")

    def __init__(self, request: Any, trace: Function | None, send: Send | None) -> None:
        self._request: Final = request
        self._send: Final = send
        self._lent: Lent | None = None
        if trace is not None and request.extensions.get("trace") is not trace:
            extensions = request.extensions
            lent = {**extensions, "trace": trace}
            self._lent = trace, lent, lent.copy(), extensions
            request.extensions = lent

    def returned(self, response: Any) -> Any:
        """Ends the inner send with `response`, and returns that. The outer send records it if it returns it too.

        If no trace events are read, records the status, HTTP version and headers on the outer send.
        """
        if self._send is not None:
            self._note(response)
        self._restore()
        return response

    def raised(self, error: BaseException) -> None:
        """Called when the inner send has raised `error`, or `returned` was interrupted.

        If no trace events are read, records `error` on the outer send, unless it is no `Exception`.
        """
        self._restore()
        if self._send is not None and isinstance(error, Exception):
            self._send.broke(error)

    @guarded(None)
    def _note(self, response: Any) -> None:
        if self._send is not None:
            self._send.answered(response.status_code, response.headers.raw, response.extensions.get("http_version"))

    @guarded(None)
    def _restore(self) -> None:
        if self._lent is not None:
            take_off(self._request, *self._lent)
