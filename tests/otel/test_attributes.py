"""The attribute sets of metrics: bounded, whatever a process meets."""

from __future__ import annotations

from typing import Any

import pytest

from anthropic_otel._core import semconv
from anthropic_otel._otel.attributes import AttributeSets, Capped

NAMES = (semconv.OPERATION_NAME, semconv.SERVER_ADDRESS, semconv.GEN_AI_REQUEST_MODEL, semconv.ATTEMPT_OUTCOME)


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


def as_they_are(*facts: Any) -> tuple[Any, ...]:
    return facts


def test_the_same_facts_are_the_same_set() -> None:
    """It is built once; what does not apply is left out."""
    sets = AttributeSets(NAMES, as_they_are)
    facts = ("messages.create", "api.anthropic.com", None, "completed")
    found = sets[facts]
    assert found == dict(zip(NAMES[:2] + NAMES[3:], facts[:2] + facts[3:], strict=True))
    assert sets[facts] is found


def test_facts_that_are_bounded_to_the_same_values_share_a_set() -> None:
    """However many models an app makes up."""
    capped = Capped(1)
    sets = AttributeSets(NAMES[:1], lambda name: (capped(name),))
    assert sets[("first",)] == {semconv.OPERATION_NAME: "first"}
    assert sets[("second",)] == {semconv.OPERATION_NAME: "_OTHER"}
    assert sets[("second",)] is sets[("third",)]


def test_beyond_its_bound_a_set_tells_only_the_closed_lists() -> None:
    """What happened is still told apart; whose call it was is not."""
    sets = AttributeSets(NAMES, as_they_are, most=1)
    known = sets["messages.create", "a.test", "m1", "completed"]
    beyond = sets["messages.create", "b.test", None, "failed"]
    assert beyond == {
        semconv.OPERATION_NAME: "_OTHER",
        semconv.SERVER_ADDRESS: "_OTHER",
        semconv.ATTEMPT_OUTCOME: "failed",
    }
    assert sets["messages.create", "a.test", "m1", "completed"] is known


def test_no_more_facts_are_kept_than_sets() -> None:
    """What an app makes up anew for each call is looked up anew."""
    capped = Capped(1)
    sets = AttributeSets(NAMES[:1], lambda name: (capped(name),), most=3)
    found = [sets[(f"model-{number}",)] for number in range(9)]
    assert [each[semconv.OPERATION_NAME] for each in found] == ["model-0"] + ["_OTHER"] * 8
    assert len(sets) == 3


def test_as_many_values_as_names() -> None:
    """A measurement that has forgotten one is a mistake of ours."""
    with pytest.raises(ValueError, match="zip"):
        AttributeSets(NAMES, as_they_are)[("messages.create",)]
