"""Behaviour that the library does not have yet, as strict expected failures of the tests that run the whole catalogue.

Rule: an entry says in one sentence what is wrong today. Whoever mends it deletes its line, as a strict expected failure
that passes fails the suite.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pytest

from support.stacks import HTTPCORE_STACKS, SDK_STACKS

CATALOGUE: Final = "catalogue"
AGREEMENT: Final = "agreement"
EVENT_HOOKS: Final = "event_hooks"
"""The agreement of an app whose HTTP client has the library's event hooks."""


@dataclass(frozen=True)
class Pending:
    """Why a catalogue entry fails, and where.

    `stacks` are the ids of the stacks that it fails on, such as `httpx2-async`; `None` is all of them. `suites` are the
    suites that it fails in.
    """

    why: str
    stacks: frozenset[str] | None = None
    suites: frozenset[str] = frozenset({CATALOGUE, AGREEMENT})


_OF_SDK: Final = frozenset(stack.name for stack in SDK_STACKS)
_HTTPCORE: Final = frozenset(stack.name for stack in HTTPCORE_STACKS)


def _each(why: str, names: str, stacks: frozenset[str] | None = None) -> dict[str, tuple[Pending, ...]]:
    """The same reason for several entries, whose names are separated by blanks."""
    return {name: (Pending(why, stacks),) for name in names.split()}


_STREAMS: Final = {
    **_each(
        "What comes after the end event in chunks of its own hides it: a whole stream is `incomplete_stream`.",
        """
        stream_ping_after_end stream_usage_after_end stream_much_after_end stream_end_and_more_in_one_chunk
        stream_after_end_gzip bedrock_ping_after_end
        """,
    ),
    **_each(
        "An `error` event beyond the last 1 KB of a stream is not seen: the attempt is abandoned.",
        """
        stream_error_1k stream_error_64k stream_error_1k_first stream_error_1k_gzip stream_error_64k_in_packets
        stream_error_1k_segmented stream_error_1k_crlf stream_error_message_first stream_error_in_one_chunk
        stream_error_and_much
        """,
    ),
    **_each(
        "The type of an `error` event is looked for in the line after its name only.",
        "stream_error_data_first stream_error_many_data_lines",
    ),
    **_each(
        "A call has `_OTHER` for an `error` event without a type, the SDK's span `client_error`.",
        "stream_error_no_data stream_error_text stream_error_other_shape stream_error_quoting_only",
        _OF_SDK,
    ),
    **_each(
        "An event that the SDK cannot decode leaves the attempt abandoned, or completed if it is the end event.",
        """
        stream_invalid_json stream_invalid_json_long stream_invalid_json_last stream_invalid_json_first
        stream_invalid_json_gzip stream_invalid_json_cut stream_invalid_end stream_not_utf8
        """,
    ),
    **_each(
        "The line with the name is enough for an end event or an error, though the event is never dispatched.",
        """
        stream_cut_after_end_name stream_cut_in_end_data stream_cut_before_blank_line stream_cut_before_line_end
        stream_cut_crlf stream_cut_gzip stream_cut_in_error stream_end_without_data
        """,
    ),
}

_CONTENTS: Final = {
    **_each(
        "A 200 that is no stream, where a stream was asked for, is completed.",
        """
        stream_html stream_html_blank_first stream_json stream_json_error stream_json_as_text stream_text stream_nothing
        stream_nothing_at_all stream_204 stream_html_octets stream_html_as_json
        """,
    ),
    **_each(
        "The content type decides whether a response is a stream, not the call or the bytes.",
        """
        stream_as_text stream_as_json stream_as_octets stream_untyped stream_as_text_comment_first
        stream_as_text_blank_first stream_as_text_retry_first stream_as_text_incomplete stream_untyped_incomplete
        """,
    ),
    **_each(
        "A 200 that is no message is completed.",
        """
        html html_untyped html_as_json text text_as_json nothing nothing_untyped blank_as_json no_content xml
        events_unasked
        """,
    ),
}

