"""The attribute sets of metrics: bounded, whatever a process meets."""

from __future__ import annotations

import pytest

from anthropic_otel._core import semconv as s
from anthropic_otel._otel.attributes import AttributeSets, Capped

NAMES = (s.OPERATION_NAME, s.SERVER_ADDRESS, s.GEN_AI_REQUEST_MODEL, s.ATTEMPT_OUTCOME)


def test_the_first_values_pass_and_every_other_is_other() -> None:
    """A value that has passed once passes for ever."""
    capped = Capped(2)
    assert [capped(value) for value in ("a", "b", "c", "a", "d", "b")] == ["a", "b", "_OTHER", "a", "_OTHER", "b"]


@pytest.mark.parametrize("value", ["x" * 129, "a\nb", "a\x00", "\x1b[2J", "\ud800"])
def test_a_value_that_is_no_name_is_other_and_takes_no_place(value: str) -> None:
    """Too long, or not printable."""
    capped = Capped(1)
    assert capped(value) == "_OTHER"
    assert capped("claude-opus-4-5") == "claude-opus-4-5"


def test_the_same_values_are_the_same_set() -> None:
    """It is built once; what does not apply is left out."""
    sets = AttributeSets()
    values = ("messages.create", "api.anthropic.com", None, "completed")
    found = sets.get(NAMES, values)
    assert found == dict(zip(NAMES[:2] + NAMES[3:], values[:2] + values[3:], strict=True))
    assert sets.get(NAMES, values) is found


def test_beyond_its_bound_a_set_tells_only_the_closed_lists() -> None:
    """What happened is still told apart; whose call it was is not."""
    sets = AttributeSets(most=1)
    known = sets.get(NAMES, ("messages.create", "a.test", "m1", "completed"))
    beyond = sets.get(NAMES, ("messages.create", "b.test", None, "failed"))
    assert beyond == {s.OPERATION_NAME: "_OTHER", s.SERVER_ADDRESS: "_OTHER", s.ATTEMPT_OUTCOME: "failed"}
    assert sets.get(NAMES, ("messages.create", "a.test", "m1", "completed")) is known


def test_as_many_values_as_names() -> None:
    """A measurement that has forgotten one is a mistake of ours."""
    with pytest.raises(ValueError, match="zip"):
        AttributeSets().get(NAMES, ("messages.create",))
