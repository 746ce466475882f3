"""The plain versions of what the library does in a shorter way, to be put in its place.

Rule: a plain version records the same. It is what one would write who knows the public interfaces of OpenTelemetry and
httpx, and the library's own decorator.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

from opentelemetry import metrics

PREFIX: Final = "ours, "
ALL: Final = "all of these"


def install(name: str) -> None:
    """Puts the plain version of that name, or each of them for `ALL`, into the library, before it is instrumented."""
    VERSIONS[name]()


def _replace(original: Any, plain: Any) -> None:
    """Puts `plain` in place of `original` in each module of the library that has imported it."""
    for name, module in list(sys.modules.items()):
        if name.startswith("anthropic_otel"):
            for key, value in list(vars(module).items()):
                if value is original:
                    _set(module, key, plain)


def _set(owner: Any, name: str, value: object) -> None:
    # Most of these are constants to the type checker.
    setattr(owner, name, value)


def _rate_limits_at_once() -> None:
    from anthropic_otel._otel import ratelimits

    _set(ratelimits, "_MOST_UNREAD", 1)


def _tokens_at_once() -> None:
    from anthropic_otel._otel import tokens

    _set(tokens, "_MOST_UNREAD", 1)


def _headers_by_the_public_interface() -> None:
    from anthropic_otel._adapters import messages
    from anthropic_otel._core import headers

    _replace(messages.headers_of, lambda response: headers.by_name(response.headers.raw))


def _trace_context_by_the_public_interface() -> None:
    from anthropic_otel._adapters import messages

    def set_headers(request: Any, names: list[bytes] | None, added: Mapping[str, str]) -> None:
        request.headers.update(added)

    _replace(messages.set_headers, set_headers)


def _guards_by_the_decorator() -> None:
    from anthropic_otel._adapters import http_body, models, raw_replies, sdk, sending, transports
    from anthropic_otel._core.attempt import Attempt
    from anthropic_otel._core.call import Call
    from anthropic_otel._core.guard import guarded
    from anthropic_otel._otel.attempt_recorder import OtelAttemptRecorder
    from anthropic_otel._otel.call_recorder import OtelCallRecorder
    from anthropic_otel._otel.metrics import Histogram

    for cls, names in (
        (Attempt, ("responded", "end")),
        (Call, ("method_returned",)),
        (Histogram, ("record",)),
        (OtelAttemptRecorder, ("_enter", "send_finished", "end", "exemplar")),
        (OtelCallRecorder, ("_enter", "method_finished", "end", "exemplar")),
        (sending.Sending, ("returned", "_leave")),
    ):
        for name in names:
            _set(cls, name, guarded(None)(getattr(cls, name)))
    for function in (http_body.received, models._model_of, raw_replies.expect, sdk._begin, transports.facts_of):
        _replace(function, guarded(None)(function))


def _labels_anew() -> None:
    from anthropic_otel._otel import metrics as ours

    _set(ours, "MAX_SETS", 0)


def _models_noted_for_every_request() -> None:
    from anthropic_otel._adapters.current import RunningCall

    # Of no client are all requests known to ask for the call's model, and of each the model is compared.
    _set(RunningCall, "model_kept_by", property(lambda self: 0, lambda self, value: None))


def _attempts_counted_by_a_counter() -> None:
    from anthropic_otel._otel.counts import Counts

    @functools.lru_cache(maxsize=1)
    def counter() -> Any:
        return metrics.get_meter("plain").create_counter("plain.attempt.started")

    def add(self: Counts, values: Any) -> None:
        counter().add(1, self._sets.of(values))

    _set(Counts, "add", add)


def _all() -> None:
    for name, version in VERSIONS.items():
        if name != ALL:
            version()


VERSIONS: Final[dict[str, Callable[[], None]]] = {
    "rate limits at each response": _rate_limits_at_once,
    "tokens at each reply": _tokens_at_once,
    "a response's headers by httpx's public interface": _headers_by_the_public_interface,
    "trace context set by httpx's public interface": _trace_context_by_the_public_interface,
    "failures caught by the decorator": _guards_by_the_decorator,
    "the labels of a target made each time": _labels_anew,
    "the model of each request compared": _models_noted_for_every_request,
    "attempts counted by an OpenTelemetry counter": _attempts_counted_by_a_counter,
    ALL: _all,
}
