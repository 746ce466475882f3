"""Judges the result of an empty export.

A collector answers an empty export with success. Any other answer comes from something else, or from a collector that
expects another protocol, requires credentials, or has a problem.

Rule: only a success is good, and none that has a page of HTML, which a collector does not send.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from anthropic_otel._core.semconv import UNEXPECTED_CONTENT
from anthropic_otel._core.semconv import NetworkCause as Cause
from anthropic_otel.cli.doctor.collector.endpoint import NAME, Endpoint
from anthropic_otel.cli.doctor.collector.start import PROTOCOL
from anthropic_otel.cli.doctor.findings import Finding, State, bad, good, note

_HEADERS: Final = "OTEL_EXPORTER_OTLP_HEADERS"
_OTHER_PROTOCOL: Final = frozenset({Cause.PROTOCOL_ERROR.value, Cause.SERVER_DISCONNECTED.value})


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of an empty export, which took `seconds`. Exactly one of these is not `None`:

    - `status`: the HTTP status of the answer; `content_type` is that header, in lower case.
    - `code`: the name of the answer's gRPC status, `OK` for success.
    - `cause`: why no answer came, as a value of `network.cause`; `errno` is the name of the system's error, if any.
    - `unmade`: why no request was made: the type of the exception that the exporter's constructor raised, or a text.
    """

    seconds: float
    status: int | None = None
    content_type: str = ""
    code: str | None = None
    cause: str | None = None
    errno: str | None = None
    unmade: str | None = None


def judge(endpoint: Endpoint, outcome: Outcome) -> Finding:
    """Returns the finding about the result of an empty export to `endpoint`.

    The finding is good for gRPC's `OK`, and for a 2xx that is no page of HTML. It is a note for a status 400, and if
    the default endpoint refuses the connection. Else it is a fault.
    """
    subject = endpoint.signal.subject
    if outcome.unmade is not None:
        text = f"the exporter cannot be made: {outcome.unmade}"
        return bad(subject, text, "correct the OTEL_EXPORTER_OTLP_* variables: certificates, timeout, compression")
    if outcome.cause is not None:
        return _unreached(subject, endpoint, outcome)
    if outcome.code is not None:
        return _of_code(subject, endpoint, outcome)
    return _of_status(subject, endpoint, outcome)


# -- HTTP --------------------------------------------------------------------------------------------------------------


def _of_status(subject: str, endpoint: Endpoint, outcome: Outcome) -> Finding:
    status, text = outcome.status or 0, f"{endpoint.shown} answers {outcome.status}"
    if 200 <= status < 300:
        if "html" in outcome.content_type:
            return bad(subject, f"{text} with a page", "is it a collector?", UNEXPECTED_CONTENT, outcome.seconds)
        return good(subject, text, outcome.seconds)
    if status == 400:
        return note(
            subject, f"{text} to an empty export", "it may refuse empty ones: make a call, and look whether it arrives"
        )
    return bad(subject, text, _remedy_of(status, endpoint), seconds=outcome.seconds)


def _remedy_of(status: int, endpoint: Endpoint) -> str:
    if status in (401, 403):
        return f"credentials: {_HEADERS}=name=value, with blanks as %20"
    if status == 404:
        return _remedy_of_path(endpoint)
    if status == 407:
        return "that is a proxy's answer: put the collector's host into NO_PROXY"
    if status == 429:
        return "it is running, but takes no more for now: look at its limits"
    if status in (405, 415):
        return f"is it a collector, and for {endpoint.protocol}? Else {PROTOCOL}"
    if 300 <= status < 400:
        return f"a redirect, which the exporter does not follow: put its target into {NAME}"
    return "it is running, but has a problem: look at its log"


def _remedy_of_path(endpoint: Endpoint) -> str:
    path = endpoint.parts.path.rstrip("/") if endpoint.parts is not None else ""
    own = f"/v1/{endpoint.signal.value}"
    if endpoint.exact and not path.endswith(own):
        return f"{endpoint.source} is used as it is: put {own} at its end"
    if not endpoint.exact and "/v1/" in path:
        return f"take the path off {endpoint.source}: the exporter adds {own}"
    return "is it a collector?"


