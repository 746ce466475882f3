"""Makes the findings about the steps of the request: how long they took, which one failed, and which were not tried.

Rule: the cause of a failure is the one that the library records for the attempt. If the attempt has not ended in time,
it is the timeout of the step that began last.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from anthropic_otel._core.semconv import NetworkCause as Cause
from anthropic_otel.cli.doctor.api import answers
from anthropic_otel.cli.doctor.api.answers import host_of
from anthropic_otel.cli.doctor.api.base_url import Target
from anthropic_otel.cli.doctor.api.certificates import Certificate
from anthropic_otel.cli.doctor.api.names import LookUp, Reached
from anthropic_otel.cli.doctor.api.refused_certificates import advice_on_certificate
from anthropic_otel.cli.doctor.api.remedies import Failure, advice
from anthropic_otel.cli.doctor.api.request import Exchange
from anthropic_otel.cli.doctor.api.steps import Kind, Step
from anthropic_otel.cli.doctor.findings import Finding, bad, good, note, untried

_LATE: Final = {
    Kind.TCP: Cause.CONNECT_TIMEOUT,
    Kind.PROXY_TLS: Cause.TLS_TIMEOUT,
    Kind.TLS: Cause.TLS_TIMEOUT,
    Kind.CONNECT: Cause.READ_TIMEOUT,
    Kind.SOCKS: Cause.READ_TIMEOUT,
    Kind.HTTP: Cause.READ_TIMEOUT,
}


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """What is known about the request besides its steps.

    - `target`: the API's address.
    - `found`: the look-up of the host name of the proxy or, without one, of the API; `reached`: the connects to its
      addresses, none if it has fewer than two.
    - `proxy_name`: the variable that sets the proxy; `HTTPS_PROXY` if none does.
    - `with_key`: whether the request had the user's key.
    - `certificate`: the one that was refused; `None` if none was, or it could not be read.
    """

    target: Target
    found: LookUp | None
    reached: Sequence[Reached]
    proxy_name: str
    with_key: bool
    certificate: Certificate | None = None


def of_request(exchange: Exchange, facts: RequestFacts) -> Iterator[Finding]:
    """Yields the findings about the steps of a request that was sent, in order.

    A step that worked has one, except for HTTP, and so has the step in which the request failed. Notes about addresses
    that were not reached and about a first redirect follow the steps that they belong to. The last finding names the
    steps that a failed one kept from being tried, if any. If the request did not fail, the last are about the response.
    """
    steps = exchange.steps.found
    failed = _failed(exchange, steps)
    for step in steps:
        if step is failed:
            yield _failure(exchange, step, facts)
        elif step.worked and step.kind is not Kind.HTTP:
            yield _worked(step, exchange)
        elif step.worked and not step.hop and exchange.steps.hop > 0:
            yield _redirect(exchange, step)
        if step.kind is Kind.TCP and step.worked and step.hop == 0:
            yield from _lost(facts.reached)
    if failed is None:
        yield from _answered(exchange, facts)
    elif left := after(failed.kind, facts.target):
        yield untried(", ".join(kind.value for kind in left), "not tried")


def cause_of(exchange: Exchange) -> str | None:
    """Returns why the request failed, as a value of `network.cause`; `None` if it was answered or has not begun.

    If the request has not ended, that is the timeout of the step that began last.
    """
    if exchange.attempt is not None:
        return exchange.attempt.cause
    last = exchange.steps.last
    if exchange.cause is not None or last is None:
        return exchange.cause
    return str(_LATE[last.kind].value)


def _failed(exchange: Exchange, steps: Sequence[Step]) -> Step | None:
    """Returns the step in which the request failed, the last of `steps`; `None` if it did not fail, or has no step."""
    return steps[-1] if steps and cause_of(exchange) is not None else None


def _worked(step: Step, exchange: Exchange) -> Finding:
    match step.kind:
        case Kind.TCP:
            text = _peer(step)
        case Kind.CONNECT:
            text = f"{step.status}"
        case Kind.SOCKS:
            text = "the proxy lets the connection through"
        case _:
            signed = f", signed by {step.issuer}" if step.issuer else ""
            text = f"{step.version}{signed}"
    redirected = "  after a redirect" if step.hop else ""
    return good(step.kind.value, f"{text}{redirected}", step.seconds)


def _redirect(exchange: Exchange, step: Step) -> Finding:
    to = host_of(exchange.answers[0].headers.get("location", "")) if exchange.answers else ""
    text = f"{step.status}, a redirect" + (f" to {to}" if to else "")
    return note("HTTP", text, "the API has none: something in between redirects requests")


def _peer(step: Step) -> str:
    if step.peer is None:
        return f"{step.host}:{step.port}"
    address, port = step.peer
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _lost(reached: Sequence[Reached]) -> Iterator[Finding]:
    """Yields a note about the addresses that were not reached, if another one was; else nothing."""
    dead = [each for each in reached if each.error is not None]
    if dead and len(dead) < len(reached):
        text = ", ".join(f"{each.address} ({each.error})" for each in dead)
        yield note("TCP", f"not reached: {text}", "a client that tries these first loses time at each new connection")


def _failure(exchange: Exchange, step: Step, facts: RequestFacts) -> Finding:
    cause = cause_of(exchange) or Cause.OTHER.value
    seconds = step.seconds if step.seconds is not None else time.perf_counter() - step.started
    failure = Failure(
        step,
        _where(exchange, step, facts.target),
        facts.target,
        seconds,
        exchange.proxy,
        facts.proxy_name,
        exchange.attempt.errno if exchange.attempt is not None else None,
        exchange.tls_reason,
        facts.found is not None and facts.found.only_ipv6,
    )
    if cause == Cause.TLS_CERTIFICATE_ERROR.value and step.kind is Kind.TLS:
        text, remedy = advice_on_certificate(exchange.verify_code, facts.certificate, facts.target, time.time())
    else:
        text, remedy = advice(cause, failure)
    redirected = "after a redirect: " if step.hop else ""
    return bad(step.kind.value, f"{redirected}{text}", remedy, cause, seconds)


def _where(exchange: Exchange, step: Step, target: Target) -> str:
    """Returns `host:port` of what the step is with: the target of a redirect, the proxy, or the API."""
    connects = [each for each in exchange.steps.found if each.kind is Kind.TCP and each.hop == step.hop]
    if step.hop and connects:
        return f"{connects[-1].host}:{connects[-1].port}"
    if exchange.proxy is not None and step.kind in (Kind.TCP, Kind.PROXY_TLS, Kind.CONNECT, Kind.SOCKS):
        return exchange.proxy
    host = f"[{target.host}]" if ":" in target.host else target.host
    return f"{host}:{target.port}"


def after(kind: Kind, target: Target) -> list[Kind]:
    """Returns the kinds of step that follow a step of this kind, without those that only a proxy needs.

    That is TLS, if the target is https, and HTTP, as far as they come after `kind`.
    """
    order = [Kind.TCP, Kind.PROXY_TLS, Kind.CONNECT, Kind.SOCKS, Kind.TLS, Kind.HTTP]
    later = order[order.index(kind) + 1 :]
    wanted = {Kind.HTTP} | ({Kind.TLS} if target.scheme == "https" else set())
    return [each for each in later if each in wanted]


def _answered(exchange: Exchange, facts: RequestFacts) -> Iterator[Finding]:
    if exchange.attempt is None or not exchange.answers:
        yield untried("HTTP", "not tried")
        return
    took = next((step.seconds for step in reversed(exchange.steps.found) if step.kind is Kind.HTTP), None)
    yield from answers.judge(exchange.attempt, exchange.answers[-1], facts.target, took or 0.0, with_key=facts.with_key)
