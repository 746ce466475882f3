"""The environment of the demo's acts: the simulator, instances of the app, and their users.

Rule: only the environment changes, never the app. Faults come from the simulator and its addresses, and from callbacks
after a finished attempt.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan

from anthropic_otel._core import semconv
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
    """A user's question, and whether its answer is streamed."""

    text: str
    stream: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """The result of one call as the app saw it: its trace id, and the exception or the number of words."""

    trace_id: str
    text: str


class Stage:
    """The simulator, an instance of the app, and threads that act as its users.

    - `pace`: scales waits and timeouts: 1 is real time, 0.1 ten times as fast. The SDK's own backoff is not scaled.
    - `seen`: the results of all calls.
    - `desk`: the app that calls the simulator's `base_url`.
    """

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
        """Returns another instance of the app, which `close` closes.

        With `fault`, its connection to the API has that fault. With `at`, it calls the API at that URL.
        """
        address = at if fault is None else self.simulator.endpoint(fault).base_url
        desk = HelpDesk(timeout=self._timeout, **({} if address is None else {"base_url": address}))
        self._exit.callback(desk.client.close)
        return desk

    def close(self) -> None:
        """Waits for the users' threads, and closes the apps' clients."""
        self._users.shutdown()
        self._exit.close()

    # -- users ---------------------------------------------------------------------------------------------------------

    def ask(self, desk: HelpDesk, question: Question) -> Seen:
        """Asks a question and returns the result, an exception included. Also adds it to `seen`."""
        try:
            words = len(list(desk.speak(question.text)) if question.stream else desk.answer(question.text).split())
            text = f"no error, {words} words"
        except Exception as error:
            text = f"{type(error).__name__}: {_first_line(error)}"
        seen = Seen(self._watcher.ended(), text)
        self.seen.append(seen)
        return seen

    def asks(self, desk: HelpDesk, question: Question) -> Future[Seen]:
        """Asks a question in another thread, as `ask` does, and returns at once."""
        return self._users.submit(self.ask, desk, question)

    def crowd(self, questions: Iterable[Question], *, at_once: int = _USERS, desk: HelpDesk | None = None) -> None:
        """Asks many questions, `at_once` of them at a time, and waits for all.

        `desk` is the default app if not given.
        """
        turns = threading.Semaphore(at_once)

        def turn(question: Question) -> None:
            with turns:
                self.ask(desk or self.desk, question)

        for future in [self._users.submit(turn, question) for question in questions]:
            future.result()

    # -- the world -----------------------------------------------------------------------------------------------------

    def refusal(self, status: int, error_type: str, message: str, *, retry_after: float) -> Reply:
        """Returns the reply with that status and error, and a header that asks for a retry after `retry_after` seconds.

        The seconds are scaled by `pace`.
        """
        seconds = ("retry-after", f"{retry_after:g}")
        milliseconds = ("retry-after-ms", f"{retry_after * self.pace * 1e3:.0f}")
        return Reply(status, error_type, message, headers=(seconds if self.pace == 1 else milliseconds,))

    @contextmanager
    def on_attempt(self, *cues: tuple[str, Callable[[], None]]) -> Iterator[None]:
        """Calls the function of each cue once, in the block, when an attempt has failed with the cue's `error.type`.

        A cue waits until the one before it was called.
        """
        waiting = list(cues)

        def cue(span: ReadableSpan) -> None:
            attributes = span.attributes or {}
            if (
                waiting
                and semconv.ATTEMPT_OUTCOME in attributes
                and attributes.get(semconv.ERROR_TYPE) == waiting[0][0]
            ):
                waiting.pop(0)[1]()

        self._watcher.cue = cue
        try:
            yield
        finally:
            self._watcher.cue = None


def questions(count: int, *, streams_every: int = 2) -> list[Question]:
    """Returns `count` questions, of which the first and every `streams_every`th after it are streamed."""
    return [Question(QUESTIONS[n % len(QUESTIONS)], n % streams_every == 0) for n in range(count)]


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
