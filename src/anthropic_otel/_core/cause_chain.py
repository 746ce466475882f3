"""Finds the exceptions that caused the one which an app sees, where each was raised, and which library defines it.

How they are found, measured on httpx, httpx2 and aiohttp, sync and async, and on the HTTP clients of the libraries that
fetch credentials:

- an exception's `__cause__`;
- without one, what its library keeps elsewhere: httpcore, which raises `from None`, requests and google-auth in `args`,
  urllib3 in `args` or `reason`, urllib in `reason`, botocore in `kwargs["error"]`, azure-core in `inner_exception`;
- the members of an exception group, which anyio raises when several addresses were tried; asyncio raises an `OSError`
  that quotes the number of each, and aiohttp an error of the body that quotes the system's.

Rule: `chain` never follows `__context__`. It leads to exceptions that the app has handled, and to the cancellation by
which a timeout is implemented. `replaced` does, only to what was caught within the failed send itself.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator, Mapping
from typing import Final, TypeVar

from anthropic_otel._core.stack import package_of, stack

Value = TypeVar("Value")

HTTPCORE: Final = frozenset({"httpcore", "httpcore2"})
CLIENTS: Final = frozenset({"httpx", "httpx2"})
SDK_OR_CLIENTS: Final = CLIENTS | {"anthropic"}
_FAMILIES: Final = {
    **dict.fromkeys(CLIENTS | HTTPCORE, "httpx"),
    **dict.fromkeys(("anyio", "trio"), "anyio"),
    **dict.fromkeys(("socksio", "python_socks", "aiohttp_socks"), "socks"),
    **dict.fromkeys(("urllib3", "requests", "botocore", "google", "azure"), "platform"),
    # Python's own decoder of Zstandard is in `compression` since 3.14, and its backport in `backports`.
    **dict.fromkeys(("zlib", "brotli", "brotlicffi", "zstandard", "compression", "backports"), "decoder"),
}
"""The name that packages have in common in the rules.

`platform` are those by which cloud platforms are reached, `decoder` those that decode a body.
"""

_MAX_DEPTH: Final = 16
_ORIGINS: Final = {
    **dict.fromkeys(HTTPCORE | {"requests", "google"}, ("args",)),
    "urllib3": ("args", "reason"),
    "urllib": ("reason",),
    "azure": ("inner_exception",),
    "botocore": ("kwargs",),
}
"""The attributes in which a library, by its package, keeps the origin of an exception."""


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yields `error` and the exceptions that caused it, breadth first, each once, 16 at most in all. Never raises.

    What caused an exception is what `_below` yields for it.
    """
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting and len(seen) < _MAX_DEPTH:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting.extend(_below(current))


def _below(error: BaseException) -> Iterator[BaseException]:
    """Yields the exceptions that directly caused `error`: first its `_members`, then its `__cause__`.

    If its `__cause__` is `None`, the exceptions that its library keeps elsewhere (`_ORIGINS`) take that place. Members
    for an address without a route come before other members.
    """
    # Errors of addresses without a route come first, as the last one is judged first: on a host without IPv6 there are
    # many, and they say little.
    yield from sorted(_members(error), key=lambda member: attribute_of(member, "errno") not in _NO_ROUTE)
    if error.__cause__ is not None:
        yield error.__cause__
    else:
        yield from (origin for origin in _kept_origins(error) if isinstance(origin, BaseException))


def _kept_origins(error: BaseException) -> Iterator[object]:
    """Yields the values in which the library of `error` keeps its origin instead of in `__cause__`, of any type.

    Yields none for a library that is not known to do so.
    """
    for name in _ORIGINS.get(root(type(error)), ()):
        value = attribute_of(error, name)
        if name == "args":
            yield from error.args[:2]
        else:
            yield value.get("error") if isinstance(value, dict) else value


