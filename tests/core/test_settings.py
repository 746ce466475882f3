"""What the public functions cannot use is an error at once, which names it."""

from __future__ import annotations

from typing import Any

import pytest

import anthropic_otel
from anthropic_otel._core.settings import Settings


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"tracer_provider": "x"},
            "tracer_provider must be a provider of OpenTelemetry, which has get_tracer(), not 'x'",
        ),
        ({"meter_provider": 1}, "meter_provider must be a provider of OpenTelemetry, which has get_meter(), not 1"),
        ({"metrics": "no"}, "metrics must be True or False, not 'no'"),
        ({"logs": None}, "logs must be True or False, not None"),
    ],
)
def test_an_option_of_another_type_is_refused_by_name(options: dict[str, Any], message: str) -> None:
    """By `instrument`, which then has instrumented nothing, and by `event_hooks`."""
    for function in (anthropic_otel.instrument, anthropic_otel.event_hooks):
        with pytest.raises(TypeError) as raised:
            function(**options)
        assert str(raised.value) == message


def test_a_switch_that_only_one_function_has_is_checked_too() -> None:
    """A word is no switch."""
    for name in ("phases", "sdk_only", "suppress_http_instrumentation"):
        with pytest.raises(TypeError, match=f"{name} must be True or False, not 'false'"):
            anthropic_otel.instrument(**{name: "false"})  # type: ignore[arg-type]


class Failing:
    """A provider that fails at everything."""

    def __getattr__(self, name: str) -> object:
        raise RuntimeError(name)


def test_a_provider_that_fails_at_everything_is_none_of_the_apps_errors() -> None:
    """As with a provider that fails later: there is a warning, and the app starts."""
    Settings(Failing(), Failing())
