"""What is current while the library's spans are, and that nothing stays."""

from __future__ import annotations

import contextvars
import logging

import pytest
from opentelemetry import context, trace
from opentelemetry.instrumentation.utils import (
    is_http_instrumentation_enabled,
    suppress_http_instrumentation,
    suppress_instrumentation,
)
from opentelemetry.trace import INVALID_SPAN

from anthropic_otel._otel import scope


def test_enter_and_leave_are_a_pair() -> None:
    """What was current before is current again."""
    before = context.get_current()
    token = context.attach(context.set_value("key", "value"))
    assert context.get_value("key") == "value"
    scope.leave(token)
    assert context.get_current() == before


def test_leaving_in_another_context_does_nothing_and_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A coroutine that is closed elsewhere is no error of the app's, and no traceback in its log."""
    token = contextvars.copy_context().run(context.attach, context.set_value("key", "value"))
    with caplog.at_level(logging.DEBUG):
        scope.leave(token)
    assert context.get_value("key") is None
    assert caplog.records == []


def test_leaving_twice_does_nothing_and_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A token is good for once."""
    token = context.attach(context.set_value("key", "value"))
    with caplog.at_level(logging.DEBUG):
        scope.leave(token)
        scope.leave(token)
    assert context.get_value("key") is None
    assert caplog.records == []


def test_a_token_of_another_runtime_is_given_back_to_opentelemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The implementation of the context can be exchanged."""
    given: list[object] = []
    monkeypatch.setattr(context, "detach", given.append)
    token = object()
    scope.leave(token)
    assert given == [token]


def test_nothing_is_suppressed_by_default() -> None:
    """Nobody asked for it."""
    assert not scope.suppressed()


def test_what_somebody_upstream_suppresses_is_suppressed() -> None:
    """By the two context managers that OpenTelemetry's instrumentations agree on."""
    with suppress_instrumentation():
        assert scope.suppressed()
    with suppress_http_instrumentation():
        assert scope.suppressed()


@pytest.mark.parametrize("key", ["suppress_instrumentation", "suppress_http_instrumentation"])
def test_a_value_that_is_false_suppresses_nothing(key: str) -> None:
    """Somebody has switched it on again."""
    token = context.attach(context.set_value(key, False))
    try:
        assert not scope.suppressed()
    finally:
        context.detach(token)


def test_our_own_suppression_is_known_again() -> None:
    """It is for the instrumentation of the HTTP client, and not for us."""
    inner = scope.with_span(INVALID_SPAN, context.get_current(), suppress_http=True)
    token = context.attach(inner)
    try:
        assert not scope.suppressed()
        assert not is_http_instrumentation_enabled()
    finally:
        scope.leave(token)


def test_a_span_is_current_with_or_without_suppression() -> None:
    """An option leaves the HTTP client's own spans on."""
    span = trace.NonRecordingSpan(trace.SpanContext(1, 2, is_remote=False))
    inner = scope.with_span(span, context.get_current(), suppress_http=False)
    token = context.attach(inner)
    try:
        assert trace.get_current_span() is span
        assert is_http_instrumentation_enabled()
    finally:
        scope.leave(token)
