"""Reads how many tokens an attempt used, as the server reported them, and counts them as the GenAI conventions do.

The API's `input_tokens` leaves out cache reads and writes. Here, as in the conventions' metrics, it includes them, and
they are counted separately too. The API's usage also leaves out the tokens of a compaction, and those of an advisor,
which is another model. Both are billed, so both are added.

Rule: only fields of a usage are read, by name. Whatever a server sends, no function here raises. A count is ignored
unless it is a whole number from 0 to `MAX_COUNT`, such as 7 or 7.0.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from anthropic_otel._core import headers
from anthropic_otel._core.event_json import json_object, member

if TYPE_CHECKING:
    from anthropic_otel._core.headers import ResponseFacts
    from anthropic_otel._core.reading import Reading
    from anthropic_otel._core.response import Response
    from anthropic_otel._core.stream_end import StreamEnd

MAX_COUNT: Final = 2**40
"""The greatest count that is accepted. No request can use so many tokens."""
_MAX_ITERATIONS: Final = 1_000
_MAX_MODEL: Final = 128


class Usage(NamedTuple):
    """The tokens that an attempt used of one model.

    `input_tokens` includes cache reads and writes, `output_tokens` includes reasoning. `model` is that of an advisor,
    `None` for all that counts under the model that the request asked for.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_write_input_tokens: int = 0
    reasoning_output_tokens: int = 0
    model: str | None = None

    @property
    def counts(self) -> tuple[int, int, int, int, int]:
        """The five counts in the order of the fields, without the model."""
        return self[:5]

    def beyond(self, told: tuple[int, ...]) -> Usage | None:
        """Returns a usage with the amounts by which the counts exceed `told`, 0 for those that do not; with this model.

        `None` if no count exceeds its one in `told`, which is in the order of `counts`.
        """
        more = [max(new - old, 0) for new, old in zip(self.counts, told, strict=True)]
        return Usage._make((*more, self.model)) if any(more) else None


NONE: Final[tuple[Usage, ...]] = ()


class Report(NamedTuple):
    """What one `usage` object of the API says: its counts, `None` for one that is missing or not valid.

    `input_tokens` are those without cache reads and writes. `beside` is what the counts leave out, as `_beside` returns
    it; `None` if the object has no list of `iterations`.
    """

    input_tokens: int | None
    output_tokens: int | None
    cache_read_input_tokens: int | None
    cache_write_input_tokens: int | None
    thinking_tokens: int | None
    beside: tuple[Usage, ...] | None


def _report(usage: object) -> Report:
    fields = _fields(usage)
    iterations = fields.get("iterations")
    return Report._make((*_counts(fields), _beside(iterations) if iterations is not None else None))


def report_of_start(event: bytes) -> Report:
    """Returns what the usage in the JSON of a `message_start` says.

    Without a usage in it, all fields of the `Report` are `None`.
    """
    return _report(member(member(json_object(event), "message"), "usage"))


def compared(told: tuple[Usage, ...], usages: tuple[Usage, ...]) -> tuple[tuple[Usage, ...], tuple[Usage, ...]]:
    """Returns two tuples: what is new in `usages` compared with `told`, and the highest counts of both.

    Both arguments and both results have at most one usage per model. The first result has none for a model that is in
    `told` with counts as high. The same usage may be reported several times: by Bedrock's headers, then by the parsed
    reply, which the app may parse again.
    """
    new, by_model = [], {usage.model: usage for usage in told}
    for usage in usages:
        before = by_model.get(usage.model)
        more = usage if before is None else usage.beyond(before.counts)
        if more is not None:
            new.append(more)
            most = usage.counts if before is None else map(max, usage.counts, before.counts)
            by_model[usage.model] = Usage._make((*most, usage.model))
    return tuple(new), tuple(by_model.values())


def of_reply(reply: object) -> tuple[Usage, ...]:
    """Returns the usage of a reply that the SDK has parsed into an object or a dictionary, one per model.

    Empty if the reply has no usage, or if none of the usage's own counts is valid: an advisor's alone do not count.
    """
    usage = reply.get("usage") if isinstance(reply, dict) else getattr(reply, "usage", None)
    if usage is None:
        return NONE
    fields = _fields(usage)
    iterations = fields.get("iterations")
    return _usages(_counts(fields), _beside(iterations) if iterations else None)


def of_ended(reading: Reading | None, response: Response | None) -> tuple[Usage, ...]:
    """Returns the usage that is known when an attempt has ended, one per model; empty if none is.

    That is the usage in the events of a stream, by its `reading`, or in the headers of Bedrock's `response` for a reply
    that is no stream. Either is `None` for an attempt without one.
    """
    if reading is not None and reading.end is not None:
        return of_stream(reading.end)
    return of_headers(response) if response is not None and response.bedrock_tokens is not None else NONE


def of_stream(end: StreamEnd) -> tuple[Usage, ...]:
    """Returns the usage that a stream reported until its end, one per model; for a broken stream a lower bound.

    Empty if no event has a valid count. The counts of `message_delta` are cumulative and replace those of
    `message_start`, field by field, as in the SDK. Those in the end event of Bedrock replace both. A missing or invalid
    count replaces none.
    """
    reports = [_report(member(json_object(delta), "usage")) for delta in end.deltas]
    if end.first_usage is not None:
        reports.insert(0, end.first_usage)
    if end.stop_event is not None:
        metrics = _fields(member(json_object(end.stop_event), "amazon-bedrock-invocationMetrics"))
        reports.append(_report({name: metrics.get(key) for key, name in _BEDROCK_METRICS.items()}))
    counts, beside = _NO_COUNTS, None
    for *told, listed in reports:
        counts = [old if new is None else new for old, new in zip(counts, told, strict=True)]
        beside = beside if listed is None else listed
    return _usages(counts, beside)


