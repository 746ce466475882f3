"""Checks the options of the public functions: what they cannot use is an error at the start, and not silence later."""

from __future__ import annotations

from typing import Final

_PROVIDERS: Final = (("tracer_provider", "get_tracer"), ("meter_provider", "get_meter"))


def check_options(**options: object) -> None:
    """Raises `TypeError` for a provider that is none, or a switch that is neither true nor false, by its name."""
    methods = dict(_PROVIDERS)
    for name, value in options.items():
        method = methods.get(name)
        if method is None and not isinstance(value, int):
            raise TypeError(f"{name} must be True or False, not {value!r}")
        if method is not None and value is not None and not callable(getattr(value, method, None)):
            raise TypeError(f"{name} must be a provider of OpenTelemetry, which has {method}(), not {value!r}")
