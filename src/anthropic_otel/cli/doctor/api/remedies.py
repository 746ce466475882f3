"""Explains a failed step of the request by its cause, and says what to do about it.

Rule: the advice for each cause, and that for any other one, says what to do next. `anthropic-otel why` has the longer
explanation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from anthropic_otel._core.semconv import NetworkCause as Cause
from anthropic_otel.cli.doctor.api.base_url import NAME, Target
from anthropic_otel.cli.doctor.api.steps import Kind, Step


@dataclass(frozen=True, slots=True)
class Failure:
    """A step that failed.

    - `where`: `host:port` of what the step was with: the proxy, the API, or the target of a redirect.
    - `target`: the API's address; `waited`: how many seconds the step has taken.
    - `proxy`: the proxy that the client uses, as `host:port`, `None` without one; `proxy_name`: the variable that sets
      it.
    - `errno`: the name of the system's error, `None` without one; `tls_reason`: OpenSSL's name for why the handshake
      failed, empty without one.
    - `only_ipv6`: whether the name that was looked up has IPv6 addresses only.
    """

    step: Step
    where: str
    target: Target
    waited: float
    proxy: str | None = None
    proxy_name: str = "HTTPS_PROXY"
    errno: str | None = None
    tls_reason: str = ""
    only_ipv6: bool = False

    @property
    def system(self) -> str:
        """A blank and the name of the system's error in parentheses; empty if there is none."""
        return f" ({self.errno})" if self.errno else ""


Advice = tuple[str, str]
"""Two texts: what happened, and what to do about it."""


def advice(cause: str, failure: Failure) -> Advice:
    """Returns what happened in a failed step, and what to do about it. `cause` is a value of `network.cause`.

    A cause without advice of its own gets a general one.
    """
    of_proxy = failure.proxy is not None and failure.step.kind in (Kind.TCP, Kind.PROXY_TLS, Kind.CONNECT, Kind.SOCKS)
    if of_proxy and failure.step.hop == 0:
        return _of_proxy(cause, failure)
    if cause == Cause.TLS_ERROR.value:
        return _of_tls(failure)
    if cause == Cause.NETWORK_UNREACHABLE.value and failure.only_ipv6:
        return (
            f"{failure.where} has only IPv6 addresses, and there is no route to them{failure.system}",
            "give this machine IPv6, or a proxy that has it: HTTPS_PROXY",
        )
    text, remedy = _TEXTS.get(cause, _UNKNOWN)
    values = {"where": failure.where, "system": failure.system, "waited": f"{failure.waited:.1f} s", "error": cause}
    if failure.step.hop:
        remedy = "something redirects requests there: ask who runs what stands in between"
    elif not failure.target.is_default and cause in _WRONG_ADDRESS:
        remedy = f"is it up, and is {NAME} right? Else {remedy}"
    return text.format(**values), remedy.format(**values)


_ALLOW: Final = "have {where} allowed by the firewall or egress policy, or set HTTPS_PROXY"
_WRONG_ADDRESS: Final = frozenset(
    {Cause.CONNECTION_REFUSED.value, Cause.CONNECT_TIMEOUT.value, Cause.TLS_TIMEOUT.value, Cause.CONNECTION_RESET.value}
)
_UNKNOWN: Final = ("failed: {error}", "look at the log of what stands in between")
_TEXTS: Final[dict[str, Advice]] = {
    Cause.NAME_RESOLUTION_ERROR.value: (
        "{where}: the name cannot be resolved{system}",
        "look at the DNS and the egress policy of this machine or container; behind a proxy, set HTTPS_PROXY",
    ),
    Cause.CONNECTION_REFUSED.value: ("nothing is listening at {where}{system}", _ALLOW),
    Cause.CONNECTION_RESET.value: ("{where} or a box before it reset the connection{system}", _ALLOW),
    Cause.NETWORK_UNREACHABLE.value: ("there is no route to {where}{system}", "look at routes and network policy"),
    Cause.CONNECTION_ERROR.value: ("no connection to {where}{system}", "look at this machine's limits and network"),
    Cause.CONNECT_TIMEOUT.value: ("no answer from {where} within {waited}", _ALLOW),
    Cause.TLS_TIMEOUT.value: ("no answer from {where} to the handshake within {waited}", _ALLOW),
    Cause.READ_TIMEOUT.value: (
        "the request was sent, and no answer came within {waited}",
        "try again; if it stays, something on the way holds requests back",
    ),
    Cause.WRITE_TIMEOUT.value: ("the request could not be sent within {waited}", "try again; look at what is between"),
    Cause.SERVER_DISCONNECTED.value: (
        "{where} took the request and closed the connection without an answer",
        "ask who runs what stands in between: it cuts requests to the API",
    ),
    Cause.PROTOCOL_ERROR.value: (
        "what {where} answered is not HTTP",
        "is it another service's port?",
    ),
    Cause.INCOMPLETE_BODY.value: (
        "the connection was closed in the middle of the answer",
        "ask who runs what stands in between",
    ),
    Cause.DECODING_ERROR.value: (
        "the answer's body does not match its Content-Encoding",
        "something in between rewrites answers: have it leave them alone",
    ),
    Cause.TOO_MANY_REDIRECTS.value: (
        "redirects that lead to redirects",
        "what answers is not the API: look at what stands in between",
    ),
    Cause.REQUEST_NOT_SENT.value: (
        'it could not be sent: the SDK says "Connection error."',
        "fix the header or URL that is marked above",
    ),
    Cause.STREAM_RESET.value: ("{where} reset the HTTP/2 stream", "ask who runs what stands in between"),
}

