"""An SDK whose inside has changed beyond what is known: one warning, and whatever can still be recorded is."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

import anthropic_otel
from anthropic_otel._adapters import library_patches
from anthropic_otel._adapters.invocations import Invocations
from anthropic_otel.simulator import Simulator
from anthropic_otel.testing import capture

PARAMS: dict[str, Any] = {
    "model": "claude-opus-4-8",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "hi"}],
}


@pytest.fixture
def client() -> Iterator[anthropic.Anthropic]:
    with (
        Simulator() as simulator,
        anthropic.Anthropic(base_url=simulator.base_url, api_key="none", max_retries=0) as made,
    ):
        yield made
        anthropic_otel.uninstrument()


class Elsewhere(anthropic.Anthropic):
    """A client of an SDK that keeps its HTTP client under another name: this library does not find it."""

    def __getattribute__(self, name: str) -> Any:
        caller = sys._getframe(1).f_globals["__name__"]
        if name == "_client" and caller.startswith("anthropic_otel."):
            raise AttributeError(name)
        return super().__getattribute__(name)


def test_without_the_http_client_calls_and_attempts_are_recorded(client: anthropic.Anthropic) -> None:
    """An SDK that keeps its HTTP client elsewhere marks the requests of its calls all the same."""
    with Elsewhere(base_url=client.base_url, api_key="none", max_retries=0) as other, capture() as telemetry:
        other.messages.create(**PARAMS)
        other.messages.create(**PARAMS)
    assert [call.outcome for call in telemetry.calls] == ["succeeded", "succeeded"]
    assert [attempt.call for attempt in telemetry.attempts] == [1, 2]


def test_without_the_call_boundary_attempts_of_a_client_are_recorded(
    client: anthropic.Anthropic, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """No class defines `request` any more: one warning, and a client that is named has its attempts."""
    monkeypatch.setattr(library_patches, "_definers", lambda *_: {})
    with caplog.at_level(logging.WARNING, "anthropic_otel"):
        anthropic_otel.instrument(client)
    with capture() as telemetry:
        client.messages.create(**PARAMS)
    assert [attempt.outcome for attempt in telemetry.attempts] == ["completed"]
    assert telemetry.calls == []
    assert any("not known" in record.message for record in caplog.records)


def test_the_app_runs_on_whatever_is_missing(client: anthropic.Anthropic, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking for what is not there any more does not reach the app."""

    def gone(*_: object) -> None:
        raise AttributeError("gone")

    monkeypatch.setattr(Invocations, "of", gone)
    with capture():
        assert client.messages.create(**PARAMS).content
