"""Replaces functions of other libraries' classes, and restores them. Nothing else in the library does.

It also finds mocks, the patches of other copies of this library, and the modules that are imported.

Rule: a patch puts a plain function on the class that defines the name, and nothing on an instance. So instances that
exist, instances to come and their copies go through it, and so do subclasses that inherit the function. A bound method
that was taken before does not.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType
from typing import Any, Final

from anthropic_otel._core.guard import log

Function = Callable[..., Any]
Wrap = Callable[[Function, "Patch"], Function]
"""Returns the replacement for the original function that it is given, with the `Patch` that it is for.

The replacement must check `Patch.active` at every call. It must be a closure with the `Patch` in a variable `patch`, by
which other code finds that.
"""


class Patch:
    """A replaced function. Creating a `Patch` replaces the function `name` of `cls`, which must define it itself.

    `wrap` makes the replacement, which is given the signature of the original. `active` is `True` until `undo`. `owner`
    is the `Wiring` of a patch of `send`, whose `uninstrument` a later copy of this package may call; else `None`.
    """

    def __init__(self, cls: type[Any], name: str, wrap: Wrap, owner: Any = None) -> None:
        self.owner: Final = owner
        self._cls: Final = cls
        self._name: Final = name
        self._original: Final = cls.__dict__[name]
        self.active = True
        self._ours: Final = wrap(_function_of(self._original), self)
        _take_signature(self._ours, self._original)
        setattr(cls, name, self._ours)

    @property
    def lost(self) -> bool:
        """Whether the class now has something else than the replacement, and that is known not to call it.

        That is a plain function of the class's own package that wraps nothing, as after the end of a mock that was
        there before this patch; the replacement of a patch that was undone; or a wrapper that leads to one of these by
        `__wrapped__`, and not to the replacement first. Anything else may call the replacement.
        """
        for current in _wrapped(self._cls.__dict__.get(self._name)):
            if current is self._ours:
                return False
            earlier = _patch_of(current)
            if isinstance(earlier, Patch):
                return not earlier.active
            if type(current) is FunctionType and not hasattr(current, "__wrapped__"):
                return _package(current) == _package(self._cls)
        return False

    def undo(self) -> None:
        """Sets `active` to `False`. Puts the original back if the class still has the replacement."""
        self.active = False
        if self._cls.__dict__.get(self._name) is self._ours:
            setattr(self._cls, self._name, self._original)


_MAX_WRAPPERS: Final = 16
"""How many objects in a chain of wrappers are looked at. A mock wraps mocks without end."""


def _package(defined: Any) -> str:
    return str(getattr(defined, "__module__", "")).partition(".")[0]


def _take_signature(ours: Any, original: Any) -> None:
    """Gives `ours` the signature of `original` as its `__signature__`, for code that does not follow `__wrapped__`.

    Gives it the `__kwdefaults__` of `original` too, the defaults of keyword-only parameters. Leaves `ours` as it is if
    the signature of `original` cannot be read.
    """
    try:
        ours.__signature__ = inspect.signature(original)
        ours.__kwdefaults__ = getattr(original, "__kwdefaults__", None)
    except Exception:
        # A descriptor that cannot be called, or annotations that are evaluated here and name what is not there.
        return


def _function_of(original: Any) -> Function:
    """Returns `original` if it is a plain function, else a function that calls it as a method of the first argument.

    Another library may have replaced the function by another descriptor, as wrapt does for ddtrace. Called with the
    instance, and not as a method of it, that would pass the instance on as an ordinary argument.
    """
    # Not `isinstance`: a proxy of wrapt has the class of the wrapped function as its `__class__`.
    if type(original) is FunctionType:
        return original

    @functools.wraps(original)
    def bound(self: Any, *args: Any, **kwargs: Any) -> Any:
        return original.__get__(self, type(self))(*args, **kwargs)

    return bound


executed: Final[set[str]] = set()
"""The names of modules whose code has run to its end although their import has not finished. `_live` adds to it."""


def imported(name: str) -> Any:
    """Returns the module `name` if it is imported completely, else `None`. Imports nothing.

    A module whose name is in the set `executed` of this file counts as completely imported.
    """
    module = sys.modules.get(name)
    if name in executed:
        return module
    return None if getattr(getattr(module, "__spec__", None), "_initializing", False) else module


def import_if_installed(name: str) -> bool:
    """Imports the module `name`. Returns whether that worked; `False` if it is not installed or its import fails.

    Warns if the import raises another `Exception` than `ImportError`. What is no `Exception` is raised.
    """
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    except Exception as error:
        log.warning("%s is installed and cannot be imported: %s", name, type(error).__name__)
        return False
    return True


def is_patched_by_another_copy(cls: type[Any], name: str) -> bool:
    """Returns whether what `cls` itself has as `name` is the replacement of another copy of this library.

    Another copy is a vendored one, whatever its package is called, or one from before a reloader imported the library
    anew. `False` if that patch is not active any more, or if its replacement is below a wrapper.
    """
    patch = _patch_of(cls.__dict__.get(name))
    kind = type(patch)
    if kind is Patch or kind.__name__ != Patch.__name__ or not f".{kind.__module__}".endswith(_MODULE):
        return False
    return bool(getattr(patch, "active", False))


_MODULE: Final = "." + ".".join(__name__.split(".")[-2:])
"""The end of this module's name, which a copy of it has in another package too."""


