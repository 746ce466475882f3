"""The self-test: makes one call against the simulator, and checks that `instrument()` records both of its attempts.

Rule: it comes last, because it changes this process: its environment and its OpenTelemetry providers, for good.
"""

from __future__ import annotations

import os
from typing import Final

from opentelemetry import metrics, trace

from anthropic_otel._otel.providers import is_unset
from anthropic_otel._render.traces import Trace
from anthropic_otel.cli.doctor import installed
from anthropic_otel.cli.doctor.deadline import Deadline, Work
from anthropic_otel.cli.doctor.findings import Finding, Section, bad, good, untried
from anthropic_otel.cli.environment import isolate

TITLE: Final = "Self-test"
SECONDS: Final = 0.8
"""The seconds that are reserved for the self-test. It takes a third of that."""
_AT_LEAST: Final = 2.0
_SUBJECT: Final = "Record"
_EXPECTED: Final = ("529", None)
_ALONE: Final = "run doctor without opentelemetry-instrument for it"
_REPORT: Final = "this is a bug of anthropic-otel: report it, with what --report FILE writes"


def section(deadline: Deadline) -> Section:
    """Makes a call against the simulator in this process, and returns a section with one finding: was it recorded?

    If a package is missing, does nothing, and the finding says which. Waits until the deadline, or for two seconds if
    that is later; then the finding says that the result is not known. Deletes the process's `ANTHROPIC_*` and `OTEL_*`
    variables, changes others that would disturb the call, silences OpenTelemetry's logger, and sets OpenTelemetry's
    providers, all for good. If a provider is set already, makes no call, and the finding says so.
    """
    return Section("self_test", TITLE, (_finding(deadline),))


def _finding(deadline: Deadline) -> Finding:
    if missing := installed.missing_for_a_call():
        return untried(_SUBJECT, f"skipped: {', '.join(missing)} not installed", "pip install 'anthropic-otel[demo]'")
    isolate()
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        del os.environ[name]  # other sections check them; the self-test is about the library only
    if not (is_unset(trace.get_tracer_provider()) and is_unset(metrics.get_meter_provider())):
        # They cannot be replaced: the call would be exported, and not be found in memory.
        return untried(_SUBJECT, "skipped: OpenTelemetry is set up in this process already", _ALONE)
    try:
        return Work(_try).result(deadline.at_least(_AT_LEAST), _late)
    except Exception as error:  # any failure here is a finding
        return bad(_SUBJECT, f"a call against the simulator failed: {type(error).__qualname__}", _REPORT)


def _try() -> Finding:
    from anthropic_otel.cli.doctor import trial

    return _judged(trial.one_call())


def _late() -> Finding:
    return untried(_SUBJECT, "not known: there was no time left for it")


def _judged(trace: Trace | None) -> Finding:
    if trace is None:
        return bad(_SUBJECT, "nothing was recorded of a call against the simulator", _REPORT)
    if trace.error_types != _EXPECTED:
        return bad(_SUBJECT, f"a 529 and an answer were recorded as {trace.error_types}", _REPORT)
    return good(_SUBJECT, "a call against the simulator: its 529 and its answer were recorded")
