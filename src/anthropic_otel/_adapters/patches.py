"""The one way in which functions of other libraries' classes are replaced, and restored.

Rule: a patch puts a plain function on the class that defines the name. So instances that exist and instances to come,
copies, bound methods and subclasses all go through it, and nothing is put on an instance.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

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
        setattr(cls, name, self._ours)

    def undo(self) -> None:
        """Restores the class. What another library has put on top of ours since stays, and ours passes through."""
        self.active = False
        if self._cls.__dict__.get(self._name) is self._ours:
            setattr(self._cls, self._name, self._original)


def patchable(cls: type[Any], name: str) -> bool:
    """Whether `cls` itself defines `name` as a method, and not as a mock, which is to be seen as it is."""
    return hasattr(type(cls.__dict__.get(name)), "__get__")