def patches_of_earlier_copies(cls: type[Any], name: str) -> Iterator[Any]:
    """Yields each active `Patch` that an earlier copy of this package has made of the function `name` of `cls`.

    An earlier copy is one with the same package name, which a reloader has imported before this one. A replacement of
    it is also found below wrappers of other libraries that lead to it by `__wrapped__`.
    """
    for function in _wrapped(cls.__dict__.get(name)):
        patch = _patch_of(function)
        if type(patch) is not Patch and type(patch).__module__ == __name__ and getattr(patch, "active", False):
            yield patch


def _wrapped(function: Any) -> Iterator[Any]:
    """Yields `function`, what that wraps by its `__wrapped__`, and so on: `_MAX_WRAPPERS` objects at most."""
    for _ in range(_MAX_WRAPPERS):
        if function is None:
            return
        yield function
        function = getattr(function, "__wrapped__", None)


def _patch_of(function: Any) -> Any:
    """Returns the `Patch` that made `function`, also of another copy of this library: it is found in its closure.

    For another function: `None`, or whatever that has under the name `patch` in its closure.
    """
    code, cells = getattr(function, "__code__", None), getattr(function, "__closure__", None) or ()
    # Not `isinstance`: the `__code__` of an asynchronous mock is a mock that claims to be code.
    variables = dict(zip(code.co_freevars, cells, strict=True)) if type(code) is CodeType else {}
    try:
        return variables["patch"].cell_contents
    except (KeyError, ValueError):
        # It has no such variable, or none with a value yet.
        return None


def patchable(cls: type[Any], name: str) -> bool:
    """Returns whether `cls` itself defines `name` as a function or another descriptor, which can be patched.

    `False` for a mock (`is_mocked`), which must stay as it is. `False` too if `is_patched_by_another_copy`, as both
    copies would record everything: the first time in the process, a warning says so.
    """
    if is_patched_by_another_copy(cls, name):
        _warn_of_another_copy()
        return False
    return hasattr(type(cls.__dict__.get(name)), "__get__")


def is_mocked(cls: type[Any], name: str) -> bool:
    """Returns whether what `cls` itself has as `name` is no descriptor, as a mock is none.

    `False` if `cls` itself has nothing of that name. A mock that `autospec=True` makes of a function is a function, and
    does not count.
    """
    return name in cls.__dict__ and not hasattr(type(cls.__dict__[name]), "__get__")


@functools.lru_cache(maxsize=1)
def warn_of_lost_patch() -> None:
    """Logs one warning per process: another library has removed a patch of this library, which is patched again."""
    log.warning(
        "Another library has undone what anthropic_otel had patched, as one that restores what it found at its start. "
        "It is patched again; what was sent meanwhile may not be recorded. Call instrument() after that library"
    )


@functools.lru_cache(maxsize=1)
def _warn_of_another_copy() -> None:
    log.warning("Another copy of anthropic_otel records this process already; this one leaves it to that")


def another_copy_was_met() -> bool:
    """Returns whether `patchable` has ever found a patch by another copy of this library."""
    return _warn_of_another_copy.cache_info().currsize > 0
