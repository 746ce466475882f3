"""Follows one HTTP request for an operation, from the send to the end of its body, and ends it.

Rule: an attempt ends once, in any thread: when its body was read, closed or dropped, when an exception came, or when a
transport sends again. The first end wins, and later ones are ignored. Only tokens may become known after it.
"""

from __future__ import annotations

from anthropic_otel._core import ending, headers, usage
from anthropic_otel._core.attempt_state import AttemptState
from anthropic_otel._core.content import expected_of
from anthropic_otel._core.ending import End, Ending
from anthropic_otel._core.guard import guarded, report
from anthropic_otel._core.headers import RawHeaders
from anthropic_otel._core.reading import Reading
from anthropic_otel._core.response import Response
from anthropic_otel._core.semconv import NetworkCause, Phase


class Attempt(AttemptState):
    """One attempt. Its facts are those of `AttemptState`. No method raises an error of its own."""

    __slots__ = ()

    # -- while it is under way -----------------------------------------------------------------------------------------

    def responded(
        self,
        status: int,
        response_headers: RawHeaders,
        version: str | None = None,
        peer: tuple[str, int] | None = None,
        body: bytes | None = None,
    ) -> None:
        """Records the response: its status and headers, the HTTP version, and the address that it came from.

        `version` and `peer` are `None` if not known; a `peer` that is known already is kept then. `body` is the whole
        decoded body if that is in memory, else `None`. The API's error is taken from it, and whether a 2xx is an
        answer. Enters the phase `RECEIVE` and does not end the attempt. Ignored after its end.
        """
        if self.ending is not ending.NOT_ENDED:
            return
        # Guarded in place, as it runs at every call.
        try:
            timeline = self.timeline
            timeline.received = None
            timeline.enter(Phase.RECEIVE)
            timeline.peer = peer or timeline.peer
            self._take_response(status, response_headers, version, body)
        except Exception as error:
            report("Attempt.responded", error)

    def _take_response(self, status: int, received: RawHeaders, version: str | None, body: bytes | None) -> None:
        invocation, request = self.invocation, self.request
        stream = invocation.stream if invocation is not None else request.stream
        expected = expected_of(self.operation, request.target.method, stream)
        self.status = status
        response = self.response = Response(status, received, version, expected, self.is_message)
        if body is not None:
            self.api_error = response.judge_whole(body) or self.api_error

    def begin_hop(self) -> None:
        """Forgets the status and response: a further request has followed, and those of its response count."""
        self.status = self.response = None

    def begin_body(self) -> Reading:
        """Sets `reading` to a new one and returns it. The caller must pass it each chunk of the body.

        To be called after `responded`, as the response chooses what is read of the body.
        """
        by_names = self.invocation is not None and self.invocation.by_names
        reader = self.response.body_reader(by_names=by_names) if self.response is not None else None
        self.reading = Reading(self.timeline.clock.seconds, reader)
        return self.reading

    # -- its end -------------------------------------------------------------------------------------------------------

    def begin_parsing(self) -> None:
        """Records that the SDK begins to read and parse the body in one step. `parsed` must be called after it.

        Until then `End.READ` does not end the attempt. Without effect after its end, without a response, and for a
        response that is not `is_to_be_parsed`.
        """
        self._parsing = self.response is not None and self.response.is_to_be_parsed and not self.ended

    def parsed(self, how: End) -> None:
        """Ends the attempt with `how` if its body was read since `begin_parsing`, as of the time when it was read.

        `how` is `End.READ`, or `End.UNPARSED` if the body could not be parsed. If the body was not read, the attempt
        goes on, and a later `End.READ` ends it.
        """
        self._parsing = False
        if self._read_at is not None:
            self.end(how, self._read_at)

    def fail(self, error: BaseException, at: int | None = None) -> None:
        """Ends the attempt because the send, or the reading of the body, raised `error`, now or at the time `at`.

        `at` is in nanoseconds of its clock. The attempt has failed then, or was cancelled if `error` is no `Exception`.
        Ignored after the first end. Thread-safe.
        """
        self.end(error, at)

    def end(self, how: End | BaseException, at: int | None = None) -> None:
        """Ends the attempt, now or at the time `at`, as `fail` does. `how` is an exception, or else the kind of end.

        Without an exception, `ending.of_end` decides by `how`, the response and the body whether it has failed. Passes
        the attempt to its recorder, then the tokens that are known of a message, and then the attempt to its owner.
        Between `begin_parsing` and `parsed`, `End.READ` is only noted for `parsed`. Ignored after the first end.
        Thread-safe.
        """
        if self._parsing and how is End.READ:
            self._read_at = self.timeline.clock.now() if at is None else at
            return
        if not self._owner:
            return
        try:
            owner = self._owner.pop()
        except IndexError:
            # Another thread was faster.
            return
        # Guarded in place, as it runs at every call. Each `finally` is for an interrupt too, as while the span of the
        # attempt is exported: an end that is not recorded is missing in every count, and so are its tokens.
        try:
            try:
                self._conclude(how, self.timeline.clock.now() if at is None else at)
            finally:
                if self.ending is ending.NOT_ENDED:
                    self._take_ending(ending.UNKNOWN)
                try:
                    try:
                        self.recorder.end(self)
                    finally:
                        if self.is_message and (told := usage.of_ended(self.reading, self.response)):
                            self.take_usage(told)
                finally:
                    owner.attempt_ended(self)
        except Exception as error:
            report("Attempt.end", error)

    def _conclude(self, how: End | BaseException, now: int) -> None:
        """Sets the duration, ends the phases and the reading at the time `now`, and last sets how the attempt ended.

        `how` is that of `end`; for `End.UNDECODED` it calls `could_not_be_taken` of the reading's `end`. Before it sets
        how the attempt ended, it records a response that the send has not returned, and the API's error in the body.
        """
        reading, failure = self.reading, self.timeline.failure
        self.duration = now - self.started
        self.timeline.finish(now)
        if self.status is None:
            self._recover_response()
        if reading is not None:
            reading.conclude(now, read_to_end=how is End.READ)
            if how is End.UNDECODED and reading.end is not None:
                reading.end.could_not_be_taken()
            if self.response is not None:
                found = self.response.judge(reading.start, reading.last, reading.has_sought, whole=bool(reading.last))
                self.api_error = found or self.api_error
        end = ending.of_end(self, how) if isinstance(how, End) else ending.of_exception(self, how, failure)
        if end is ending.COMPLETED:
            # Nothing else is to be set.
            self.ending = end
        else:
            self._take_ending(end)

    @guarded(None)
    def _recover_response(self) -> None:
        """Records the response in `timeline.received`, which the send has not returned, if there is one.

        Its body may have failed within the send, or the transport may have sent again after it. The phase is not
        changed: without trace events it is not known when the response came.
        """
        received, self.timeline.received = self.timeline.received, None
        if received is not None:
            version, status, pairs = received
            self._take_response(status, headers.by_name(pairs), version, None)

    def _take_ending(self, end: Ending) -> None:
        self.api_error = end.api_error or self.api_error
        if end.of_earlier_hop:
            self.begin_hop()
        if end.phase is not None:
            self.timeline.phase = end.phase
        self.timeline.waited_for_pool = end.error_type == NetworkCause.POOL_TIMEOUT.value
        self.ending = end

    # -- after its end -------------------------------------------------------------------------------------------------

    def take_usage(self, tokens: tuple[usage.Usage, ...]) -> None:
        """Passes `tokens`, the usage of its reply, to the recorder, less what was passed before. One per model at most.

        Does nothing before the attempt's end, without `tokens`, or if it does not ask for a message. Not for several
        threads at once.
        """
        if not tokens or self.ending is ending.NOT_ENDED or not self.is_message:
            return
        if self._used:
            tokens, self._used = usage.compared(self._used, tokens)
        else:
            self._used = tokens
        for used in tokens:
            self.recorder.used(self, used)
