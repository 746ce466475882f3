"""The alert on what hangs: attempts that have started, and end neither well nor badly.

Rule: it needs no end. Every other alert counts calls that ended, and is silent as long as all of them hang.
"""

from __future__ import annotations

from anthropic_otel._core import semconv as s
from anthropic_otel.bundle.alerts.model import About, Alert, Urgency
from anthropic_otel.bundle.growth import HOST, MODEL, OPERATION, Ledger
from anthropic_otel.bundle.promql import JOB, grouped, total
from anthropic_otel.bundle.settings import Settings

NO_EVENT_STREAMS = f'{OPERATION}!~".*events[.]stream"'
"""Not agents' event streams: they last as long as the agent does."""
_SERIES = (JOB, "instance", OPERATION, HOST, MODEL)


def hung(settings: Settings, started: str, ended: str) -> str:
    """How many attempts are older than the alert's bound, at least, by what their series tell apart.

    All that had started some time ago, less all that has ended since the process began: what began later and has ended
    is taken off as well, so it is a lower bound, and in a busy service without trouble it is below zero. An attempt is
    first seen by an export after it, so one export interval less than its age is looked back.

    Not of processes that are gone or that began anew in between: what they had in flight ended with them.
    """
    a = settings.alerts.AnthropicHanging
    export = settings.evaluation.export_interval.seconds
    back = f"{a.older_than.seconds - export:.0f}s"
    whole = f"{a.older_than.seconds + export:.0f}s"
    before, now = total(_SERIES, f"{started} offset {back}"), total(_SERIES, ended)
    by = ", ".join(_SERIES)
    fresh = f"max by ({by}) (timestamp({started})) > time() - {2 * export:.0f}"
    restarted = f"max by ({by}) (resets({started}[{whole}])) > 0"
    return f"(\n  {before}\n  -\n  ({now} or 0 * {total(_SERIES, started)})\n) > 0\nand\n{fresh}\nunless\n{restarted}"


def hanging(e: Ledger) -> Alert:
    a = e.settings.alerts.AnthropicHanging
    started = e.select(s.ATTEMPT_STARTED, NO_EVENT_STREAMS)
    ended = e.count(s.ATTEMPT_DURATION, NO_EVENT_STREAMS)
    return Alert(
        "AnthropicHanging",
        f"{total((JOB,), grouped(hung(e.settings, started, ended)))} >= {a.at_least:g}",
        a.hold,
        a.keep,
        Urgency.PAGE,
        About.UNANSWERED,
        "overview",
        f'{{{{ $labels.job }}}}: at least {{{{ $value | printf "%.0f" }}}} requests to Claude have hung for '
        f"{a.older_than}",
        "They were sent that long ago and have neither been answered nor failed. Nothing else shows that before their "
        "timeout, which is ten minutes unless you set it.",
    )
