"""Holds the facts of a request that are known when it is sent, and those of a retry that are known when it starts."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from anthropic_otel._core.semconv import RetrySource
from anthropic_otel._core.target import Target


# No `NamedTuple`: a field of one takes 130 instructions more to read.
@dataclass(frozen=True, slots=True)
class RequestFacts:
    """The facts of a request that are known when it is sent, and that many requests have in common.

    - `target`: where the request goes.
    - `model`: the model that it asks for, `None` if it is that of its call, or not known.
    - `stream`: whether the app has asked for an event stream, `None` in a call, whose `Invocation` says it, or if not
      known.
    - `proxy`: `host:port` of the proxy that it goes through, `None` without one or if not known.
    - `fetches_credentials`: whether an auth flow of the SDK may fetch credentials within the send. `False` with event
      hooks.
    - `emits_events`: whether the transport is known to report trace events, and they are read. `False` with event
      hooks, though they read such events.
    - `retry_count`: the retry number in the SDK's header of the request: 0 for the SDK's first request of a call.
      `None` if the request lacks that header, or is not of a call with a middleware.
    - `trace_context`: the trace context headers that the SDK has put on the request. They are only read if the request
      is sent in a thread or task where its call is not the current one, such as a middleware's own thread. Else it is
      `None`; it may also be empty.
    """

    target: Target
    model: str | None = None
    stream: bool | None = None
    proxy: str | None = None
    fetches_credentials: bool = False
    emits_events: bool = False
    retry_count: int | None = None
    trace_context: Mapping[str, str] | None = None


shared_facts: Final = functools.lru_cache(maxsize=128)(RequestFacts)
"""Makes a `RequestFacts`, or returns the same one as before: each open stream would hold one of 100 bytes.

Not for one with a `trace_context`, which no other request has.
"""


@dataclass(slots=True)
class Retry:
    """The facts of an attempt that follows another one, known when it starts.

    - `number`: how many attempts of its call came before it, 1 or more. Without a call it is the retry number in the
      SDK's header, plus how many attempts of the send a transport has sent by itself so far, with this one.
    - `delay`: the backoff that has just ended, in nanoseconds; `None` if there was none or it is not known.
    - `reason`: the `error.type` of the failed attempt that it retries; `app_exception` if the SDK retries because a
      middleware rejected an answer or stopped an attempt; `fallback` if it retries nothing, such as a request to
      another model after an answer. `None` if not known.
    - `source`: what decided the backoff, `None` if there was none or it is not known.
    """

    number: int
    delay: int | None = None
    reason: str | None = None
    source: RetrySource | None = None
