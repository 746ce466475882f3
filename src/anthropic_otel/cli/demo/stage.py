"""Provides what the demo's acts need: the simulator, instances of the app, and threads that act as users.

Rule: the app's code has no part in a fault. Faults come from the simulator and its addresses, and from callbacks that
run when an attempt has failed.
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
_JITTER: Final = 0.6
_USERS: Final = 16


@dataclass(frozen=True, slots=True)
class Question:
    """A user's question, and whether its answer is streamed."""

    text: str
    stream: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """The result of one call as the app saw it.

    - `trace_id`: of the call, as hexadecimal digits.
    - `text`: the exception's type and first line, or `no error` with the number of words in the answer. In a stream
      each part counts as one word, as the simulator sends one per part.
    """

    trace_id: str
    text: str


class Stage:
    """A running simulator, instances of the app, and 16 threads that act as users. Sets the simulator's latency.

    - `watcher`: a processor of the app's spans, which tells the calls' trace ids and when an attempt has ended.
    - `pace`: scales the simulator's waits: 1 is real time, 0.1 ten times as fast. The SDK's own backoff is not scaled,
      nor is the apps' timeout of 0.8 seconds, which a busy machine would exceed.
    - `seen`: the results of all questions so far.
    - `desk`: an instance of the app for the API at `ANTHROPIC_BASE_URL`.
    """

    def __init__(self, simulator: Simulator, watcher: Watcher, pace: float) -> None:
        self.simulator: Final = simulator
        self.pace: Final = pace
        self.seen: Final[list[Seen]] = []
        self._watcher: Final = watcher
        self._users: Final = ThreadPoolExecutor(_USERS, thread_name_prefix="user")
        self._exit: Final = ExitStack()
        self.desk: Final = self.open_desk()
        simulator.latency(_HEADERS_AFTER * pace, _BETWEEN_EVENTS * pace, jitter=_JITTER)

    def open_desk(self, fault: str | None = None, *, at: str | None = None) -> HelpDesk:
        """Returns a new instance of the app, whose client `close` closes.

        With `fault`, the name of one in the simulator's catalogue, it calls an address where every request meets that
        fault. Without, it calls the API at the URL `at`, or at `ANTHROPIC_BASE_URL` if that is `None`. Raises
        `KeyError` for a name that is not in the catalogue.
        """
        address = at if fault is None else self.simulator.endpoint(fault).base_url
        desk = HelpDesk(timeout=_READ_TIMEOUT, **({} if address is None else {"base_url": address}))
        self._exit.callback(desk.client.close)
        return desk

    def close(self) -> None:
        """Waits until the users' threads have ended, and closes the client of each instance of the app."""
        self._users.shutdown()
        self._exit.close()

    # -- users ---------------------------------------------------------------------------------------------------------

    def ask(self, desk: HelpDesk, question: Question) -> Seen:
        """Asks a question in the current thread, adds the result to `seen` and returns it.

        An `Exception` of the app is a result too.
        """
        try:
            words = len(list(desk.speak(question.text)) if question.stream else desk.answer(question.text).split())
            text = f"no error, {words} words"
        except Exception as error:
            text = f"{type(error).__name__}: {_first_line(error)}"
        seen = Seen(self._watcher.ended(), text)
        self.seen.append(seen)
        return seen

    def asks(self, desk: HelpDesk, question: Question) -> Future[Seen]:
        """Has a user's thread call `ask`, and returns the future of its result at once."""
        return self._users.submit(self.ask, desk, question)

    def crowd(self, questions: Iterable[Question], *, at_once: int = _USERS, desk: HelpDesk | None = None) -> None:
        """Has users' threads ask all questions, at most `at_once` at a time, and returns when all have a result.

        There are 16 threads. `desk` `None` stands for `self.desk`. The results are in `seen`.
        """
        turns = threading.Semaphore(at_once)

        def turn(question: Question) -> None:
            with turns:
                self.ask(desk or self.desk, question)

        for future in [self._users.submit(turn, question) for question in questions]:
            future.result()

    # -- the world -----------------------------------------------------------------------------------------------------

    def refusal(self, status: int, error_type: str, message: str, *, retry_after: float) -> Reply:
        """Returns a reply with that status and error, which asks for a retry after `retry_after` seconds times `pace`.

        It does so in the header `retry-after`, or, if `pace` is not 1, `retry-after-ms`.
        """
        seconds = ("retry-after", f"{retry_after:g}")
        milliseconds = ("retry-after-ms", f"{retry_after * self.pace * 1e3:.0f}")
        return Reply(status, error_type, message, headers=(seconds if self.pace == 1 else milliseconds,))

    @contextmanager
    def on_attempt(self, *cues: tuple[str, Callable[[], None]]) -> Iterator[None]:
        """While its block runs, calls the functions in `cues`, each once and in order. Such blocks must not be nested.

        A cue is an `error.type` and a function. The next function is called, in the attempt's thread, when an attempt
        of any call has ended with its `error.type`.
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
    """Returns `count` questions; the answers to the first and to every `streams_every`th after it are streamed.

    Their texts are those of `QUESTIONS`, repeated.
    """
    return [Question(QUESTIONS[n % len(QUESTIONS)], n % streams_every == 0) for n in range(count)]


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
