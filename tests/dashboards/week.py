"""The week before the hour, as far as a panel looks back so far: tokens, and what the rules would have recorded.

Rule: the tokens go on from the week into the hour at the pace of its good weather, so that what Prometheus itself
records at the end is what is written down here for the time before.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from anthropic_otel._core import instruments, semconv
from anthropic_otel.bundle import spend
from anthropic_otel.bundle.conditions import Duration
from anthropic_otel.bundle.growth import MODEL, SLO_CALLS, recorded
from anthropic_otel.bundle.promql import label
from anthropic_otel.bundle.settings import Settings
from dashboards.hour import BEFORE, SERVICES
from dashboards.played import Sample

WEEK: Final = 8 * 86_400
"""Seconds: a rise is measured against seven days, which end a day ago."""
STEP: Final = 240
_TOKENS: Final = {metric.prometheus_name for metric in instruments.USAGE}
_OUTCOMES: Final = (("succeeded", 0.985), ("recovered", 0.012), ("exhausted", 0.002), ("failed", 0.001))
Timed = tuple[float, Sample]
_Key = tuple[str, tuple[tuple[str, str], ...]]


class Week:
    """The week before the samples of an hour, which begin at `begin` and end at `end`."""

    def __init__(self, hour: Iterable[Timed], begin: float, end: float, settings: Settings) -> None:
        self._hour, self._begin, self._end, self._settings = list(hour), begin, end, settings
        self._random = random.Random(7)
        self._pace: dict[_Key, float] = {}
        """How much each counter of tokens grows in a second of good weather."""
        for at, (name, labels, value) in self._hour:
            if name in _TOKENS and at < begin + BEFORE:
                self._pace[_key(name, labels)] = value / (at - begin + 1)

    def samples(self) -> Iterator[Timed]:
        """Everything in the order of its time: the week, and then the hour."""
        at = self._begin - WEEK
        while at < self._begin:
            for (name, pairs), pace in self._pace.items():
                yield at, (name, dict(pairs), pace * (at - self._begin + WEEK))
            yield from self._recorded(at)
            at += STEP
        recorded_at = self._begin
        for moment, (name, labels, value) in self._hour:
            while recorded_at <= moment:
                yield from self._recorded(recorded_at)
                recorded_at += STEP
            yield moment, (name, labels, value + self._pace.get(_key(name, labels), 0.0) * WEEK)

    def _recorded(self, at: float) -> Iterator[Timed]:
        name = recorded(SLO_CALLS, self._settings.slo.windows[0])
        for service in SERVICES:
            calls = 5 * service.a_minute * service.processes * self._random.uniform(0.8, 1.2)
            for outcome, share in _OUTCOMES:
                yield at, (name, {"job": service.job, label(semconv.CALL_OUTCOME): outcome}, round(calls * share, 3))
        for model, kind, usd in self._prices():
            yield at, (spend.PRICE, {MODEL: model, spend.KIND: kind}, usd)
        for window in (spend.DAY, self._settings.alerts.AnthropicCostRise.window):
            seconds = Duration(window).seconds
            for job, usd in self._cost().items():
                amount = usd * seconds * self._random.uniform(0.95, 1.05)
                yield at, (spend.recorded_cost(window), {"job": job}, amount)

    def _prices(self) -> Iterator[tuple[str, str, float]]:
        used = {service.model for service in SERVICES}
        for price in self._settings.spend.prices:
            if price.model in used:
                for kind in spend.KINDS:
                    yield price.model, kind, getattr(price, "cache_write_5m" if kind == "cache_write" else kind)

    def _cost(self) -> dict[str, float]:
        """What each service costs in a second of good weather, in USD."""
        prices = {(model, kind): usd / 1e6 for model, kind, usd in self._prices()}
        found: dict[str, float] = defaultdict(float)
        for (name, pairs), pace in self._pace.items():
            told = dict(pairs)
            for kind, metrics in spend.KINDS.items():
                for number, metric in enumerate(metrics):
                    if metric.prometheus_name == name:
                        found[told["job"]] += (-pace if number else pace) * prices[told[MODEL], kind]
        return found


def _key(name: str, labels: dict[str, str]) -> _Key:
    return name, tuple(sorted(labels.items()))
