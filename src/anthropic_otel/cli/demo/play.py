"""Plays the demo's acts against a simulator, in this process, and collects what the library emits.

Rule: the app is instrumented as a user would do it, by one line. A `Result` has what was collected, and beside it only
what the app saw.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import anthropic_otel
from anthropic_otel._render.styled import Style
from anthropic_otel._render.terminal import Terminal
from anthropic_otel._render.traces import Trace
from anthropic_otel.cli.collect import Collection
from anthropic_otel.cli.demo.acts import ACTS, CALM, WORDS, Act, Featured
from anthropic_otel.cli.demo.stage import Seen, Stage
from anthropic_otel.cli.summary import Summary, summarize
from anthropic_otel.simulator import Simulator
from anthropic_otel.simulator.interrupts import interruptible

_WITH_TEXT: Final = 80
"""The least columns at which an act's line has its description."""


@dataclass(frozen=True, slots=True)
class Result:
    """What was collected while the acts were played.

    - `featured`: the calls that the acts chose to be shown in detail, by title. One whose outcome is not a success has
      the text that the app saw in its `seen`. A call of which no attempt was collected is left out.
    - `summary`: of all calls.
    """

    featured: dict[str, Trace]
    summary: Summary


def run(terminal: Terminal, collection: Collection, pace: float = 1.0) -> Result:
    """Plays each act of `ACTS` once, prints a line for each, and returns the result.

    `pace` scales the simulator's waits: 1 is real time, 0.1 ten times as fast. Instruments the process, sets
    `ANTHROPIC_BASE_URL` and `ANTHROPIC_API_KEY` for the simulator, and at last closes `collection`, which stays open if
    an exception, such as `KeyboardInterrupt`, ends this.
    """
    anthropic_otel.instrument()
    result = _play(terminal, collection, pace)
    collection.close()
    return result


def run_again_and_again(terminal: Terminal, collection: Collection, pace: float = 1.0) -> None:
    """Plays `ACTS` and then `CALM`, again and again, until SIGINT or SIGTERM; then closes `collection` and returns.

    This gives dashboards live data. Prints a line for each act. `pace` scales the simulator's waits: 1 is real time.
    Instruments the process, sets `ANTHROPIC_BASE_URL` and `ANTHROPIC_API_KEY` for the simulator, and replaces the
    handlers of both signals for good. Call it in the main thread only.
    """
    anthropic_otel.instrument()
    with interruptible():
        try:
            while True:
                _play(terminal, collection, pace, (*ACTS, *CALM))
                collection.forget()
        finally:
            collection.close()


def _play(terminal: Terminal, collection: Collection, pace: float, acts: Sequence[Act] = ACTS) -> Result:
    """Plays the acts against a new simulator, prints a line for each, and returns what `collection` has then.

    The metrics in the result are of all acts that were ever played, the calls of those since the last `forget`. `pace`
    is that of `Stage`. Sets `ANTHROPIC_BASE_URL` and `ANTHROPIC_API_KEY`.
    """
    with Simulator(words=WORDS) as simulator:
        os.environ["ANTHROPIC_BASE_URL"] = simulator.base_url
        os.environ["ANTHROPIC_API_KEY"] = "sk-ant-not-a-key"
        stage = Stage(simulator, collection.watcher, pace)
        featured: dict[str, str] = {}
        try:
            for number, act in enumerate(acts, 1):
                featured.update(_act(terminal, stage, f"{number}/{len(acts)}", act))
        finally:
            stage.close()
    traces = collection.traces()
    return Result(_featured(featured, traces, stage.seen), summarize(traces, collection.measured()))


def _act(terminal: Terminal, stage: Stage, number: str, act: Act) -> Featured:
    terminal.text(f"  {number} {act.name:<16}", Style.STRONG, end="")
    if terminal.width >= _WITH_TEXT:
        terminal.text(f"{act.text:<40}", Style.QUIET, end="")
    before, began = len(stage.seen), time.monotonic()
    featured = act.play(stage)
    terminal.text(f"{len(stage.seen) - before:>3} calls {time.monotonic() - began:5.1f} s")
    return featured


def _featured(titles: Featured, traces: list[Trace], seen: list[Seen]) -> dict[str, Trace]:
    by_id = {trace.trace_id: trace for trace in traces}
    texts = {each.trace_id: each.text for each in seen}
    found = {title: by_id[trace_id] for title, trace_id in titles.items() if trace_id in by_id}
    return {title: trace if trace.answered else trace.seen_as(texts[trace.trace_id]) for title, trace in found.items()}
