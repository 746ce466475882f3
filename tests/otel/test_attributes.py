"""The attributes of metrics: bounded, whatever a process meets."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from anthropic_otel._core import semconv
from anthropic_otel._otel import attributes
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


class Meeting(str):
    """A name that waits for the other threads' where it is examined: none has been taken then."""

    _barrier: threading.Barrier

    def __new__(cls, name: str, barrier: threading.Barrier) -> Meeting:
        made = super().__new__(cls, name)
        made._barrier = barrier
        return made

    def isprintable(self) -> bool:
        self._barrier.wait()
        return True


def at_once(limit: Callable[[str], str], *names: str) -> list[str]:
    """What `limit` returns for each name, in a thread of its own: they are new, and examined at the same time."""
    barrier = threading.Barrier(len(names))
    with ThreadPoolExecutor(len(names)) as pool:
        return list(pool.map(limit, [Meeting(name, barrier) for name in names]))


def test_new_values_in_threads_do_not_exceed_the_limit() -> None:
    """However many come at once, only as many as there are places are told apart."""
    capped = CardinalityLimit(2)
    assert capped("a") == "a"
    passed = [value for value in at_once(capped, "b", "c", "d", "e") if value != "_OTHER"]
    assert len(passed) == 1
    assert [value for value in "abcdef" if capped(value) != "_OTHER"] == ["a", *passed]


@pytest.mark.parametrize("answered", [False, True])
def test_new_names_in_threads_do_not_exceed_the_limit(answered: bool) -> None:
    """Neither that of all names, nor the half for those without an answer."""
    names = Names(4)
    passed = [name for name in at_once(partial(names, answered=answered), *"abcdef") if name != "_OTHER"]
    assert len(passed) == (4 if answered else 2)
    assert [name for name in "abcdef" if names(name) != "_OTHER"] == sorted(passed)


def test_the_same_value_in_threads_takes_one_place() -> None:
    """Each thread gets it, and the next value has the other place."""
    capped, names = CardinalityLimit(2), Names(4)
    assert at_once(capped, *"aaa") == at_once(names, *"aaa") == ["a"] * 3
    assert [capped("b"), capped("c")] == ["b", "_OTHER"]
    assert [names(name) for name in "bc"] == ["b", "_OTHER"]
    assert at_once(partial(names, answered=True), *"aaa") == ["a"] * 3
    assert [names(name, answered=True) for name in "def"] == ["d", "e", "_OTHER"]


def test_names_that_threads_meet_again_and_again_stay_within_the_limit() -> None:
    """With and without an answer, in any order: no more pass than there are places, and half of them without one."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(50):
            names = Names(6)
            told = [(str(number), answered) for number in range(12) for answered in (False, True)]
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(lambda each, names=names: names(each[0], answered=each[1]), told * 2))
            assert len(names._names) <= 6
            assert len(names._unanswered) <= 3
            # No place is lost.
            assert sum(names(str(number), answered=True) != "_OTHER" for number in range(100)) == 6
    finally:
        sys.setswitchinterval(interval)


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
        (" arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc", "abc"),
        ("bedrock/arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc", "abc"),
        ("bedrock:arn:aws:bedrock:us-east-1:123456789012:abc", "abc"),
        ("arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fabc", "abc"),
        ("vertex_ai/projects/123456789012/locations/us/endpoints/456", "456"),
        ("vertex_ai%2Fprojects%2F123456789012%2Fendpoints%2F456", "456"),
        ("projects/my-project/models/", "_OTHER"),
        ("a/arn:", "_OTHER"),
        ("ARN:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc", "abc"),
        ("eu.arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc", "abc"),
        ("model=(projects/123456789012/models/abc", "abc"),
        ("arn%253Aaws%253Abedrock%253Aus-east-1%253A123456789012%253Aapplication-inference-profile%252Fabc", "abc"),
        ("arn:aws:bedrock:us-east-1:123456789012", "_OTHER"),
        ("arn:aws:bedrock:us-east-1:123456789012:", "_OTHER"),
        ("bedrock/arn:aws:bedrock:us-east-1:123456789012", "_OTHER"),
        ("projects/123456789012", "_OTHER"),
        ("accounts/fireworks/models/abc", "abc"),
        ("50%-off", "50%-off"),
        ("barn:aws/a", "barn:aws/a"),
        ("my-projects/a", "my-projects/a"),
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


def test_beyond_its_bound_a_set_tells_only_the_closed_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """What happened is still told apart, and so are operations; whose call it was is not."""
    monkeypatch.setattr(attributes, "MAX_SETS", 1)
    sets = AttributeSets(NAMES)
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
