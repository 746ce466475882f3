"""Functions of other libraries' classes that are replaced, and restored."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from anthropic_otel._adapters import patches
from anthropic_otel._adapters.patches import Patch, is_patched_by_another_copy, patchable


class Client:
    def send(self) -> str:
        return "sent"


@pytest.fixture
def cls() -> type[Any]:
    """A class of its own for each test, that defines `send`."""
    return type("Fresh", (), {"send": Client.__dict__["send"]})


@pytest.mark.parametrize("active", [True, False])
def test_what_another_copy_of_the_library_has_patched_is_left_to_it(
    cls: type[Any], active: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Two copies would record everything twice, so the second leaves it and says so once; not after an undo."""
    patches._warn_of_another_copy.cache_clear()
    theirs = cls.__dict__["send"]
    wrapped = lambda self: theirs(self)  # noqa: E731
    wrapped._anthropic_otel_patch = SimpleNamespace(active=active)  # type: ignore[attr-defined]
    cls.send = wrapped
    assert is_patched_by_another_copy(cls, "send") is active
    assert [patchable(cls, "send") for _ in range(2)] == [not active] * 2
    assert ["Another copy" in message for message in caplog.messages] == [True] * active


def test_a_patch_of_our_own_is_none_of_another_copy(cls: type[Any]) -> None:
    """A class that this copy has patched may be patched again, and is as it was when both are undone."""
    before = cls.__dict__["send"]
    made = [Patch(cls, "send", lambda original, _: lambda self: original(self)) for _ in range(2)]
    assert patchable(cls, "send")
    assert cls().send() == "sent"
    for patch in reversed(made):
        patch.undo()
    assert cls.__dict__["send"] is before
