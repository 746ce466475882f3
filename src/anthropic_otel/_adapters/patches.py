"""The one way in which functions of other libraries' classes are replaced, and restored.

Rule: a patch puts a plain function on the class that defines the name. So instances that exist and instances to come,
copies, bound methods and subclasses all go through it, and nothing is put on an instance.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from collections.abc import Callable
from types import CodeType, FunctionType
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
        self._ours: Final = wrap(_function_of(self._original), self)
        _take_signature(self._ours, self._original)
        setattr(cls, name, self._ours)

    def undo(self) -> None:
        """Restores the class. What another library has put on top of ours since stays, and ours passes through."""
        self.active = False
        if self._cls.__dict__.get(self._name) is self._ours:
            setattr(self._cls, self._name, self._original)


def _take_signature(ours: Any, original: Any) -> None:
    """Makes `ours` tell of its arguments what `original` does, also to those that look past `__wrapped__`."""
    try:
        ours.__signature__ = inspect.signature(original)
        ours.__kwdefaults__ = getattr(original, "__kwdefaults__", None)
    except (TypeError, ValueError):
        # A descriptor that cannot be called.
        return


def _function_of(original: Any) -> Function:
    """`original` as a function that takes the instance first.

    Another library may have put a descriptor there that is no function, as wrapt does for ddtrace: called without being
    bound, it takes the instance for the first argument.
    """
    # A proxy of wrapt's says that its class is that of what it wraps.
    if type(original) is FunctionType:
        return original

    @functools.wraps(original)
    def bound(self: Any, *args: Any, **kwargs: Any) -> Any:
        return original.__get__(self, type(self))(*args, **kwargs)

    return bound


executed: Final[set[str]] = set()
"""Modules whose code is known to have run to its end, although their import has not finished."""


def imported(name: str) -> Any:
    """The module `name`, if the app has imported it and all of it is there; else `None`."""
    module = sys.modules.get(name)
    if name in executed:
        return module
    return None if getattr(getattr(module, "__spec__", None), "_initializing", False) else module


def import_if_installed(name: str) -> bool:
    """Imports the module `name`. Returns whether that worked. It is the app's own error if it cannot be imported."""
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    except Exception as error:
        log.warning("%s is installed and cannot be imported: %s", name, type(error).__name__)
        return False
    return True


def is_patched_by_another_copy(cls: type[Any], name: str) -> bool:
    """Whether another copy of this library has an active patch there: one that is vendored, or that was imported before
    a reloader has imported the library anew.

    A patch is a variable of the function that it put there, and has the class of its copy.
    """
    function: Any = cls.__dict__.get(name)
    code, cells = getattr(function, "__code__", None), getattr(function, "__closure__", None) or ()
    # By its type: an asynchronous mock has a mock for its code, which says that it is one.
    variables = dict(zip(code.co_freevars, cells, strict=True)) if type(code) is CodeType else {}
    patch = variables["patch"].cell_contents if "patch" in variables else None
    kind = type(patch)
    if kind is Patch or kind.__name__ != Patch.__name__ or not f".{kind.__module__}".endswith(f".{__name__}"):
        return False
    return bool(getattr(patch, "active", False))


def patchable(cls: type[Any], name: str) -> bool:
    """Whether `cls` itself defines `name` as a method: not as a mock, which is to be seen as it is, and not patched by
    another copy of this library: two would record everything twice, and only the first has the counters.
    """
    if is_patched_by_another_copy(cls, name):
        _warn_of_another_copy()
        return False
    return hasattr(type(cls.__dict__.get(name)), "__get__")


@functools.lru_cache(maxsize=1)
def _warn_of_another_copy() -> None:
    log.warning("Another copy of anthropic_otel records this process already; this one leaves it to that")


def another_copy_was_met() -> bool:
    """Whether something was left to another copy of this library."""
    return _warn_of_another_copy.cache_info().currsize > 0
