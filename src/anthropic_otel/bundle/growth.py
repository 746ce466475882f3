"""What the alert rules count: calls, attempts, retries, backoffs, streams, each over the windows that a rule asks for.

Rule: a count is computed once, by a recording rule, and every alert that needs it names it. Where no
recording rules are evaluated (Grafana's own alerting) the same count is written out instead.
"""

from __future__ import annotations

from dataclasses import dataclass

from anthropic_otel._core import semconv as s
from anthropic_otel._core.semconv import CallOutcome, Metric
from anthropic_otel.bundle.promql import JOB, increase, label, le, quote, relabelled, series, total
from anthropic_otel.bundle.settings import Settings

MODEL = label(s.GEN_AI_REQUEST_MODEL)
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


@dataclass(frozen=True)
class Growth:
    """One count: which series of a metric, summed by what. `level` begins the recorded name, as Prometheus advises."""

    level: str
    metric: Metric
    by: tuple[str, ...]
    of: str = "_count"

    @property
    def series(self) -> str:
        """The name of the series that are counted."""
        return self.metric.prometheus_name + self.of


CALLS = Growth("job_outcome", s.CALL_DURATION, (JOB, OUTCOME))
ATTEMPTS = Growth("job_error", s.ATTEMPT_DURATION, (JOB, MODEL, ERROR, STATUS, CAUSE))
RETRIES = Growth("job", s.CALL_RETRIES, (JOB,), of="_sum")
BACKOFFS = Growth("job_source", s.RETRY_DELAY_METRIC, (JOB, SOURCE))
STREAMS = Growth("job_model", s.ATTEMPT_TIME_TO_FIRST_CHUNK, (JOB, MODEL))


@dataclass(frozen=True)
class Recording:
    """An expression that Prometheus computes once, under a name. `window` is the range that it looks back."""

    name: str
    expression: str
    window: str


def recorded(growth: Growth, window: str, suffix: str = "") -> str:
    """The name under which the growth in a window is recorded."""
    return f"{growth.level}:{growth.series}{suffix}:increase{window}"


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
        self._record = record
        self._job = f"{JOB}=~{quote(settings.job)}" if settings.job else ""

    def select(self, metric: Metric, *matchers: str) -> str:
        """A selector of a metric that is no histogram, for the chosen jobs."""
        return series(metric.prometheus_name, self._job, *matchers)

    def grown(self, growth: Growth, window: str, *matchers: str) -> str:
        """How much `growth` has grown in `window`, where the matchers hold."""
        if not self._record:
            return self._written(growth, window, *matchers)
        return series(self._entered(growth, window), *matchers)

    def longer(self, growth: Growth, window: str, bound: float, by: tuple[str, ...]) -> str:
        """How many events of a histogram took longer than one of its bounds."""
        bucket = Growth(growth.level, growth.metric, growth.by, "_bucket")
        at = le(growth.metric, bound)
        if self._record:
            shorter = self._entered(bucket, window, at, suffix=f"_{bound:g}s".replace(".", "_"))
        else:
            shorter = self._written(bucket, window, at)
        return f"{total(by, self.grown(growth, window))} - {total(by, shorter)}"

    def _entered(self, growth: Growth, window: str, *matchers: str, suffix: str = "") -> str:
        name = recorded(growth, window, suffix)
        self.recordings[name] = Recording(name, self._written(growth, window, *matchers), window)
        return name

    def _written(self, growth: Growth, window: str, *matchers: str) -> str:
        return total(growth.by, increase(series(growth.series, self._job, *matchers), window))
