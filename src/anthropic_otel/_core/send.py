"""Follows one `send` of an HTTP client through its attempts, one after the other.

Usually there is one. A transport below the client may send again by itself: a retry, a failover. The transport's events
show each request. It is another attempt if the request before raised, or got a status of 400 or more other than 401 and
407. After a 2xx it is another one if it is the same request once more, which a hook or a transport mirrors. Any other
belongs to the same attempt, such as the further hop after a redirect or a demand for credentials. Without such events,
an adapter may see a request begin within the send (`begins_again`): then any after a 2xx is another attempt.

Rule: attempts begin here, and those end here whose send has failed, was lost, or is repeated by a transport. An adapter
ends the one that `responded` returns. Nothing here raises an error of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from anthropic_otel._core.attempt import Attempt
from anthropic_otel._core.cause import classify
from anthropic_otel._core.cause_app import is_of_authentication
from anthropic_otel._core.clock import Clock
from anthropic_otel._core.ending import End
from anthropic_otel._core.guard import guarded, report
from anthropic_otel._core.headers import RawHeaders, by_name
from anthropic_otel._core.raw_response import parsed_response
from anthropic_otel._core.recorder import AfterFailure, Recorder
from anthropic_otel._core.request import RequestFacts, Retry
from anthropic_otel._core.semconv import FALLBACK, AttemptOutcome, NetworkCause, RetrySource
from anthropic_otel._core.timeline import starts_request


class AttemptSource(Protocol):
    """Begins the attempts of a send. It is mostly the `Call` of the send; for a send without a call, `LoneAttempts`."""

    def begin_attempt(self, request: RequestFacts, size: int | None = None, *, by_transport: bool = False) -> Attempt:
        """Begins and returns the next attempt, which sends `request`.

        `size` is the size of the request's body in bytes, `None` if not known. `by_transport` is whether a transport
        below the client sends the request again by itself.

        Raises only what interrupts it, such as a `KeyboardInterrupt`; the attempt has ended then.
        """
        ...

    def send_finished(self) -> None:
        """To be called when the send has returned, has raised or was lost.

        The attempt that began last is then taken for the last attempt of the send. With event hooks another attempt may
        begin after it all the same.
        """
        ...

    def received_whole(self, attempt: Attempt) -> None:
        """Ends an attempt whose response is in memory with its whole body.

        The attempt ends at once, or, if the SDK is still to parse the body, when the SDK has done so.
        """
        ...


class Send:
    """One `send` of an HTTP client. Begins the first attempt for `request`, by `source`, when it is made.

    `size` is the size of the request's body in bytes, `None` if not known.

    No method raises an error of its own. `attempt` is the attempt that is under way, or the last one. For a response in
    memory with its whole body an adapter calls the method `source.received_whole`.
    """

    __slots__ = ("attempt", "source")

    def __init__(self, source: AttemptSource, request: RequestFacts, size: int | None = None) -> None:
        self.source = source
        self.attempt = source.begin_attempt(request, size)

    def __deepcopy__(self, memo: object) -> Send:
        # A transport of the app may copy the extensions of a request, with our `trace` function.
        return self

    def trace(self, name: str, info: Mapping[str, Any]) -> None:
        """Handles one trace event of the transport: passes it to the attempt's timeline.

        After a failure, the start of a request begins another attempt, and after a 2xx the start of the same request
        does. The event is the new attempt's then.
        """
        # Guarded in place: an attempt has some fourteen events.
        try:
            timeline = self.attempt.timeline
            if timeline.failed_at is not None:
                if starts_request(name):
                    self._send_again()
            elif timeline.answered_at is not None:
                target = self.attempt.request.target
                if timeline.sends_the_same(name, info, target.address, target.port):
                    self._send_again()
            self.attempt.timeline.trace(name, info)
        except Exception as error:
            report("Send.trace", error)

    async def atrace(self, name: str, info: Mapping[str, Any]) -> None:
        """Does the same as `trace`, as a coroutine function, which asynchronous transports need."""
        self.trace(name, info)

    def _send_again(self) -> None:
        """Ends the current attempt, and begins the next one, which the transport sends by itself.

        To be called if the timeline of the current attempt has `failed_at` or `answered_at`. The attempt ends as of
        that time: with the exception in the timeline's `failure`, or without one as if its body was read (`End.READ`).
        Before that, tells the attempt's recorder that the send is over. Does nothing if the attempt has ended.
        """
        last = self.attempt
        if last.ended:
            return
        timeline = last.timeline
        last.recorder.send_finished(_headers_seen_by_transport(last))
        if timeline.failure is not None:
            last.fail(timeline.failure, timeline.failed_at)
        else:
            last.end(End.READ, timeline.failed_at or timeline.answered_at)
        self.attempt = self.source.begin_attempt(last.request, last.request_size, by_transport=True)

    def sends_again_after_end(self) -> None:
        """Begins another attempt, which the transport sends by itself, though the last one has ended.

        Only for event hooks, which take an exception below the client for the end of the send.
        """
        last = self.attempt
        self.attempt = self.source.begin_attempt(last.request, last.request_size, by_transport=True)

    def responded(
        self,
        status: int,
        headers: RawHeaders,
        version: str | None = None,
        peer: tuple[str, int] | None = None,
        body: bytes | None = None,
    ) -> Attempt:
        """Records the response that the send has returned. Returns the attempt, which the adapter must end.

        Tells the recorder and the source that the send is over. The arguments are those of `Attempt.responded`.
        """
        attempt = self.attempt
        attempt.recorder.send_finished(headers)
        attempt.responded(status, headers, version, peer, body)
        self.source.send_finished()
        return attempt

    def went_through(self, proxy: str | None) -> None:
        """Corrects the attempt's proxy to that of the last hop of a redirect: `host:port`, or `None` for none."""
        attempt = self.attempt
        attempt.request = replace(attempt.request, proxy=proxy)

    def answered(self, status: int, pairs: list[tuple[bytes, bytes]], version: object) -> None:
        """Records a response that a request of the send got. The send may return it, return another one, or raise.

        `pairs` are the response's headers. `version` is the HTTP version as bytes, any other value if not known.
        """
        raw_response = version if isinstance(version, bytes) else b"", status, b"", pairs
        self.attempt.timeline.answered(parsed_response(raw_response))

    def broke(self, error: Exception) -> None:
        """Records that a request of the send raised `error`. Ends no attempt, as the send may still send again."""
        self.attempt.timeline.broke(error)

    @guarded(None)
    def begins_again(self) -> None:
        """Records that a request of the send begins. For a transport whose trace events do not show it.

        After a failed request or a 2xx it is another attempt. Else the response of the request before is forgotten.
        """
        timeline = self.attempt.timeline
        if timeline.failed_at is not None or timeline.answered_at is not None:
            self._send_again()
        else:
            timeline.received = None

    def failed(self, error: BaseException) -> None:
        """Ends the attempt because the send has raised `error`.

        Tells the recorder and the source that the send is over.

        A transport may send again after a failed request, and get no connection from the pool. No trace event shows
        that further request. It is made an attempt of its own first, and `error` ends that one.
        """
        self._find_unsent(error)
        attempt = self.attempt
        attempt.recorder.send_finished(_headers_seen_by_transport(attempt))
        attempt.fail(error)
        self.source.send_finished()

    @guarded(None)
    def _find_unsent(self, error: BaseException) -> None:
        """Begins another attempt if `error` is of a further request that waited for the pool in vain.

        That is, if an earlier request of this send had failed. Not if `error` is of a request that code of the app has
        sent within this send, such as an authentication that fetches a token.
        """
        after_failure = self.attempt.timeline.failed_at is not None
        named = after_failure and type(error).__name__ == "PoolTimeout"
        if named and classify(error).word is NetworkCause.POOL_TIMEOUT and not is_of_authentication(error):
            self._send_again()

    def lost(self) -> None:
        """Ends the attempt because its request was garbage-collected, and the end of the send was not seen.

        Tells the source that the send is over. Only for event hooks, which have told the recorder before.
        """
        self.attempt.end(End.LOST)
        self.source.send_finished()


