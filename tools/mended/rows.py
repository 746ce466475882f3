"""What people did that the library got wrong, one row each, and the tests that hold it now.

Rule: a row names catalogue entries or tests, so that each can be run on a library that was built before. One that
passes there too has its reason in `WAS_RIGHT`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_STACK: Final = "httpx2-sync"
"""The HTTP stack that a fault is met on: the tests of the catalogue have it meet every one."""
_E2E: Final = "tests/e2e/"
_SENDS: Final = f"{_E2E}test_further_sends.py::"
_OUTCOMES: Final = f"{_E2E}test_middleware_outcomes.py::"
_NOT_SENT: Final = f"{_E2E}test_requests_not_sent.py::"
_MODELS: Final = f"{_E2E}test_models.py::"
_LIMITS: Final = f"{_E2E}test_limits_of_accounts.py::"
_TIMES: Final = f"{_E2E}test_time_and_scope.py::"
_FRESH: Final = f"{_E2E}test_fresh_process.py::"
_HOOKS: Final = "tests/adapters/test_event_hooks.py::"
_UNCHANGED: Final = f"{_E2E}test_unchanged.py::test_a_probe_finds_what_it_finds_in_a_plain_app"


@dataclass(frozen=True)
class Row:
    """One thing that people do. `faults` are names of the catalogue, `tests` are what pytest is given."""

    what: str
    faults: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()

    @property
    def nodes(self) -> list[str]:
        """What pytest is given for all of it."""
        words = "tests/test_words.py::test_the_words_are_those_of_the_entry"
        return [*(f"{words}[{fault}-{_STACK}]" for fault in self.faults), *self.tests]


def _named(prefix: str, names: str) -> tuple[str, ...]:
    return tuple(f"{prefix}{name}" for name in names.split())


def _probes(names: str) -> tuple[str, ...]:
    return tuple(f"{_UNCHANGED}[{name}]" for name in names.split(", "))


ROWS: Final = (
    Row(
        "An `error` event of more than 1 KB",
        _named("stream_error_", "1k 64k 1k_first 1k_gzip 64k_in_packets 1k_segmented 1k_crlf message_first and_much"),
    ),
    Row(
        "Something after `message_stop`, in a chunk of its own",
        _named(
            "stream_",
            "ping_after_end named_done_after_end usage_after_end done_after_end comment_after_end after_end_gzip",
        ),
    ),
    Row(
        "A stream that is cut inside its end event",
        _named("stream_cut_", "after_end_name in_end_data before_blank_line before_line_end crlf gzip"),
    ),
    Row(
        "A stream was asked for, and JSON, HTML or nothing came",
        _named("stream_", "html json json_error json_as_text text nothing nothing_at_all 204 html_octets html_as_json"),
    ),
    Row(
        "An error as JSON under the content type of an event stream, or in an event without a name",
        _named("stream_", "of_error error_unnamed"),
    ),
    Row("An exception of Amazon's as JSON in place of frames", ("bedrock_json",)),
    Row("A whole stream under another content type, and one that ends too early", ("stream_as_text_incomplete",)),
    Row("A message was asked for, and HTML, text or nothing came", _named("", "html text_as_json nothing xml")),
    Row(
        "JSON that is wrong only in its middle",
        _named("json_", "broken_inside twice in_latin_1 too_deep broken_as_text"),
    ),
    Row(
        "An event that the SDK cannot decode",
        _named(
            "stream_",
            "invalid_json invalid_json_long invalid_json_first invalid_json_gzip invalid_json_cut not_utf8 "
            "invalid_json_64k_in_packets invalid_json_and_much invalid_json_and_all",
        ),
    ),
    Row(
        "Results of a batch that break off in a line, or have one that is no JSON",
        (),
        _named(
            f"{_E2E}test_unparsable_replies.py::test_results_of_a_batch_are_lines_of_json[httpx2-sync-",
            "cut] broken_last] broken_before]",
        ),
    ),
    Row(
        "An event that the SDK cannot make a message of",
        (),
        (f"{_E2E}test_events_not_taken.py::test_an_event_that_no_message_can_be_made_of_is_invalid",),
    ),
    Row(
        "A 3xx that is not followed",
        _named("http_", "300 301_nowhere 304 305 307_nowhere 302_unfollowed 307_unfollowed 308_unfollowed"),
    ),
    Row(
        "A stream that is compressed and does not say so",
        _named("stream_", "gzip_unsaid binary cut_in_character"),
    ),
    Row(
        "A wrapper that raises anew what the network did",
        (),
        _named(
            f"{_E2E}test_raised_anew.py::test_a_",
            "client_that_raises_anew_keeps_the_cause transport_that_raises_anew_keeps_the_cause",
        ),
    ),
    Row("An error whose body breaks off, and whose headers the SDK does not see", ("http_429_cut_retry_after",)),
    Row(
        "A redirect to a host that refuses",
        ("redirect_refused",),
        (f"{_SENDS}test_a_redirect_to_a_host_that_refuses_is_a_refused_connection",),
    ),
    Row(
        "A token that an auth flow of the app has the client fetch, and that cannot be fetched",
        (),
        _named(
            f"{_E2E}test_redirects_and_auth.py::test_",
            "a_token_that_the_client_cannot_fetch_is_not_the_apis_failure "
            "what_an_auth_flow_raises_after_a_401_is_not_the_apis_failure",
        ),
    ),
    Row(
        "An auth flow of the app that raises after an answer",
        (),
        _named(
            f"{_E2E}test_redirects_and_auth.py::test_",
            "what_an_auth_flow_raises_after_an_answer_is_the_apps "
            "a_status_that_demands_no_credentials_wins_over_an_auth_flow "
            "an_answer_that_breaks_as_an_auth_flow_reads_it_is_the_networks",
        ),
    ),
    Row(
        "A request that cannot be written, and gets no answer",
        (),
        (f"{_NOT_SENT}test_a_request_that_cannot_be_written_is_no_timeout",),
    ),
    Row(
        "A refusal of Bedrock, which names its exception in a header",
        (),
        _named(
            f"{_E2E}test_platform_wire.py::test_a_refusal_of_bedrock_is_told_by_its_header",
            "[sync-403-ExpiredTokenException:http://internal.amazon.com/coral/com.amazon.coral.service/-"
            "authentication_error-whole-Bedrock] "
            "[async-400-ServiceQuotaExceededException:http://internal.amazon.com/coral/com.amazon.bedrock/-"
            "rate_limit_error-stream-Bedrock]",
        ),
    ),
    Row("A host with letters beyond ASCII", (), (f"{_NOT_SENT}test_an_international_host_is_no_proxy",)),
    Row(
        "A response of an earlier hop, before the network failed",
        _named("redirect_", "reset disconnected timeout"),
        (f"{_SENDS}test_a_503_before_a_network_failure_is_not_on_the_failure",),
    ),
    Row(
        "A message thread that the server has lost, so that the SDK sends the turn again",
        (),
        _named(
            f"{_E2E}test_thread_turns.py::test_",
            "a_turn_that_the_sdk_sends_again_is_no_failed_call[httpx2-sync-thread_not_found-send] "
            "a_runner_of_tools_that_goes_on_without_a_thread_has_no_failed_call[httpx2-sync]",
        ),
    ),
    Row(
        "A redirect or a demand for credentials whose own body breaks, or whose next request finds the pool full",
        ("redirect_body_reset", "redirect_body_cut", "redirect_body_timeout", "http_307_nowhere_cut"),
        (
            *_named(
                f"{_E2E}test_redirects_and_auth.py::test_",
                "a_redirect_that_cannot_be_read_as_one_has_its_status[httpx2-sync] "
                "a_demand_for_credentials_whose_body_breaks_is_the_networks_failure[httpx2-sync]",
            ),
            *_named(
                f"{_SENDS}test_",
                "a_503_before_a_full_pool_is_an_attempt_of_its_own an_answer_before_a_full_pool_is_not_on_the_failure",
            ),
        ),
    ),
    Row(
        "A retrying transport",
        (),
        _named(
            f"{_SENDS}test_",
            "each_send_of_a_retrying_transport_is_an_attempt "
            "a_broken_connection_that_a_transport_retries_is_an_attempt "
            "a_transport_that_gives_up_has_failed_by_its_last_status each_host_of_a_pool_is_an_attempt",
        ),
    ),
    Row(
        "A key with its newline, an empty token, a base URL without a scheme, a host that is no name",
        (),
        _named(
            f"{_NOT_SENT}test_",
            "a_key_with_its_newline_is_not_sent an_empty_token_is_not_sent a_base_url_without_a_scheme_is_not_sent "
            "a_host_that_is_no_host_name_is_not_sent",
        ),
    ),
    Row(
        "One async client, and an event loop for each request; a client that is closed",
        (),
        _named(f"{_NOT_SENT}test_", "a_client_of_a_closed_event_loop_is_named a_client_that_is_closed_is_named"),
    ),
    Row(
        "A proxy that is not found, or closes, below the aiohttp transport",
        (),
        tuple(
            f"tests/test_words.py::test_the_words_are_those_of_the_entry[proxy_{name}-httpx2-aiohttp]"
            for name in ("unknown_name", "silent")
        ),
    ),
    Row("A SOCKS proxy that is none", _named("proxy_socks_", "none http silent refused")),
    Row(
        "A TLS alert after the handshake, on aiohttp",
        (),
        ("tests/test_words.py::test_an_alert_after_the_handshake_has_no_errno",),
    ),
    Row("A `retry-after` that the SDK cannot read", _named("retry_after_", "twice text empty")),
    Row(
        "A fallback, a hedge or a stale answer of a middleware",
        (),
        _named(
            f"{_OUTCOMES}test_",
            "a_fallback_that_answers_has_recovered_the_call each_attempt_of_a_fallback_has_its_own_model "
            "an_attempt_has_its_own_model_where_the_url_has_it "
            "a_stale_answer_is_a_call_that_succeeded a_hedge_that_answers_is_a_call_that_succeeded "
            "a_refusal_that_is_read_to_its_end_is_a_call_that_succeeded a_fallback_after_a_refusal_is_no_retry",
        ),
    ),
    Row(
        "A middleware that retries, hedges or gives up by itself",
        (),
        _named(
            f"{_OUTCOMES}test_",
            "a_call_that_was_not_retried_is_not_exhausted a_retry_after_that_nobody_waits_for_has_not_set_the_backoff "
            "answers_that_a_middleware_makes_failures_of_use_up_the_retries "
            "a_call_whose_middleware_leaves_failures_unread_has_one_warning "
            "a_call_whose_middleware_passes_on_an_earlier_failure_has_that_ones_code",
        ),
    ),
    Row(
        "A middleware that sends from its own thread",
        (),
        _named(
            f"{_OUTCOMES}test_",
            "a_middleware_that_sends_from_its_own_thread_has_its_attempt "
            "a_first_attempt_in_a_middlewares_own_thread_is_a_child_of_the_call "
            "attempts_of_calls_beside_each_other_are_children_of_their_own "
            "attempts_in_threads_are_of_the_call_that_they_are_sent_for "
            "what_a_thread_sends_after_its_call_is_no_attempt_of_another",
        ),
    ),
    Row(
        "Credentials that are fetched slowly, or cannot be fetched",
        (),
        _named(
            f"{_SENDS}test_",
            "a_slow_provider_of_credentials_is_a_phase_of_its_own a_provider_that_cannot_be_reached_fails_in_its_phase "
            "credentials_that_the_sdk_cannot_have_are_not_retried",
        ),
    ),
    Row("Two API keys in one process", (), (f"{_E2E}test_rate_limits.py::test_two_accounts_have_limits_of_their_own",)),
    Row(
        "The rate limits of a healthy account, as the API tells them",
        (),
        _named(
            f"{_E2E}test_rate_limits.py::test_",
            "a_healthy_account_has_its_limits_on_gauges limits_are_reported_without_one_on_requests "
            "remaining_is_the_lowest_since_the_last_collection limits_age_by_the_servers_clock",
        ),
    ),
    Row("Models of 1 MB that the API turns away", (), (f"{_MODELS}test_enormous_model_names_are_not_kept",)),
    Row("Fifty models that got a 404", (), (f"{_MODELS}test_models_that_do_not_exist_do_not_crowd_out_a_real_one",)),
    Row("The model in `extra_body`", (), (f"{_MODELS}test_a_model_in_extra_body_is_the_attempts_model",)),
    Row("The ARN of an application inference profile", (), (f"{_MODELS}test_an_arn_is_told_by_its_last_part",)),
    Row(
        "A model or a stream in the input of a tool, where nothing of the SDK is patched",
        (),
        (f"{_MODELS}test_the_input_of_a_tool_is_no_model_and_no_stream",),
    ),
    Row(
        "Tokens that Vertex counts, in a call with a middleware",
        (),
        (f"{_MODELS}test_tokens_that_vertex_counts_are_those_of_the_calls_model",),
    ),
    Row(
        "A client of Vertex whose base URL has no version",
        (),
        (f"{_E2E}test_platform_wire.py::test_a_base_url_of_vertex_need_not_have_a_version",),
    ),
    Row("A request that is sent twice", (), (f"{_TIMES}test_a_request_that_is_sent_twice_is_two_attempts",)),
    Row(
        "A copy, a kept method or a mock of an HTTP client",
        (),
        _probes(
            "copied_http_client-httpx2-sync-instrument() before, kept_send-httpx2-sync-instrument() before, "
            "send_mocked_on_the_client-httpx2-async-instrument() before"
        ),
    ),
    Row(
        "A gzip'd response that was closed unread is pickled",
        (),
        _probes("compressed_closed_unread-httpx2-sync-instrument() before"),
    ),
    Row(
        "`capture()` in an app that exports, and beside another `capture()`",
        (),
        _named(f"{_TIMES}test_", "a_capture_leaves_the_times_of_an_app_that_exports captures_may_overlap"),
    ),
    Row(
        "`uninstrument(client)` after `instrument()`, and `instrument(export=...)` a second time",
        (),
        (
            f"{_TIMES}test_one_client_is_taken_off_an_instrumented_process",
            f"{_FRESH}test_instrumenting_again_with_an_exporter_sets_no_provider",
        ),
    ),
    Row(
        "A copy of a client that was excluded, or instrumented by itself, after all was undone",
        (),
        _named(
            "tests/reliability/test_objects.py::test_a_copy_of_an_",
            "excluded_client_is_excluded_until_all_is_undone instrumented_client_is_instrumented_until_all_is_undone",
        ),
    ),
    Row(
        "A hook that sends by another client, which was excluded",
        (),
        (f"{_E2E}test_instrumenting.py::test_an_excluded_client_is_not_seen_within_the_call_of_another",),
    ),
    Row(
        "A call that is stopped in its backoff",
        (),
        (f"{_TIMES}test_a_call_that_is_stopped_in_its_backoff_is_not_told_as_retried",),
    ),
    Row("`instrument()` in a script", (), (f"{_FRESH}test_a_script_is_told_once_that_nothing_is_exported",)),
    Row(
        "No propagator, and a sampler of a share",
        (),
        (f"{_FRESH}test_the_share_of_sampled_traces_is_the_samplers",),
    ),
    Row(
        "A propagator that is not installed",
        (),
        (f"{_FRESH}test_a_propagator_that_is_not_installed_costs_the_trace_context_only",),
    ),
    Row(
        "Event hooks of a sync client: a stream left early, bad gzip, a proxy that refuses, redirects",
        (),
        _named(
            f"{_HOOKS}test_",
            "a_stream_that_is_left_early_is_abandoned a_body_that_cannot_be_decoded_has_failed "
            "a_refusal_of_a_proxy_is_the_proxys a_loop_of_redirects_is_the_status_of_its_last_hop "
            "a_redirect_that_is_followed_is_one_attempt a_redirect_that_is_not_followed_has_failed",
        ),
    ),
    Row(
        "Bedrock: an error of the API in a `chunk` frame, or in a frame of the type `error`",
        _named("bedrock_error_", "in_chunk in_chunk_2k in_chunk_and_end in_chunk_bytes frame frame_throttling"),
    ),
    Row("Bedrock: an end event of more than 1 KB", _named("bedrock_", "trace trace_64k ping_after_end")),
    Row(
        "Bedrock: an exception that the library did not know",
        ("bedrock_model_stream_error_exception", "bedrock_model_timeout_exception"),
    ),
    Row("Bedrock: a frame with a wrong checksum", _named("bedrock_", "prelude_crc crc crc_of_end not_frames")),
    Row(
        "Logfire is configured a second time",
        (),
        ("tests/reliability/test_coexistence.py::test_metrics_survive_a_second_configuration_of_logfire",),
    ),
    Row(
        "ddtrace as OpenTelemetry's API",
        (),
        ("tests/reliability/test_coexistence.py::test_what_is_attached_is_gone_where_ddtrace_is_the_api",),
    ),
    Row(
        "A stream that a mock or a cache has in memory",
        (),
        _named(
            f"{_E2E}test_streams_in_memory.py::test_",
            "a_stream_in_memory_is_looked_at its_usage_counts",
        ),
    ),
    Row(
        "The model of a structured output refuses a reply that came whole",
        (),
        _named(
            f"{_E2E}test_usage.py::test_a_reply_that_the_apps_model_refuses_is_counted_once",
            f"[{_STACK}-messages] [{_STACK}-beta] _behind_a_middleware[{_STACK}]",
        ),
    ),
    Row(
        "A file or a generator that breaks while it is sent, and a port or a timeout that is none",
        (),
        _named(
            f"{_NOT_SENT}test_",
            "a_file_that_cannot_be_read_is_not_sent a_body_that_breaks_is_not_sent "
            "a_port_that_there_is_not_is_not_sent",
        ),
    ),
    Row(
        "A client subclass whose `send` makes the request anew",
        (),
        _named(
            f"{_E2E}test_handed_on.py::test_",
            "a_request_that_is_made_anew_is_one_attempt each_send_of_one_that_retries_is_an_attempt",
        ),
    ),
    Row(
        "An error with status 200, and an answer that is cut or of another content type",
        ("json_error", "json_error_of_gateway", "json_null", "json_list", "json_as_html", "json_as_events"),
    ),
    Row(
        "A JSON object with status 200 that is no message",
        ("json_error_of_amazon", "json_code_of_gateway", "json_of_another_api", "json_other_shape"),
        _named(f"{_E2E}test_unparsable_replies.py::test_an_object_", "that_is_no_message_is_no_answer"),
    ),
    Row(
        "A list or another object was asked for, and what came is no object",
        (),
        _named(
            f"{_E2E}test_unparsable_replies.py::test_",
            "what_no_page_of_a_list_can_be_made_of_is_no_answer json_that_is_no_object_answers_no_operation",
        ),
    ),
    Row(
        "A stream whose text a model of the app's own does not take",
        (),
        (f"{_E2E}test_events_not_taken.py::test_a_text_that_does_not_fit_the_apps_model_is_the_apps_exception",),
    ),
    Row("A message in UTF-16 or UTF-32", ("json_in_utf_16", "json_in_utf_32")),
    Row(
        "A streaming response that the app cannot parse",
        (),
        _named(
            f"{_E2E}test_unparsable_replies.py::test_a_",
            "streaming_response_that_cannot_be_parsed_fails_its_attempt page_in_a_streaming_response_is_named_so",
        ),
    ),
    Row(
        "A call that fails although no attempt failed",
        (),
        _named(
            f"{_E2E}test_calls_that_fail_alone.py::test_a_",
            "call_that_sends_nothing_is_a_warning middleware_that_rejects_an_answer_is_a_warning "
            "reply_that_does_not_fit_the_apps_model_is_a_warning",
        ),
    ),
    Row(
        "A redirect that leads through another proxy, or a proxy below a transport that wraps another",
        (),
        _named(
            f"{_E2E}test_proxies.py::test_",
            "a_redirect_may_lead_through_another_proxy a_redirect_may_lead_away_from_a_proxy "
            "an_answer_after_a_redirect_has_the_last_hops_proxy a_transport_that_wraps_another_has_its_proxy",
        ),
    ),
    Row(
        "A proxy that speaks SOCKS, no TLS or no HTTP at all, against its URL, or that never answers",
        ("proxy_garbage", "proxy_plain", "proxy_stalled"),
    ),
    Row("A mail server, or another that speaks no HTTP, at the address", ("raw_greeting",)),
    Row(
        "A body over HTTP/2 that ends before its content-length",
        (),
        (
            f"{_E2E}test_http2.py::test_a_body_of_another_length_than_its_headers_say_has_the_words_of_http_1"
            "[httpx2-sync-too short-incomplete_body]",
        ),
    ),
    Row(
        "A gateway that ends an HTTP/2 connection in the packet of its last answer",
        (),
        (f"{_E2E}test_http2.py::test_an_answer_that_comes_with_a_goaway_is_a_connection_that_is_over",),
    ),
    Row(
        "An HTTP/2 server that takes no more of a request",
        (),
        (f"{_E2E}test_http2.py::test_a_server_that_takes_no_more_of_a_request_is_a_write_timeout",),
    ),
    Row(
        "An HTTP/2 server whose status is no number that HTTP has",
        (),
        (f"{_E2E}test_http2.py::test_a_status_that_http_does_not_have_is_neither_a_number_nor_a_class",),
    ),
    Row(
        "A hook, an authentication or a transport that mirrors what is sent",
        (),
        (f"{_SENDS}test_each_request_of_one_that_is_mirrored_is_an_attempt",),
    ),
    Row(
        "A transport or a hook on aiohttp that raises for a status",
        (),
        (f"{_E2E}test_raised_anew.py::test_a_status_that_is_raised_as_an_exception_is_the_status",),
    ),
    Row(
        "A time limit that a signal sets, a bug in a hook, or an authentication that cannot reach its server",
        (),
        _named(
            f"{_E2E}test_app_exceptions.py::test_",
            "a_time_limit_of_a_signal_is_the_apps a_time_limit_in_a_stream_is_the_apps what_a_hook_raises_is_the_apps "
            "what_a_hook_cannot_reach_is_not_the_api credentials_of_the_apps_own_are_a_phase",
        ),
    ),
    Row(
        "A middleware that sends, and returns what it has kept of a call before",
        (),
        (f"{_OUTCOMES}test_an_answer_from_before_is_not_counted_again",),
    ),
    Row(
        "A stream of Bedrock, or a model of Bedrock or Vertex, by an HTTP client that is named",
        (),
        (
            f"{_E2E}test_agreement.py::test_nobody_contradicts_anybody_at_other_doors[instrument_http_client-bedrock_ok-",
        ),
    ),
    Row(
        "Event hooks: a proxy that fails, a redirect's rate limits, the class of what was raised",
        (),
        (f"{_E2E}test_differences_of_hooks.py::test_event_hooks_tell_the_same_as_send",),
    ),
    Row(
        "A request that event hooks have recorded, sent again by its client that was instrumented meanwhile",
        (),
        (f"{_HOOKS}test_a_request_is_sent_again_by_its_client_that_was_instrumented_meanwhile",),
    ),
    Row(
        "A transport that copies a request with its extensions, or a trace function that is a list",
        (),
        _named(
            f"{_E2E}test_odd_objects.py::test_",
            "the_extensions_of_a_request_can_be_copied a_trace_function_that_is_false_is_called",
        ),
    ),
    Row(
        "A hook, an authentication or a transport that notes something in a request's extensions",
        (),
        _probes(
            "request_that_the_app_notes_on-httpx2-sync-instrument() before, "
            "request_that_the_app_notes_on-httpx2-async-instrument() before, "
            "request_whose_notes_are_replaced-httpx2-sync-instrument() before, "
            "requests_with_the_same_extensions-httpx2-sync-instrument() before"
        ),
    ),
    Row(
        "A client, a decoder or a class of replies of the app's own",
        (),
        _named(
            f"{_E2E}test_odd_objects.py::test_",
            "a_reply_that_raises_for_every_name_reaches_the_app a_response_whose_history_raises_reaches_the_app "
            "a_decoder_of_the_app_may_return_other_bytes_than_bytes",
        ),
    ),
)

WAS_RIGHT: Final[dict[str, str]] = {
    "[stream_done_after_end-": "what came last and begins no event was kept with the end event",
    "[stream_comment_after_end-": "what came last and begins no event was kept with the end event",
    "test_a_host_that_is_no_host_name_is_not_sent[httpx2-async]": "anyio asks the resolver, as for any name",
    "test_an_international_host_is_no_proxy[httpx2-aiohttp]": "aiohttp does not tell what it connects to",
    "[proxy_socks_refused-": "a refused connection was told from a proxy that speaks no SOCKS",
    "[retry_after_text-": "one header that is no number was read as the SDK reads it; two were not",
    "[retry_after_empty-": "one header that is no number was read as the SDK reads it; two were not",
    "test_a_fallback_that_answers_has_recovered_the_call[whole]": "the attempt that ended last decided",
    "test_the_share_of_sampled_traces_is_the_samplers[tracecontext,baggage]": "the default, where nothing was wrong",
    "test_a_request_that_is_made_anew_is_one_attempt[httpx2-aiohttp-": "what was lost is what aiohttp does not tell",
    "_raises_anew_keeps_the_cause[httpx2-sync-from_it-": "an exception that names its cause leads to it",
    "_raises_anew_keeps_the_cause[httpx2-async-from_it-": "an exception that names its cause leads to it",
    "_raises_anew_keeps_the_cause[httpx2-aiohttp-from_it-": "an exception that names its cause leads to it",
    "[json_as_html-": "no message was judged by its content type",
    "[json_as_events-": "no message was judged by its content type",
    "[bedrock_model_timeout_exception-": "of the exceptions one was missing, and this is another one",
    "test_each_request_of_one_that_is_mirrored_is_an_attempt[another client]": "one request was one attempt",
    "_raised_as_an_exception_is_the_status[httpx2-sync-": "the transport's events had the status",
    "_raised_as_an_exception_is_the_status[httpx2-async-": "the transport's events had the status",
}
"""By a part of the id of a test: why it passes on a library from before."""
