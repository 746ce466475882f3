"""Starts the library without code: `opentelemetry-instrument python app.py` finds the class here by its entry point.

Rule: options come as the declarative configuration file passes them, and one that cannot be used is logged. Nothing is
raised, because an exception here would end the auto-instrumentation of the whole process.

The entry point's name is `anthropic_otel`; with it, `OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=anthropic_otel` switches it
off. In a configuration file:

    instrumentation/development:
      python:
        anthropic_otel:
          phases: false
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]

import anthropic_otel
from anthropic_otel._core.guard import guarded, log

_PROVIDERS: Final = ("tracer_provider", "meter_provider")
_SWITCHES: Final = ("metrics", "logs", "usage", "phases", "suppress_http_instrumentation", "sdk_only")
_WORDS: Final = {"true": True, "false": False}


class AnthropicOtelInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Calls `anthropic_otel.instrument()` and `uninstrument()` for OpenTelemetry's methods of these names.

    Takes the options of `anthropic_otel.instrument()` as keyword arguments, except `client` and `export`. Any other
    option, and a switch with a wrong value (see `_switches`), is logged as a warning and left out; `None` counts as not
    given. If `instrument()` raises, for instance because a provider is of a wrong type, that is logged and nothing is
    instrumented. Neither method raises an error of its own.
    """

    # No `configuration`, the dataclass by which OpenTelemetry checks the options of a configuration file: that drops
    # all of them for one that is misspelt.

    def instrumentation_dependencies(self) -> Collection[str]:
        # Any of several packages is enough, for which OpenTelemetry has no method but the extra `instruments-any`.
        return ()

    @guarded(None)
    def _instrument(self, **kwargs: Any) -> None:
        known: dict[str, Any] = {name: kwargs[name] for name in _PROVIDERS if kwargs.get(name) is not None}
        anthropic_otel.instrument(**known | _switches(kwargs))

    def _uninstrument(self, **kwargs: Any) -> None:
        anthropic_otel.uninstrument()


def _switches(options: Mapping[str, Any]) -> dict[str, bool]:
    """Returns the options that are switches, such as `phases`, each with its value as a `bool`.

    The strings `true` and `false` count as such values, in upper, lower or mixed case, and with blanks around them. An
    option with any other value is left out, and so is one that is no switch. Warns of each option that is left out,
    unless its name is `tracer_provider` or `meter_provider`, or its value is `None`.
    """
    switches: dict[str, bool] = {}
    for name, value in options.items():
        switch = _WORDS.get(value.strip().lower()) if isinstance(value, str) else value
        if name in _SWITCHES and isinstance(switch, bool):
            switches[name] = switch
        elif name not in _PROVIDERS and value is not None:
            log.warning("The option %r of anthropic_otel is unknown, or its value is not true or false", name)
    return switches
