"""Functions of other libraries' classes that are replaced, and restored."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from unittest import mock

import anthropic
import pytest

from anthropic_otel._adapters import http_send, library_patches, models, patches, raw_replies, sdk
from anthropic_otel._adapters.patches import Patch, Wrap, is_patched_by_another_copy, patchable


class Client:
    def send(self) -> str:
        return "sent"


@pytest.fixture
def cls() -> type[Any]:
    """A class of its own for each test, that defines `send`."""
    return type("Fresh", (), {"send": Client.__dict__["send"]})


@pytest.fixture(autouse=True)
def _warns_anew() -> Iterator[None]:
    """The one warning of another copy is given in each test that deserves it, and is forgotten after it."""
    patches._warn_of_another_copy.cache_clear()
    yield
    patches._warn_of_another_copy.cache_clear()


def another_copy(*, package: str | None) -> Any:
    """The module of patches, as another copy of the library has it: one in another package, or one imported before."""
    name = patches.__name__.replace("anthropic_otel", package) if package is not None else patches.__name__
    spec = importlib.util.spec_from_file_location(name, patches.__file__)
    assert spec is not None
    assert spec.loader is not None
    copy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copy)
    return copy


WRAPPERS = pytest.mark.parametrize(
    "wrap",
    [
        *(functools.partial(wrap, cast("Any", None)) for wrap in (http_send.sync_send, http_send.async_send)),
        *(functools.partial(wrap, *cast("Any", (None, None))) for wrap in (sdk.sync_request, sdk.async_request)),
        models.wrap_build_request,
        models.wrap_api_request,
        raw_replies._sync_parse,
    ],
    ids=["send", "async send", "request", "async request", "build", "made", "parse"],
)


@WRAPPERS
@pytest.mark.parametrize("active", [True, False])
@pytest.mark.parametrize(
    "package", ["vendored.anthropic_otel", "renamed", None], ids=["vendored", "renamed", "imported before"]
)
def test_what_another_copy_of_the_library_has_patched_is_left_to_it(
    cls: type[Any], wrap: Wrap, package: str | None, active: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Two copies would record everything twice, so the second leaves it and says so once; not after an undo."""
    another_copy(package=package).Patch(cls, "send", wrap).active = active
    assert is_patched_by_another_copy(cls, "send") is active
    assert [patchable(cls, "send") for _ in range(2)] == [not active] * 2
    assert ["Another copy" in message for message in caplog.messages] == [True] * active


@pytest.mark.parametrize(
    "wrap",
    [
        pytest.param(functools.partial(http_send.sync_send, cast("Any", None)), id="of this copy"),
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


def test_a_patch_is_lost_where_the_class_has_its_own_function_again(cls: type[Any]) -> None:
    """Not where somebody has put a function on top of it, which may call it."""
    cls.__module__ = Client.__module__
    original = cls.__dict__["send"]

    def ours(original: Any, patch: Patch) -> Any:
        return functools.wraps(original)(lambda self: original(self) if patch.active else None)

    earlier = Patch(cls, "send", ours)
    undone = cls.__dict__["send"]
    earlier.undo()
    patch = Patch(cls, "send", ours)
    replacement = cls.__dict__["send"]
    assert not patch.lost
    for current, lost in (
        (functools.wraps(replacement)(lambda self: replacement(self)), False),
        (mock.MagicMock(), False),
        (original, True),
        (undone, True),
    ):
        cls.send = current
        assert patch.lost is lost
    patch.undo()


def test_what_was_patched_before_a_patch_that_fails_is_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    """So no class of the SDK stays patched by an instrumentation that knows nothing of it."""
    [definer] = [cls for cls in anthropic.Anthropic.__mro__ if "request" in vars(cls)]
    before = vars(definer)["request"]

    def fails(_: object, __: object) -> None:
        raise TypeError("cannot set attribute of an immutable type")

    monkeypatch.setattr(models, "wrap_build_request", fails)
    made = library_patches.CallPatches(cast("Any", None))
    with pytest.raises(TypeError, match="immutable"):
        made.patch_library()
    assert vars(definer)["request"] is not before
    made.undo()
    assert vars(definer)["request"] is before


def test_a_library_that_breaks_at_its_import_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As an SDK does that is installed beside a version of pydantic that it does not fit."""
    (tmp_path / "breaks_at_its_import.py").write_text("raise TypeError('a secret')")
    monkeypatch.syspath_prepend(tmp_path)
    assert not patches.import_if_installed("breaks_at_its_import")
    assert caplog.messages == ["breaks_at_its_import is installed and cannot be imported: TypeError"]


def test_a_method_whose_annotations_cannot_be_evaluated_is_patched(
    cls: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.14 evaluates them when it is asked for the signature. They may name what only type checkers import."""

    def fails(function: object) -> None:
        raise NameError(function)

    monkeypatch.setattr("inspect.signature", fails)
    patch = Patch(cls, "send", lambda original, patch: lambda self: f"ours, then {original(self)}")
    assert cls().send() == "ours, then sent"
    patch.undo()
    assert cls().send() == "sent"


def test_a_library_that_is_not_installed_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    """An app may use one of several."""
    assert not patches.import_if_installed("is_not_installed")
    assert patches.import_if_installed("json")
    assert not caplog.messages
