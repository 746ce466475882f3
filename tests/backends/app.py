"""An app with the real SDK, one added line and the simulator for an API: what the back ends are fed in these tests.

Started as a process of its own, so that its OpenTelemetry setup is an app's. Reads commands from standard input, one a
line, and answers each with one line of JSON:

    load KIND      keep calling, in the background, in this kind of weather; what is asked for below interrupts it
    quiet          stop calling
    trace          one call: 529, connection reset, answer
    calls N KIND   N calls in this weather, each a trace of its own
    end            flush and stop
"""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import os
import random
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import httpx2
from opentelemetry import trace

import anthropic_otel
from anthropic_otel.simulator import Fault, Limits, Simulator

SECRET = "sk-ant-api03-planted-secret-0123456789"
PROMPT = "the planted prompt"
MODELS = ("claude-sonnet-4-5", "claude-haiku-4-5")
WEATHER: dict[str, dict[str | Fault, float]] = {
    "healthy": {"ok": 1.0},
    "overload": {"ok": 0.4, "http_529": 0.6},
    "timeouts": {"ok": 0.6, "read_timeout": 0.4},
    "failing": {"http_400": 1.0},
    "everything": {"ok": 2.0, "http_529": 1.0, "http_500": 0.5, "http_400": 0.5, "connection_reset": 0.5},
}
ELSEWHERE = (
    "connection_refused",
    "tls_untrusted",
    "name_resolution_error",
    "stream_overloaded",
    "stream_incomplete",
    "http_404",
    "http_429_retry_after_ms",
    "http_504",
    "http_401",
    "error_spend_limit",
    "read_timeout",
    "body_reset",
)
"""Faults that have an address of their own, at which they always strike; in turn, so that none is left to chance."""
CROWDED = "ok_slow"
"""An address that is used over one connection at a time: who comes second finds none free."""
SUBSCRIBED = "subscription"
"""The API for an account with a subscription, whose answers tell of its windows instead of the limits of a key."""
SUBSCRIPTION = Limits(unified=(10**9, 10**10))
WORKERS = 10


