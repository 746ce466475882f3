"""What is no fault at all, in the forms that a client must not take for one."""

from __future__ import annotations

from typing import Final

from anthropic_otel._core.semconv import AttemptOutcome
from anthropic_otel.simulator.actions import Certificate as Cert
from anthropic_otel.simulator.actions import Delivery, Encoding, ExchangeAction, Redirect, Reply, Tls
from anthropic_otel.simulator.faults import NO_NEEDS, Fault, Needs, Where


def _success(
    name: str,
    description: str,
    action: ExchangeAction | Tls,
    *,
    stream: bool | None = None,
    needs: Needs = NO_NEEDS,
) -> Fault:
    return Fault(
        name=name,
        description=description,
        where=Where.NOWHERE,
        action=action,
        error_type=None,
        cause=None,
        phase=None,
        outcome=AttemptOutcome.COMPLETED,
        status=200,
        retried=False,
        request_id=True,
        stream=stream,
        needs=needs,
    )


FAULTS: Final = (
    _success("ok", "The API answers the request, as JSON or as a stream.", Reply()),
    _success("ok_gzip", "The API answers with gzip.", Reply(delivery=Delivery(encoding=Encoding.GZIP))),
    _success(
        "ok_crlf",
        "The lines of the stream end in CR LF.",
        Reply(delivery=Delivery(newline="\r\n")),
        stream=True,
    ),
    _success(
        "ok_segmented",
        "The response comes in TCP segments of 16 bytes, which cut events and chunks anywhere.",
        Reply(delivery=Delivery(segment=16)),
    ),
    _success("ok_pings", "Each delta of the stream comes after pings.", Reply(delivery=Delivery(pings=2)), stream=True),
    _success(
        "ok_slow",
        "Each event of the stream comes 20 ms after the one before, and so does a body as a whole.",
        Reply(delivery=Delivery(pace=0.02)),
    ),
    _success("ok_redirected", "A 307 leads to another path of the same server, where the API answers.", Redirect()),
    _success("ok_tls", "The API answers over TLS.", Tls(Cert.TRUSTED), needs=Needs(ca=True)),
)
