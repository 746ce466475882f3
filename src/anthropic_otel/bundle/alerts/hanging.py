"""The alert on attempts that hang: they have started and not ended.

Rule: it does not need an attempt to end. The other alerts on calls and attempts count what has ended, and are silent
while everything hangs.
"""

from __future__ import annotations

from anthropic_otel._core import instruments
from anthropic_otel.bundle.alerts.model import About, Alert, Urgency
from anthropic_otel.bundle.growth import HOST, MODEL, OPERATION, RuleQueries
from anthropic_otel.bundle.promql import JOB, grouped, total
from anthropic_otel.bundle.settings import Settings

NO_EVENT_STREAMS = f'{OPERATION}!~".*events[.]stream"'
"""A matcher that leaves out agents' event streams, which last as long as the agent does."""
_SERIES = (JOB, "instance", OPERATION, HOST, MODEL)


def hung(settings: Settings, started: str, ended: str) -> str:
    """Returns a query for how many attempts have been open for longer than the alert's bound.

    It counts them by process (job and instance), operation, host and model. `started` is a selector of the counter of
    attempts that have started, `ended` an expression for the count of those that have ended. The query subtracts all
    that have ended from those that had started some time ago, and leaves out what is not above 0. Attempts that started
    later and have ended are subtracted too, so the result is a lower bound. An attempt appears with the next export, so
    the query looks back one export interval less than the bound. Processes that are gone or have restarted are left
    out, as their attempts ended with them.
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


def hanging(e: RuleQueries) -> Alert:
    a = e.settings.alerts.AnthropicHanging
    started = e.select(instruments.ATTEMPT_STARTED, NO_EVENT_STREAMS)
    ended = e.count(instruments.ATTEMPT_DURATION, NO_EVENT_STREAMS)
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
