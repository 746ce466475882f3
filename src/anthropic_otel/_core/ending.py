"""Decides how an attempt ended: its outcome, and for a failure its `error.type`.

Where several words fit a failure, the first that applies in this list is the `error.type`:

1. the status, if it is no 2xx: the SDK fails for any other. If an exception ended the attempt, some do not count: that
   of a redirect mostly does not (`of_exception`);
2. the cause of the exception that the send or the reading of the body raised;
3. the API's type of an `error` event;
4. `invalid_event`: the SDK could not decode an event of a stream before the end event. The body is a stream by its
   content type or by its first bytes;
5. `unexpected_content`: the body is no answer to the request, or the SDK could not parse it;
6. `incomplete_stream`: a message's stream was read to its end and had no end event.

Rule: the functions here read an attempt and change nothing of it.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Final

from anthropic_otel._core.cause import Cause, base_name, classify, type_name
from anthropic_otel._core.cause_app import answer_to_authentication, is_of_authentication, is_read_in
from anthropic_otel._core.cause_chain import chain, is_a, replaced
from anthropic_otel._core.event_json import ApiError
from anthropic_otel._core.failed_send import Broken
from anthropic_otel._core.response import is_success
from anthropic_otel._core.semconv import (
    INVALID_EVENT,
    UNEXPECTED_CONTENT,
    AttemptOutcome,
    NetworkCause,
    Phase,
)
from anthropic_otel._core.stream_end import StreamEnd

if TYPE_CHECKING:
    from anthropic_otel._core.attempt import Attempt


class End(Enum):
    """How an attempt ended without an exception, as far as the code that ends it can see."""

    READ = "its body was read to the end, or there was none to read"
    UNPARSED = "its body was read to the end, and the SDK could not make a reply of it"
    CLOSED = "the body was closed or dropped before its end"
    UNDECODED = "the body was closed because the SDK could not take an event of it"
    LOST = "the request was garbage-collected and no end was observed (event hooks only)"


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended.

    - `outcome`: `None` for one that has not ended.
    - `error_type`: set if `outcome` is `FAILED`, else `None`.
    - `cause`: set if an exception, an incomplete stream or a proxy's refusal decided the `error_type`, else `None`.
    - `exception_type`: the name of the class of the exception that it failed with, also where a status is the
      `error_type`; `None` without one.
    - `exception_base`: what `base_name` of the module `cause` returns for that exception, if its cause decided the
      `error_type`; else `None`.
    - `api_error`: for a stream that failed, the error in its `error` event, or the one in `StreamEnd.untold`; else
      `None`.
    - `phase`: the phase that the attempt failed in, if the cause of an exception decided the `error_type`; else `None`.
      A failed attempt without it failed in the last phase of its timeline.
    - `of_earlier_hop`: whether the attempt must forget its status, because it failed after the response with that
      status: for example after a redirect that was followed.
    """

    outcome: AttemptOutcome | None
    error_type: str | None = None
    cause: Cause | None = None
    exception_type: str | None = None
    exception_base: str | None = None
    api_error: ApiError | None = None
    phase: Phase | None = None
    of_earlier_hop: bool = False


NOT_ENDED: Final = Ending(None)
COMPLETED: Final = Ending(AttemptOutcome.COMPLETED)
"""The ending of an attempt whose answer was read to its end, or to the end event of a stream."""
_CANCELLED: Final = Ending(AttemptOutcome.CANCELLED)
_ABANDONED: Final = Ending(AttemptOutcome.ABANDONED)
UNKNOWN: Final = Ending(AttemptOutcome.FAILED, NetworkCause.OTHER.value)
"""The ending of an attempt of whose end nothing is known, or whose ending could not be decided."""
_INCOMPLETE: Final = Ending(
    AttemptOutcome.FAILED, NetworkCause.INCOMPLETE_STREAM.value, Cause(NetworkCause.INCOMPLETE_STREAM, None, None)
)
_TUNNEL_REFUSED: Final = Ending(
    AttemptOutcome.FAILED, NetworkCause.PROXY_ERROR.value, Cause(NetworkCause.PROXY_ERROR, None, Phase.CONNECT)
)
"""The ending of an attempt whose proxy refused its tunnel, if nothing else is known of its end."""


def of_end(attempt: Attempt, how: End) -> Ending:
    """Returns the ending of an attempt that no exception ended: `FAILED` if anything in the module's list applies.

    If nothing does, it is `COMPLETED` if the body was read to its end or the end event came, else `ABANDONED`.

    For `End.LOST` only the first entry of the list applies, a status that is no 2xx. Without one it is `FAILED` all the
    same: with `proxy_error` if a proxy refused the tunnel, else with `_OTHER`.

    If the attempt has a reading, `Reading.conclude` must have been called before.
    """
    status, response = attempt.status, attempt.response
    if status is not None and not 200 <= status < 300:
        # An `HTTPStatus` of an app has another `str` up to Python 3.10.
        return _failed(f"{status}")
    end = attempt.reading.end if attempt.reading is not None else None
    unexpected = response is not None and response.is_unexpected
    if how is End.READ and end is None:
        return _failed(UNEXPECTED_CONTENT) if unexpected else COMPLETED
    if how is End.LOST:
        return _TUNNEL_REFUSED if attempt.timeline.tunnel_refused else UNKNOWN
    if end is not None:
        return _of_stream(attempt, how, end)
    return _failed(UNEXPECTED_CONTENT) if unexpected or how is End.UNPARSED else _ABANDONED


