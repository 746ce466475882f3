"""The one way in which functions of other libraries' classes are replaced, beside others that do so too."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from anthropic_otel._adapters.patches import Function, Patch


class Descriptor:
    """What is put on a class by a library that wraps by a descriptor, as wrapt does: unbound, it knows no instance."""

    def __init__(self, function: Callable[..., Any], instance: object = None) -> None:
        self._function = function
        self._instance = instance
        functools.update_wrapper(self, function)

    @property  # type: ignore[misc]  # the class of every object can be assigned to, but for that of a proxy
    def __class__(self) -> type[Any]:
        """That of what it wraps, as with wrapt."""
        return type(self._function)

    def __get__(self, instance: object, owner: type[Any]) -> Descriptor:
        return Descriptor(self._function, instance)

    def __call__(self, *args: Any) -> Any:
        return self._function(self._instance, *args)


def passing(original: Function, patch: Patch) -> Function:
    """A wrapper that passes everything on."""

    @functools.wraps(original)
    def send(self: Any, *args: Any) -> Any:
        return original(self, *args)

    return send


def test_a_descriptor_that_is_no_function_is_bound_before_it_is_called() -> None:
    """Another library's descriptor below ours gets the instance as if ours were not there, and is restored."""

    class Client:
        def send(self, request: str) -> tuple[object, str]:
            return self, request

    theirs = Descriptor(Client.send)
    Client.send = theirs  # type: ignore[method-assign,assignment]
    patch = Patch(Client, "send", passing)
    client = Client()
    assert client.send("request") == (client, "request")
    patch.undo()
    assert Client.__dict__["send"] is theirs
