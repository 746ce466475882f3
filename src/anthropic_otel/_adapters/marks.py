"""Defines the mark on an HTTP client that was instrumented by itself, or excluded from an instrumented process.

Rule: it is in the client's `__dict__`, so that a copy which `copy.copy` makes has it too. The functions that set marks
or remove them are called by one thread at a time.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any, Final

from anthropic_otel._core.runtime import Runtime

MARK: Final = "_anthropic_otel"
"""The key in an HTTP client's `__dict__` of the `Mark` that says how that client is recorded."""


class Mark:
    """Says how an HTTP client that has it is recorded. It is not changed.

    - `runtime`: the runtime that records the client; `None` if the client is excluded from an instrumented process.
    - `calls`: whether an SDK client was instrumented, and not only its HTTP client: then the SDK's calls by it are
      recorded. Without, they are only recorded if the process has a runtime too.
    - `excluded_from`: the runtime of the process that the client was excluded from, else `None`.

    A mark is over, and does not count, once its runtime, or the one that it excludes from, is not active any more. A
    deep copy is the same mark. One that is unpickled, as in another process, has neither runtime, and is never over.
    """

    __slots__ = ("calls", "excluded_from", "runtime")

    def __init__(
        self, runtime: Runtime | None = None, *, calls: bool = False, excluded_from: Runtime | None = None
    ) -> None:
        self.runtime: Final = runtime
        self.calls: Final = calls
        self.excluded_from: Final = excluded_from

    @property
    def is_over(self) -> bool:
        """Whether `runtime`, else `excluded_from`, is not active any more. `False` if there is neither.

        So marks end also on copies of a client, where `uninstrument` cannot remove them.
        """
        holds = self.runtime or self.excluded_from
        return holds is not None and not holds.active

    def __deepcopy__(self, memo: object) -> Mark:
        return self

    def __reduce__(self) -> tuple[type[Mark], tuple[()]]:
        return (Mark, ())


def mark_of(http_client: Any) -> Mark | None:
    """Returns the mark of an HTTP client; `None` without one, if it is over, and for an object without a `__dict__`."""
    try:
        mark = http_client.__dict__.get(MARK)
    except AttributeError:
        return None
    return mark if isinstance(mark, Mark) and not mark.is_over else None


def runtime_of(http_client: Any) -> Runtime | None:
    """Returns the active runtime of an HTTP client that was instrumented by itself, or of its copy; else `None`."""
    mark = mark_of(http_client)
    return mark.runtime if mark is not None else None


Clients = list[weakref.ref[Any]]
"""Weak references to the HTTP clients that `give` has given a mark. Some may be dead, or not have it any more."""


def marked(clients: Clients) -> list[Any]:
    """Returns those of `clients` that are alive and have a mark that is not over, each once."""
    alive = {id(found): found for ref in clients for found in (ref(),) if found is not None}
    return [http_client for http_client in alive.values() if mark_of(http_client) is not None]


def give(http_client: Any, mark: Mark, clients: Clients) -> Clients:
    """Gives an HTTP client `mark`, and with it those of `clients` that had the same mark as it until now.

    Returns a copy of `clients` with that client, and without those that are not alive.
    """
    for each in _with_copies(http_client, clients):
        vars(each)[MARK] = mark
    # Never empty again, even if only copies of a marked client are alive: these have its mark too.
    others = [ref for ref in clients if ref() is not None and ref() is not http_client]
    return [*others, weakref.ref(http_client)]


def take(http_client: Any, clients: Clients) -> None:
    """Takes the mark off an HTTP client, if it has one, and off those of `clients` that have the same mark."""
    for each in _with_copies(http_client, clients):
        vars(each).pop(MARK, None)


def take_all(http_clients: Iterable[Any]) -> None:
    """Takes the mark off each of the HTTP clients, also a mark that is over (`Mark.is_over`)."""
    for http_client in http_clients:
        vars(http_client).pop(MARK, None)


def _with_copies(http_client: Any, clients: Clients) -> list[Any]:
    """Returns a list of `http_client`, and of those of `clients` that have the same mark as it.

    Mostly none of `clients` has the same mark. Some have if the Anthropic SDK before 2.6 has made HTTP clients for
    copies of an SDK client (`client_copies`). If `http_client` has no mark, it is alone in the list.
    """
    mark = mark_of(http_client)
    others = [each for each in marked(clients) if each is not http_client]
    return [http_client, *(each for each in others if mark_of(each) is mark)]