def of_exception(attempt: Attempt, error: BaseException, failure: BaseException | None = None) -> Ending:
    """Returns the ending of an attempt whose send raised `error`, or whose body raised it while it was read.

    `CANCELLED` if `error` is no `Exception`, such as a cancellation or an interrupt. Else `FAILED`. The `error.type` is
    the status of the attempt if it has one that is no 2xx. Else it is the cause. In these cases it is the cause in
    spite of such a status:

    - There were too many redirects.
    - The send broke at a redirect or a demand for credentials, before the next request (`Broken.HOP`).
    - A redirect had been followed (`_was_followed`), credentials were being fetched, or a further request of the send
      got no connection from a full pool. The failure then came after the response with the status, and the ending has
      `of_earlier_hop`.

    The cause is what `_cause` returns for `error` and `failure`, as corrected by `_corrected`. `failure` is the
    exception of the last failed trace event, `None` without one. If an auth flow of the app raised after it was given a
    2xx, the cause is `app_exception` instead, unless the flow was reading the body of that 2xx.
    """
    if not isinstance(error, Exception):
        # The app stopped it: a cancellation, an interrupt, the exit of the interpreter.
        return _CANCELLED
    timeline, request, status = attempt.timeline, attempt.request, attempt.status
    fetching = timeline.phase is Phase.AUTH and (request.emits_events or not request.fetches_credentials)
    succeeded = status is not None and is_success(status) and not fetching
    answer = answer_to_authentication(error) if succeeded else None
    told = timeline.reused is not None or fetching
    phase = timeline.phase if told else Phase.RECEIVE if answer is not None else None
    cause = _cause(attempt, error, failure, phase)
    read = attempt.reading is not None or attempt.failed_send.broken is not None
    waited = cause.word is NetworkCause.POOL_TIMEOUT and not (read or is_of_authentication(error))
    # Of a redirect that could not be followed, the status is that of the response that says where to.
    known = status is not None and not is_success(status) and cause.word is not NetworkCause.TOO_MANY_REDIRECTS
    # That of a response that demanded credentials does not count if these could not be fetched, and none does if a
    # further request of the send has waited for a connection in vain.
    followed = waited or (known and (fetching or (not read and _was_followed(attempt, error, cause))))
    if known and not followed and attempt.failed_send.broken is not Broken.HOP:
        # The status says more than the exception that a transport or the client made of it. A hop's that broke itself
        # says nothing.
        return _failed(f"{status}", exception_type=type_name(error))
    if answer is not None and not is_read_in(error, answer):
        # It has failed after an answer, so that the request was sent, and nothing of the network failed.
        cause = Cause(NetworkCause.APP_EXCEPTION, None, Phase.RECEIVE)
    cause = _corrected(attempt, cause)
    answered = status is not None and not followed
    if cause.word is NetworkCause.POOL_TIMEOUT:
        phase = Phase.POOL
    return Ending(
        AttemptOutcome.FAILED,
        cause.word.value,
        cause,
        type_name(error),
        base_name(error),
        phase=phase or cause.phase or (Phase.RECEIVE if answered else Phase.WAIT),
        of_earlier_hop=followed,
    )


def _cause(attempt: Attempt, error: BaseException, failure: BaseException | None, phase: Phase | None) -> Cause:
    """Returns the cause of `error`. If that leaves open what happened (`_says_nothing`), looks beneath `error`.

    A wrapper of the app around the transport may raise an `error` that says nothing. Two exceptions may be beneath it:
    `failure`, as in `of_exception`, and then the one that `error` has replaced (`cause_chain.replaced`). The first of
    them whose cause says more (`_says_more`) decides. If neither does, the cause of `error` is returned.

    `phase` is the phase in which the attempt failed, `None` if it is not known. It is used for all three exceptions.
    """
    proxied, in_tunnel = attempt.request.proxy is not None, attempt.timeline.tunnelling is False
    classified = functools.partial(classify, phase=phase, through_proxy=proxied, in_tunnel=in_tunnel)
    cause = classified(error)
    if not _says_nothing(cause):
        return cause
    beneath = [classified(each) for each in (failure, replaced(error)) if each is not None]
    return next((each for each in beneath if _says_more(each, cause)), cause)


