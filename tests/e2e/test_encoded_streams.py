"""Compressed streams that are cut anywhere: what the library says of their end is what the app sees of it."""

from __future__ import annotations

import gzip
import importlib
import importlib.util
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from anthropic_otel.simulator import Endpoint
from anthropic_otel.testing import Attempt, capture
from support.apps import SdkApp
from support.driver import Driver
from support.stacks import SDK_STACKS, Stack
from support.streams import LAST_DELTA, START, STOP, delta, error, sse

EVENTS: Final[tuple[dict[str, Any], ...]] = (START, delta("hello"), LAST_DELTA, STOP, {"type": "ping"})
WHOLE: Final = b"".join(sse(event["type"], event) for event in EVENTS)
FAILED: Final = sse("message_start", START) + sse("error", error("overloaded_error"))
SYNC: Final = next(stack for stack in SDK_STACKS if not stack.asynchronous)


def raw_deflate(body: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(body) + compressor.flush()


def in_members(body: bytes) -> bytes:
    return gzip.compress(body[:100]) + gzip.compress(body[100:])


def brotli(body: bytes) -> bytes:
    compressed: bytes = importlib.import_module("brotli").compress(body)
    return compressed


def zstd(body: bytes) -> bytes:
    compressed: bytes = importlib.import_module(ZSTD).compress(body)
    return compressed


ZSTD: Final = (
    "zstandard" if SYNC.library == "httpx" else "backports.zstd" if sys.version_info < (3, 14) else "compression.zstd"
)
"""The module by which the HTTP library decodes Zstandard."""

ENCODINGS: Final[dict[str, tuple[str, Callable[[bytes], bytes]]]] = {
    "gzip": ("gzip", gzip.compress),
    "capitals": ("GZIP", gzip.compress),
    "zlib": ("deflate", zlib.compress),
    "raw deflate": ("deflate", raw_deflate),
    "twice": ("gzip, gzip", lambda body: gzip.compress(gzip.compress(body))),
    "two members": ("gzip", in_members),
    "and more": ("gzip", lambda body: gzip.compress(body) + b"more"),
    "not at all": ("gzip", bytes),
    "brotli": ("br", brotli),
    "brotli of gzip": ("gzip, br", lambda body: brotli(gzip.compress(body))),
    "no brotli": ("br", bytes),
    "zstd": ("zstd", zstd),
    "zstd in frames": ("zstd", lambda body: zstd(body[:100]) + zstd(body[100:])),
    "no zstd": ("zstd", bytes),
    "unknown": ("x-unknown", bytes),
}


def read(stack: Stack, chunks: list[bytes], encoding: str) -> tuple[list[str], str | None, Attempt]:
    """What the app gets of the stream, the events' types and the name of the exception, and its attempt."""

    def answer(_: Any) -> Any:
        headers = {"content-type": "text/event-stream", "content-encoding": encoding}
        return stack.module.Response(200, headers=headers, content=iter(chunks))

    http = stack.module.Client(transport=stack.module.MockTransport(answer))
    events: list[str] = []
    raised = None
    with Driver(asynchronous=False) as driver, capture() as telemetry:
        app = SdkApp(stack, Endpoint("http://api.test"), driver, http=http, max_retries=0)
        try:
            app.driver.each(app.create(stream=True), lambda event: events.append(event.type))
        except Exception as failure:
            raised = type(failure).__name__
        app.close()
    [attempt] = telemetry.attempts
    return events, raised, attempt


def cuts(text: bytes) -> Iterator[list[bytes]]:
    """Beginnings of a text, in one chunk, and it all in bytes."""
    for length in range(0, len(text) + 1, max(1, len(text) // 24)):
        yield [text[:length]]
    yield [text]
    yield [text, b""]
    yield [bytes([each]) for each in text]


def installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def named(name: str) -> Any:
    """A parameter, skipped where the HTTP library cannot decode that encoding. The suite's own environment can."""
    module = "brotli" if "brotli" in name else ZSTD if "zstd" in name else "zlib"
    return pytest.param(name, marks=pytest.mark.skipif(not installed(module), reason="this client cannot decode it"))


@pytest.mark.parametrize("body", [WHOLE, FAILED], ids=["whole", "failed"])
@pytest.mark.parametrize("name", [named(each) for each in ENCODINGS])
def test_a_compressed_stream_ends_as_it_does_for_the_app(name: str, body: bytes) -> None:
    """Cut anywhere, an empty chunk included: complete with its end event, and else failed by the word of what came."""
    encoding, encoded = ENCODINGS[name]
    for chunks in cuts(encoded(body)):
        events, raised, attempt = read(SYNC, chunks, encoding)
        told = (attempt.outcome, attempt.error_type)
        if raised is not None and raised != "DecodingError":
            assert told == ("failed", "overloaded_error"), (chunks, events, raised)
        elif raised is not None:
            assert told == ("failed", "decoding_error"), (chunks, events)
        elif "message_stop" in events:
            assert told == ("completed", None), chunks
        else:
            assert told == ("failed", "incomplete_stream"), (chunks, events)
