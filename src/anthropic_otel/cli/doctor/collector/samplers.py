"""Checks the sampler that the variables set: whether it exists, and whether it keeps any trace.

Rule: the value is judged by what the OpenTelemetry SDK does with it. The SDK replaces an unknown sampler by the
default, silently or with a log line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from typing import Final

from anthropic_otel.cli.doctor.findings import Finding, bad, info, note

NAME: Final = "OTEL_TRACES_SAMPLER"
ARGUMENT: Final = "OTEL_TRACES_SAMPLER_ARG"
_SUBJECT: Final = "Sampler"
_ALL: Final = ("always_on", "parentbased_always_on")
_NONE: Final = ("always_off", "parentbased_always_off")
_RATIO: Final = ("traceidratio", "parentbased_traceidratio")
_KNOWN: Final = (*_ALL, *_NONE, *_RATIO)
_METRICS: Final = "metrics count every call all the same"


def examine(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yields one finding about the sampler in `OTEL_TRACES_SAMPLER`; nothing if that is unset or blank.

    The finding is a fault if there is no such sampler, its ratio is missing or not valid, or it keeps no trace that
    begins in this process; a note if it keeps a part of them. Else the finding states the sampler.
    """
    value = environment.get(NAME, "")
    name = value.strip().lower()
    if not name:
        return
    if name in _NONE:
        drops = "every trace" if name == "always_off" else "every trace that begins in this process"
        yield bad(_SUBJECT, f"{NAME}={name} drops {drops}", f"unset {NAME}; {_METRICS}")
    elif name in _RATIO:
        yield _of_ratio(name, environment.get(ARGUMENT))
    elif value != value.strip() or not (
        name in _KNOWN or any(entry_points(group="opentelemetry_traces_sampler", name=name))
    ):
        yield bad(_SUBJECT, f"{NAME} is not a sampler: every trace is kept", f"one of {', '.join(_KNOWN)}")
    else:
        yield info(_SUBJECT, f"{NAME}={name}")


def _of_ratio(name: str, argument: str | None) -> Finding:
    try:
        ratio = float(argument or "")
    except ValueError:
        text = f"{ARGUMENT} is {'not a number' if argument else 'not set'}: {name} keeps every trace"
        return bad(_SUBJECT, text, f"{ARGUMENT}=0.1 keeps one in ten")
    if not 0 <= ratio <= 1:
        return bad(
            _SUBJECT, f"{ARGUMENT}={ratio:g} is not from 0 to 1: the SDK falls back", f"{ARGUMENT}=0.1 keeps one in ten"
        )
    if ratio == 0:
        return bad(_SUBJECT, f"{ARGUMENT}=0: {name} drops every trace that begins here", f"{ARGUMENT}=0.1; {_METRICS}")
    if ratio < 1:
        return note(_SUBJECT, f"{name} keeps {ratio:.3g} of the traces", f"traces will be missing; {_METRICS}")
    return info(_SUBJECT, f"{name}, {ARGUMENT}={ratio:g}")
