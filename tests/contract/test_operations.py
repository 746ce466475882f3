"""The list of operations has every method of the SDK, with the route and the name that the SDK gives it."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import anthropic
import pytest

from anthropic_otel._core.operations import operation_of
from anthropic_otel._core.semconv import OTHER
from support import sdk_source
from support.operations import NAMES
from support.versions import NAMES_OPERATIONS, SDK

LIST = resources.files("anthropic_otel._core").joinpath("operations.txt").read_text("utf-8")
LISTED = tuple(map(int, re.findall(r"as anthropic (\d+)\.(\d+)\.(\d+) names", LIST)[0]))
"""The SDK that the list is of. A later one may have more."""


def ours() -> set[str]:
    return {line for line in LIST.splitlines() if line and not line.startswith("#")}


def theirs() -> set[str]:
    """`METHOD route name` of every request that a resource of the installed SDK makes."""
    return sdk_source.operations(Path(anthropic.__file__).parent)


@pytest.mark.skipif(not NAMES_OPERATIONS, reason="this SDK gives its operations no names")
def test_every_operation_of_the_sdk_is_in_the_list() -> None:
    """On failure: the lines to add to operations.txt. What a later SDK has more gets no name beyond the list."""
    found = theirs()
    assert len(found) > 20, "the SDK's resources are not where they were"
    missing = sorted(found - ours(), key=lambda line: line.split()[::-1])
    if SDK > LISTED and missing:
        for method, route, name in map(str.split, missing):
            assert name not in NAMES
            assert operation_of(method, route).name in {OTHER, *NAMES}
        pytest.skip("\n".join(["a later SDK; add to operations.txt:", *missing]))
    assert not missing, "\n".join(["add to operations.txt:", *missing])


@pytest.mark.skipif(not NAMES_OPERATIONS, reason="this SDK gives its operations no names")
def test_no_operation_has_another_name_in_the_list() -> None:
    """A route and method that the SDK has are in the list with the SDK's name, and with no other."""
    names = {line.rsplit(" ", 1)[0]: line.rsplit(" ", 1)[1] for line in theirs()}
    listed = [line.rsplit(" ", 1) for line in ours()]
    wrong = [(route, name, names[route]) for route, name in listed if names.get(route, name) != name]
    assert not wrong
