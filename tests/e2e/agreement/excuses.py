"""The checks beside the table, and the exceptions to them, each with its reason.

Rule: an exception is for what cannot be known or is as it should be. What the library gets wrong is no exception: it is
a strict expected failure in `support.pending`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from anthropic_otel._core import semconv
from anthropic_otel.simulator.addresses import Detour
from e2e.agreement.meeting import Observed
from e2e.agreement.observers import Attempt
from e2e.agreement.table import App, Error


class Check(Enum):
    """What is held against what."""

    TABLE = "the end of the call is a row of the table"
    RETRIED = "each attempt before the last is a row of the table of retried attempts"
    REQUESTS = "a request that the server got is an attempt"
    WIRE = "an attempt's resend count is the SDK's count on the wire"
    STATUS = "an attempt's status is the one that the server sent"
    REQUEST_ID = "an attempt's request id is the one that the server sent"
    APP_IDS = "the status and the request id that the app can read are the last attempt's"
    ENDS = "every attempt that started has ended, once"
    METRIC = "the metric of attempts has what their spans have"
    CAPTURE = "capture() has what the spans of attempts have"
    CAPTURED_CALL = "capture() has what the metric of calls has"
    ONE_CALL = "a call has one span and one measurement, and as many retries as its attempts say"
    OUTCOME = "a call's outcome fits the number of its attempts"
    CALL_ERROR = "a call's error is the word for the app's exception"
    SPAN_ERROR = "the call's span, the SDK's own or ours, has the error of its metric"
    RECORDS = "there is a log record for each failed attempt"
    WARNING = "there is one WARNING for each failed call"


@dataclass(frozen=True)
class Excuse:
    """Where a check may fail, and why. `applies` is asked with the attempt that the contradiction is about."""

    checks: tuple[Check, ...]
    applies: Callable[[Observed, Attempt | None], bool]
    why: str


def _hidden_by_aiohttp(seen: Observed, attempt: Attempt | None) -> bool:
    return seen.stack.aiohttp and attempt is not None and attempt.cause is not None and attempt.status is None


def _answered_by_a_proxy(seen: Observed, attempt: Attempt | None) -> bool:
    return not seen.server and seen.fault.needs.proxy is not None


def _decoder_failed(seen: Observed, attempt: Attempt | None) -> bool:
    return seen.app.word is App.BROKEN and attempt is not None and attempt.error_type == "decoding_error"


def _word_is_unknown(seen: Observed, attempt: Attempt | None) -> bool:
    return seen.app.word is App.EVENT and attempt is not None and attempt.error_type == semconv.OTHER


def _read_more_than_taken(seen: Observed, attempt: Attempt | None) -> bool:
    if seen.app.word is not App.LEFT or attempt is None:
        return False
    return attempt.error is Error.EVENT or attempt.error_type == "invalid_event"


def _failed_after_a_redirect(seen: Observed, attempt: Attempt | None) -> bool:
    return isinstance(seen.fault.action, Detour) and attempt is not None and attempt.cause is not None


def _is_no_answer(seen: Observed, attempt: Attempt | None) -> bool:
    return attempt is not None and attempt.error_type == "unexpected_content"


def _has_no_event_to_take(seen: Observed, attempt: Attempt | None) -> bool:
    no_event = attempt is not None and attempt.error is Error.CONTENT
    return seen.app.word in (App.UNREADABLE, App.ODD) and no_event


def _failed_after_the_end(seen: Observed, attempt: Attempt | None) -> bool:
    return seen.app.word is App.UNREADABLE and attempt is not None and attempt.stream_complete is True


def _parsed_after_the_call(seen: Observed, attempt: Attempt | None) -> bool:
    unparsable = seen.fault.error_type == "unexpected_content" and seen.fault.needs.sdk == "Anthropic"
    later = seen.situation.name in ("with_raw_response", "with_streaming_response")
    return unparsable and later and attempt is not None and attempt.error is Error.NONE


def _word_is_of_a_platform(seen: Observed, attempt: Attempt | None) -> bool:
    return seen.fault.needs.sdk == "AnthropicBedrock" and attempt is not None and attempt.error is Error.EVENT


EXCUSES: Final = (
    Excuse(
        (Check.STATUS, Check.REQUEST_ID),
        _failed_after_a_redirect,
        "A redirect was followed: its status and request id are not those of the request that failed.",
    ),
    Excuse(
        (Check.SPAN_ERROR,),
        _is_no_answer,
        "The SDK raises nothing for a reply that is no answer, and its span has no error.",
    ),
    Excuse(
        (Check.CALL_ERROR,),
        _has_no_event_to_take,
        "The app itself fails: it asks for the first event of a stream that has none, or parses what is no JSON.",
    ),
    Excuse(
        (Check.CALL_ERROR, Check.SPAN_ERROR),
        _failed_after_the_end,
        "After `message_stop` a stream is complete; what the SDK makes of a gateway's own event is not the call's.",
    ),
    Excuse(
        (Check.TABLE, Check.CALL_ERROR),
        _parsed_after_the_call,
        "A raw response is what the app asked for. It parses that after the call, and then finds out that it is none.",
    ),
    Excuse(
        (Check.SPAN_ERROR,),
        _word_is_of_a_platform,
        "The SDK's span has the platform's word as it is; a metric's words are a closed list.",
    ),
    Excuse(
        (Check.STATUS, Check.REQUEST_ID),
        _hidden_by_aiohttp,
        "aiohttp has no trace events: of a redirect whose next hop fails within `send` nothing is seen.",
    ),
    Excuse(
        (Check.STATUS,),
        _answered_by_a_proxy,
        "A proxy has answered in the server's place: what it said is in no record of the server.",
    ),
    Excuse(
        (Check.SPAN_ERROR,),
        _decoder_failed,
        "httpx2 closes a body before it raises what its decoder met, and the SDK's span ends with that.",
    ),
    Excuse(
        (Check.SPAN_ERROR,),
        _word_is_unknown,
        "A word of the API that is not documented is on the span as it is; a metric's words are a closed list.",
    ),
    Excuse(
        (Check.SPAN_ERROR,),
        _read_more_than_taken,
        "One read may bring an error or an invalid event that the app does not take; the SDK's span has what it took.",
    ),
)
