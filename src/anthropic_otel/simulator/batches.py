"""Message batches: created, listed, canceled, deleted, and their results as lines of JSON.

Rule: no clock moves a batch on. A batch that was created is in progress, and one that was canceled is canceling, until
the first time that it is retrieved, which finds it ended: so an app has to poll, and a test does not have to wait.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from anthropic_otel.simulator.answers import Answer, Refused, Streamed, Whole
from anthropic_otel.simulator.bodies import body_of, invalid
from anthropic_otel.simulator.headers import Ids
from anthropic_otel.simulator.limits import ONE_REQUEST
from anthropic_otel.simulator.paging import page
from anthropic_otel.simulator.timestamps import written
from anthropic_otel.simulator.wire import Json, JsonLines, error_body, to_json

_MAX_REQUESTS: Final = 100_000
_KEPT_BYTES: Final = 256 * 1024 * 1024
_LIFE: Final = 24 * 3600.0
"""After how many seconds a batch that has not ended expires."""
_CUSTOM_ID: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_KINDS: Final = ("succeeded", "errored", "canceled", "expired")


@dataclass(slots=True)
class _Batch:
    id: str
    created: float
    requests: list[Json]
    reply: Callable[[Json], Whole | Refused]
    size: int
    canceled: float | None = None
    ended: float | None = None
    results: list[bytes] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_KINDS, 0))


class Batches:
    """The message batches of the account, the latest first: as many as have 256 MB with their results.

    `ids` makes their ids, and `now` returns the time in seconds since the epoch. What an answer creates, cancels or
    deletes is so once its `change` was called.
    """

    def __init__(self, ids: Ids, now: Callable[[], float]) -> None:
        self._ids = ids
        self._now = now
        self._batches: list[_Batch] = []

    def create(self, body: bytes, base_url: str, reply: Callable[[Json], Whole | Refused]) -> Whole | Refused:
        """Returns a new batch, or the API's refusal of the body.

        When the batch ends, `reply` answers the `params` of each of its requests, which are not checked before.
        """
        value = body_of(body)
        if isinstance(value, Refused):
            return value
        if refusal := _refusal_of(value):
            return refusal
        batch = _Batch(self._ids.new("msgbatch"), self._now(), value["requests"], reply, len(body))

        def add() -> None:
            self._batches.insert(0, batch)
            self._forget()

        return Whole(_shown(batch, base_url), change=add)

    def listed(self, target: str, base_url: str) -> Whole | Refused:
        """Returns a page of the batches; listing them does not end any."""
        return page([_shown(batch, base_url) for batch in self._batches], target)

    def retrieve(self, name: str, base_url: str) -> Whole | Refused:
        """Ends the batch of that id at once, if it has not ended, and returns it; a 404 if there is none."""
        batch = self._find(name)
        if batch is None:
            return _not_found()
        self._end(batch)
        return Whole(_shown(batch, base_url))

    def cancel(self, name: str, base_url: str) -> Whole | Refused:
        """Returns the batch, which ends with all requests canceled; a 404 if there is none, a 400 if it has ended."""
        batch = self._find(name)
        if batch is None:
            return _not_found()
        if batch.ended is not None:
            # That it is refused is documented, but not with which words.
            return invalid(f"Batch {name} cannot be canceled: it has ended")
        canceled = self._now() if batch.canceled is None else batch.canceled

        def cancel() -> None:
            batch.canceled = canceled

        return Whole(_shown(replace(batch, canceled=canceled), base_url), change=cancel)

    def delete(self, name: str) -> Whole | Refused:
        """Returns that the batch is deleted; a 404 if there is none, a 400 if it has not ended."""
        batch = self._find(name)
        if batch is None:
            return _not_found()
        if batch.ended is None:
            # That it is refused is documented, but not with which words.
            return invalid(f"Batch {name} cannot be deleted: it has not ended, so cancel it first")
        return Whole({"id": name, "type": "message_batch_deleted"}, change=lambda: self._batches.remove(batch))

    def results(self, name: str) -> Answer:
        """Returns the results as lines of JSON; a 404 if there is no such batch or it has not ended.

        They are in the reverse order of the requests, as the API does not promise any: use `custom_id`.
        """
        batch = self._find(name)
        if batch is None or batch.ended is None:
            return _not_found()
        lines = tuple(reversed(batch.results))

        def events(_pings: int) -> Iterator[Json]:
            return map(json.loads, lines)

        return Streamed(events, JsonLines(), ONE_REQUEST)

    def _find(self, name: str) -> _Batch | None:
        return next((batch for batch in self._batches if batch.id == name), None)

    def _end(self, batch: _Batch) -> None:
        if batch.ended is not None:
            return
        batch.ended = self._now()
        for request in batch.requests:
            if batch.canceled is not None:
                result: Json = {"type": "canceled"}
            elif batch.ended - batch.created >= _LIFE:
                result = {"type": "expired"}
            else:
                result = _result(batch.reply(request["params"]))
            batch.counts[result["type"]] += 1
            batch.results.append(to_json({"custom_id": request["custom_id"], "result": result}))
        batch.size += sum(map(len, batch.results))
        self._forget()

    def _forget(self) -> None:
        """Drops the oldest batches while all have more than 256 MB; the latest one stays."""
        while len(self._batches) > 1 and sum(batch.size for batch in self._batches) > _KEPT_BYTES:
            self._batches.pop()


def _result(reply: Whole | Refused) -> Json:
    if isinstance(reply, Refused):
        return {"type": "errored", "error": error_body(reply.error_type, reply.message) | {"request_id": None}}
    usage = reply.value["usage"] | {"service_tier": "batch"}
    return {"type": "succeeded", "message": reply.value | {"usage": usage}}


def _not_found() -> Refused:
    return Refused(404, "not_found_error", "Not found")


def _refusal_of(body: Json) -> Refused | None:
    """Returns the API's refusal (400) of the body of a new batch, or `None` if it takes it."""
    for name in body.keys() - {"requests"}:
        return invalid(f"{name}: Extra inputs are not permitted")
    requests: Any = body.get("requests")
    if "requests" not in body:
        return invalid("requests: Field required")
    if not isinstance(requests, list):
        return invalid("requests: Input should be a valid array")
    if not requests:
        return invalid("requests: List should have at least 1 item after validation, not 0")
    if (count := len(requests)) > _MAX_REQUESTS:
        return invalid(f"requests: List should have at most {_MAX_REQUESTS} items after validation, not {count}")
    seen: set[str] = set()
    for number, request in enumerate(requests):
        place = f"requests.{number}"
        if not isinstance(request, dict):
            return invalid(f"{place}: Input should be an object")
        if problem := _problem(request):
            return invalid(f"{place}.{problem}")
        if request["custom_id"] in seen:
            return invalid(f"{place}.custom_id: not unique within the batch")
        seen.add(request["custom_id"])
    return None


def _problem(request: Json) -> str | None:
    for name in ("custom_id", "params"):
        if name not in request:
            return f"{name}: Field required"
    if not isinstance(request["custom_id"], str):
        return "custom_id: Input should be a valid string"
    if not _CUSTOM_ID.fullmatch(request["custom_id"]):
        return "custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'"
    return None if isinstance(request["params"], dict) else "params: Input should be an object"


def _shown(batch: _Batch, base_url: str) -> Json:
    """Returns the batch as the API shows it. All requests count as processing until it ends, as the API documents."""
    ended = batch.ended is not None
    status = "ended" if ended else "canceling" if batch.canceled is not None else "in_progress"
    return {
        "id": batch.id,
        "type": "message_batch",
        "processing_status": status,
        "request_counts": {"processing": 0 if ended else len(batch.requests), **batch.counts},
        "created_at": written(batch.created),
        "ended_at": written(batch.ended),
        "expires_at": written(batch.created + _LIFE),
        "archived_at": None,
        "cancel_initiated_at": written(batch.canceled),
        "results_url": f"{base_url}/v1/messages/batches/{batch.id}/results" if ended else None,
    }