def of_headers(response: ResponseFacts) -> tuple[Usage, ...]:
    """Returns the usage in the headers of a reply of Bedrock that is no stream; empty for any other response."""
    told = response.bedrock_tokens
    if told is None:
        return NONE
    return _usages(_counts(dict(zip(_BEDROCK_METRICS.values(), map(headers.count, told), strict=True))), None)


_BEDROCK_METRICS: Final = {
    "inputTokenCount": "input_tokens",
    "outputTokenCount": "output_tokens",
    "cacheReadInputTokenCount": "cache_read_input_tokens",
    "cacheWriteInputTokenCount": "cache_creation_input_tokens",
}
"""The fields of the API's usage by the names of Bedrock's counts, in the order of `ResponseFacts.bedrock_tokens`."""


_Counts = list[int | None]
"""The counts of one usage in the order of `_NAMES`, `None` for one that is missing or not valid."""
_WRITTEN: Final = "cache_creation_input_tokens"
_NAMES: Final = ("input_tokens", "output_tokens", "cache_read_input_tokens", _WRITTEN, "thinking_tokens")
_NO_COUNTS: Final[_Counts] = [None] * len(_NAMES)
_WRITTEN_BY_TTL: Final = ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")
"""The fields of `cache_creation`, of which `cache_creation_input_tokens` is the sum."""


def _counts(fields: Mapping[str, Any]) -> _Counts:
    """Returns a list of the counts in the fields of the API's `usage` object, in the order of `_NAMES`.

    A missing or invalid one is `None`. If `cache_creation_input_tokens` is missing or `None`, but not if it is invalid,
    the sum of the valid parts in `cache_creation` takes its place.
    """
    get = fields.get
    written = get(_WRITTEN)
    if written is None and (cache_creation := get("cache_creation")) is not None:
        by_ttl = _fields(cache_creation)
        counts = [count for name in _WRITTEN_BY_TTL if (count := _count(by_ttl.get(name))) is not None]
        written = sum(counts) if counts else None
    details = get("output_tokens_details")
    thinking = _fields(details).get("thinking_tokens") if details is not None else None
    told = (get("input_tokens"), get("output_tokens"), get("cache_read_input_tokens"), written, thinking)
    return [n if n is None or (type(n) is int and 0 <= n <= MAX_COUNT) else _count(n) for n in told]


def _count(value: object) -> int | None:
    """Returns `value` as an integer if it is a whole number from 0 to `MAX_COUNT`, such as 7 or 7.0; else `None`."""
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= MAX_COUNT else None


def _usages(counts: _Counts, beside: tuple[Usage, ...] | None) -> tuple[Usage, ...]:
    """Returns the usage of `counts`, and after it one for each advisor's model; empty if all counts are `None`.

    Else a count that is `None` is 0. `beside` is what the counts leave out, as `_beside` returns it: tokens of
    compactions are added to the first usage.
    """
    if counts == _NO_COUNTS:
        return NONE
    uncached, output, read, written, thinking = counts
    read, written = read or 0, written or 0
    usage = Usage((uncached or 0) + read + written, output or 0, read, written, thinking or 0)
    if not beside:
        return (usage,)
    for more in beside:
        if more.model is None:
            usage = Usage._make((*map(operator.add, usage.counts, more.counts), None))
    return (usage, *(more for more in beside if more.model is not None))


def _beside(iterations: object) -> tuple[Usage, ...] | None:
    """Returns what is billed beside the counts of a usage, by its `iterations`; `None` if that is no list.

    That is one `Usage` for each advisor's model, and one without a model for all compactions. Other iterations are in
    the counts already, or are not billed, as those of a model that declined. An advisor without a valid model is left
    out, and so is what follows the first `_MAX_ITERATIONS`.
    """
    if not isinstance(iterations, list):
        return None
    found: dict[str | None, tuple[int, ...]] = {}
    for fields in map(_fields, iterations[:_MAX_ITERATIONS]):
        kind, model = fields.get("type"), None
        if kind == "advisor_message":
            model = fields.get("model")
            if not isinstance(model, str) or not 0 < len(model) <= _MAX_MODEL:
                continue
        elif kind != "compaction":
            continue
        for more in _usages(_counts(fields), None):
            found[model] = tuple(map(operator.add, found.get(model, Usage().counts), more.counts))
    return tuple(Usage._make((*counts, model)) for model, counts in found.items())


def _fields(value: object) -> Mapping[str, Any]:
    """Returns the fields of `value` by name: itself if it is a dictionary, else those of the SDK's model that it is.

    Unknown fields are included. Empty for an object without fields, such as `None`.
    """
    if isinstance(value, dict):
        return value
    # Not by attribute: for a missing one pydantic runs Python code.
    fields = getattr(value, "__dict__", None) or {}
    extra = getattr(value, "__pydantic_extra__", None)
    return {**fields, **extra} if isinstance(extra, dict) and extra else fields