# -- gRPC --------------------------------------------------------------------------------------------------------------

_CODES: Final = {
    "UNIMPLEMENTED": "is it a collector, with a pipeline for this signal?",
    "UNAUTHENTICATED": f"credentials: {_HEADERS}=name=value",
    "PERMISSION_DENIED": f"credentials: {_HEADERS}=name=value",
    "NOT_FOUND": "is it a collector?",
}


def _of_code(subject: str, endpoint: Endpoint, outcome: Outcome) -> Finding:
    code = outcome.code or ""
    text = f"{endpoint.shown} answers {code} (grpc)"
    if code == "OK":
        return good(subject, text, outcome.seconds)
    return bad(
        subject, text, _CODES.get(code, "it is running, but has a problem: look at its log"), seconds=outcome.seconds
    )


# -- nothing came ------------------------------------------------------------------------------------------------------


def _unreached(subject: str, endpoint: Endpoint, outcome: Outcome) -> Finding:
    cause = outcome.cause or Cause.OTHER.value
    text, remedy = _TEXTS.get(cause, ("no answer from {address}: {cause}", "look at the network between"))
    if cause in _OTHER_PROTOCOL or (cause == Cause.READ_TIMEOUT.value and endpoint.over_grpc):
        remedy = _other_protocol(endpoint)
    system = f" ({outcome.errno})" if outcome.errno else ""
    values = {"address": endpoint.address, "system": system, "cause": cause, "waited": f"{outcome.seconds:.1f} s"}
    finding = bad("OTLP", text.format(**values), remedy.format(**values), cause, outcome.seconds)
    if endpoint.is_default and cause == Cause.CONNECTION_REFUSED.value:
        # Nothing is configured, so that no collector is running is no fault.
        remedy = f"start one there, or set {NAME}"
        return Finding(State.NOTE, "OTLP", f"{finding.text}; {NAME} is not set", remedy, cause, outcome.seconds)
    return finding


def _other_protocol(endpoint: Endpoint) -> str:
    if endpoint.over_grpc:
        return f"is it a collector's port for grpc (4317)? For http: {PROTOCOL}=http/protobuf"
    return f"is it a collector's port for http (4318)? For grpc (4317): {PROTOCOL}=grpc"


_TEXTS: Final = {
    Cause.NAME_RESOLUTION_ERROR.value: ("{address}: the name cannot be resolved{system}", f"correct {NAME}"),
    Cause.CONNECTION_REFUSED.value: (
        "nothing is listening at {address}{system}",
        f"start the collector, or correct {NAME}",
    ),
    Cause.CONNECT_TIMEOUT.value: ("no answer from {address} within {waited}", "a firewall or network policy drops it"),
    Cause.READ_TIMEOUT.value: ("{address} took it and did not answer within {waited}", "is it a collector?"),
    Cause.NETWORK_UNREACHABLE.value: ("there is no route to {address}{system}", f"correct {NAME}, or the routes"),
    Cause.CONNECTION_RESET.value: ("{address} reset the connection{system}", f"http:// or https:// in {NAME}?"),
    Cause.SERVER_DISCONNECTED.value: ("{address} closed the connection without an answer", ""),
    Cause.PROTOCOL_ERROR.value: ("what {address} answers is not of this protocol", ""),
    Cause.TLS_CERTIFICATE_ERROR.value: (
        "the certificate of {address} is not accepted",
        "OTEL_EXPORTER_OTLP_CERTIFICATE=/path/to/ca.pem",
    ),
    Cause.TLS_ERROR.value: ("no TLS with {address}", f"http:// in {NAME}, if it speaks plain text"),
    Cause.PROXY_ERROR.value: ("the proxy did not let it through to {address}", "put its host into NO_PROXY"),
    Cause.REQUEST_NOT_SENT.value: ("it could not be sent", f"correct {_HEADERS}, {NAME} and the proxy's variables"),
}
