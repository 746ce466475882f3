"""The dashboard "Claude API: attempts": attempts, retries, causes of failure, backoff and streams.

Rule: its first rows compare attempts with calls, so that the cost of retries is visible.
"""

from __future__ import annotations

from anthropic_otel._core import instruments, semconv
from anthropic_otel.bundle.boards import failures
from anthropic_otel.bundle.growth import SOURCE, STATUS
from anthropic_otel.bundle.panels import (
    NO_TRAFFIC,
    NOW,
    OUTCOMES,
    QUANTILES,
    RANGE,
    STATUSES,
    Board,
    Kind,
    Panel,
    Queries,
    Query,
    Row,
    Step,
    filtered,
    ratio,
)
from anthropic_otel.bundle.promql import equal, label, relabelled
from anthropic_otel.bundle.settings import Settings

_REASON = label(semconv.RETRY_REASON)
_CLASS = label(semconv.ATTEMPT_STATUS_CLASS)
_FAILED = equal(semconv.ATTEMPT_OUTCOME, "failed")
_NO_RETRIES = "no retries"


def board(settings: Settings) -> Board:
    """Returns the dashboard "Claude API: attempts" for these settings."""
    q = Queries(settings.histograms)
    return Board(
        "attempts",
        "Claude API: attempts",
        "Every HTTP attempt below the calls: how many, why they fail, what retrying costs.",
        (
            Row("What do the calls cost?", _answers(settings, q)),
            Row("Attempts and retries", _attempts(settings, q)),
            Row("Why attempts fail", failures.causes(settings, q)),
            Row("Backoff", _backoff(settings, q)),
            Row("Streams", failures.streams(settings, q)),
            Row("Connections and phases, from spans", failures.spans()),
            Row("To the traces", (failures.table(q),)),
        ),
    )


def _per_call(q: Queries, window: str) -> str:
    # A call without a retry is not among the retries.
    retries = q.grown(instruments.CALL_RETRIES, of="_sum", window=window)
    return f"1 + {ratio(retries, q.grown(instruments.CALL_DURATION, window=window))}"


def _amplified(settings: Settings) -> tuple[Step, ...]:
    return (Step(settings.alerts.AnthropicRetryAmplification.attempts_per_call, "red"),)


def _answers(settings: Settings, q: Queries) -> tuple[Panel, ...]:
    def stat(title: str, unit: str, query: str, description: str, nothing: str = NO_TRAFFIC) -> Panel:
        return Panel(
            title, Kind.STAT, unit, description, (Query(query),), "overview", nothing, width=6, height=5, decimals=2
        )

    exhausted = q.grown(instruments.CALL_DURATION, equal(semconv.CALL_OUTCOME, "exhausted"))
    recovered = q.grown(instruments.CALL_DURATION, equal(semconv.CALL_OUTCOME, "recovered"))
    return (
        Panel(
            "Attempts per call",
            Kind.STAT,
            "short",
            "1 without retries. Red from the alert's threshold: you and the API pay for every call more than once.",
            (Query(_per_call(q, RANGE)),),
            "overview",
            steps=_amplified(settings),
            width=6,
            height=5,
            decimals=2,
            shows="AnthropicRetryAmplification",
        ),
        stat(
            "Attempts that failed",
            "percentunit",
            ratio(q.grown(instruments.ATTEMPT_DURATION, _FAILED), q.grown(instruments.ATTEMPT_DURATION)),
            "Share of the attempts that failed. Compare with the share of failed calls: the difference is what retries "
            "save.",
        ),
        stat(
            "Time lost in backoff",
            "s",
            q.grown(instruments.RETRY_DELAY, of="_sum"),
            "Seconds that calls spent waiting between attempts in the time shown, all calls together.",
            _NO_RETRIES,
        ),
        stat(
            "Retried calls that were saved",
            "percentunit",
            f"({recovered} or 0 * {exhausted}) / (({recovered} or 0 * {exhausted}) + ({exhausted} or 0 * {recovered}) "
            "> 0)",
            "Of the calls that were retried, the share that got an answer; the others used up their retries. Near 0, "
            "retrying only adds load.",
            _NO_RETRIES,
        ),
    )


