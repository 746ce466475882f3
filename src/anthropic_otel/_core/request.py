"""Holds the facts of a request that are known when it is sent, and those of a retry that are known when it starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from anthropic_otel._core.semconv import RetrySource
from anthropic_otel._core.target import Target


# No `NamedTuple`: a field of one takes 130 instructions more to read.
@dataclass(slots=True)
class RequestFacts:
    """The facts of a request that are known when it is sent. Not to be changed.

    - `target`: where the request goes.
    - `model`: the model that it asks for, `None` if it is that of its call, or not known.
    - `stream`: without a call, whether the app has asked for an event stream, `None` if not known.
    - `proxy`: `host:port` of the proxy that it goes through, `None` without one or if not known.
    - `size`: the size of its body in bytes, `None` if not known beforehand.
    - `fetches_credentials`: whether an auth flow of the SDK fetches credentials within the send.
    - `emits_events`: whether the transport reports trace events, and they are read.
    - `retry_count`: in a call that has a middleware, which retry of the SDK the request is by its header, 0 for none.
      `None` without that header or a middleware.
    - `trace_context`: the trace context headers that the SDK has put on a request that is sent where its call is not
      current, as in a middleware's own thread; else empty or `None`.
    """

    target: Target
    model: str | None = None
    stream: bool | None = None
    proxy: str | None = None
    size: int | None = None
    fetches_credentials: bool = False
    emits_events: bool = False
    retry_count: int | None = None
    trace_context: Mapping[str, str] | None = None


@dataclass(slots=True)
class Retry:
    """The facts of an attempt that follows another one of its call or its send, known when it starts.

    - `number`: 1 for the first attempt that follows another.
    - `delay`: the backoff that has just ended, in nanoseconds; `None` if there was none or it is not known.
    - `reason`: the `error.type` of the attempt before; `app_exception` if a middleware has rejected its answer, else
      `fallback` if it has not failed; `None` if not known.
    - `source`: what decided the backoff, `None` if there was none or it is not known.
    """

    number: int
    delay: int | None = None
    reason: str | None = None
    source: RetrySource | None = None