@guarded(None)
def _headers_seen_by_transport(attempt: Attempt) -> RawHeaders | None:
    """Returns the headers of a response that the transport has received and the send has not returned, else `None`."""
    received = attempt.timeline.received
    return by_name(received[2]) if received is not None else None


class LoneAttempts:
    """The `AttemptSource` of one send that belongs to no call. `recorder` records the attempts, with times of `clock`.

    `resend_count` is the retry number in the SDK's header of the first request, 0 without one.
    """

    __slots__ = ("_clock", "_decided", "_failed", "_recorder", "_resend_count", "_send_finished")

    def __init__(self, recorder: Recorder, clock: Clock, resend_count: int) -> None:
        self._recorder = recorder
        self._clock = clock
        self._resend_count = resend_count
        self._failed: Attempt | None = None
        self._decided: Attempt | None = None
        """A failed attempt that was taken for the last one. With event hooks another one may follow all the same."""
        self._send_finished = False

    def begin_attempt(self, request: RequestFacts, size: int | None = None, *, by_transport: bool = False) -> Attempt:
        started = self._clock.now()
        failed, self._failed = self._failed, None
        retried, self._decided = failed or self._decided, None
        attempt = Attempt(
            request,
            self._clock,
            self,
            started,
            self._clock.wall(),
            retry=self._retry(retried, started, by_transport),
            request_size=size,
        )
        if failed is not None:
            failed.recorder.failure_decided(failed, AfterFailure.RETRIED, failed.time_since(started))
        try:
            attempt.recorder = self._recorder.start_attempt(attempt)
        except BaseException as interrupt:
            attempt.fail(interrupt)
            raise
        return attempt

    def _retry(self, failed: Attempt | None, started: int, by_transport: bool) -> Retry | None:
        if failed is not None or by_transport:
            self._resend_count += 1
        if failed is not None:
            return Retry(self._resend_count, failed.time_since(started), failed.error_type, RetrySource.TRANSPORT)
        if by_transport:
            return Retry(self._resend_count, None, FALLBACK)
        return Retry(self._resend_count) if self._resend_count else None

    def attempt_ended(self, attempt: Attempt) -> None:
        if attempt.outcome is AttemptOutcome.FAILED:
            self._failed = attempt
            if self._send_finished:
                self._decide()

    def received_whole(self, attempt: Attempt) -> None:
        attempt.end(End.READ)

    def send_finished(self) -> None:
        self._send_finished = True
        self._decide()

    def _decide(self) -> None:
        failed, self._failed = self._failed, None
        if failed is not None:
            self._decided = failed
            failed.recorder.failure_decided(failed, AfterFailure.CALL_FAILED, None)