def _members(error: BaseException) -> list[BaseException]:
    """Returns the exceptions of an exception group, or a `_Quoted` for each error of the system that `error` quotes.

    asyncio's `OSError` for several addresses quotes those of the addresses, and aiohttp's `ClientPayloadError` at most
    one, at its end. Empty for any other exception.
    """
    members = attribute_of(error, "exceptions")
    if isinstance(members, (tuple, list)):
        return [member for member in members if isinstance(member, BaseException)]
    if type(error) is OSError and error.errno is None and (text := text_of(error)).startswith("Multiple exceptions: "):
        return [_Quoted(int(number), kind == "WinError") for kind, number in _NUMBER.findall(text[:_MAX_TEXT])]
    if is_a(error, "aiohttp.ClientPayloadError") and (found := _REPR.search(text_of(error)[-_MAX_TEXT:])) is not None:
        number, of_windows = found.groups()
        return [_Quoted(int(of_windows or number), of_windows is not None)]
    return []


class _Quoted(OSError):
    """An error of the system that only the text of another exception tells. `number` becomes its `errno`.

    `of_windows` is whether the number is one of Windows' own: then it is the `winerror` too, which is else `None`.
    """

    def __init__(self, number: int, of_windows: bool) -> None:
        super().__init__(number, "")
        self.winerror = number if of_windows else None


_NUMBER: Final = re.compile(r"\[(Errno|WinError) (\d{1,5})\]")
_REPR: Final = re.compile(
    r"\. (?:ConnectionReset|ConnectionAborted|BrokenPipe|Timeout|OS|ClientOS)Error\((\d{1,5}), .*?"
    r"(?:, None, (\d{1,5}), None)?\)$"
)
"""The `repr` of an error of the system at the end of a text: its errno and, on Windows, the number of Windows."""
_MAX_TEXT: Final = 4_096
_NO_ROUTE: Final = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def attribute_of(error: BaseException, name: str) -> object:
    """Returns the attribute `name` of `error`, `None` if there is none or getting it raises an `Exception`."""
    try:
        return getattr(error, name, None)
    except Exception:
        return None


def text_of(error: BaseException) -> str:
    """Returns `str(error)`, an empty text if that raises an `Exception`."""
    try:
        return str(error)
    except Exception:
        return ""


def replaced(error: BaseException) -> Exception | None:
    """Returns the exception that was being handled when `error`, or one that caused it, was raised without a cause.

    `error` is what a send raised: a wrapper of the app's may catch what its transport raises, and raise another, by
    `from None` too. `None` if no `Exception` was being handled, or only one that the app was handling already when it
    called the send. That one was caught by a function outside the send, which is not in the traceback of `error`.
    """
    for raised in chain(error):
        context = raised.__context__
        caught = context.__traceback__ if isinstance(context, Exception) else None
        if caught is not None and raised.__cause__ is None and any(caught.tb_frame is each for each in stack(raised)):
            return context if isinstance(context, Exception) else None
    return None


Frame = tuple[str, str]
"""The names of the top-level package and of the function of one frame of a traceback."""


def frames(error: BaseException) -> Iterator[Frame]:
    """Yields a `Frame` for each frame in the traceback of `error`; the last one is that which raised it."""
    return ((package_of(frame), frame.f_code.co_name) for frame in stack(error))


def raised_in(error: BaseException) -> Frame:
    """Returns the package and function that raised `error`, two empty texts if it has no traceback."""
    *_, last = ("", ""), *frames(error)
    return last


def root(cls: type[BaseException]) -> str:
    """Returns the top-level package that defines `cls`, such as `httpx` or `builtins`."""
    return str(cls.__module__).partition(".")[0]


def is_a(error: BaseException, *names: str) -> bool:
    """Returns whether `error` is an instance of one of the named classes, or of a subclass of one.

    A name is `package.Class`, as `httpx.ReadError`. The package is the top-level one that defines the class, but for
    one in `_FAMILIES` the value there. Classes are compared by name, as the libraries are not dependencies and two
    generations of them may be loaded at once.
    """
    return any(f"{_library(cls)}.{cls.__name__}" in names for cls in type(error).__mro__)


def by_class(error: BaseException, table: Mapping[str, Mapping[Value, str]]) -> Value | None:
    """Returns the value in `table` for the class of `error`, or for the nearest base class that has one, else `None`.

    `table` has an entry for each library, under the name that it has in `is_a`. An entry maps a value to the names of
    the classes that have it, separated by spaces.
    """
    for cls in type(error).__mro__:
        for value, names in table.get(_library(cls), {}).items():
            if cls.__name__ in names.split():
                return value
    return None


def _library(cls: type[BaseException]) -> str:
    package = root(cls)
    return _FAMILIES.get(package, package)
