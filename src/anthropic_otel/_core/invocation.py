"""What an SDK method was called with, as far as it may be recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ANTHROPIC: Final = "anthropic"
"""The `gen_ai.provider.name` of the API itself."""


@dataclass(frozen=True)
class Invocation:
    """What an SDK method was called with, as far as it may be recorded.

    - `operation`: the operation's name, `None` where only the request's URL tells it.
    - `model`, `stream`: the model that was asked for, and whether a stream was.
    - `by_names`: whether the SDK goes by the names of a stream's events, and not by the types in their data.
    - `provider`: the `gen_ai.provider.name` of the platform.
    - `address`, `port`: those of the client's base URL.
    - `max_retries`: how often the SDK may retry, `None` where it is unknown.
    - `sdk_makes_span`: whether the SDK is expected to make the call span itself, and `sdk_tracer_provider` by which
      provider; `None` is the global one, or that it makes none.
    - `propagate_context`: whether trace context may be sent.
    - `reopens`: whether the SDK reconnects a stream of events that breaks off, so that the app sees no failure. Its
      runner of an agent's session does.
    - `own_retry_rule`: whether the app's own client class decides what is retried.
    - `max_retry_after`: the longest `retry-after`, in seconds, that the SDK obeys.
    """

    operation: str | None = None
    model: str | None = None
    stream: bool = False
    by_names: bool = False
    provider: str = ANTHROPIC
    address: str | None = None
    port: int | None = None
    max_retries: int | None = None
    sdk_makes_span: bool = False
    sdk_tracer_provider: object = None
    propagate_context: bool = True
    reopens: bool = False
    max_retry_after: float = float("inf")
    own_retry_rule: bool = False
