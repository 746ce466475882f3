"""Free-threaded Python is refused in words: one warning, and everything is recorded as well as it can be."""

from __future__ import annotations

import logging
import sys

import pytest

import anthropic_otel
from support.telemetry import Telemetry


@pytest.fixture(autouse=True)
def _not_warned() -> None:
    anthropic_otel._warn_of_free_threading.cache_clear()


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the library has warned of."""
    return [record.getMessage() for record in caplog.records if record.name == "anthropic_otel"]


@pytest.mark.parametrize(("gil", "expected"), [(False, 1), (True, 0)], ids=["free-threaded", "gil"])
def test_instrument_warns_once_where_the_gil_is_off(
    gil: bool, expected: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, recorded: Telemetry
) -> None:
    """A process without the GIL gets one warning that says what to do, however often it is instrumented."""
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: gil, raising=False)
    caplog.set_level(logging.WARNING)
    for _ in range(2):
        recorded.instrument()
        anthropic_otel.uninstrument()
    found = warnings(caplog)
    assert len(found) == expected
    assert all("PYTHON_GIL=1" in text for text in found)
