"""What is current while the library's spans are, and that nothing stays."""

from __future__ import annotations

import contextvars
import gc
import logging

import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.instrumentation.utils import (
    is_http_instrumentation_enabled,
    suppress_http_instrumentation,
    suppress_instrumentation,
)
from opentelemetry.trace import INVALID_SPAN

from anthropic_otel._otel import context
from otel.scene import Scene
from support.waiting import collect_garbage


def test_attach_and_detach_are_a_pair() -> None:
    """What was current before a context was attached is current again after `detach`."""
    before = otel_context.get_current()
    token = otel_context.attach(otel_context.set_value("key", "value"))
    assert otel_context.get_value("key") == "value"
    context.detach(token, before)
    assert otel_context.get_current() == before


def test_detaching_in_another_context_does_nothing_and_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A coroutine that is closed in another context is no error of the app's, and leaves no traceback in its log."""
    before = otel_context.get_current()
    token = contextvars.copy_context().run(otel_context.attach, otel_context.set_value("key", "value"))
    with caplog.at_level(logging.DEBUG):
        context.detach(token, before)
    assert otel_context.get_value("key") is None
    assert caplog.records == []


def test_detaching_twice_does_nothing_and_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A token that was used is ignored."""
    before = otel_context.get_current()
    token = otel_context.attach(otel_context.set_value("key", "value"))
    with caplog.at_level(logging.DEBUG):
        context.detach(token, before)
        context.detach(token, before)
    assert otel_context.get_value("key") is None
    assert caplog.records == []


@pytest.mark.parametrize("works", [True, False])
def test_a_token_of_another_runtime_is_given_back_to_opentelemetry(
    monkeypatch: pytest.MonkeyPatch, works: bool
) -> None:
    """A context that something else keeps is detached by its own means, and put back where that does nothing."""
    before = otel_context.get_current()
    own = otel_context.attach(otel_context.set_value("key", "value"))
    given: list[object] = []

    def detach(token: object) -> None:
        given.append(token)
        if works:
            own.var.reset(own)

    with monkeypatch.context() as patch:
        patch.setattr(otel_context, "detach", detach)
        token = object()
        context.detach(token, before)
    assert given == [token]
    assert otel_context.get_current() is before


def test_nothing_is_suppressed_by_default() -> None:
    """Instrumentation is on where nobody has suppressed it."""
    assert not context.suppressed(otel_context.get_current())


def test_what_somebody_upstream_suppresses_is_suppressed() -> None:
    """The two context managers that OpenTelemetry's instrumentations agree on suppress the library."""
    with suppress_instrumentation():
        assert context.suppressed(otel_context.get_current())
    with suppress_http_instrumentation():
        assert context.suppressed(otel_context.get_current())


@pytest.mark.parametrize("key", ["suppress_instrumentation", "suppress_http_instrumentation"])
def test_a_value_that_is_false_suppresses_nothing(key: str) -> None:
    """A suppression key that is false suppresses nothing."""
    before = otel_context.get_current()
    token = otel_context.attach(otel_context.set_value(key, False))
    try:
        assert not context.suppressed(otel_context.get_current())
    finally:
        context.detach(token, before)


def test_our_own_suppression_is_known_again() -> None:
    """What the library suppresses is the instrumentation of the HTTP client, and not itself, until the send is over."""
    suppression = context.Suppression()
    inner = context.with_span(INVALID_SPAN, otel_context.get_current(), suppression)
    before = otel_context.get_current()
    token = otel_context.attach(inner)
    try:
        assert not context.suppressed(otel_context.get_current())
        assert not is_http_instrumentation_enabled()
        suppression.end()
        assert not context.suppressed(otel_context.get_current())
        assert is_http_instrumentation_enabled()
    finally:
        context.detach(token, before)


def test_a_span_is_current_with_or_without_suppression() -> None:
    """An option makes a span current and leaves the HTTP client's own spans on."""
    span = trace.NonRecordingSpan(trace.SpanContext(1, 2, is_remote=False))
    inner = context.with_span(span, otel_context.get_current())
    before = otel_context.get_current()
    token = otel_context.attach(inner)
    try:
        assert trace.get_current_span() is span
        assert is_http_instrumentation_enabled()
    finally:
        context.detach(token, before)


def test_an_open_stream_keeps_no_context_of_its_call(scene: Scene) -> None:
    """Once the method has returned, nothing of ours can become current any more. A context takes 88 bytes or more."""

    def contexts() -> int:
        collect_garbage()
        return sum(type(it) is otel_context.Context for it in gc.get_objects())

    before = contexts()
    call = scene.call()
    attempt = scene.attempt(call)
    scene.stream(attempt)
    call.method_returned(None, attempt)
    assert attempt.outcome is None
    assert contexts() == before


def test_a_late_attempt_leaves_what_was_current_where_the_runtime_detaches_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as ddtrace's. Then the call's span, which has ended, would be the parent of what the app does next."""
    attach = otel_context.attach
    call = scene.call()
    scene.answer(scene.attempt(call))
    call.method_returned(None, None)
    before = otel_context.get_current()
    with monkeypatch.context() as patch:
        patch.setattr(otel_context, "attach", lambda current: [attach(current)])
        patch.setattr(otel_context, "detach", lambda token: None)
        late = scene.attempt(call)
        assert otel_context.get_current() is not before
        scene.answer(late)
        assert otel_context.get_current() is before
