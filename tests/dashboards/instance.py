"""One process of a service, of which a fleet has thousands: what it exports each minute, of which nothing is made up.

It asks three models, by two operations, in whole and as streams, and meets five kinds of fault, each of which a retry
cures. In its first minute each model meets each of them. From then on it makes twelve calls a minute, and one message
in twenty is retried.
"""

from __future__ import annotations

import errno
import random
import time
from collections.abc import Iterator
from typing import Any, Final

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.sdk.metrics import Histogram
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation
from opentelemetry.sdk.resources import Resource

from anthropic_otel._core.call import Call
from anthropic_otel._core.ending import End
from anthropic_otel.simulator.limits import Cost, Limits
from anthropic_otel.simulator.ratelimits import RateLimits
from dashboards import sent
from dashboards.played import Play, Process, Steps
from support.chains import STACKS, chain, os_error
from support.streams import MESSAGE, STOP, sse

MODELS: Final = {"claude-opus-4-5": 16.0, "claude-sonnet-4-5": 9.0, "claude-haiku-4-5": 1.8}
"""The models, and how many seconds a reply takes in the middle."""
FAULTS: Final = ("529", "429", "500", "connection_reset", "read_timeout")
A_MINUTE: Final = 12
FAILING: Final = 0.05
LIMITS: Final = Limits(requests=1_000, input_tokens=400_000, output_tokens=80_000)
_MINUTE: Final = 60
_RESET: Final = chain(STACKS[1], "ReadError", os_error(errno.ECONNRESET))
_TIMEOUT: Final = chain(STACKS[1], "ReadTimeout")

_SDK: Final = {
    key: str(value) for key, value in Resource.create().attributes.items() if key.startswith("telemetry.sdk.")
}
Exports = tuple[ExportMetricsServiceRequest, ExportMetricsServiceRequest]
"""The same minute with the fixed buckets of the library, and with exponential histograms."""


def exports(number: int, minutes: int) -> Iterator[Exports]:
    """What one process of the fleet exports in each of its first minutes."""
    made = Instance(number)
    for minute in range(1, minutes + 1):
        made.play.run(minute * _MINUTE)
        yield made.export()


class Instance:
    """A process; chance follows from its number."""

    def __init__(self, number: int) -> None:
        self.play = Play(0.0)
        self._name = f"pod-{number}"
        self._exponential = InMemoryMetricReader(
            preferred_aggregation={Histogram: ExponentialBucketHistogramAggregation()}
        )
        self._process = Process("shop", self._name, self.play.clock, 0.0, [self._exponential])
        self._random = random.Random(number)
        self._limits = {model: RateLimits(LIMITS, self._wall) for model in MODELS}
        for model in MODELS:
            self.play.at(0.0, self._call(model, "messages.count_tokens", ()))
            self.play.at(0.0, self._call(model, "messages.create", ()))
            for fault in FAULTS:
                self.play.at(0.0, self._call(model, "messages.create", (fault,), stream=True))
        self.play.at(_MINUTE, self._traffic())

    def export(self) -> Exports:
        """What it would send now, both ways."""
        fixed, exponential = self._process.collected(), self._exponential.get_metrics_data()
        of = {"service.name": "shop", "service.instance.id": self._name, "host.name": self._name, **_SDK}
        return sent.export(fixed, {}, of=of), sent.export(fixed, {}, exponential, of=of)

    def _wall(self) -> float:
        return self.play.clock.wall() / 1e9

    def _traffic(self) -> Steps:
        while True:
            yield self._random.expovariate(A_MINUTE / _MINUTE)
            model = self._random.choice(list(MODELS))
            if self._random.random() < 1 / 6:
                self.play.at(self.play.now, self._call(model, "messages.count_tokens", ()))
                continue
            faults = (self._random.choice(FAULTS),) if self._random.random() < FAILING else ()
            self.play.at(
                self.play.now, self._call(model, "messages.create", faults, stream=self._random.random() < 0.5)
            )

    def _call(self, model: str, operation: str, faults: tuple[str, ...], *, stream: bool = False) -> Steps:
        """A call whose attempts meet these faults, and the last one none."""
        scene = self._process.scene
        call = scene.call(operation=operation, model=model, stream=stream, address="api.anthropic.com", port=443)
        for fault in faults:
            yield from self._fail(call, fault)
            yield 3.0 if fault == "429" else self._random.uniform(0.38, 0.5)
        if operation == "messages.count_tokens":
            attempt = scene.attempt(call)
            yield self._random.uniform(0.1, 0.3)
            scene.answer(attempt, seconds=0.0)
            call.method_returned({"input_tokens": 10}, None)
            return
        yield from self._answer(call, model, stream)

    def _fail(self, call: Call, fault: str) -> Steps:
        scene = self._process.scene
        attempt = scene.attempt(call)
        attempt.timeline.trace("http11.send_request_headers.started", {})
        if fault.isdigit():
            yield self._random.uniform(0.1, 0.5)
            asked = {b"retry-after": b"3"} if fault == "429" else {}
            scene.answer(attempt, int(fault), 0.0, asked, b'{"type": "error"}')
        elif fault == "connection_reset":
            yield self._random.uniform(0.1, 0.5)
            scene.fail(attempt, _RESET, 0.0)
        else:
            yield 30.0
            scene.fail(attempt, _TIMEOUT, 0.0)

    def _answer(self, call: Call, model: str, stream: bool) -> Steps:
        spread = self._random.lognormvariate(0.0, 0.45)
        usage = {
            "input_tokens": int(900 * spread),
            "cache_read_input_tokens": int(4200 * spread),
            "cache_creation_input_tokens": int(350 * spread),
            "output_tokens": int(450 * spread),
            "output_tokens_details": {"thinking_tokens": int(150 * spread)},
        }
        cost = Cost(input=int(900 * spread), output=int(450 * spread), priority=False)
        told = {name.encode(): value.encode() for name, value in self._limits[model].spend(cost)}
        told[b"date"] = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(self._wall())).encode()
        attempt = self._process.scene.attempt(call)
        if not stream:
            yield MODELS[model] * spread
            self._process.scene.answer(attempt, 200, 0.0, told)
            call.method_returned({"usage": usage}, None)
            return
        yield self._random.lognormvariate(0.0, 0.35)
        self._process.scene._respond(attempt, 200, 0.0, {**told, b"content-type": b"text/event-stream"}, None)
        reading = attempt.begin_body()
        call.method_returned(None, attempt)
        for event in self._events(usage):
            reading.asked_at = reading.clock_now()
            yield MODELS[model] * spread / 6 * self._random.uniform(0.5, 1.5)
            reading.on_chunk(sse(str(event["type"]), event))
        attempt.end(End.READ)

    @staticmethod
    def _events(usage: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield {"type": "message_start", "message": {**MESSAGE, "usage": usage | {"output_tokens": 1}}}
        yield from [{"type": "ping"}] * 3
        yield {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage}
        yield STOP
