"""Functions of other libraries' classes that are replaced, and restored."""

from __future__ import annotations

import functools
import importlib.util
from typing import Any, cast

import pytest

from anthropic_otel._adapters import http_send, patches
from anthropic_otel._adapters.patches import Patch, Wrap, is_patched_by_another_copy, patchable


class Client:
    def send(self) -> str:
        return "sent"


@pytest.fixture
def cls() -> type[Any]:
    """A class of its own for each test, that defines `send`."""
    return type("Fresh", (), {"send": Client.__dict__["send"]})


def vendored(module: str, wrapper: str, *first: object) -> Wrap:
    """`wrapper` of the library's own module `module`, as another copy of the library has it."""
    own = importlib.import_module(f"anthropic_otel._adapters.{module}")
    spec = importlib.util.spec_from_file_location(f"vendored.{own.__name__}", own.__file__)
    assert spec is not None
    assert spec.loader is not None
    copy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copy)
    return functools.partial(getattr(copy, wrapper), *first)


@pytest.mark.parametrize(
    ("module", "wrapper", "first"),
    [
        *(("http_send", name, [None]) for name in ("_sync_send", "_async_send")),
        *(("sdk", name, [None, None]) for name in ("_sync_request", "_async_request")),
        ("models", "wrap_build_request", []),
    ],
)
@pytest.mark.parametrize("active", [True, False])
def test_what_another_copy_of_the_library_has_patched_is_left_to_it(
    cls: type[Any], module: str, wrapper: str, first: list[None], active: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Two copies would record everything twice, so the second leaves it and says so once; not after an undo."""
    patches._warn_of_another_copy.cache_clear()
    Patch(cls, "send", vendored(module, wrapper, *first)).active = active
    assert is_patched_by_another_copy(cls, "send") is active
    assert [patchable(cls, "send") for _ in range(2)] == [not active] * 2
    assert ["Another copy" in message for message in caplog.messages] == [True] * active


@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(functools.partial(http_send._sync_send, cast("Any", None)), id="of this copy"),
        pytest.param(lambda original, patch: lambda self: original(self) if patch.active else "", id="of a library"),
    ],
)
def test_what_no_other_copy_has_patched_is_patched(cls: type[Any], wrap: Wrap) -> None:
    """This copy's own function, and one of a library that only has such a variable, are no other copy's."""
    Patch(cls, "send", wrap)
    assert not is_patched_by_another_copy(cls, "send")
    assert patchable(cls, "send")


def test_a_patch_of_our_own_is_none_of_another_copy(cls: type[Any]) -> None:
    """A class that this copy has patched may be patched again, and is as it was when both are undone."""
    before = cls.__dict__["send"]
    made = [Patch(cls, "send", lambda original, _: lambda self: original(self)) for _ in range(2)]
    assert patchable(cls, "send")
    assert cls().send() == "sent"
    for patch in reversed(made):
        patch.undo()
    assert cls.__dict__["send"] is before
