"""Defines the acts of the demo: a healthy API, an overload, an outage, broken streams, and a healthy API again.

A repeated demo has quiet acts between two runs of these: one with the limits of a subscription, then healthy ones.

Rule: an act's function sets the faults that the app meets, if any, asks the app questions meanwhile, and returns the
calls to show.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from anthropic_otel.cli.demo.stage import Question, Stage, questions
from anthropic_otel.simulator import Cut, Ending, ErrorEvent, Limits, Point, Reply, Simulator

WORDS: Final = 24
"""The length of the simulator's replies, in words."""

RECOVERED: Final = "Overloaded, then cut off, and still an answer"
OUTAGE: Final = "An outage: three causes behind one 'Connection error.'"
BROKEN: Final = "A stream that ends too early: the app sees no error"

Featured = Mapping[str, str]
"""The trace ids of the calls to show in detail, by the title to show them under. May be empty."""

_OK: Final = Reply()
_MIDWAY: Final = 14
_RETRY_AFTER: Final = 1.0
_SUBSCRIPTION: Final = Limits(unified=(10_000, 100_000))
_CALM: Final = 12
_CALM_ROUNDS: Final = 8
_PATIENCE: Final = 10.0


@dataclass(frozen=True, slots=True)
class Act:
    """One act of the demo: its name, in a few words what happens (`text`), and the function that plays it (`play`).

    The function returns the calls to show in detail.
    """

    name: str
    text: str
    play: Callable[[Stage], Featured]


def _healthy(stage: Stage) -> Featured:
    stage.crowd(questions(_CALM), at_once=6)
    return {}


def _overload(stage: Stage) -> Featured:
    no = stage.refusal(529, "overloaded_error", "Overloaded", retry_after=_RETRY_AFTER)
    too_fast = stage.refusal(429, "rate_limit_error", "This would exceed your rate limit.", retry_after=_RETRY_AFTER)
    stage.simulator.play(no, "connection_reset")
    seen = stage.ask(stage.desk, Question("Is it just me?"))
    # Nine at once. Seven of them are turned away, then three of those, then two; two have their streams cut short.
    overloaded = ErrorEvent("overloaded_error", "Overloaded", after=_MIDWAY)
    stage.simulator.play(*[no] * 6, too_fast, *[overloaded] * 2, *[no] * 3, *[_OK] * 4, *[no] * 2, _OK)
    stage.crowd(questions(9, streams_every=1))
    return {RECOVERED: seen.trace_id}


def _outage(stage: Stage) -> Featured:
    stage.simulator.play("read_timeout", "server_disconnected")
    first = [
        stage.asks(stage.desk, Question("Hello?")),
        stage.asks(stage.open_desk("tls_untrusted"), Question("Is anybody there?")),
    ]
    for each in first:
        each.result()
    return {OUTAGE: _gone(stage)}


def _gone(stage: Stage) -> str:
    """Makes the attempts of one call fail in three ways: a reset, then a closed port, then an unknown host name.

    While the port is closed, other users ask three questions. Returns the trace id of the call.
    """
    desk, gone = stage.open_desk(), threading.Event()
    with ExitStack() as outage:

        def refuse() -> None:
            outage.enter_context(stage.simulator.refusing())

        def forget() -> None:
            desk.client.base_url = stage.simulator.endpoint("name_resolution_error").base_url
            gone.set()

        stage.simulator.play("connection_reset")
        with stage.on_attempt(("connection_reset", refuse), ("connection_refused", forget)):
            asked = stage.asks(desk, Question("What is going on?"))
            gone.wait(_PATIENCE)
            stage.crowd(questions(3))
            seen = asked.result()
    return seen.trace_id


def _broken(stage: Stage) -> Featured:
    stage.simulator.play(Cut(Point.BODY, Ending.CLEAN, after=_MIDWAY))
    seen = stage.ask(stage.desk, Question("Tell me a story.", stream=True))
    stage.simulator.play(*(Cut(Point.BODY, ending, after=_MIDWAY) for ending in (Ending.RESET, Ending.CLOSE)))
    stage.crowd(questions(2, streams_every=1))
    return {BROKEN: seen.trace_id}


def _recovery(stage: Stage) -> Featured:
    stage.simulator.play("http_529")
    stage.crowd(questions(_CALM), at_once=6)
    return {}


def _subscription(stage: Stage) -> Featured:
    """Asks twelve questions of a second simulator, whose headers report the limits of a subscription, not of a key.

    Returns no calls to show.
    """
    with Simulator(words=WORDS, limits=_SUBSCRIPTION) as api:
        stage.crowd(questions(_CALM), at_once=6, desk=stage.open_desk(at=api.base_url))
    return {}


ACTS: Final = (
    Act("healthy", "the API answers", _healthy),
    Act("overload", "529 and 429 with retry-after", _overload),
    Act("outage", "resets, refusals, timeouts, TLS, no DNS", _outage),
    Act("broken streams", "they end midway", _broken),
    Act("recovery", "the API answers again", _recovery),
)
CALM: Final = (
    Act("subscription", "the API answers a subscription", _subscription),
    *(Act("calm", "nothing happens", _healthy),) * _CALM_ROUNDS,
)
"""The quiet acts between two runs of `ACTS`, if the demo is repeated."""
