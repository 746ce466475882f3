"""Defines the settings of an instrumentation. A wrong one is an error at the start, and not silence later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

_METHODS: Final = {"tracer_provider": "get_tracer", "meter_provider": "get_meter"}


@dataclass(frozen=True)
class Settings:
    """What is recorded, and by which providers of OpenTelemetry. A provider of `None` is the process's global one.

    The fields are the arguments of `anthropic_otel.instrument` with the same names. Raises `TypeError`, which names the
    field, for the first one that is of a wrong kind: a provider must be `None` or have the method that makes a tracer
    or a meter. Any other field must be a `bool`; an `int` such as 0 or 1 is accepted in its place.
    """

    tracer_provider: Any = None
    meter_provider: Any = None
    metrics: bool = True
    logs: bool = True
    usage: bool = True
    suppress_http_instrumentation: bool = True
    phases: bool = True
    sdk_only: bool = False

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            method = _METHODS.get(name)
            if method is None and not isinstance(value, int):
                raise TypeError(f"{name} must be True or False, not {value!r}")
            if method is not None and value is not None and not _has(value, method):
                raise TypeError(f"{name} must be a provider of OpenTelemetry, which has {method}(), not {value!r}")


def _has(provider: object, method: str) -> bool:
    """Returns whether `provider` has a callable `method`; `True` too if looking it up raises.

    What fails in a provider never reaches the app.
    """
    try:
        return callable(getattr(provider, method, None))
    except Exception:
        return True
