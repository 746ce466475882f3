"""Other patches of the same clients and classes, put on and taken off before and after ours.

Rule: a patch is undone as its kind is: by writing back what was there when it was put on.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any, Final
from unittest import mock

from e2e.unchanged.facts import Facts, outcome, unmarked
from e2e.unchanged.world import World

Undo = Callable[[], Any]


class Patch:
    """Another patch: `on` puts it on and returns what takes it off. `seen` counts the requests that went through it."""

    def __init__(self, on: Callable[[World, Patch], Undo]) -> None:
        self._on = on
        self._undo: Undo | None = None
        self.seen = 0

    def on(self, world: World) -> None:
        """Puts it on."""
        self._undo = self._on(world, self)

    def off(self) -> None:
        """Takes it off, if it is on."""
        undo, self._undo = self._undo, None
        if undo is not None:
            undo()

    def count(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """`original`, counted."""

        @functools.wraps(original)
        def counted(*args: Any, **kwargs: Any) -> Any:
            self.seen += 1
            return original(*args, **kwargs)

        @functools.wraps(original)
        async def counted_async(*args: Any, **kwargs: Any) -> Any:
            self.seen += 1
            return await original(*args, **kwargs)

        return counted_async if inspect.iscoroutinefunction(original) else counted


def _mock_on_client(world: World, patch: Patch) -> Undo:
    patcher = mock.patch.object(world.http, "send", side_effect=patch.count(world.http.send))
    patcher.start()
    return patcher.stop


def _mock_on_class(world: World, patch: Patch) -> Undo:
    cls = type(world.http)
    patcher = mock.patch.object(cls, "send", autospec=True, side_effect=patch.count(cls.send))
    patcher.start()
    return patcher.stop


def _plain_mock_on_class(world: World, patch: Patch) -> Undo:
    """A mock that is no function, and so is called without the client."""
    cls = type(world.http)
    patcher = mock.patch.object(cls, "send", side_effect=patch.count(world.http.send))
    patcher.start()
    return patcher.stop


def _wrapper_on_class(world: World, patch: Patch) -> Undo:
    """As Sentry patches `send`, and as many an app does."""
    cls = world.stack.module.AsyncClient if world.stack.asynchronous else world.stack.module.Client
    original = cls.__dict__["send"]
    cls.send = patch.count(original)
    return functools.partial(setattr, cls, "send", original)


def _opentelemetry(world: World, patch: Patch) -> Undo:
    """OpenTelemetry's own instrumentation of the HTTP library."""
    names = {"httpx": "HTTPXClientInstrumentor", "httpx2": "HTTPX2ClientInstrumentor"}
    module = importlib.import_module("opentelemetry.instrumentation.httpx")
    instrumentor = getattr(module, names[world.stack.library])()
    instrumentor.instrument(skip_dep_check=True)
    undo: Undo = instrumentor.uninstrument
    return undo


PATCHES: Final[dict[str, Callable[[World, Patch], Undo]]] = {
    "mock on the client": _mock_on_client,
    "mock on the class": _mock_on_class,
    "plain mock on the class": _plain_mock_on_class,
    "wrapper on the class": _wrapper_on_class,
    "opentelemetry": _opentelemetry,
}

ORDERS: Final = (
    ("theirs", "ours", "not ours", "not theirs"),
    ("theirs", "ours", "not theirs", "not ours"),
    ("ours", "theirs", "not theirs", "not ours"),
    ("ours", "theirs", "not ours", "not theirs"),
)

BEHIND: Final = ORDERS[3]
"""Here a patch of a class writes back our function when it is taken off last, which then does nothing any more."""


def run(world: World, name: str, order: tuple[str, ...], ours: Callable[[], Any], not_ours: Callable[[], Any]) -> Facts:
    """What an app sees after each step of the order, and what is left on its classes and its client at the end.

    What was left on the library's classes is taken off then, so that no other test finds it.
    """
    world.make()
    patch = Patch(PATCHES[name])
    before = _patched(world)
    steps = {"ours": ours, "not ours": not_ours, "theirs": lambda: patch.on(world), "not theirs": patch.off}
    facts: Facts = {}
    try:
        for step in order:
            steps[step]()
            facts[step] = {"text": outcome(world.use), "seen": patch.seen}
    finally:
        patch.off()
    after = _patched(world)
    facts["left"] = [key for key in before if after[key] != before[key]]
    for cls in type(world.http).__mro__:
        found = before[f"{cls.__qualname__}.send"]
        if cls.__dict__.get("send") is not found:
            cls.send = found  # type: ignore[attr-defined]
    return facts


def _patched(world: World) -> Facts:
    """What patches may be found in: the functions of the classes, and the names of the HTTP client."""
    owners = [*type(world.http).__mro__, *(type(world.sdk).__mro__ if world.sdk is not None else ())]
    functions = {
        f"{cls.__qualname__}.{name}": cls.__dict__.get(name)
        for cls in owners
        for name in ("send", "request", "__init__")
    }
    return {**functions, "vars": unmarked(vars(world.http))}
