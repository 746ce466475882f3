"""Records one send: adds trace context to its request, and a `trace` function if the runtime reads trace events.

Rule: what the app gets back and what is raised are the same objects, and after the send its request has its own
extensions again. The trace context stays in its headers.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from operator import is_
from typing import Any, Final

from anthropic_otel._adapters import http_body, messages, transports
from anthropic_otel._adapters.current import RunningCall
from anthropic_otel._adapters.inner_send import InnerSend
from anthropic_otel._adapters.patches import Function
from anthropic_otel._adapters.trace_functions import Lent, app_trace_of, chained, take_off
from anthropic_otel._core.cause_app import is_of_authentication
from anthropic_otel._core.failed_send import FailedSend
from anthropic_otel._core.guard import guarded, report
from anthropic_otel._core.request import RequestFacts
from anthropic_otel._core.runtime import Runtime
from anthropic_otel._core.send import AttemptSource, Send

Origin = RunningCall | Runtime
"""What a send belongs to: its running call, or without a call the runtime that records it."""


def is_recorded_for_app() -> bool:
    """Returns whether the current send has not ended, and is recorded because the app has instrumented something.

    `False` without a current send, and for one that is recorded only for recorders that have joined, such as that of a
    test's capture.
    """
    sending = current_sending.get()
    if sending is None or sending.request is None:
        return False
    origin = sending.origin
    runtime = origin.runtime if isinstance(origin, RunningCall) else origin
    return not runtime.provisional


class Sending(Send):
    """One recorded send. `returned` or `raised` must be called at its end. Neither raises an error of its own.

    Its creation begins the first attempt, by `source` with `facts` and `size`. The headers of that attempt's recorder
    are added to the request, and a `trace` function if the runtime reads trace events (`Runtime.phases`). The new
    object becomes the current send. What interrupts the creation, such as a `KeyboardInterrupt`, ends the attempt and
    is raised.

    `names` are as for `messages.set_headers`. `http_client` sends the request; `asynchronous` is whether it is an
    `AsyncClient`.

    - `origin`: the call that the send belongs to, or without a call the runtime that records it.
    - `request`: the request that is sent; `None` after the send.
    - `lent`: what `take_off` needs to give the request its own extensions back; `None` without a `trace` function, and
      after the send. Another send of the same request may change it (`trace_functions`).
    """

    __slots__ = (
        "_asynchronous",
        "_http_client",
        "_response",
        "_token",
        "lent",
        "origin",
        "request",
    )

    def __init__(
        self,
        source: AttemptSource,
        facts: RequestFacts,
        size: int | None,
        request: Any,
        names: list[bytes] | None,
        origin: Origin,
        http_client: Any,
        asynchronous: bool,
    ) -> None:
        # Not by the base, as it runs at every send.
        self.source = source
        self.origin: Final = origin
        self.request: Any = request
        self._http_client: Any = http_client
        self._asynchronous: Final = asynchronous
        self._response: Any = None
        self.lent: Lent | None = None
        self._token: Token[Sending | None] | None = None
        self.attempt = source.begin_attempt(facts, size)
        # Guarded in place, as it runs at every send.
        try:
            try:
                if origin.phases:
                    self._listen(request)
                # The SDK has signed the request before, so that no signature covers these headers.
                messages.set_headers(request, names, self.attempt.recorder.headers)
            except Exception as error:
                report("Sending", error)
            self._token = current_sending.set(self)
        except BaseException as interrupt:
            self.raised(interrupt)
            raise

    def _listen(self, request: Any) -> None:
        """Gives the request a copy of its extensions with a `trace` function, and sets `lent`.

        That function calls ours, and then the app's own if there is one.
        """
        trace: Function = self.atrace if self._asynchronous else self.trace
        extensions = request.extensions
        if "trace" in extensions and (theirs := app_trace_of(request)) is not None:
            trace = chained(trace, theirs, asynchronous=self._asynchronous)
        # A new mapping, as the app may use its own for more than one request. What `_leave` needs is set before.
        lent = {**extensions, "trace": trace}
        self.lent = trace, lent, lent.copy(), extensions
        request.extensions = lent

    def shares_its_attempt_with(self, request: Any, origin: Origin, *, asynchronous: bool) -> bool:
        """Returns whether a send of `request` that begins now, with this send current, belongs to the same attempt.

        It does if it has the same origin, kind of client (`asynchronous`: an `AsyncClient`), method, host, port and
        path: a subclass's `send` may copy its request and send the copy. It does not once this send has ended, as in a
        task that outlives it.
        """
        own = self.request
        if own is None or origin is not self.origin or asynchronous is not self._asynchronous:
            return False
        return messages.have_same_target(own, request)

    def inner_send(self, request: Any, names: list[bytes] | None) -> InnerSend:
        """Returns the `InnerSend` for a send of `request` that is made within this send, which is still current.

        It belongs to this send's attempt. But if no trace events of the transport are read, it is recorded that a
        request begins (`begins_again`), by which a further attempt of this send may begin. Adds trace context to the
        request's headers. `names` are as for `messages.set_headers`.
        """
        send = None if self.attempt.request.emits_events else self
        if send is not None:
            send.begins_again()
        messages.set_headers(request, names, self.attempt.recorder.headers)
        return InnerSend(request, self._trace, send)

    @property
    def _trace(self) -> Function | None:
        """What this send has put on its request as `trace` extension: `None` if nothing, and after the send."""
        return self.lent[0] if self.lent is not None else None

    def returned(self, response: Any) -> Any:
        """Records the response that the send has returned, by `http_body.received`. Returns `response`.

        Before that, records what redirects and an auth flow did: the proxy of the last request, and the time that
        credentials took. After it, notes the response on the send's call if the app still reads its body, or if the
        call has a middleware. Last, makes the send no longer current and gives its request its own extensions back.
        """
        self._response = response
        # Guarded in place, as it runs at every send: a client of the app's own may return anything.
        try:
            if getattr(response, "history", None):
                self._set_proxy_of(_request_of(response))
                self._find_credentials(response.history)
        except Exception as error:
            report("Sending.returned", error)
        opened, origin = http_body.received(self, response), self.origin
        if isinstance(origin, RunningCall) and (opened or origin.has_middleware):
            origin.note(response, self.attempt, is_open=opened)
        self._leave(None)
        return response

    def raised(self, error: BaseException) -> None:
        """Ends the attempt because the send has raised `error`.

        Before that, makes the send no longer current and gives its request its own extensions back, as `returned` does.
        It may be called after an interrupted `returned`. `__init__` calls it if it is interrupted itself.
        """
        try:
            self._leave(error)
        finally:
            # Also after another interrupt: an end that is not recorded is missing in every count.
            self.failed(error)

    def _leave(self, error: BaseException | None) -> None:
        """Makes the send no longer current, and gives its request and those of its redirects their own extensions back.

        Then records what `error` tells of the attempt; `error` is `None` if the send has not raised. Of a send that has
        raised, only the last redirect is known. At the end this forgets the request, the client and the response.
        """
        if self._token is not None:
            try:
                current_sending.reset(self._token)
            except (ValueError, RuntimeError):
                # A coroutine may be closed in another context than it ran in: nothing of ours is current there.
                self._token = None
        if self.lent is not None:
            # Guarded in place, as it runs at every send.
            try:
                request, response, (_, lent, before, extensions) = self.request, self._response, self.lent
                # Identity comes first: then no value of the app's is compared.
                if request.extensions is lent and all(map(is_, lent.values(), before.values())) and lent == before:
                    request.extensions = extensions
                else:
                    take_off(request, *self.lent)
                if response is not None and response.history:
                    for hop in map(_request_of, (response, *response.history)):
                        if hop is not None:
                            take_off(hop, *self.lent)
            except Exception as failure:
                report("Sending._leave", failure)
        if error is not None:
            self._look_at_failure(error)
        self.request = self._http_client = self._response = self.lent = None

    @guarded(None)
    def _look_at_failure(self, error: BaseException) -> None:
        attempt = self.attempt
        sent = messages.request_of_auth_flow(error)
        own = sent is None or self._is_own(sent)
        answer = messages.answer_to_auth_flow(error) if own else None
        known = attempt.failed_send = FailedSend()
        response, known.broken = messages.broken_response(error)
        if attempt.status is None and attempt.timeline.received is None:
            # There may have been a response all the same: a transport without trace events, as aiohttp's, hides it.
            response = response or answer
            if response is None:
                # A transport or a hook has made an exception of the status.
                response = messages.response_of_status_error(error, self._is_own)
            if response is not None:
                self.answered(response.status_code, response.headers.raw, response.extensions.get("http_version"))
        if not own or (answer is None and is_of_authentication(error)):
            attempt.timeline.was_fetching_credentials()
        else:
            known.redirected = messages.was_redirected(error)
        # The libraries keep the failed request on the exception. It may be the one after a redirect.
        last = getattr(error, "_request", None)
        self._set_proxy_of(last)
        known.client_closed = getattr(self._http_client, "is_closed", False) is True
        if last is not None and self.lent is not None:
            take_off(last, *self.lent)

    def _is_own(self, request: Any) -> bool:
        """Returns whether `request` is that of this send, or has the same target (`messages.have_same_target`).

        An auth flow may send a copy.
        """
        return request is self.request or messages.have_same_target(request, self.request)

    @guarded(None)
    def _find_credentials(self, history: list[Any]) -> None:
        """Records how long the requests for credentials took that an auth flow had the client send.

        `history` are the responses before the last one, those of redirects and of an auth flow. Their requests with
        neither the `trace` function of this send nor its target are for credentials. Does nothing if this send has put
        no `trace` function on its request.
        """
        trace = self._trace
        if trace is None:
            return
        for response in history:
            request = _request_of(response)
            if request is None:
                continue
            if request.extensions.get("trace") is not trace and not self._is_own(request):
                self.attempt.timeline.fetched_credentials(int(response.elapsed.total_seconds() * 1e9))

    @guarded(None)
    def _set_proxy_of(self, request: Any) -> None:
        """Sets the attempt's proxy to the one that `request`, the last request of this send, goes through.

        Changes nothing for `None`, and for the request that this send began with.
        """
        if request is not None and request is not self.request:
            self.went_through(transports.facts_of(self._http_client, request.url).proxy)


def _request_of(response: Any) -> Any:
    """Returns the request of a response, `None` if it has none, as one that the app has built."""
    try:
        return response.request
    except (AttributeError, RuntimeError):
        # The libraries raise a `RuntimeError`.
        return None


current_sending: Final[ContextVar[Sending | None]] = ContextVar("anthropic_otel_sending", default=None)
"""The recorded send that is current in this thread or task, `None` without one. It may have ended."""