def _was_followed(attempt: Attempt, error: BaseException, cause: Cause) -> bool:
    """Returns whether the attempt's status is that of a redirect which was followed before `error` was raised.

    To be called only if the status is no 2xx, and if no body was being read when `error` was raised: a redirect whose
    body is read was not followed. `cause` is that of `error`.

    Any status below 400 is taken for such a redirect, unless `cause` is unknown, or a hook has raised `error` for the
    status itself (`_was_raised`). `False` for a status of 400 or more, and without a status.
    """
    status = attempt.status
    if status is None or status >= 400:
        return False
    return cause.word is not NetworkCause.OTHER and not _was_raised(error, status)


def _corrected(attempt: Attempt, cause: Cause) -> Cause:
    """Returns `cause`, or a better one if the attempt knows more of what happened.

    - After a redirect, `request_not_sent` becomes `protocol_error`: the redirect led to an address that cannot be used.
    - A cause in `_ENDED` without an errno becomes `timeline.send_error`, if that is set: the request could not be sent
      whole, and the connection broke for the same reason.
    - A cause in `_GONE` becomes `client_closed`, if the app had closed the HTTP client.
    """
    if attempt.failed_send.redirected and cause.word is NetworkCause.REQUEST_NOT_SENT:
        # The server sent the address that cannot be used.
        cause = Cause(NetworkCause.PROTOCOL_ERROR, cause.errno, Phase.RECEIVE)
    send_error = attempt.timeline.send_error
    if cause.word in _ENDED and cause.errno is None and send_error is not None:
        # It was known before that the connection is gone, and of what.
        cause = send_error
    if attempt.failed_send.client_closed and cause.word in _GONE:
        # The app closed the connection, which not every transport's exception says.
        cause = replace(cause, word=NetworkCause.CLIENT_CLOSED)
    return cause


def _was_raised(error: BaseException, status: int) -> bool:
    """Returns whether `error`, or an exception in its chain of causes, is an `HTTPStatusError` for this `status`.

    An HTTP library's `raise_for_status` raises it.
    """
    raised = (getattr(each, "response", None) for each in chain(error) if is_a(each, "httpx.HTTPStatusError"))
    return any(getattr(response, "status_code", None) == status for response in raised)


def _says_more(beneath: Cause, cause: Cause) -> bool:
    """Returns whether `beneath` is to be recorded in place of `cause`. To be called only if `cause` `_says_nothing`.

    `False` if `beneath` says nothing either. `False` too if `cause` is a connection error, and `beneath` an exception
    of the app's own code: a test double may raise the one because of the other.
    """
    made = beneath.word is NetworkCause.APP_EXCEPTION and cause.word is NetworkCause.CONNECTION_ERROR
    return not (made or _says_nothing(beneath))


def _says_nothing(cause: Cause) -> bool:
    """Returns whether a cause leaves open what happened: an unknown exception, or a connection error without errno."""
    return cause.word is NetworkCause.OTHER or (cause.word is NetworkCause.CONNECTION_ERROR and cause.errno is None)


_CLOSED: Final = (NetworkCause.SERVER_DISCONNECTED, NetworkCause.CONNECTION_RESET)
_ENDED: Final = (*_CLOSED, NetworkCause.WRITE_TIMEOUT)
"""The causes that give way to an earlier failure to send the request, if they have no errno.

A transport that could not send a request may still read the response, and then raises for that.
"""
_GONE: Final = (*_CLOSED, NetworkCause.CONNECTION_ERROR, NetworkCause.INCOMPLETE_BODY)
"""The causes that give way to `client_closed`: what a transport raises may have them when the app closes the client."""


def _of_stream(attempt: Attempt, how: End, end: StreamEnd) -> Ending:
    """Returns the ending of an attempt whose body was read as an event stream, which ended with `end`.

    The first of these that applies:

    - `FAILED` for an `error` event;
    - `COMPLETED` if the SDK came to the end event;
    - `FAILED` for a body that is no event stream, and for an event that the SDK could not decode;
    - `ABANDONED` if the body was not read to its end;
    - `FAILED` for a message's stream, as it has no end event, if its events could be seen;
    - `COMPLETED`.
    """
    if end.error is not None:
        return _failed(end.error.type, api_error=end.error)
    if end.complete:
        return COMPLETED
    if attempt.response is not None and attempt.response.is_no_stream(end, read_to_end=how is End.READ):
        return _failed(UNEXPECTED_CONTENT, api_error=end.untold)
    if end.invalid:
        return _failed(INVALID_EVENT)
    if how is not End.READ:
        return _ABANDONED
    if attempt.is_message and end.complete is not None:
        return replace(_INCOMPLETE, api_error=end.untold)
    return COMPLETED


def _failed(error_type: str, *, exception_type: str | None = None, api_error: ApiError | None = None) -> Ending:
    return Ending(AttemptOutcome.FAILED, error_type, exception_type=exception_type, api_error=api_error)
