"""Which SDK is installed, and what follows from its version; and from that of OpenTelemetry's exporters.

Rule: a test asks here what they can do, and never compares versions itself.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import anthropic


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])


def _installed(package: str) -> tuple[int, ...]:
    """The version of a package, empty if it is not installed."""
    try:
        return _numbers(version(package))
    except PackageNotFoundError:
        return ()


SDK: Final = _numbers(anthropic.__version__)
"""The version of the SDK, such as `(2, 11, 0)`."""

SDK_LIBRARY: Final = "httpx2" if SDK >= (1, 0) else "httpx"
"""The HTTP library that the SDK's clients are built on. They reject clients of the other one."""

TRACES_ITSELF: Final = SDK >= (1, 14)
"""Whether the SDK makes the call span, unless it is told not to."""

PROPAGATES_ITSELF: Final = hasattr(sys.modules.get("anthropic._tracing"), "inject_trace_headers")
"""Whether the SDK puts the context of its call span on its requests."""

NAMES_OPERATIONS: Final = TRACES_ITSELF
"""Whether the SDK tells the name of the operation that a request is for."""

HAS_MIDDLEWARE: Final = SDK >= (0, 108)
"""Whether a client takes `middleware=`."""

TAKES_BODY_IN_BYTES: Final = (0, 75) <= SDK < (1, 0)
"""Whether a raw request takes bytes as its `body`, and sends them as they are."""

HAS_TOOL_RUNNER: Final = hasattr(anthropic.Anthropic(api_key="none").beta.messages, "tool_runner")
"""Whether there is `client.beta.messages.tool_runner`."""

HAS_SESSION_RUNNER: Final = hasattr(
    getattr(getattr(anthropic.AsyncAnthropic(api_key="none").beta, "sessions", None), "events", None), "tool_runner"
)
"""Whether there is `client.beta.sessions.events.tool_runner`, whose client says so in a header."""

HAS_MESSAGE_THREADS: Final = hasattr(anthropic.Anthropic(api_key="none").beta.messages, "thread")
"""Whether there is `client.beta.messages.thread`, a conversation that the server holds."""

TELLS_ERROR_TYPE: Final = SDK >= (0, 87)
"""Whether an `APIStatusError` has the API's error type as its `type`."""

CLOSES_FAILED_STREAMS: Final = SDK >= (0, 107)
"""Whether the SDK closes a stream that has an `error` event. Before, it ends when the app has forgotten it."""

COPIES_EVERY_CLIENT: Final = SDK >= (0, 107)
"""Whether `with_options` works on each platform: before, Foundry's raises a `TypeError` of its own."""

KEEPS_PARSED_REPLIES: Final = SDK >= (1, 0)
"""Whether a raw response that a middleware has parsed returns the same reply again. Before, it is parsed anew."""

RUNS_ON_TRIO: Final = SDK >= (0, 75)
"""Whether the SDK itself runs on trio: 0.40 asks asyncio for a thread."""

ROUTES_FRAMES: Final = SDK >= (0, 110)
"""Whether Bedrock's stream tells the events in `chunk` frames apart. Before, an `error` event is one to the app too."""

NAMES_FRAME_ERRORS: Final = SDK >= (1, 7)
"""Whether an `exception` or `error` frame of Bedrock is an `APIStatusError`. Before, the SDK raises a `ValueError`."""

DECODES_EVERY_EVENT: Final = SDK >= (1, 16)
"""Whether a stream decodes each event that has data, and skips those without. Before, it goes by their names."""

SENDS_EMPTY_TOKENS: Final = SDK >= (0, 74)
"""Whether an `auth_token` of no characters becomes a header. Before, the SDK asks for credentials."""

RESPONSES_ARE_CYCLES: Final = SDK_LIBRARY == "httpx"
"""Whether the HTTP library's responses and their streams refer to each other, so that only the collector frees them."""

EXPORTERS_RETRY_REFUSALS: Final = _installed("opentelemetry-exporter-otlp-proto-http") >= (1, 40)
"""Whether OpenTelemetry's exporters over HTTP try again where a connection is refused. Before, they give up at once."""
