"""Holds the facts of an SDK method's invocation that may be recorded or that decide how it is recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ANTHROPIC: Final = "anthropic"
"""The `gen_ai.provider.name` of the API itself."""


@dataclass(frozen=True)
class Invocation:
    """What an SDK method was called with, and the settings of its client that matter for the telemetry.

    - `operation`: the operation's name, such as `messages.create`; `None` if neither the SDK's name of its method nor
      the HTTP method and URL in the SDK's options show it.
    - `model`: the model that was asked for, `None` without one or if not known.
    - `stream`: whether a stream was asked for: of events, or of the lines of a batch's results.
    - `by_names`: whether the SDK decodes only stream events whose names it knows, as up to 1.15.
    - `provider`: the `gen_ai.provider.name` of the platform.
    - `address`, `port`: host and port of the client's base URL, `None` if not known.
    - `max_retries`: how often the SDK may retry the call, `None` if not known.
    - `sdk_makes_span`: whether the SDK is expected to make the call span itself.
    - `sdk_tracer_provider`: the provider of the SDK's call span; `None` for the global one, or if the SDK makes none.
    - `propagate_context`: whether trace context may be sent in the request's headers.
    - `reopens`: whether the SDK reconnects a stream that breaks off, so that the app sees no failure, as its runner of
      an agent's session does.
    - `max_retry_after`: the longest `retry-after`, in seconds, that the SDK obeys.
    - `own_retry_rule`, `own_backoff`: whether the app has replaced a method of the SDK that decides what is retried,
      and one that decides how long the backoff is, in a subclass of the client or on the client.
    - `own_requests`: whether it has so replaced one that makes the requests, or one that may change their options.
    - `has_middleware`: whether the client has middlewares of the SDK.
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
    own_backoff: bool = False
    own_requests: bool = False
    has_middleware: bool = False

    @property
    def only_sdk_raises(self) -> bool:
        """Whether no code of the app in the SDK's client may raise where the SDK would for a response, or would retry.

        That is if the client has no middleware, and the app has replaced none of the methods of the `own_…` fields.
        """
        return not (self.own_retry_rule or self.own_backoff or self.own_requests or self.has_middleware)
