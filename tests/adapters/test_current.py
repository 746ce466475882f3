"""What a running call notes of its responses, whatever objects these are."""

from __future__ import annotations

import pytest

from anthropic_otel._adapters.current import RunningCall
from anthropic_otel._core.invocation import Invocation
from anthropic_otel._core.runtime import Runtime
from core.notes import FACTS


class Response:
    """A response of a client class of the app's own."""


class WithoutReferences:
    """One that allows no weak references."""

    __slots__ = ()


@pytest.fixture
def running() -> RunningCall:
    call = RunningCall(Runtime().begin_call(Invocation()), object(), Runtime(), True)
    call.leave()
    return call


def test_a_response_is_found_by_its_identity(running: RunningCall) -> None:
    """Of two the attempt of the very one is told."""
    first, second = running.call.begin_attempt(FACTS), running.call.begin_attempt(FACTS)
    opened, answered = Response(), Response()
    running.note(opened, first, is_open=True)
    running.note(answered, second, is_open=False)
    assert (running.attempt_of(opened), running.answer_in(opened)) == (first, first)
    assert (running.attempt_of(answered), running.answer_in(answered)) == (None, second)


def test_a_result_without_a_response_is_of_no_attempt(running: RunningCall) -> None:
    """Also where a middleware has dropped the response that it had opened, which is gone by now."""
    response = Response()
    running.note(response, running.call.begin_attempt(FACTS), is_open=True)
    running.note(response, running.call.begin_attempt(FACTS), is_open=False)
    del response
    assert (running.attempt_of(None), running.answer_in(None)) == (None, None)


def test_a_response_that_allows_no_weak_references_hurts_nobody(running: RunningCall) -> None:
    """It cannot be found again: to keep it would keep an object of the app alive."""
    response = WithoutReferences()
    attempt = running.call.begin_attempt(FACTS)
    running.note(response, attempt, is_open=True)
    running.note(response, attempt, is_open=False)
    assert (running.attempt_of(response), running.answer_in(response)) == (None, None)
