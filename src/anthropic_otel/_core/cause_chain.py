"""The exceptions below the one that an app sees, and by which library each was made.

How they are found, measured on httpx, httpx2 and aiohttp, sync and async, and on the HTTP clients of the libraries that
fetch credentials:

- an exception's `__cause__`;
- from an httpcore exception, which is raised `from None`, its `args[0]`; requests and urllib3 keep the origin in `args`
  or in `reason` too, urllib in `reason`, botocore in `kwargs["error"]`;
- the members of an exception group, which anyio raises when several addresses were tried; asyncio raises an `OSError`
  that quotes the number of each.

Rule: `__context__` is never followed. It leads into exceptions that the app has handled, and into the cancellation by
which a timeout is implemented.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from anthropic_otel._core.semconv import Phase

HTTPCORE: Final = frozenset({"httpcore", "httpcore2"})
HTTPX: Final = frozenset({"httpx", "httpx2", "httpcore", "httpcore2"})
CLIENTS: Final = HTTPX - HTTPCORE
AIOHTTP: Final = frozenset({"aiohttp"})
ANYIO: Final = frozenset({"anyio", "trio"})

_MAX_DEPTH: Final = 16
_ORIGIN_IN_ARGS: Final = HTTPCORE | {"urllib3", "requests"}
_ORIGIN_IN_REASON: Final = frozenset({"urllib3", "urllib"})
_ORIGIN_IN_KWARGS: Final = frozenset({"botocore"})


@dataclass(frozen=True)
class Failure:
    """A failed send or body.

    - `errors`: the exception and what caused it, outermost first, each once.
    - `phase`: the phase that was under way, as the transport told it, `None` if it did not.
    """

    errors: tuple[BaseException, ...]
    phase: Phase | None

    def has(self, libraries: frozenset[str], *names: str) -> bool:
        """Whether one of the exceptions is of a class with one of `names` that one of `libraries` defines."""
        return any(is_a(error, libraries, *names) for error in self.errors)

    @property
    def answered(self) -> bool:
        """Whether the request is known to have been sent, so that what went wrong then came from the server."""
        return self.phase in (Phase.WAIT, Phase.RECEIVE)

    @property
    def network_phase(self) -> Phase | None:
        """The phase that failed: what the transport told, or what the exceptions say if it told none or `AUTH`.

        In `AUTH` another exchange, which fetches credentials, has failed: its own phase is wanted.
        """
        return self.own_phase if self.phase in (None, Phase.AUTH) else self.phase

    @property
    def own_phase(self) -> Phase | None:
        """What the exceptions alone say of the phase, `None` where they say nothing."""
        if any(root(type(error)) in AIOHTTP for error in self.errors):
            # Its transport raises what httpx raises for a connect also for what happens much later.
            return Phase.CONNECT if self.has(AIOHTTP, *_CONNECTING) else None
        return next(
            (phase for error in self.errors for name, phase in _PHASE_BY_TYPE if is_a(error, _TELLS_PHASE, name)), None
        )


_TELLS_PHASE: Final = HTTPX | {"urllib3", "botocore"}
_PHASE_BY_TYPE: Final = (
    ("PoolTimeout", Phase.POOL),
    ("ConnectTimeout", Phase.CONNECT),
    ("ConnectError", Phase.CONNECT),
    ("ProxyError", Phase.CONNECT),
    ("NewConnectionError", Phase.CONNECT),
    ("ConnectTimeoutError", Phase.CONNECT),
    ("EndpointConnectionError", Phase.CONNECT),
    ("WriteTimeout", Phase.SEND),
    ("WriteError", Phase.SEND),
)

_CONNECTING: Final = (
    "ClientConnectorError",
    "ClientHttpProxyError",
    "ConnectionTimeoutError",
    "ServerFingerprintMismatch",
)
"""What aiohttp raises before it has a connection."""


def chain(error: BaseException) -> Iterator[BaseException]:
    """`error` and what caused it, outermost first, each once. At most `_MAX_DEPTH` of them."""
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
    # Of several addresses those without a route say least: a host without IPv6 has many of them.
    yield from sorted(_members(error), key=lambda member: _attribute(member, "errno") not in _NO_ROUTE)
    if error.__cause__ is not None:
        yield error.__cause__
    else:
        yield from (origin for origin in _kept_origins(error) if isinstance(origin, BaseException))


def _kept_origins(error: BaseException) -> Iterator[object]:
    """What a library keeps in attributes of its exception, and not in `__cause__`."""
    library = root(type(error))
    if library in _ORIGIN_IN_ARGS:
        yield from error.args[:2]
    if library in _ORIGIN_IN_REASON:
        yield _attribute(error, "reason")
    if library in _ORIGIN_IN_KWARGS:
        details = _attribute(error, "kwargs")
        yield details.get("error") if isinstance(details, dict) else None


def _members(error: BaseException) -> list[BaseException]:
    """The exceptions of a group; and those of several addresses, of which asyncio leaves the texts alone."""
    members = _attribute(error, "exceptions")
    if isinstance(members, (tuple, list)):
        return [member for member in members if isinstance(member, BaseException)]
    if type(error) is OSError and error.errno is None and (text := text_of(error)).startswith("Multiple exceptions: "):
        return [OSError(int(number), "") for number in _NUMBER.findall(text[:_MAX_TEXT])]
    return []


_NUMBER: Final = re.compile(r"\[Errno (\d{1,5})\]")
_MAX_TEXT: Final = 4_096
_NO_ROUTE: Final = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def _attribute(error: BaseException, name: str) -> object:
    """An attribute of an exception, `None` without it, or where it cannot be had."""
    try:
        return getattr(error, name, None)
    except Exception:
        return None


def text_of(error: BaseException) -> str:
    """The text of an exception, empty where it has none that can be had."""
    try:
        return str(error)
    except Exception:
        return ""


Frame = tuple[str, str]
"""The package and the function of one frame of a traceback."""


def frames(error: BaseException) -> Iterator[Frame]:
    """What `error` came through, from where it was caught to where it was raised."""
    step = error.__traceback__
    while step is not None:
        frame = step.tb_frame
        yield str(frame.f_globals.get("__name__", "")).partition(".")[0], frame.f_code.co_name
        step = step.tb_next


def root(cls: type[BaseException]) -> str:
    """The package that defines `cls`."""
    return str(cls.__module__).partition(".")[0]


def is_a(error: BaseException, libraries: frozenset[str], *names: str) -> bool:
    """Whether `error` is an instance of a class with one of `names` that one of `libraries` defines.

    By name, as the libraries are not dependencies and two generations of them may be loaded at once.
    """
    return any(cls.__name__ in names and root(cls) in libraries for cls in type(error).__mro__)
