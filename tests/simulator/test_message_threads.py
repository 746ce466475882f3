"""Message threads of the simulated API, as the real SDK uses them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from anthropic_otel.simulator import Simulator
from support.versions import HAS_MESSAGE_THREADS

pytestmark = pytest.mark.skipif(not HAS_MESSAGE_THREADS, reason="this SDK has no message threads")

QUESTION: Any = {"role": "user", "content": "What is this?"}
OPTIONS: dict[str, Any] = {"model": "claude-sonnet-5-5", "max_tokens": 100}
BETAS = ["message-threads-2026-08-12"]


@pytest.fixture
def client(sim: Simulator) -> Iterator[anthropic.Anthropic]:
    """A client of the simulator that does not retry."""
    with anthropic.Anthropic(base_url=sim.base_url, api_key="none", max_retries=0) as each:
        yield each


def _asked(client: anthropic.Anthropic, before: str | None = None) -> Any:
    """The reply to a turn that continues from the reply `before`, or begins a thread."""
    thread: Any = {"type": "continue", "previous_message_id": before} if before else {"type": "create"}
    return client.beta.messages.create(messages=[QUESTION], thread=thread, betas=BETAS, **OPTIONS)


def _code(error: anthropic.APIStatusError) -> object:
    body: Any = error.body
    return body["error"]["details"]["error_code"]


def test_a_thread_is_continued_turn_by_turn(client: anthropic.Anthropic, sim: Simulator) -> None:
    """The SDK sends the new message alone: the server has the others."""
    thread = client.beta.messages.thread(**OPTIONS)
    for _ in range(3):
        thread.send(QUESTION)
    with thread.stream(QUESTION) as stream:
        stream.until_done()
    assert len(sim.requests) == 4
    assert all(request.body.count(b'"user"') == 1 for request in sim.requests)


def test_a_reply_can_be_continued_once(client: anthropic.Anthropic) -> None:
    """And what continues it can be continued in its turn."""
    first = _asked(client)
    second = _asked(client, first.id)
    with pytest.raises(anthropic.BadRequestError) as raised:
        _asked(client, first.id)
    assert _code(raised.value) == "thread_already_continued"
    assert _asked(client, second.id).id


def test_a_reply_outside_of_a_thread_cannot_be_continued(client: anthropic.Anthropic) -> None:
    """Nor one that there was not: the server has nothing of either."""
    alone = client.beta.messages.create(messages=[QUESTION], **OPTIONS)
    for reply_id in (alone.id, "msg_of_yesterday"):
        with pytest.raises(anthropic.NotFoundError) as raised:
            _asked(client, reply_id)
        assert _code(raised.value) == "thread_not_found"


def test_the_sdk_begins_anew_where_another_has_continued(client: anthropic.Anthropic, sim: Simulator) -> None:
    """It sends the whole conversation as a new thread, and its app sees nothing of the refusal."""
    thread = client.beta.messages.thread(**OPTIONS)
    reply = thread.send(QUESTION)
    _asked(client, reply.id)
    assert thread.send(QUESTION).id == thread.previous_message_id
    assert [request.body.count(b'"user"') for request in sim.requests] == [1, 1, 1, 2]
