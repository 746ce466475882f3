"""What the demo's acts are played on: the simulator, apps and their users, and who saw what.

Rule: the world changes and the app does not. Faults come from the simulator, from its addresses, and from a cue
that a finished attempt gives; never from inside the app.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan

from anthropic_otel._core import semconv as s
from anthropic_otel.cli.collect import Watcher
from anthropic_otel.cli.demo.app import HelpDesk
from anthropic_otel.simulator import Reply, Simulator

QUESTIONS: Final = (
    "How do I reset my password?",
    "Where is my invoice?",
    "Can I change my plan?",
    "Why was my card declined?",
    "How do I export my data?",
    "Do you have a status page?",
)
_HEADERS_AFTER: Final = 0.16
_BETWEEN_EVENTS: Final = 0.02
_READ_TIMEOUT: Final = 0.8
_SHORTEST_READ_TIMEOUT: Final = 0.3
_JITTER: Final = 0.6
_USERS: Final = 16


@dataclass(frozen=True, slots=True)
class Question:
    """What a user asks, and whether the answer is to be streamed."""

    text: str
    stream: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """What the app saw of one call: the trace that it left, and the exception's text, or how much of an answer."""

    trace_id: str
    text: str


class Stage:
    """Where the acts are played. `pace` 1 is real time, 0.1 ten times as fast; the SDK's own backoff stays as it is."""

    def __init__(self, simulator: Simulator, watcher: Watcher, pace: float) -> None:
        self.simulator: Final = simulator
        self.pace: Final = pace
        self.seen: Final[list[Seen]] = []
        self._watcher: Final = watcher
        self._timeout: Final = max(_READ_TIMEOUT * pace, _SHORTEST_READ_TIMEOUT)
        self._users: Final = ThreadPoolExecutor(_USERS, thread_name_prefix="user")
        self._exit: Final = ExitStack()
        self.desk: Final = self.open_desk()
        simulator.latency(_HEADERS_AFTER * pace, _BETWEEN_EVENTS * pace, jitter=_JITTER)

    def open_desk(self, fault: str | None = None, *, at: str | None = None) -> HelpDesk:
        """Another replica of the app; with `fault`, one whose way to the API has it; with `at`, one of that API."""
        address = at if fault is None else self.simulator.endpoint(fault).base_url
        desk = HelpDesk(timeout=self._timeout, **({} if address is None else {"base_url": address}))
        self._exit.callback(desk.client.close)
        return desk

    def close(self) -> None:
        """Close what the apps have open."""
        self._users.shutdown()
        self._exit.close()

    # -- users ---------------------------------------------------------------------------------------------------------

    def ask(self, desk: HelpDesk, question: Question) -> Seen:
        """One user asks, and lives with whatever comes."""
        try:
            words = len(list(desk.speak(question.text)) if question.stream else desk.answer(question.text).split())
            text = f"no error, {words} words"
        except Exception as error:
            text = f"{type(error).__name__}: {_first_line(error)}"
        seen = Seen(self._watcher.ended(), text)
        self.seen.append(seen)
        return seen

    def asks(self, desk: HelpDesk, question: Question) -> Future[Seen]:
        """The same in the background."""
        return self._users.submit(self.ask, desk, question)

    def crowd(self, questions: Iterable[Question], *, at_once: int = _USERS, desk: HelpDesk | None = None) -> None:
        """Many users ask, so many of them at a time, and all of them are waited for."""
        turns = threading.Semaphore(at_once)

        def turn(question: Question) -> None:
            with turns:
                self.ask(desk or self.desk, question)

        for future in [self._users.submit(turn, question) for question in questions]:
            future.result()

    # -- the world -----------------------------------------------------------------------------------------------------

    def refusal(self, status: int, error_type: str, message: str, *, retry_after: float) -> Reply:
        """The API says no, and after how many seconds to come again."""
        seconds = ("retry-after", f"{retry_after:g}")
        milliseconds = ("retry-after-ms", f"{retry_after * self.pace * 1e3:.0f}")
        return Reply(status, error_type, message, headers=(seconds if self.pace == 1 else milliseconds,))

    @contextmanager
    def on_attempt(self, *cues: tuple[str, Callable[[], None]]) -> Iterator[None]:
        """Give each cue, once and in their order, when an attempt has failed with its `error.type`."""
        waiting = list(cues)

        def cue(span: ReadableSpan) -> None:
            attributes = span.attributes or {}
            if waiting and s.ATTEMPT_OUTCOME in attributes and attributes.get(s.ERROR_TYPE) == waiting[0][0]:
                waiting.pop(0)[1]()

        self._watcher.cue = cue
        try:
            yield
        finally:
            self._watcher.cue = None


def questions(count: int, *, streams_every: int = 2) -> list[Question]:
    """So many questions, every second one of which wants a stream, unless told otherwise."""
    return [Question(QUESTIONS[n % len(QUESTIONS)], n % streams_every == 0) for n in range(count)]


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
