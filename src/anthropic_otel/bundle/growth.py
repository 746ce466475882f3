"""The counts that alert rules read: calls, attempts, retries, backoffs and streams, over the windows that a rule needs.

Rule: a count is computed once, by a recording rule, and every alert that needs it uses its name. For Grafana's own
alerting, which evaluates no recording rules, the expression is written out instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from anthropic_otel._core import instruments, semconv
from anthropic_otel._core.instruments import Metric
from anthropic_otel._core.semconv import CallOutcome
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

MODEL = label(semconv.GEN_AI_REQUEST_MODEL)
OPERATION = label(semconv.OPERATION_NAME)
HOST = label(semconv.SERVER_ADDRESS)
CODE = label(semconv.API_ERROR_CODE)
CAUSE = label(semconv.NETWORK_CAUSE)
KIND = label(semconv.RATELIMIT_KIND)
SOURCE = label(semconv.RETRY_SOURCE)
ERROR = label(semconv.ERROR_TYPE)
STATUS = label(semconv.HTTP_RESPONSE_STATUS_CODE)
OUTCOME = label(semconv.CALL_OUTCOME)

FAILED = (CallOutcome.FAILED.value, CallOutcome.EXHAUSTED.value)
"""The outcomes of a call that gave no answer."""
ANSWERED = (CallOutcome.SUCCEEDED.value, CallOutcome.RECOVERED.value)
"""The outcomes of a call that gave an answer. Cancelled and abandoned calls are in neither of the two."""
OVERLOADED = ("529", "overloaded_error")
RATE_LIMITED = ("429", "rate_limit_error")
TIMEOUTS = (".*_timeout", "timeout_error", "408", "504")
TIMEOUT = "timeout"
"""The label that says where a timeout happened; `with_timeout` adds it."""

INFERENCE = ("messages.create", "completions.create")
"""The operations that ask a model for an answer, on every platform. All others manage, count, list or poll."""
WORK = "work"
"""The label that is `inference` or `other`; `with_work` adds it. So many successful polls hide no failing messages."""
IS_INFERENCE, IS_OTHER = f'{WORK}="inference"', f'{WORK}="other"'
_OF_OPERATIONS = {
    IS_INFERENCE: any_of(semconv.OPERATION_NAME, *INFERENCE),
    IS_OTHER: none_of(semconv.OPERATION_NAME, *INFERENCE),
}
"""What stands for a matcher on `WORK` in series that do not have that label yet: a matcher on the operation."""


@dataclass(frozen=True)
class Growth:
    """A count over a window: the growth of a metric's series, summed by labels.

    - `level`: the first part of the recorded name, as Prometheus recommends.
    - `metric`: the metric; `of`: the part of a histogram, `_count`, `_sum` or `_bucket`; empty for a metric that is no
      histogram, and for whole native ones.
    - `by`: the labels that remain in the sum.
    - `only`: a matcher that restricts the count; empty for all series. `word` stands for it in the recorded name.
    - `gap`: how long a series may be missing without counting as new.
    - `slow`: whether it is computed as rarely as counts over long windows, even if its window is short.
    """

    level: str
    metric: Metric
    by: tuple[str, ...]
    of: str = "_count"
    only: str = ""
    word: str = ""
    gap: str = GAP
    slow: bool = False

    @property
    def counted(self) -> str:
        """The name of the counted series, as Prometheus names it if histograms are classic."""
        return self.metric.prometheus_name + self.of


SLO_CALLS = Growth(
    "job_outcome",
    instruments.CALL_DURATION,
    (JOB, OUTCOME),
    only=any_of(semconv.OPERATION_NAME, *INFERENCE),
    word="inference_",
)
"""The calls that ask a model for an answer, by job and outcome. Few labels, because it is computed over days."""
CALLS = Growth("job_call", instruments.CALL_DURATION, (JOB, WORK, OPERATION, HOST, MODEL, OUTCOME, ERROR, CODE))
ATTEMPTS = Growth("job_error", instruments.ATTEMPT_DURATION, (JOB, WORK, MODEL, ERROR, STATUS, CAUSE))
RETRIES = Growth("job_work", instruments.CALL_RETRIES, (JOB, WORK), of="_sum")
BACKOFFS = Growth("job_source", instruments.RETRY_DELAY, (JOB, SOURCE))
STREAMS = Growth("job_model", instruments.ATTEMPT_TIME_TO_FIRST_CHUNK, (JOB, MODEL))
GAPS = Growth("job_model", instruments.STREAM_MAX_GAP, (JOB, MODEL))


@dataclass(frozen=True)
class Recording:
    """A recording rule: an expression that Prometheus computes regularly and stores under `name`, with `labels` added.

    `window` is the range that the expression looks back. A `slow` one is computed as rarely as those over long windows.
    """

    name: str
    expression: str
    window: str
    labels: Mapping[str, str] = field(default_factory=dict)
    slow: bool = False


def recorded(growth: Growth, window: str, suffix: str = "") -> str:
    """Returns the name under which the growth in a window is recorded, such as `job_call:NAME_count:increase5m`.

    `NAME_count` is the counted series, which `suffix` follows; `growth.word` is before `increase`.
    """
    return f"{growth.level}:{growth.counted}{suffix}:{growth.word}increase{window}"


def with_work(expression: str) -> str:
    """Returns the expression with the label `work` added.

    It is `inference` for the operations that ask a model for an answer, and `other` for all others.
    """
    other = relabelled(expression, WORK, "other", "", "")
    return relabelled(other, WORK, "inference", OPERATION, "|".join(INFERENCE))


def with_timeout(timeouts: str) -> str:
    """Returns the expression with the label `timeout` added, which says where a timeout happened.

    It is `server` for the status 408 or 504, `in_stream` for a 2xx, else what precedes `_timeout` in the error type;
    without that there is no label. The expression's series must have the labels of the error type and of the status.
    """
    found = relabelled(timeouts, TIMEOUT, "$1", ERROR, "(.*)_timeout")
    # The later one wins: a timeout after a 2xx happened in the body, whatever its error type.
    found = relabelled(found, TIMEOUT, "in_stream", STATUS, "2..")
    return relabelled(found, TIMEOUT, "server", STATUS, "408|504")


class RuleQueries:
    """Makes the expressions that alert rules read, and collects the recording rules that the expressions need.

    `settings` decide them. `recordings` are the collected rules, by their name and label values, in the order in which
    they were added. With `record` (the field `records`) false there are none, and expressions are written out in place
    of a recorded name.
    """

    def __init__(self, settings: Settings, *, record: bool = True) -> None:
        self.settings = settings
        self.recordings: dict[str, Recording] = {}
        self.records = record
        self._histograms = settings.histograms
        self._job = f"{JOB}=~{quote(settings.job)}" if settings.job else ""

    def select(self, metric: Metric, *matchers: str) -> str:
        """Returns a selector of a metric that is no histogram, for the jobs of the settings, with `matchers` added."""
        return self._histograms.selector(metric, "", self._job, *matchers)

    def count(self, metric: Metric, *matchers: str) -> str:
        """Returns an expression for the total count of a histogram up to now, series by series.

        It covers series of the jobs of the settings that fit `matchers`.
        """
        selector = self._histograms.selector(metric, "_count", self._job, *matchers)
        return self._histograms.part("_count", selector)

    def grown(self, growth: Growth, window: str, *matchers: str) -> str:
        """Returns an expression for the growth in the window, summed by `growth.by`.

        It has the sums whose labels fit `matchers`. Adds its recording rule, if rules record.
        """
        if not self.records:
            return self._written(growth, window, *matchers)
        return series(self._entered(growth, window), *matchers)

    def longer(self, growth: Growth, window: str, bound: float, by: tuple[str, ...]) -> str:
        """Returns an expression for how many events of `growth` in the window took longer than `bound`.

        They are summed by the labels `by`. `bound` is in seconds and must be a bucket's bound of the histogram; raises
        `ValueError` if it is not and histograms are classic. Adds the recording rules, if rules record.
        """

        def grown(of: str, *at: str) -> str:
            part = replace(growth, of=of)
            suffix = f"_{bound:g}s".replace(".", "_") if at else ""
            return self._entered(part, window, *at, suffix=suffix) if self.records else self._written(part, window, *at)

        shorter = self._histograms.within(growth.metric, bound, grown)
        return f"{total(by, self.grown(growth, window))} - {total(by, shorter)}"

    def seen_before(self, growth: Growth, window: str) -> str:
        """Returns a condition that holds for each job that had samples of `growth` in the older half of the window.

        A service that is younger than that has no past to compare with. If rules record, adds the recording rule over
        the service level's shortest window, and the samples are that rule's.
        """
        half = f"{Duration(window).seconds / 2:.0f}s"
        shortest = self.settings.slo.windows[0]
        seen = self._histograms.selector(growth.metric, growth.of, self._job, growth.only)
        counted = self._entered(growth, shortest) if self.records else seen
        return f"group by ({JOB}) (last_over_time({counted}[{half}] offset {half}))"

    def _entered(self, growth: Growth, window: str, *matchers: str, suffix: str = "") -> str:
        name = recorded(growth, window, suffix)
        return self.enter(Recording(name, self._written(growth, window, *matchers), window, slow=growth.slow))

    def enter(self, recording: Recording) -> str:
        """Adds a recording rule, to be computed after those that were added before, and returns its name.

        A rule with the name and label values of an earlier one takes the earlier one's place.
        """
        self.recordings[recording.name + "".join(recording.labels.values())] = recording
        return recording.name

    def _written(self, growth: Growth, window: str, *matchers: str) -> str:
        chosen = (_OF_OPERATIONS.get(matcher, matcher) for matcher in matchers)
        matchers = (self._job, growth.only, *chosen)
        found = self._histograms.grown(growth.metric, growth.of, matchers, window, growth.gap)
        return total(growth.by, with_work(found) if WORK in growth.by else found)
