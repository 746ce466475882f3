"""Answers that are not valid HTTP/1.1, as a wrong port, a broken gateway or a server of another protocol sends them."""

from __future__ import annotations

from typing import Final

from anthropic_otel._core.semconv import NetworkCause as Cause
from anthropic_otel._core.semconv import Phase
from anthropic_otel.simulator.actions import Ending, Raw
from anthropic_otel.simulator.faults import NO_NEEDS, STACKS, Fault, Needs, Where, network

_HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
_HTTP_2: Final = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
"""An empty SETTINGS frame: the first bytes that an HTTP/2 server sends."""


def _raw(
    name: str,
    description: str,
    data: bytes,
    cause: Cause = Cause.PROTOCOL_ERROR,
    *,
    ending: Ending = Ending.CLOSE,
    errno: tuple[str, ...] = (),
    needs: Needs = NO_NEEDS,
    applies_to: frozenset[str] = STACKS,
) -> Fault:
    action = Raw(data, ending)
    return network(
        name,
        description,
        Where.BEFORE_HEADERS,
        action,
        cause,
        Phase.WAIT,
        errno=errno,
        needs=needs,
        applies_to=applies_to,
    )


FAULTS: Final = (
    _raw("raw_http_2", "The server answers in HTTP/2 what was asked in HTTP/1.1.", _HTTP_2),
    _raw("raw_ssh", "Something listens there that is no web server.", b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
    _raw("raw_greeting", "A server of another kind greets, and closes the connection.", b"220 mail.test ESMTP\r\n"),
    _raw("raw_status_line", "The status of the answer is no number.", b"HTTP/1.1 two hundred OK\r\n\r\n"),
    _raw("raw_version", "The answer is of an HTTP version that does not exist.", b"HTTP/9 200 OK\r\n\r\n"),
    _raw("raw_header", "A header line has no colon.", _HEAD + b"no colon here\r\n\r\n{}"),
    _raw("raw_lengths", "The answer has two lengths.", _HEAD + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}"),
    _raw("raw_length", "The length of the answer is no number.", _HEAD + b"content-length: two\r\n\r\n{}"),
    _raw(
        "raw_head_cut",
        "The server closes the connection in the middle of its headers.",
        _HEAD,
        Cause.SERVER_DISCONNECTED,
    ),
    _raw(
        "raw_head_reset",
        "The server resets the connection in the middle of its headers.",
        _HEAD,
        Cause.CONNECTION_RESET,
        ending=Ending.RESET,
        errno=("ECONNRESET",),
    ),
    _raw(
        "raw_head_timeout",
        "The server falls silent in the middle of its headers.",
        _HEAD,
        Cause.READ_TIMEOUT,
        ending=Ending.STALL,
        needs=Needs(read_timeout=0.3),
    ),
    _raw(
        "raw_interim_cut",
        "The server closes the connection after a 103.",
        b"HTTP/1.1 103 Early Hints\r\n\r\n",
        Cause.SERVER_DISCONNECTED,
    ),
    _raw("raw_long_header", "A header has 256 KB.", _HEAD + b"x: " + b"y" * 262_144 + b"\r\n\r\n"),
)
