"""Chains of exceptions as the HTTP libraries make them, from the libraries' real exceptions by their own mapping."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import NamedTuple

import httpcore
import httpcore2
import httpx
import httpx2


class Stack(NamedTuple):
    """One of the two generations of the HTTP libraries."""

    http: ModuleType
    core: ModuleType


STACKS = (Stack(httpx, httpcore), Stack(httpx2, httpcore2))


def raised(act: Callable[[], object]) -> BaseException:
    """What `act` raises, with its cause and context as raising leaves them."""
    try:
        act()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def chain(stack: Stack, name: str, origin: BaseException | None = None, *, message: str = "") -> BaseException:
    """An error of httpx, `name`, over the same of httpcore, which the pool raises `from None`, over `origin`."""

    def pool() -> None:
        core_error = getattr(stack.core, name)
        try:
            raise (core_error(message) if origin is None else core_error(origin)) from origin
        except core_error as error:
            raise error from None

    def transport() -> None:
        with stack.http._transports.default.map_httpcore_exceptions():
            pool()

    error = raised(transport)
    assert type(error) is getattr(stack.http, name)
    cause = error.__cause__
    assert cause is not None
    assert type(cause) is getattr(stack.core, name)
    assert cause.__cause__ is None
    return error


def over(outer: BaseException, inner: BaseException) -> BaseException:
    outer.__cause__ = inner
    return outer


def os_error(number: int) -> OSError:
    return OSError(number, "text of the system")