# -- TLS ---------------------------------------------------------------------------------------------------------------

_PLAIN: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"})
_CLOSED: Final = "UNEXPECTED_EOF_WHILE_READING"


def _of_tls(failure: Failure) -> Advice:
    reason = failure.tls_reason
    if reason in _PLAIN:
        return f"{failure.where} answers in plain text, not in TLS", _remedy_of_plain_text(failure)
    if not reason or reason == _CLOSED:
        return (
            f"{failure.where} closed the connection in the handshake",
            "does it want a client certificate? Else a firewall that reads host names cuts it: have it allow the host",
        )
    word = reason.lower().replace("_", " ")
    return (
        f"{failure.where} ended the handshake: {word}",
        "look at its TLS settings, or at the box that ends TLS before it",
    )


def _remedy_of_plain_text(failure: Failure) -> str:
    if failure.proxy is not None:
        return f"what the proxy leads to is not the API: ask who runs it; is {failure.proxy_name} a proxy at all?"
    if failure.target.is_default:
        return "something answers in the API's place: ask who runs this network"
    return f"http:// in {NAME}, or the port that speaks TLS"


# -- the proxy ---------------------------------------------------------------------------------------------------------


def _of_proxy(cause: str, failure: Failure) -> Advice:
    proxy, name = failure.where, failure.proxy_name
    match failure.step.kind:
        case Kind.TCP:
            return _unreached(cause, failure)
        case Kind.PROXY_TLS:
            return f"the proxy {proxy} did not complete TLS with the client", f"most proxies want http:// in {name}"
        case Kind.SOCKS:
            return _of_socks(cause, failure)
        case _:
            return _of_connect(cause, failure)


def _unreached(cause: str, failure: Failure) -> Advice:
    if cause == Cause.CONNECT_TIMEOUT.value:
        return (
            f"no answer from the proxy {failure.where} within {failure.waited:.1f} s",
            "is it up, and is it the right one?",
        )
    if failure.errno and failure.errno.startswith("EAI_"):
        return (
            f"the proxy's name {failure.where} cannot be resolved{failure.system}",
            f"correct the name in {failure.proxy_name}",
        )
    what = "nothing is listening at" if failure.errno == "ECONNREFUSED" else "no connection to"
    return (
        f"{what} the proxy {failure.where}{failure.system}",
        f"is it up, and is its port right? Else unset {failure.proxy_name}",
    )


def _of_socks(cause: str, failure: Failure) -> Advice:
    proxy = failure.where
    if cause == Cause.READ_TIMEOUT.value:
        return f"no answer from the SOCKS proxy {proxy} within {failure.waited:.1f} s", "is it up, and the right one?"
    return (
        f"the SOCKS proxy {proxy} did not let the connection through, or is none",
        f"have it allow {failure.target.host}; if it is an HTTP proxy, http:// in {failure.proxy_name}",
    )


_REFUSALS: Final[dict[int, Advice]] = {
    407: (
        "the proxy wants a user and a password (407)",
        "{name}=http://user:password@host:port, special characters as %XX",
    ),
    403: ("the proxy does not allow {target} (403)", "have the proxy allow CONNECT to {target}"),
    405: ("the proxy does not know CONNECT (405)", "is it a proxy? It may be a web server"),
}


def _of_connect(cause: str, failure: Failure) -> Advice:
    status = failure.step.status
    target = f"{failure.target.host}:{failure.target.port}"
    if status is None:
        if cause == Cause.PROTOCOL_ERROR.value:
            return (
                f"what the proxy {failure.where} answered is not HTTP",
                f"if it is a SOCKS proxy: socks5:// in {failure.proxy_name}",
            )
        if cause == Cause.READ_TIMEOUT.value:
            return f"no answer from the proxy within {failure.waited:.1f} s", "is it up, and may this machine use it?"
        return f"the proxy {failure.where} closed the connection without an answer", "may this machine use it?"
    text, remedy = _REFUSALS.get(
        status, ("the proxy answered {status} to CONNECT", "it could not reach {target}: look at its log")
    )
    values = {"target": target, "status": status, "name": failure.proxy_name}
    return text.format(**values), remedy.format(**values)
