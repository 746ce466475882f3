"""Prints what `doctor` finds, a line for each, and the trial call.

Rule: whatever is wrong has its remedy in the line below it, and makes the result a failure.
"""

from __future__ import annotations

from typing import Final

from anthropic_otel._render.styled import Piece, Style
from anthropic_otel._render.terminal import Terminal
from anthropic_otel._render.traces import Trace
from anthropic_otel._render.waterfall import waterfall
from anthropic_otel.cli import doctor
from anthropic_otel.cli.doctor import Finding, State
from anthropic_otel.cli.environment import isolate

_STYLES: Final = {State.GOOD: Style.GOOD, State.NOTE: Style.BACKOFF, State.BAD: Style.BAD}
_SUBJECT: Final = 20
_EXPECTED: Final = ("529", None)


def check_up(terminal: Terminal) -> bool:
    """Prints every finding and returns whether the library can do its work here."""
    healthy = True
    for finding in doctor.findings():
        healthy &= _print(terminal, finding)
    untried = doctor.missing_for_a_call()
    return _print(terminal, untried) and healthy if untried is not None else _try(terminal) and healthy


def _print(terminal: Terminal, finding: Finding) -> bool:
    glyphs = terminal.glyphs
    marks = {State.GOOD: glyphs.good, State.NOTE: "!", State.BAD: glyphs.bad}
    mark = Piece(f"{marks[finding.state]} ", _STYLES[finding.state])
    subject = finding.subject.ljust(_SUBJECT)
    terminal.lines([(mark, Piece(subject), Piece(f"  {finding.text}", Style.STRONG))])
    if finding.remedy:
        terminal.text(" " * (_SUBJECT + 4) + finding.remedy)
    return finding.state is not State.BAD


def _try(terminal: Terminal) -> bool:
    from anthropic_otel.cli.trial import one_call

    isolate()
    try:
        trace = one_call()
    except Exception as error:  # whatever is broken here is what the doctor was called for
        return _print(terminal, Finding(State.BAD, "instrument()", f"a call failed: {type(error).__name__}: {error}"))
    healthy = _print(terminal, _judged(trace))
    if trace is not None:
        terminal.lines([(), *waterfall(trace, terminal.width, terminal.glyphs)])
    return healthy


def _judged(trace: Trace | None) -> Finding:
    if trace is None:
        return Finding(State.BAD, "instrument()", "recorded nothing of a call against the simulator")
    if trace.error_types != _EXPECTED:
        return Finding(State.BAD, "instrument()", f"recorded {trace.error_types} instead of a 529 and an answer")
    return Finding(State.GOOD, "instrument()", "a call against the simulator: both attempts were recorded")
