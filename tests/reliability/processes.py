"""One small app in many processes: forked, spawned, at its exit. Prints what each process has recorded.

    python processes.py MODE

Rule: every process prints one line of JSON when it is done, so that a process that hangs or dies is one that is
missing. Providers are set up as the documentation tells, and by nothing else.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import util
from typing import Any

import anthropic
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import anthropic_otel

SPANS = InMemorySpanExporter()
READER = InMemoryMetricReader()
EXECUTOR = ThreadPoolExecutor(1)
REQUEST: dict[str, Any] = {
    "model": "claude-opus-4-8",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "hi"}],
}


def set_up_providers() -> None:
    """What a worker does after the fork: providers of its own, whose threads are its own."""
    set_up_spans()
    metrics.set_meter_provider(MeterProvider([READER]))


def set_up_spans() -> None:
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(SPANS))
    trace.set_tracer_provider(provider)


def call(base_url: str, *, stream: bool = False) -> Any:
    return make_client(base_url).messages.create(stream=stream, **REQUEST)


def make_client(base_url: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=base_url, api_key="none", max_retries=1)


def report(role: str) -> None:
    """Prints what this process has recorded, from both signals."""
    gc.collect()
    provider = trace.get_tracer_provider()
    if isinstance(provider, TracerProvider):
        provider.force_flush()
    attempts = [span for span in SPANS.get_finished_spans() if span.name == "POST /v1/messages"]
    data = READER.get_metrics_data()
    points = [
        point
        for scope in (data.resource_metrics[0].scope_metrics if data else ())
        for metric in scope.metrics
        if metric.name == "anthropic.client.attempt.duration"
        for point in metric.data.data_points
    ]
    measured = sum(int(getattr(point, "count", 0)) for point in points)
    line = json.dumps({"role": role, "pid": os.getpid(), "spans": len(attempts), "measured": measured})
    os.write(1, f"{line}\n".encode())


# -- the modes ---------------------------------------------------------------------------------------------------------


def worker(base_url: str) -> None:
    """A child that was forked from an instrumented parent without providers, as a pre-fork server's is."""
    set_up_providers()
    for _ in range(3):
        call(base_url)
    report("child")


def measuring(base_url: str) -> None:
    """A child that inherits the provider of spans, and has one of metrics of its own."""
    metrics.set_meter_provider(MeterProvider([READER]))
    for _ in range(3):
        call(base_url)
    report("child")


def inheriting(base_url: str) -> None:
    """A child that uses the providers as it finds them: those of its parent, or of its pool's initializer."""
    for _ in range(3):
        call(base_url)
    report("child")


def spawned(base_url: str) -> None:
    """A child that has nothing of its parent."""
    anthropic_otel.instrument()
    worker(base_url)


def run_children(method: str, target: Callable[[str], None], base_url: str, number: int = 2) -> None:
    context: Any = multiprocessing.get_context(method)
    children = [context.Process(target=target, args=(base_url,)) for _ in range(number)]
    for child in children:
        child.start()
    for child in children:
        child.join(300)
        assert child.exitcode == 0, child.exitcode


def prefork(base_url: str) -> None:
    """Instrumented before the fork, providers after it."""
    anthropic_otel.instrument()
    run_children("fork", worker, base_url)


def pool(base_url: str) -> None:
    """The same with a pool, whose initializer sets up the providers. Each child does one task, and ends."""
    anthropic_otel.instrument()
    with multiprocessing.get_context("fork").Pool(2, set_up_providers, maxtasksperchild=1) as workers:
        workers.map(inheriting, [base_url] * 2, chunksize=1)


def spawn(base_url: str) -> None:
    run_children("spawn", spawned, base_url)


def fork_under_load(base_url: str) -> None:
    """Forks while other threads are in the middle of calls; the children use the providers of their parent."""
    set_up_providers()
    _fork_under_load(base_url, inheriting)


def fork_for_own_metrics(base_url: str) -> None:
    """The same, with a meter provider of its own in each child."""
    set_up_spans()
    _fork_under_load(base_url, measuring)


def _fork_under_load(base_url: str, child: Callable[[str], None]) -> None:
    anthropic_otel.instrument()
    done = threading.Event()

    def keep_calling(client: anthropic.Anthropic) -> None:
        while not done.is_set():
            client.messages.create(**REQUEST)

    # Clients are made before: to make one imports modules, and Python's import lock is not for forks.
    clients = [make_client(base_url) for _ in range(4)]
    clients[0].messages.create(**REQUEST)
    threads = [threading.Thread(target=keep_calling, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    try:
        run_children("fork", child, base_url, 4)
    finally:
        done.set()
        for thread in threads:
            thread.join()


def fork_with_a_stream_open(base_url: str) -> None:
    """The parent has a stream open; what a child drops of it is the parent's to end."""
    set_up_providers()
    anthropic_otel.instrument()
    holder = [call(base_url, stream=True)]

    def drop(_: str) -> None:
        holder.clear()
        report("child")

    run_children("fork", drop, base_url, 1)
    list(holder.pop())
    report("parent")


def exit_in_flight(base_url: str) -> None:
    """The interpreter exits while a thread waits for an answer and a stream is half read, as soon as it is told to."""
    set_up_providers()
    anthropic_otel.instrument()
    stream = call(base_url, stream=True)
    next(stream)
    threading.Thread(target=call, args=(base_url,), daemon=True).start()
    sys.stdin.readline()
    os.write(1, b'{"role": "exiting"}\n')


def script(base_url: str) -> None:
    """A short script: it instruments, calls, and ends."""
    anthropic_otel.instrument(export="otlp")
    call(base_url)


def exporting_child(base_url: str) -> None:
    """A child that sets up its export as a script does, calls, and ends."""
    script(base_url)
    os.write(1, b'{"role": "child"}\n')


def exporting_later(base_url: str) -> None:
    """A child whose function ends before its threads do: one calls only after that, one waits for Python to end it."""
    anthropic_otel.instrument(export="otlp")
    EXECUTOR.submit(int)
    ended = threading.Event()
    util.Finalize(None, ended.set, exitpriority=-1_000)

    def late() -> None:
        ended.wait()
        exporting_child(base_url)

    threading.Thread(target=late).start()


def exporting_threads(base_url: str) -> None:
    """Children whose threads multiprocessing waits for after its own functions for the end."""
    run_children("fork", exporting_later, base_url)


def exporting_fork(base_url: str) -> None:
    """Children that exit without the functions of `atexit`."""
    run_children("fork", exporting_child, base_url)


def exporting_forkserver(base_url: str) -> None:
    """The same, by the method that Python 3.14 has for its default."""
    run_children("forkserver", exporting_child, base_url)


def exporting_spawn(base_url: str) -> None:
    """Children that run them, after multiprocessing's own."""
    run_children("spawn", exporting_child, base_url)


MODES = {
    each.__name__: each
    for each in (
        *(prefork, pool, spawn, fork_under_load, fork_for_own_metrics, fork_with_a_stream_open, exit_in_flight),
        *(script, exporting_fork, exporting_forkserver, exporting_spawn, exporting_threads),
    )
}

if __name__ == "__main__":
    MODES[sys.argv[1]](sys.argv[2])
