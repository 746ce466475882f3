"""The mark on an HTTP client that was instrumented by itself: it is in no copy's way."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

import anthropic_otel
from anthropic_otel._adapters.marks import mark_of
from anthropic_otel._core.changing import changing
from anthropic_otel._instrument import INSTRUMENTATION


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


def test_nothing_is_undone_between_the_look_at_a_mark_and_its_copy() -> None:
    """Else the copy of a client would be marked, and its class patched, after another thread had undone everything."""
    may_undo: list[bool] = []

    def may_change() -> bool:
        lock: Any = changing()
        if entered := lock.acquire(blocking=False):
            lock.release()
        return bool(entered)

    class Watched(httpx.Client):
        def __getattribute__(self, name: str) -> Any:
            if name == "__dict__":
                may_undo.append(pool.submit(may_change).result())
            return super().__getattribute__(name)

    with ThreadPoolExecutor(1) as pool, Watched() as client, httpx.Client() as copied:
        anthropic_otel.instrument_http_client(client)
        try:
            may_undo.clear()
            INSTRUMENTATION.copied(client, copied)
            assert mark_of(copied) is not None
            assert may_undo
            assert not any(may_undo)
        finally:
            anthropic_otel.uninstrument()


@pytest.mark.parametrize("client", [None, object(), httpx])
def test_what_has_no_mark_has_none(client: object) -> None:
    """Neither an object without attributes nor one without this attribute."""
    assert mark_of(client) is None
