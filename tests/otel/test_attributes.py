"""The attributes of metrics: bounded, whatever a process meets."""

from __future__ import annotations

import pytest

from anthropic_otel._core import semconv
from anthropic_otel._otel.attributes import AttributeSets, CardinalityLimit, Names, last_part

NAMES = (semconv.OPERATION_NAME, semconv.SERVER_ADDRESS, semconv.GEN_AI_REQUEST_MODEL, semconv.ATTEMPT_OUTCOME)
NO_NAMES = ["x" * 129, "a\nb", "a\x00", "\x1b[2J", "\ud800"]


def test_the_first_values_pass_and_every_other_is_other() -> None:
    """A value that has passed once passes for ever."""
    capped = CardinalityLimit(2)
    assert [capped(value) for value in ("a", "b", "c", "a", "d", "b")] == ["a", "b", "_OTHER", "a", "_OTHER", "b"]


@pytest.mark.parametrize("value", NO_NAMES)
def test_a_value_that_is_no_name_is_other_and_takes_no_place(value: str) -> None:
    """Too long, or not printable."""
    capped, names = CardinalityLimit(1), Names(2)
    assert [capped(value), names(value), names(value, answered=True)] == ["_OTHER"] * 3
    assert [capped("a"), names("a"), names("b", answered=True)] == ["a", "a", "b"]


def test_half_of_the_places_are_open_to_any_name() -> None:
    """The rest only to one that has been answered."""
    names = Names(4)
    assert [names(name) for name in ("m1", "m2", "m3")] == ["m1", "m2", "_OTHER"]
    assert [names(name, answered=True) for name in ("r1", "r2", "r3")] == ["r1", "r2", "_OTHER"]
    assert [names(name) for name in ("m1", "m2", "r1", "r2", "m3", "r3")] == ["m1", "m2", "r1", "r2"] + ["_OTHER"] * 2


def test_an_answer_makes_room_for_another_name_that_has_none() -> None:
    """So a model that never answers is named, however many do."""
    names = Names(4)
    for name in ("a", "b", "c"):
        assert names(name) == name
        assert names(name, answered=True) == name
    assert [names("fails"), names("fails too")] == ["fails", "_OTHER"]


@pytest.mark.parametrize(
    ("model", "label"),
    [
        ("claude-opus-4-5", "claude-opus-4-5"),
        ("us.anthropic.claude-opus-4-5-20251101-v1:0", "us.anthropic.claude-opus-4-5-20251101-v1:0"),
        ("anthropic/claude-opus-4-5", "anthropic/claude-opus-4-5"),
        ("arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc", "abc"),
        ("arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-v2:1", "anthropic.claude-v2:1"),
        ("arn:aws:bedrock:us-east-1:123456789012:abc", "abc"),
        ("projects/my-project/locations/global/publishers/anthropic/models/x", "x"),
        ("/projects/my-project/models/x", "x"),
        ("", ""),
    ],
)
def test_of_a_resource_the_last_part_is_the_label(model: str, label: str) -> None:
    """The account that it belongs to is on no metric; other names are as they are."""
    assert last_part(model) == label


def test_the_same_values_are_the_same_set() -> None:
    """It is built once; what does not apply is left out."""
    sets = AttributeSets(NAMES)
    values = ("messages.create", "api.anthropic.com", None, "completed")
    found = sets.of(values)
    assert found == dict(zip(NAMES[:2] + NAMES[3:], values[:2] + values[3:], strict=True))
    assert sets.of(values) is found


def test_beyond_its_bound_a_set_tells_only_the_closed_lists() -> None:
    """What happened is still told apart, and so are operations; whose call it was is not."""
    sets = AttributeSets(NAMES, most=1)
    known = sets.of(("messages.create", "a.test", "m1", "completed"))
    beyond = sets.of(("files.list", "b.test", None, "failed"))
    assert beyond == {
        semconv.OPERATION_NAME: "files.list",
        semconv.SERVER_ADDRESS: "_OTHER",
        semconv.ATTEMPT_OUTCOME: "failed",
    }
    assert sets.of(("messages.create", "a.test", "m1", "completed")) is known
    assert len(sets._sets) == 1


def test_as_many_values_as_names() -> None:
    """A measurement that has forgotten one is a mistake of ours."""
    with pytest.raises(ValueError, match="zip"):
        AttributeSets(NAMES).of(("messages.create",))
