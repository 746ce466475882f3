"""The API's rate limits as gauges.

Rule: the app's path only keeps the headers of the last response per model; they are parsed when a reader collects.
A limit whose reset time has passed is no longer known, and no longer reported.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from anthropic_otel._core import headers as h
from anthropic_otel._core import semconv
from anthropic_otel._core.guard import report
from anthropic_otel._core.headers import RateLimit, RawHeaders


class RateLimits:
    """What the API last said about its limits, by model. Bounded, as the models are."""

    def __init__(self, meter: Meter, now: Callable[[], float] = time.time) -> None:
        self._now: Final = now
        self._last: dict[str | None, RawHeaders] = {}
        for metric, value in ((semconv.RATELIMIT_LIMIT, _limit), (semconv.RATELIMIT_REMAINING, _remaining)):
            meter.create_observable_gauge(metric.name, [self._observer(value)], metric.unit, metric.description)

    def saw(self, model: str | None, headers: RawHeaders) -> None:
        """Keeps the headers of a response that tells of rate limits, in the place of the one before."""
        self._last[model] = headers

    def _observer(self, value: Callable[[RateLimit], int | None]) -> Callable[[CallbackOptions], Iterator[Observation]]:
        def observe(_: CallbackOptions) -> Iterator[Observation]:
            try:
                yield from list(self._observations(value))
            except Exception as error:
                report("RateLimits", error)

        return observe

    def _observations(self, value: Callable[[RateLimit], int | None]) -> Iterator[Observation]:
        for model, headers in list(self._last.items()):
            for limit in h.rate_limits(headers):
                amount = value(limit)
                if amount is not None and (limit.reset is None or limit.reset > self._now()):
                    attributes = {semconv.RATELIMIT_KIND: limit.kind}
                    if model is not None:
                        attributes[semconv.GEN_AI_REQUEST_MODEL] = model
                    yield Observation(amount, attributes)


def _limit(limit: RateLimit) -> int | None:
    return limit.limit


def _remaining(limit: RateLimit) -> int | None:
    return limit.remaining
