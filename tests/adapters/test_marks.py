"""The mark on an HTTP client that was instrumented by itself: it is in no copy's way."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import httpx
import pytest

import anthropic_otel
from anthropic_otel._adapters.marks import mark_of


class Copied(httpx.Client):
    """A client of an app that is copied and pickled by its own attributes, without those that cannot be."""

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name in ("_anthropic_otel", "tenant")}


def test_an_instrumented_client_is_copied_and_pickled_as_before() -> None:
    """A deep copy is recorded as its original is; one from a pickle is in no process that records it."""
    client = Copied(transport=httpx.MockTransport(lambda _: httpx.Response(200)))
    client.tenant = "a"  # type: ignore[attr-defined]
    anthropic_otel.instrument_http_client(client)
    try:
        deep, pickled = copy.deepcopy(client), pickle.loads(pickle.dumps(client))
        assert (deep.tenant, pickled.tenant) == ("a", "a")  # type: ignore[attr-defined]
        assert mark_of(deep) is mark_of(client) is not None
        mark = mark_of(pickled)
        assert mark is not None
        assert mark.runtime is None
    finally:
        anthropic_otel.uninstrument()


@pytest.mark.parametrize("client", [None, object(), httpx])
def test_what_has_no_mark_has_none(client: object) -> None:
    """Neither an object without attributes nor one without this attribute."""
    assert mark_of(client) is None