def _attempts(settings: Settings, q: Queries) -> tuple[Panel, ...]:
    started = f"sum({filtered(instruments.ATTEMPT_STARTED)})"
    ended = f"sum({q.count(instruments.ATTEMPT_DURATION)})"
    by_status = q.per_second(instruments.ATTEMPT_DURATION, by=(STATUS,))
    return (
        Panel(
            "Attempts against calls",
            Kind.LINES,
            "reqps",
            "The lines lie on each other while nothing is retried. The gap is retries.",
            (
                Query(q.per_second(instruments.ATTEMPT_DURATION), "attempts"),
                Query(q.per_second(instruments.CALL_DURATION), "calls"),
            ),
            "overview",
            colours=(("calls", "green"), ("attempts", "orange")),
        ),
        Panel(
            "Retry amplification",
            Kind.LINES,
            "short",
            "Attempts per call, over time. With two retries, the SDK's default, it cannot exceed 3.",
            (Query(_per_call(q, NOW), "attempts per call"),),
            "overview",
            steps=_amplified(settings),
            decimals=2,
            shows="AnthropicRetryAmplification",
        ),
        Panel(
            "Attempts in flight",
            Kind.LINES,
            "short",
            "Started and not ended. A line that climbs and does not come down: connections hang, or streams are never "
            "closed.",
            (Query(f"{started} - ({ended} or 0 * {started})", "in flight"),),
            "overview",
        ),
        Panel(
            "Recovered against exhausted",
            Kind.LINES,
            "reqps",
            "Calls that a retry saved, and calls that used up their retries.",
            tuple(
                Query(q.per_second(instruments.CALL_DURATION, equal(semconv.CALL_OUTCOME, outcome)), outcome)
                for outcome in ("recovered", "exhausted")
            ),
            "overview",
            nothing=_NO_RETRIES,
            colours=OUTCOMES,
        ),
        Panel(
            "Attempts by status",
            Kind.LINES,
            "reqps",
            "Attempts by HTTP status. Those without one never got a response: see the causes below.",
            (Query(relabelled(by_status, STATUS, "no response", STATUS, ""), f"{{{{{STATUS}}}}}"),),
            "overview",
            stacked=True,
            colours=STATUSES,
        ),
        Panel(
            "Attempts by status class",
            Kind.LINES,
            "reqps",
            "4xx: something about the request, the key or the limit. 5xx: the API. A 2xx can still fail inside its "
            "stream.",
            (Query(q.per_second(instruments.ATTEMPT_DURATION, f'{_CLASS}!=""', by=(_CLASS,)), f"{{{{{_CLASS}}}}}"),),
            "limits",
            stacked=True,
            colours=STATUSES,
        ),
    )


def _backoff(settings: Settings, q: Queries) -> tuple[Panel, ...]:
    lost, bound = instruments.RETRY_DELAY, settings.alerts.AnthropicLongBackoff
    return (
        Panel(
            "Time lost in backoff, by its source",
            Kind.LINES,
            "s",
            "Seconds lost per second: 2 means that two calls were waiting at any time. retry_after: the server asked "
            "for it.",
            (Query(q.per_second(lost, of="_sum", by=(SOURCE,)), f"{{{{{SOURCE}}}}}"),),
            "limits",
            nothing=_NO_RETRIES,
            stacked=True,
        ),
        Panel(
            "Time lost in backoff, by its reason",
            Kind.LINES,
            "s",
            "Seconds lost per second, by the error of the attempt before: what would have to go away to win this time "
            "back. A certificate error here is never worth a retry.",
            (Query(q.per_second(lost, of="_sum", by=(_REASON,)), f"{{{{{_REASON}}}}}"),),
            "limits",
            nothing=_NO_RETRIES,
            stacked=True,
        ),
        Panel(
            "Length of a backoff",
            Kind.LINES,
            "s",
            "The SDK doubles it from 0.5 s up to 8 s, unless the server asks for more.",
            q.quantiles(lost),
            "limits",
            nothing=_NO_RETRIES,
            colours=QUANTILES,
            steps=(Step(bound.longer_than, "red"),),
            shows="AnthropicLongBackoff",
        ),
    )
