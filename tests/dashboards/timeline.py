"""What an app tells Prometheus about calls that happen at given times: counters, exported once a minute.

A counter's series does not exist before its first increment, and a process that is gone exports no more.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from dataclasses import dataclass, field

from anthropic_otel._core import instruments, semconv
from anthropic_otel._core.instruments import Metric
from anthropic_otel.bundle.promql import label

SAMPLE = 10
"""Seconds between two values of a series; most are empty, as an export comes once a minute."""
EXPORT = 60


@dataclass(frozen=True)
class Failure:
    """How a call fails: its own error, and the status, error and cause of each of its attempts."""

    error: str
    status: str = ""
    code: str = ""
    cause: str = ""
    attempts: int = 1
    each: float = 1.0
    """How many seconds an attempt takes."""

    @property
    def attempt_error(self) -> str:
        """The attempts' error.type."""
        return self.cause or self.status


OVERLOADED = Failure("overloaded_error", "529", attempts=3)
REVOKED = Failure("authentication_error", "401")
SPENT = Failure("rate_limit_error", "429", code="enforced_spend_limit_reached")
CREDIT = Failure("invalid_request_error", "400")
GONE = Failure("not_found_error", "404")
NO_DNS = Failure("connection_error", cause="name_resolution_error", attempts=3, each=0.1)
REFUSED = Failure("connection_error", cause="connection_refused", attempts=3, each=0.1)


@dataclass(frozen=True)
class Instance:
    """A process of a service, from `born` to `dead`, in seconds."""

    job: str
    name: str
    born: int = 0
    dead: int = 10**9

    @property
    def phase(self) -> int:
        """How long after a full minute it exports."""
        return zlib.crc32(f"{self.job}/{self.name}".encode()) % (EXPORT // SAMPLE) * SAMPLE


@dataclass
class Timeline:
    """Calls of instances, and the series that come of them."""

    end: int
    _growth: dict[tuple[Instance, str], dict[float, float]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(float))
    )

    def call(
        self,
        instance: Instance,
        at: float,
        failure: Failure | None = None,
        *,
        model: str = "claude-sonnet-4-5",
        operation: str = "messages.create",
        host: str = "api.anthropic.com",
        took: float = 3.0,
    ) -> None:
        """One call, which starts `at` and takes so long. Without a failure it is answered at once."""
        target = {semconv.OPERATION_NAME: operation, semconv.SERVER_ADDRESS: host, semconv.GEN_AI_REQUEST_MODEL: model}
        moment = at
        for number in range(failure.attempts if failure else 1):
            if number:
                moment += 1.0
            self._grow(instance, moment, instruments.ATTEMPT_STARTED, "", target)
            moment += failure.each if failure else took
            self._grow(instance, moment, instruments.ATTEMPT_DURATION, "_count", target | self._attempt(failure))
        self._grow(instance, moment, instruments.CALL_DURATION, "_count", target | self._outcome(failure))
        if failure and failure.attempts > 1:
            self._grow(instance, moment, instruments.CALL_RETRIES, "_sum", target, failure.attempts - 1)

    def hang(self, instance: Instance, at: float, **target: str) -> None:
        """A call that starts, and of which nothing more is seen."""
        defaults = {semconv.OPERATION_NAME: "messages.create", semconv.SERVER_ADDRESS: "api.anthropic.com"}
        model = {semconv.GEN_AI_REQUEST_MODEL: "claude-sonnet-4-5"}
        self._grow(instance, at, instruments.ATTEMPT_STARTED, "", defaults | model | target)

    @staticmethod
    def _attempt(failure: Failure | None) -> dict[str, str]:
        if failure is None:
            return {semconv.ATTEMPT_OUTCOME: "completed", semconv.HTTP_RESPONSE_STATUS_CODE: "200"}
        found = {semconv.ATTEMPT_OUTCOME: "failed", semconv.ERROR_TYPE: failure.attempt_error}
        found |= {semconv.HTTP_RESPONSE_STATUS_CODE: failure.status} if failure.status else {}
        return found | ({semconv.NETWORK_CAUSE: failure.cause} if failure.cause else {})

    @staticmethod
    def _outcome(failure: Failure | None) -> dict[str, str]:
        if failure is None:
            return {semconv.CALL_OUTCOME: "succeeded"}
        outcome = "exhausted" if failure.attempts > 1 else "failed"
        return {semconv.CALL_OUTCOME: outcome, semconv.ERROR_TYPE: failure.error} | (
            {semconv.API_ERROR_CODE: failure.code} if failure.code else {}
        )

    def _grow(
        self, instance: Instance, at: float, metric: Metric, suffix: str, values: dict[str, str], by: float = 1
    ) -> None:
        labels = {"job": instance.job, "instance": instance.name} | {label(k): v for k, v in values.items()}
        text = ",".join(f'{key}="{value}"' for key, value in labels.items())
        self._growth[instance, f"{metric.prometheus_name}{suffix}{{{text}}}"][at] += by

    def series(self) -> dict[str, str]:
        """Every series, as promtool writes them."""
        return {name: self._values(instance, growth) for (instance, name), growth in self._growth.items()}

    def _values(self, instance: Instance, growth: dict[float, float]) -> str:
        events = sorted(growth.items())
        total, index, found = 0.0, 0, []
        for second in range(0, self.end + 1, SAMPLE):
            exports = second % EXPORT == instance.phase and instance.born <= second <= instance.dead
            if not exports:
                found.append("_")
                continue
            while index < len(events) and events[index][0] <= second:
                total += events[index][1]
                index += 1
            found.append(f"{total:g}" if total else "_")
        return " ".join(found)