class App:
    """The clients, and the workers that use them."""

    def __init__(self, simulator: Simulator, subscription: Simulator) -> None:
        self.simulator = simulator
        self.tracer = trace.get_tracer("app")
        self.client = self._client(simulator.base_url)
        self.elsewhere = {name: self._client(simulator.endpoint(name).base_url) for name in ELSEWHERE}
        self.elsewhere[SUBSCRIBED] = self._client(subscription.base_url)
        self.turns = itertools.cycle((*self.elsewhere, CROWDED))
        tight = anthropic.DefaultHttpxClient(limits=httpx2.Limits(max_connections=1))
        crowded = self._client(simulator.endpoint(CROWDED).base_url, tight)
        self.crowded = crowded.with_options(timeout=httpx2.Timeout(5.0, pool=0.01), max_retries=0)
        self.kind: str | None = None
        self.working = threading.Semaphore(WORKERS)
        self.ended = threading.Event()
        self.random = random.Random(7)
        for _ in range(WORKERS):
            threading.Thread(target=self._work, daemon=True).start()

    def _client(self, url: str, http: httpx2.Client | None = None) -> anthropic.Anthropic:
        timeout = httpx2.Timeout(5.0, read=0.4, connect=1.0)
        return anthropic.Anthropic(base_url=url, api_key=SECRET, max_retries=2, timeout=timeout, http_client=http)

    def _work(self) -> None:
        while not self.ended.is_set():
            with self.working:
                kind = self.kind
                if kind is not None:
                    self.one(kind)
            self.ended.wait(0.05)

    def one(self, kind: str) -> str:
        """One call in a span of the app; its trace id."""
        with self.tracer.start_as_current_span("handle request") as span:
            span.set_attribute("gen_ai.prompt.0.content", PROMPT)
            span.set_attribute("app.note", f"key {SECRET}")
            with contextlib.suppress(anthropic.APIError, httpx2.HTTPError):
                self._call(kind)
            return format(span.get_span_context().trace_id, "032x")

    def _call(self, kind: str) -> None:
        if kind == "everything" and self.random.random() < 0.5:
            name = next(self.turns)
            if name == CROWDED:
                self._crowd()
            else:
                self._ask(self.elsewhere[name], stream=name.startswith("stream"))
        elif self.random.random() < 0.1:
            self.client.messages.count_tokens(model=MODELS[0], messages=[{"role": "user", "content": "Hi"}])
        else:
            self._ask(self.client, stream=self.random.random() < 0.4)

    def _crowd(self) -> None:
        """A call while the only connection is busy with a stream."""
        request: dict[str, Any] = {
            "model": MODELS[0],
            "max_tokens": 64,
            "messages": [{"role": "user", "content": PROMPT}],
        }
        with self.crowded.messages.create(**request, stream=True):
            self.crowded.messages.create(**request)

    def _ask(self, client: anthropic.Anthropic, *, stream: bool) -> None:
        request: dict[str, Any] = {
            "model": self.random.choice(MODELS),
            "max_tokens": 64,
            "messages": [{"role": "user", "content": PROMPT}],
        }
        if stream:
            for _ in client.messages.create(**request, stream=True):
                pass
        else:
            client.messages.create(**request)

    # -- commands ------------------------------------------------------------------------------------------------------

    def load(self, kind: str) -> dict[str, Any]:
        """Keep calling in this weather."""
        self.simulator.mix(WEATHER[kind], seed=1)
        self.kind = kind
        return {}

    def quiet(self) -> dict[str, Any]:
        """Stop calling, when what is under way has ended."""
        self.kind = None
        for _ in range(WORKERS):
            self.working.acquire()
        self.working.release(WORKERS)
        return {}

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """No other call while this lasts: it would take the fault that is meant for this one."""
        kind = self.kind
        self.quiet()
        self.simulator.reset()
        try:
            yield
        finally:
            if kind is not None:
                self.load(kind)

    def trace(self) -> dict[str, Any]:
        """One call that recovers in its third attempt."""
        with self.alone(), self.tracer.start_as_current_span("handle request") as span:
            self.simulator.play("http_529", "connection_reset", "ok")
            span.set_attribute("gen_ai.prompt.0.content", PROMPT)
            span.set_attribute("app.note", f"key {SECRET}")
            # As other instrumentations and hasty apps do it.
            span.add_event("exception", {"exception.message": f"401: {SECRET} is no key", "exception.type": "Oops"})
            span.add_event("gen_ai.user.message", {"content": PROMPT, "gen_ai.event.content": PROMPT})
            span.set_status(trace.StatusCode.ERROR, f"401: {SECRET} is no key")
            self._ask(self.client, stream=False)
            trace_id = format(span.get_span_context().trace_id, "032x")
            return {"trace": trace_id, "requests": self.simulator.request_ids}

    def calls(self, number: str, kind: str) -> dict[str, Any]:
        """So many calls, one after the other."""
        with self.alone():
            self.simulator.mix(WEATHER[kind], seed=1)
            return {"traces": [self.one(kind) for _ in range(int(number))]}


def main() -> None:
    """Serves commands until `end`."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    anthropic_otel.instrument(export="otlp")
    with Simulator() as simulator, Simulator(limits=SUBSCRIPTION) as subscription:
        app = App(simulator, subscription)
        commands: dict[str, Callable[..., dict[str, Any]]] = {
            "load": app.load,
            "quiet": app.quiet,
            "trace": app.trace,
            "calls": app.calls,
        }
        print(json.dumps({"process": os.getpid()}), flush=True)
        for line in sys.stdin:
            name, *arguments = line.split()
            if name == "end":
                break
            print(json.dumps(commands[name](*arguments)), flush=True)
        # Before its servers go: a call that finds none would be a failure of this test's own.
        app.quiet()
        app.ended.set()


if __name__ == "__main__":
    main()
