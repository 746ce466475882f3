"""Checks the options of the public functions, so that a wrong one is an error at the start and not silence later."""

from __future__ import annotations

from typing import Final

_PROVIDERS: Final = (("tracer_provider", "get_tracer"), ("meter_provider", "get_meter"))


def check_options(**options: object) -> None:
    """Raises `TypeError`, which names the option, for the first option whose value is of a wrong kind.

    `tracer_provider` must be `None` or have a method `get_tracer`, `meter_provider` `None` or have `get_meter`. Any
    other option must be a `bool` or an `int`.
    """
    methods = dict(_PROVIDERS)
    for name, value in options.items():
        method = methods.get(name)
        if method is None and not isinstance(value, int):
            raise TypeError(f"{name} must be True or False, not {value!r}")
        if method is not None and value is not None and not _has(value, method):
            raise TypeError(f"{name} must be a provider of OpenTelemetry, which has {method}(), not {value!r}")


def _has(provider: object, method: str) -> bool:
    """Returns whether a provider has a method. One that fails even at this has it: its failures never reach the app."""
    try:
        return callable(getattr(provider, method, None))
    except Exception:
        return True
