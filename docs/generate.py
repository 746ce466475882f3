"""Writes `docs/telemetry.md` from the library's own definitions: `python docs/generate.py`, or `--check` to compare.

The rule: no name is written here. Whatever the page says of one comes from `anthropic_otel._core.semconv` and `schema`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from anthropic_otel._core import semconv as s
from anthropic_otel._core.schema import ATTRIBUTES
from anthropic_otel._otel import attributes as bounds

PAGE = Path(__file__).with_name("telemetry.md")

INTRODUCTION = """\
# What is recorded

This page is generated from the code by `python docs/generate.py`. Names are the library's public API.

- A **call** is one invocation of an SDK method, with every retry and the reading of the body it returns.
- An **attempt** is one HTTP request the SDK sends within a call. A retry is a further attempt of the same call.
- **Backoff** is the time in a call in which no attempt is active.
- A **phase** is the part of an attempt that is under way: {phases}. The phases of an attempt add up to its duration.
- The **cause** is the one word that says why the network failed an attempt.

An attempt's **outcome** is one of {attempt_outcomes}. A call's is one of {call_outcomes}: *recovered* after a failed
attempt, *exhausted* when a retryable failure met no retry left, *failed* otherwise.
"""

SPANS = """\
## Spans

The instrumentation scope is `{scope}`. An attempt's span is named `{{method}} {{url.template}}`, is of kind CLIENT and
a child of the call's span. It starts just before the send and ends when the body has ended. The call's span is the
SDK's own (1.14 and later) or, where there is none, ours with the same name; there is never a second one.

The status is ERROR for a status of 400 and above, for an exception and for an `error` event in a stream; it is unset
for success and where the app itself cancelled or abandoned the attempt. Spans have no events and no stack traces.
"""

ERRORS = """\
## `error.type` of an attempt

A closed list: the HTTP status as a string where a response came; the API's error type where an `error` event broke a
stream ({api}); otherwise the network's cause:
"""

METRICS = """\
## Metrics

Every attribute is bounded: at most {models} models, {addresses} server addresses and {statuses} statuses per process
are told apart, the next ones are `{other}`; and beyond {sets} attribute sets a metric no longer tells operations,
addresses and models apart. An attribute that does not apply is left out.
"""

LOGS = """\
## Logs

One record of the standard library's `logging` per failed attempt, on the logger `anthropic_otel.attempt`: INFO when
another attempt follows, WARNING when the call fails with it. The attributes above are its `extra` fields, under the
same names.
"""


def page() -> str:
    """The whole page as Markdown."""
    return "\n".join(
        (
            INTRODUCTION.format(
                phases=_words(phase.value for phase in s.Phase),
                attempt_outcomes=_words(outcome.value for outcome in s.AttemptOutcome),
                call_outcomes=_words(outcome.value for outcome in s.CallOutcome),
            ),
            SPANS.format(scope=s.SCOPE),
            *_table(("attribute", "type", "on", "when", "what it says"), _attributes()),
            "",
            ERRORS.format(api=_words(s.API_ERROR_TYPES)),
            _words(cause.value for cause in s.NetworkCause) + ".",
            "",
            METRICS.format(
                models=bounds.MAX_MODELS,
                addresses=bounds.MAX_ADDRESSES,
                statuses=bounds.MAX_STATUSES,
                sets=f"{bounds.MAX_SETS:,}",
                other=s.OTHER,
            ),
            *_table(("metric", "instrument, unit", "in Prometheus", "attributes", "what it measures"), _metrics()),
            "",
            f"Bounds of the histograms in seconds: {_numbers(s.SECONDS_BUCKETS)}.",
            f"Bounds of `{s.CALL_RETRIES.name}`: {_numbers(s.CALL_RETRIES.buckets)}.",
            "",
            LOGS,
        )
    )


def _attributes() -> Iterator[tuple[str, ...]]:
    for a in ATTRIBUTES:
        yield (f"`{a.name}`", a.type, a.on, a.when, a.description)


def _metrics() -> Iterator[tuple[str, ...]]:
    for m in s.METRICS:
        instrument = m.instrument.value.replace("_", " ") + (f", `{m.unit}`" if m.unit else "")
        yield (f"`{m.name}`", instrument, f"`{m.prometheus_name}`", _words(m.attributes), m.description)


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield "| " + " | ".join(header) + " |"
    yield "|" + "---|" * len(header)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def _words(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _numbers(numbers: Iterable[float]) -> str:
    return ", ".join(f"{number:g}" for number in numbers)


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(0 if PAGE.read_text("utf-8") == page() else "docs/telemetry.md is out of date: run docs/generate.py")
    PAGE.write_text(page(), "utf-8")
