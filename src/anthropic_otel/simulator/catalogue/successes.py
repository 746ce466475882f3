"""Attempts that succeed, in forms that a client must not take for faults."""

from __future__ import annotations

from typing import Final

from anthropic_otel.simulator.actions import Delivery, Encoding, Redirect, Reply
from anthropic_otel.simulator.addresses import Certificate as Cert
from anthropic_otel.simulator.addresses import Tls
from anthropic_otel.simulator.faults import Needs, answered

FAULTS: Final = (
    answered("ok", "The API answers the request, as JSON or as a stream.", Reply()),
    answered("ok_gzip", "The API answers with gzip.", Reply(delivery=Delivery(encoding=Encoding.GZIP))),
    answered(
        "ok_crlf",
        "The lines of the stream end in CR LF.",
        Reply(delivery=Delivery(newline="\r\n")),
        stream=True,
    ),
    answered(
        "ok_segmented",
        "The response comes in TCP segments of 16 bytes, which cut events and chunks anywhere.",
        Reply(delivery=Delivery(segment=16)),
    ),
    answered("ok_pings", "Each delta of the stream comes after pings.", Reply(delivery=Delivery(pings=2)), stream=True),
    answered(
        "ok_slow",
        "Each event of the stream comes 20 ms after the one before, and so does a body as a whole.",
        Reply(delivery=Delivery(pace=0.02)),
    ),
    answered("ok_redirected", "A 307 leads to another path of the same server, where the API answers.", Redirect()),
    answered("ok_tls", "The API answers over TLS.", Tls(Cert.TRUSTED), needs=Needs(ca=True)),
)
