"""Where the SDK's objects have the usage, and what says that the app is to parse a reply itself."""

from __future__ import annotations

import anthropic
import pytest

from anthropic_otel._adapters import raw_replies
from anthropic_otel.simulator import Simulator
from support.apps import request_of
from support.driver import Driver


def test_the_fields_of_a_usage_are_in_its_dictionary_or_among_the_extra_ones() -> None:
    """Those that this SDK does not know too, as a reply of a newer API has them."""
    usage = anthropic.types.Usage(input_tokens=1, output_tokens=2, from_tomorrow=3)  # type: ignore[call-arg]
    fields = {**vars(usage), **(getattr(usage, "__pydantic_extra__", None) or {})}
    assert (fields["input_tokens"], fields["output_tokens"], fields["from_tomorrow"]) == (1, 2, 3)


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_a_raw_response_has_the_http_response_and_a_parse_that_is_patched(
    sim: Simulator, *, asynchronous: bool
) -> None:
    """By its dictionary it is told from a parsed reply, without asking for an attribute that a model has not."""
    cls = anthropic.AsyncAnthropic if asynchronous else anthropic.Anthropic
    with Driver(asynchronous=asynchronous) as driver:
        client = cls(base_url=sim.base_url, api_key="none")
        raw = driver(client.messages.with_raw_response.create(**request_of()))
        reply = driver(client.messages.create(**request_of()))
        driver.close(client)
    assert "http_response" in vars(raw)
    assert "http_response" not in vars(reply)
    owner = next(c for c in type(raw).__mro__ if "parse" in vars(c))
    original = vars(owner)["parse"]
    patches = list(raw_replies.patch(anthropic))
    try:
        assert vars(owner)["parse"] is not original
    finally:
        for each in patches:
            each.undo()
    assert vars(owner)["parse"] is original
