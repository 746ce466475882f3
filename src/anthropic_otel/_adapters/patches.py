"""The one way in which functions of other libraries' classes are replaced, and restored.

Rule: a patch puts a plain function on the class that defines the name. So instances that exist and instances to come,
copies, bound methods and subclasses all go through it, and nothing is put on an instance.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

from anthropic_otel._core.guard import log

Function = Callable[..., Any]
Wrap = Callable[[Function, "Patch"], Function]
"""Makes our function from the original. It asks the patch at every call whether it is active."""


class Patch:
    """Our function in place of `name` on the class `cls`, which defines it."""

    def __init__(self, cls: type[Any], name: str, wrap: Wrap) -> None:
        self._cls: Final = cls
        self._name: Final = name
        self._original: Final = cls.__dict__[name]
        self.active = True
        self._ours: Final = wrap(self._original, self)
        # What others put on top by `functools.wraps` has it too.
        setattr(self._ours, _PATCH, self)
        setattr(cls, name, self._ours)

    def undo(self) -> None:
        """Restores the class. What another library has put on top of ours since stays, and ours passes through."""
        self.active = False
        if self._cls.__dict__.get(self._name) is self._ours:
            setattr(self._cls, self._name, self._original)


_PATCH: Final = "_anthropic_otel_patch"
"""The attribute of a function of ours that has its patch: a second copy of this library knows the first by it."""


def is_patched_by_another_copy(cls: type[Any], name: str) -> bool:
    """Whether another copy of this library, as one that is vendored, has an active patch there."""
    patch = getattr(cls.__dict__.get(name), _PATCH, None)
    return patch is not None and not isinstance(patch, Patch) and bool(getattr(patch, "active", False))


def patchable(cls: type[Any], name: str) -> bool:
    """Whether `cls` itself defines `name` as a method: not as a mock, which is to be seen as it is, and not patched by
    another copy of this library, which would record everything twice.
    """
    if is_patched_by_another_copy(cls, name):
        _warn_of_another_copy()
        return False
    return hasattr(type(cls.__dict__.get(name)), "__get__")


@functools.lru_cache(maxsize=1)
def _warn_of_another_copy() -> None:
    log.warning("Another copy of anthropic_otel records this process already; this one leaves it to that")