_RESPONSES: Final = {
    **_each(
        "The API's own type and code of an error are on no attempt.",
        """
        error_too_large error_billing error_spend_limit error_contract_limit error_ramp_limit error_on_hold
        error_linked_limit error_overloaded_500
        """,
        _OF_SDK,
    ),
    **_each("`retry-after` sent twice counts, though the SDK cannot read it.", "retry_after_twice", _OF_SDK),
    **_each("The id of an edge or a platform is on no attempt.", "id_cf_ray id_amzn id_x_request_id id_apim"),
    **_each("The time that the API says it took is on no attempt.", "time_envoy time_server"),
    **_each(
        "A 3xx that is not followed is completed, though the SDK raises for it.",
        """
        http_300 http_301_nowhere http_302_nowhere http_303_nowhere http_304 http_305 http_307_nowhere
        http_308_nowhere http_302_unfollowed http_307_unfollowed http_308_unfollowed
        """,
    ),
    **_each(
        "The status and the request id of a redirect are on the network failure behind it.",
        """
        redirect_refused redirect_unknown_name redirect_unreachable redirect_reset redirect_disconnected
        redirect_timeout
        """,
        _HTTPCORE,
    ),
    **_each("A proxy whose name does not exist is taken for the API.", "proxy_unknown_name"),
    **_each("A SOCKS proxy that is none is `_OTHER`.", "proxy_socks_none proxy_socks_http proxy_socks_silent"),
}

_BEDROCK: Final = {
    **_each("An end event of more than 1 KB is not seen: `incomplete_stream`.", "bedrock_trace bedrock_trace_64k"),
    **_each(
        "An error of the API in a `chunk` frame, or a frame of message type `error`, is not seen.",
        """
        bedrock_error_in_chunk bedrock_error_in_chunk_2k bedrock_error_in_chunk_and_end bedrock_error_in_chunk_bytes
        bedrock_error_in_chunk_unknown bedrock_error_frame bedrock_error_frame_throttling bedrock_error_frame_unknown
        """,
    ),
    **_each("An exception's frame of more than 1 KB is not seen.", "bedrock_exception_2k bedrock_exception_64k"),
    **_each("A `modelStreamErrorException` is `_OTHER`.", "bedrock_model_stream_error_exception"),
    **_each(
        "A call has another word than the SDK's span for an exception's frame.",
        """
        bedrock_internal_server_exception bedrock_model_timeout_exception bedrock_service_unavailable_exception
        bedrock_throttling_exception bedrock_validation_exception bedrock_unheard_of_exception bedrock_exception_bytes
        bedrock_exception_and_end bedrock_exception_quoting
        """,
    ),
    **_each(
        "A frame that the SDK cannot decode leaves the attempt abandoned, or completed if it is the end event's.",
        "bedrock_prelude_crc bedrock_crc bedrock_crc_of_end bedrock_not_frames bedrock_invalid_json",
    ),
    **_each(
        "A frame counts before it is whole, though the SDK never hands it on.",
        "bedrock_cut_in_end bedrock_cut_before_crc bedrock_cut_in_exception",
    ),
}

_DECODER_BEHIND_HOOKS: Final = (
    Pending(
        "behind event hooks, a sync body whose decoder fails is `cancelled`, though the app got an exception",
        stacks=frozenset({"httpx-sync", "httpx2-sync"}),
        suites=frozenset({EVENT_HOOKS}),
    ),
)

PENDING: Final[dict[str, tuple[Pending, ...]]] = {
    **_STREAMS,
    **_CONTENTS,
    **_RESPONSES,
    **_BEDROCK,
    "body_bad_gzip": _DECODER_BEHIND_HOOKS,
    "stream_bad_gzip": _DECODER_BEHIND_HOOKS,
}
"""By the name of the catalogue entry."""


def marks(fault: str, stack: str, suite: str) -> tuple[pytest.MarkDecorator, ...]:
    """The marks of a test that has the fault meet the stack: a strict xfail if that is pending, else none."""
    return tuple(
        pytest.mark.xfail(strict=True, reason=pending.why)
        for pending in PENDING.get(fault, ())
        if suite in pending.suites and (pending.stacks is None or stack in pending.stacks)
    )
