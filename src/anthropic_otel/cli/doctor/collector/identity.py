"""Checks how the telemetry names its service and its process: `service.name` and `service.instance.id`.

Without an id for each instance, the counters of several workers become one series that goes up and down.
OpenTelemetry's SDK makes such an id from 1.43 on.

Rule: the resource that the SDK makes here is checked, and not only the variables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from anthropic_otel.cli.doctor.deadline import Deadline, Work
from anthropic_otel.cli.doctor.findings import Finding, bad, info, note, untried

ATTRIBUTES: Final = "OTEL_RESOURCE_ATTRIBUTES"
NAME: Final = "OTEL_SERVICE_NAME"
INSTANCE: Final = "service.instance.id"
_SUBJECT: Final = "Identity"
_SECONDS: Final = 1.0
_AT_LEAST: Final = 0.5


def examine(environment: Mapping[str, str], deadline: Deadline) -> Iterator[Finding]:
    """Yields findings about `OTEL_RESOURCE_ATTRIBUTES` in `environment`, and about the resource of this process.

    Those about the resource are about its `service.name` and `service.instance.id`, or say that the resource could not
    be made, or not in time: OpenTelemetry's resource detectors have until the deadline, but at least half a second and
    at most one.
    """
    pairs = [pair for pair in environment.get(ATTRIBUTES, "").split(",") if pair.strip()]
    if any("=" not in pair for pair in pairs):
        yield bad(_SUBJECT, f"{ATTRIBUTES} has a part without '=', which is left out", "name=value,name=value")
    try:
        attributes = Work(_resource).result(
            Deadline(min(deadline.remaining, _SECONDS)).at_least(_AT_LEAST), lambda: None
        )
    except Exception as error:
        yield bad(_SUBJECT, f"the resource cannot be made: {type(error).__qualname__}", f"correct {ATTRIBUTES}")
        return
    if attributes is None:
        yield untried(_SUBJECT, "not known: a resource detector did not answer in time")
        return
    yield _name(attributes)
    yield _instance(attributes, {pair.partition("=")[0].strip() for pair in pairs})


def _resource() -> Mapping[str, Any] | None:
    from opentelemetry.sdk.resources import Resource

    return dict(Resource.create().attributes)


def _name(attributes: Mapping[str, Any]) -> Finding:
    name = str(attributes.get("service.name", ""))
    if not name or name.startswith("unknown_service"):
        return note(_SUBJECT, "service.name is not set", f"{NAME}=my-service: dashboards and alerts select by it")
    return info(_SUBJECT, f"service.name={name}")


def _instance(attributes: Mapping[str, Any], named: set[str]) -> Finding:
    if not attributes.get(INSTANCE):
        text = f"the SDK makes no {INSTANCE}: with providers of your own, workers share their series"
        return note(_SUBJECT, text, "pip install -U 'opentelemetry-sdk>=1.43', which makes one for each process")
    if INSTANCE in named:
        text = f"{INSTANCE} is fixed by {ATTRIBUTES}: workers with it share their series"
        return note(_SUBJECT, text, "leave it out: the SDK makes one for each process")
    return info(_SUBJECT, f"{INSTANCE} is made for each process")
