"""What the alert rules count: calls, attempts, retries, backoffs, streams, each over the windows that a rule asks for.

Rule: a count is computed once, by a recording rule, and every alert that needs it names it. Where no
recording rules are evaluated (Grafana's own alerting) the same count is written out instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from anthropic_otel._core import semconv as s
from anthropic_otel._core.semconv import CallOutcome, Metric
from anthropic_otel.bundle.conditions import Duration
from anthropic_otel.bundle.promql import (
    GAP,
    JOB,
    any_of,
    label,
    none_of,
    quote,
    relabelled,
    series,
    total,
)
from anthropic_otel.bundle.settings import Settings

MODEL = label(s.GEN_AI_REQUEST_MODEL)
OPERATION = label(s.OPERATION_NAME)
HOST = label(s.SERVER_ADDRESS)
CODE = label(s.API_ERROR_CODE)
CAUSE = label(s.NETWORK_CAUSE)
KIND = label(s.RATELIMIT_KIND)
SOURCE = label(s.RETRY_SOURCE)
ERROR = label(s.ERROR_TYPE)
STATUS = label(s.HTTP_RESPONSE_STATUS_CODE)
OUTCOME = label(s.CALL_OUTCOME)

FAILED = (CallOutcome.FAILED.value, CallOutcome.EXHAUSTED.value)
"""The outcomes of a call that gave no answer."""
ANSWERED = (CallOutcome.SUCCEEDED.value, CallOutcome.RECOVERED.value)
"""The outcomes of a call that gave one. Cancelled and abandoned calls are neither."""
OVERLOADED = ("529", "overloaded_error")
RATE_LIMITED = ("429", "rate_limit_error")
TIMEOUTS = (".*_timeout", "timeout_error", "408", "504")
TIMEOUT = "timeout"
"""The label that says where a timeout happened; computed in the query, so that a person need not."""

INFERENCE = ("messages.create", "completions.create")
"""The operations that ask a model for an answer, on every platform. All others manage, count, list or poll."""
WORK = "work"
"""The label that tells inference from everything else, so that a thousand good polls dilute no failing message."""
IS_INFERENCE, IS_OTHER = f'{WORK}="inference"', f'{WORK}="other"'
_OF_OPERATIONS = {
    IS_INFERENCE: any_of(s.OPERATION_NAME, *INFERENCE),
    IS_OTHER: none_of(s.OPERATION_NAME, *INFERENCE),
}
"""The same of series that have no such label yet."""


@dataclass(frozen=True)
class Growth:
    """One count: which series of a metric, summed by what. `level` begins the recorded name, as Prometheus advises."""

    level: str
    metric: Metric
    by: tuple[str, ...]
    of: str = "_count"
    only: str = ""
    """A matcher that is part of the count. `word` names it in the recorded name."""
    word: str = ""
    gap: str = GAP
    slow: bool = False
    """Whether it is computed as seldom as the counts over long windows, though its own is short."""

    @property
    def counted(self) -> str:
        """What is counted, as Prometheus names it where histograms are classic."""
        return self.metric.prometheus_name + self.of


SLO_CALLS = Growth(
    "job_outcome", s.CALL_DURATION, (JOB, OUTCOME), only=any_of(s.OPERATION_NAME, *INFERENCE), word="inference_"
)
"""The calls of the service level: few series, as they are counted over days."""
CALLS = Growth("job_call", s.CALL_DURATION, (JOB, WORK, OPERATION, HOST, MODEL, OUTCOME, ERROR, CODE))
ATTEMPTS = Growth("job_error", s.ATTEMPT_DURATION, (JOB, WORK, MODEL, ERROR, STATUS, CAUSE))
RETRIES = Growth("job_work", s.CALL_RETRIES, (JOB, WORK), of="_sum")
BACKOFFS = Growth("job_source", s.RETRY_DELAY_METRIC, (JOB, SOURCE))
STREAMS = Growth("job_model", s.ATTEMPT_TIME_TO_FIRST_CHUNK, (JOB, MODEL))
GAPS = Growth("job_model", s.STREAM_MAX_GAP_METRIC, (JOB, MODEL))


@dataclass(frozen=True)
class Recording:
    """An expression that Prometheus computes once, under a name. `window` is the range that it looks back."""

    name: str
    expression: str
    window: str
    labels: Mapping[str, str] = field(default_factory=dict)
    slow: bool = False


def recorded(growth: Growth, window: str, suffix: str = "") -> str:
    """The name under which the growth in a window is recorded."""
    return f"{growth.level}:{growth.counted}{suffix}:{growth.word}increase{window}"


def worked(expression: str) -> str:
    """An expression with the label that tells inference from everything else."""
    other = relabelled(expression, WORK, "other", "", "")
    return relabelled(other, WORK, "inference", OPERATION, "|".join(INFERENCE))


def placed(timeouts: str) -> str:
    """Timeouts with the label that says where. Theirs must have the labels of the error and of the status."""
    found = relabelled(timeouts, TIMEOUT, "$1", ERROR, "(.*)_timeout")
    # Later ones win: a timeout with a response in hand happened in the body, whatever its name.
    found = relabelled(found, TIMEOUT, "in_stream", STATUS, "2..")
    return relabelled(found, TIMEOUT, "server", STATUS, "408|504")


class Ledger:
    """The counts that rules ask for, under one set of settings: gives each its expression, keeps what to record."""

    def __init__(self, settings: Settings, *, record: bool = True) -> None:
        self.settings = settings
        self.recordings: dict[str, Recording] = {}
        self.records = record
        self._histograms = settings.histograms
        self._job = f"{JOB}=~{quote(settings.job)}" if settings.job else ""

    def select(self, metric: Metric, *matchers: str) -> str:
        """A selector of a metric that is no histogram, for the chosen jobs."""
        return self._histograms.selector(metric, "", self._job, *matchers)

    def count(self, metric: Metric, *matchers: str) -> str:
        """What a histogram has counted until now, for the chosen jobs."""
        selector = self._histograms.selector(metric, "_count", self._job, *matchers)
        return self._histograms.part("_count", selector)

    def grown(self, growth: Growth, window: str, *matchers: str) -> str:
        """How much `growth` has grown in `window`, where the matchers hold."""
        if not self.records:
            return self._written(growth, window, *matchers)
        return series(self._entered(growth, window), *matchers)

    def longer(self, growth: Growth, window: str, bound: float, by: tuple[str, ...]) -> str:
        """How many events of a histogram took longer than one of its bounds."""

        def grown(of: str, *at: str) -> str:
            part = replace(growth, of=of)
            suffix = f"_{bound:g}s".replace(".", "_") if at else ""
            return self._entered(part, window, *at, suffix=suffix) if self.records else self._written(part, window, *at)

        shorter = self._histograms.within(growth.metric, bound, grown)
        return f"{total(by, self.grown(growth, window))} - {total(by, shorter)}"

    def seen_before(self, growth: Growth, window: str) -> str:
        """Whether something was counted in the older half of a window: a service that is younger has no past yet."""
        half = f"{Duration(window).seconds / 2:.0f}s"
        shortest = self.settings.slo.windows[0]
        seen = self._histograms.selector(growth.metric, growth.of, self._job, growth.only)
        counted = self._entered(growth, shortest) if self.records else seen
        return f"group by ({JOB}) (last_over_time({counted}[{half}] offset {half}))"

    def _entered(self, growth: Growth, window: str, *matchers: str, suffix: str = "") -> str:
        name = recorded(growth, window, suffix)
        return self.enter(Recording(name, self._written(growth, window, *matchers), window, slow=growth.slow))

    def enter(self, recording: Recording) -> str:
        """Has Prometheus compute an expression after all that was entered before. Returns its name."""
        self.recordings[recording.name + "".join(recording.labels.values())] = recording
        return recording.name

    def _written(self, growth: Growth, window: str, *matchers: str) -> str:
        chosen = (_OF_OPERATIONS.get(matcher, matcher) for matcher in matchers)
        matchers = (self._job, growth.only, *chosen)
        found = self._histograms.grown(growth.metric, growth.of, matchers, window, growth.gap)
        return total(growth.by, worked(found) if WORK in growth.by else found)
