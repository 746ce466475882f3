"""What there is to compare of an object: a walk over every attribute, and what an action comes to.

Rule: a fact is a plain value that two runs of the same program have in common. Addresses, ports, times and ids that a
server made up are left out. So are these, which an instrumented app cannot have in common with a plain one:

- `traceparent`, `tracestate` and `baggage` of a request that was sent: they were on the wire, and a log of the request
  must say what was sent.
- The name of the type of a response's body, `response.stream`, and its private names: the end of a body is to be seen
  only from within it.
- `__wrapped__` and `__code__` of a function that is patched: the first names the original, the second is what is new.
- `_decoder` of a response that is unread: the HTTP library's own private name for what decompresses, which it sets when
  the reading begins and does not pickle.
- One private name in the `__dict__` of an HTTP client that was named to `instrument` or `instrument_http_client`.
"""

from __future__ import annotations

import datetime
import gc
import inspect
import re
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from reliability.programs import TRACE_CONTEXT, normal

Facts = dict[str, Any]

MARK: Final = "_anthropic_otel"
"""How the one private name begins that an HTTP client may have, if it was named to the library."""

_PASSING: Final = re.compile(
    r"\d{4}-\d\d-\d\dT[\d:.]+Z|\w{3}, \d\d \w{3} \d{4} [\d:]+ GMT"  # times
    r"|(?<= id=')\d+(?=')"  # addresses of mocks
)


_LATE: Final = frozenset({"__slotnames__", "_decoder"})
"""What a library sets when it first needs it: `copyreg` on a class that it pickles, and httpx on a compressed body."""

_NAMES: Final = ("__name__", "__qualname__", "__module__", "__doc__")


def walk(value: Any) -> Facts:
    """The facts of an object: its type and names, and those of each public attribute, whatever there is."""
    facts: Facts = {
        "type": kind(value),
        "bases": [kind_of_class(cls) for cls in type(value).__mro__],
        "dir": unmarked(dir(value)),
        "vars": unmarked(getattr(value, "__dict__", ())),
        "repr": shown(value),
        "hash": type(value).__hash__ is None,
        "doc": inspect.getdoc(value),
    }
    return facts | {name: attribute(value, name) for name in public(value)}


def public(value: Any) -> list[str]:
    """The names of the public attributes of an object."""
    return [name for name in dir(value) if not name.startswith("_")]


def unmarked(names: Iterable[str]) -> list[str]:
    """The names without the private names that are allowed."""
    return [name for name in names if not name.startswith(MARK) and name not in _LATE]


def attribute(owner: Any, name: str) -> Any:
    """The facts of one attribute; of one that raises, the exception."""
    return outcome(lambda: _attribute(owner, name, getattr(owner, name)))


def body(value: Any) -> Facts:
    """The facts of a request's or a response's body, `stream`: how it may be read, and its public attributes."""
    facts = {name: attribute(value, name) for name in public(value)}
    for each in facts.values():
        for own in ("found in", "source", "__qualname__", "__module__", "__doc__"):
            each.pop(own, None)
    protocols = ("__iter__", "__aiter__", "__next__", "__anext__", "__len__", "__call__", "__enter__", "__aenter__")
    return facts | {
        "kinds": _byte_streams(value),
        "protocols": [name for name in protocols if hasattr(value, name)],
        "unknown attribute": hasattr(value, "nothing_of_this_name"),
        "weak reference": outcome(lambda: weakref.ref(value)() is value),
    }


def _byte_streams(value: Any) -> list[str]:
    """Which of the byte streams of an HTTP library a value is one of."""
    return sorted(cls.__name__ for cls in type(value).__mro__ if cls.__name__ in ("SyncByteStream", "AsyncByteStream"))


def _attribute(owner: Any, name: str, value: Any) -> Facts:
    if _byte_streams(value):
        return body(value)
    facts: Facts = {"type": kind(value), "found in": _holder(owner, name)}
    if inspect.ismethod(value):
        facts["self is owner"] = value.__self__ is owner
        facts["function"] = value.__func__ is inspect.getattr_static(type(owner), name, None)
        facts["equal each time"] = value == getattr(owner, name)
    if callable(value):
        return facts | function(value)
    return facts | {"value": shown(value)}


def _holder(owner: Any, name: str) -> str:
    """Whose `__dict__` has the attribute: that of the instance, or of a class."""
    if name in getattr(owner, "__dict__", ()):
        return "instance"
    bases = owner.__mro__ if inspect.isclass(owner) else type(owner).__mro__
    return next((kind_of_class(cls) for cls in bases if name in cls.__dict__), "nowhere")


def function(value: Any) -> Facts:
    """The facts of something that can be called."""
    return {
        "signature": outcome(lambda: str(inspect.signature(value))),
        "arguments": outcome(lambda: _steady(str(inspect.getfullargspec(value)))),
        "defaults by name": sorted(getattr(value, "__kwdefaults__", None) or ()),
        "source": _source(value),
        "coroutine function": inspect.iscoroutinefunction(value),
        "async generator function": inspect.isasyncgenfunction(value),
        "generator function": inspect.isgeneratorfunction(value),
        **{
            name: _steady(str(getattr(value, name, None)))
            for name in ("__name__", "__qualname__", "__module__", "__doc__")
        },
        "annotations": sorted(getattr(value, "__annotations__", None) or ()),
        "attributes": [name for name in getattr(value, "__dict__", ()) if name not in ("__wrapped__", "__signature__")]
        if inspect.isroutine(value)
        else None,
    }


def _source(value: Any) -> tuple[str, int] | None:
    """Where `inspect.getsource` finds the source of a function."""
    code = getattr(inspect.unwrap(value), "__code__", None)
    return (code.co_filename, code.co_firstlineno) if code is not None else None


def _first_line(text: str) -> str:
    return _steady(text).strip().partition("\n")[0]


def outcome(action: Callable[[], Any]) -> Any:
    """The value of an action; of one that raises, the type and the text of the exception."""
    try:
        return action()
    except Exception as error:
        return {"raises": kind(error), "text": _steady(str(error))}


def kind(value: Any) -> str:
    """The full name of the type of a value."""
    return kind_of_class(type(value))


def kind_of_class(cls: type[Any]) -> str:
    """The full name of a class."""
    return f"{cls.__module__}.{cls.__qualname__}"


def shown(value: Any) -> str:
    """The `repr` of a value, as far as two runs have it in common."""
    if isinstance(value, (datetime.timedelta, datetime.datetime)):
        return "a time"
    if isinstance(value, Mapping):
        items = ((name, shown(each)) for name, each in value.items())
        return _steady(repr([(name, each) for name, each in items if str(name).lower() not in TRACE_CONTEXT]))
    return _steady(repr(value))


def _steady(text: str) -> str:
    return _PASSING.sub("…", normal(text))


@contextmanager
def lifetimes() -> Iterator[None]:
    """Within the block nothing is collected but by `gc.collect`, and that only looks at what was made in the block."""
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def changes(before: Any, after: Any, path: str = "") -> list[str]:
    """Every fact that is not the same, a line each, to be read in a failed test."""
    if before == after:
        return []
    if isinstance(before, list) and isinstance(after, list):
        before, after = (
            [each for each in one if each not in other] or one for one, other in ((before, after), (after, before))
        )
    if isinstance(before, dict) and isinstance(after, dict):
        names = dict.fromkeys([*before, *after])
        return [line for name in names for line in changes(before.get(name), after.get(name), f"{path}{name}: ")]
    return [f"{path}{before!r} became {after!r}"]
