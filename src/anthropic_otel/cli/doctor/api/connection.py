"""Checks the connection to the API, from the environment variables to the response.

Rule: the network is tried only if the SDK can send something as it is set. Steps that were not tried, because of that
or because one before them failed, are named by a finding.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit

from anthropic_otel._core.semconv import NetworkCause
from anthropic_otel.cli.doctor.api import (
    authorities,
    base_url,
    certificates,
    clock,
    key,
    names,
    proxies,
    request,
    verdicts,
)
from anthropic_otel.cli.doctor.api.base_url import Target
from anthropic_otel.cli.doctor.api.steps import Kind
from anthropic_otel.cli.doctor.deadline import NETWORK, Deadline, Work
from anthropic_otel.cli.doctor.findings import Finding, Section, State, bad, good, info, note, untried
from anthropic_otel.cli.doctor.installed import importable

TITLE: Final = "The way to the API"
_SHARE: Final = 0.8
"""The share of the remaining time that the request may take. The rest is for reporting that it has not ended."""


def section(environment: Mapping[str, str], deadline: Deadline, *, with_key: bool, offline: bool) -> Section:
    """Checks the connection to the API, and returns the section with the findings.

    `with_key` sends the user's key. With `offline`, or if the SDK is not installed, nothing is sent, and only what is
    set is checked. The network has until the deadline, or two seconds if that is later.
    """
    return Section("api", TITLE, tuple(_findings(environment, deadline, with_key, offline)))


def _findings(environment: Mapping[str, str], deadline: Deadline, with_key: bool, offline: bool) -> Iterator[Finding]:
    if not importable("anthropic"):
        yield from _without_sdk(environment)
        return
    of_proxies = proxies.wrong(environment)
    of_authorities = authorities.examine(environment, _default_context())
    broken = [*of_proxies, *(each for each in of_authorities if each.cause == NetworkCause.REQUEST_NOT_SENT.value)]
    by_profile = _by_profile(environment)
    target, of_target = base_url.examine(environment, _profile_url(by_profile))
    made = request.make(target.url) if target is not None else request.Made()
    if made.error is not None and not broken and not base_url.faulty(of_target):
        found = list(proxies.unreadable_exceptions(environment)) or [_unmade(made)]
        of_proxies += [each for each in found if each.subject == proxies.SUBJECT]
        of_target += [each for each in found if each.subject != proxies.SUBJECT]
    yield from of_target
    if by_profile.error is not None and target is not None and made.error is None:
        yield _unusable_profile(by_profile.error)
    if target is None or made.error is not None:
        yield from of_proxies
    else:
        yield from of_proxies or proxies.examine(environment, target, made.proxy)
    yield from of_authorities
    yield from key.examine(environment, to_the_api=target is not None and target.is_default)
    if offline:
        yield untried("Network", "not tried (--offline)")
    elif target is None or made.error is not None:
        yield untried("Network", "not tried: the SDK cannot send anything as it is set")
    else:
        yield from _go(environment, target, made.proxy, deadline, with_key)


def _without_sdk(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Yields the findings about base URL, proxies, key and headers, and one that the SDK is missing."""
    target, of_target = base_url.examine(environment)
    yield from of_target
    yield from proxies.wrong(environment)
    yield from key.examine(environment, to_the_api=target is not None and target.is_default)
    yield untried("Network", "not tried: the Anthropic SDK is not installed", "pip install anthropic")


def _by_profile(environment: Mapping[str, str]) -> request.Made:
    """Returns what `request.make` returns for the client that the SDK makes by its profile, or by its defaults.

    If a variable sets a base URL, a key or a token, makes no client and returns an empty `Made`, because the SDK does
    not use the profile's base URL then.
    """
    if any(environment.get(name) for name in (base_url.NAME, key.KEY, key.TOKEN)):
        return request.Made()
    return request.make(None)


def _profile_url(made: request.Made) -> str | None:
    """Returns the base URL of the client; `None` if no client was made, or it has that of Anthropic's API."""
    return made.base_url if made.base_url is not None and made.base_url.rstrip("/") != base_url.DEFAULT else None


def _unusable_profile(error: Exception) -> Finding:
    text = f"the SDK cannot use it ({type(error).__qualname__}): an app without a key of its own gets that"
    return note("Profile", text, "python -c 'import anthropic; anthropic.Anthropic()' says what is wrong")


def _default_context() -> ssl.SSLContext | None:
    """Returns a TLS context as httpx2 makes it, or httpx if that is not installed; `None` if it cannot make one."""
    try:
        import httpx2 as library
    except ImportError:
        import httpx as library  # type: ignore[no-redef]
    try:
        context: Any = library.create_ssl_context()
    except (OSError, ValueError):
        return None
    return context if isinstance(context, ssl.SSLContext) else None


def _unmade(made: request.Made) -> Finding:
    name = type(made.error).__qualname__
    return bad("Client", f"the SDK cannot make a client: {name}", "fix what is marked above", made.cause)


# -- the network -------------------------------------------------------------------------------------------------------


def _go(
    environment: Mapping[str, str], target: Target, proxy: str | None, deadline: Deadline, with_key: bool
) -> Iterator[Finding]:
    deadline = deadline.at_least(NETWORK)
    host, port = _split(proxy) if proxy is not None else (target.host, target.port)
    # A resolver whose first packet was lost asks again after five seconds, which is too late.
    found = names.look_up(host, port, Deadline(min(deadline.remaining, NETWORK)))
    if found.late:
        yield _unresolved(found, None, "")
        yield untried(_rest(target), "not tried")
        return
    exchange = request.Exchange()
    share = Deadline(deadline.remaining * _SHARE / max(1, len(found.addresses)))
    sending = Work(lambda: request.send(exchange, target.url, environment, share, with_key=with_key))
    reached = names.reach_each(found, share)
    sending.result(deadline, lambda: None)
    if found.cause is not None and not any(step.worked for step in exchange.steps.found):
        name = proxies.name_of(environment, target, proxy) if proxy is not None else ""
        yield _unresolved(found, exchange.attempt.cause if exchange.attempt is not None else None, name)
        yield untried(_rest(target), "not tried")
        return
    if not names.is_address(host):
        yield good("DNS", f"{host} is {', '.join(found.texts) or 'known at the second try'}", found.seconds)
    facts = verdicts.RequestFacts(target, found, reached, proxies.name_of(environment, target, proxy), with_key)
    if _refused_certificate(exchange):
        facts = replace(facts, certificate=certificates.fetch(target.url, deadline))
    yield from _of_exchange(exchange, facts)


def _of_exchange(exchange: request.Exchange, facts: verdicts.RequestFacts) -> Iterator[Finding]:
    if not exchange.steps.found and exchange.attempt is None and not exchange.error:
        yield untried(_rest(facts.target), "not known: there was no time left")
        return
    if not exchange.steps.found:
        text = "the SDK could not send a request" + (f" ({exchange.error})" if exchange.error else "")
        yield bad("HTTP", text, _unsent_remedy(facts), exchange.cause or verdicts.cause_of(exchange))
        return
    findings = list(verdicts.of_request(exchange, facts))
    yield from findings
    if exchange.answers:
        yield from clock.examine(exchange.answers[-1])
    if not facts.with_key and findings[-1].state is State.GOOD:
        yield info("Key", "not sent, and so not tested: --with-key asks the API whether it takes it")


def _unsent_remedy(facts: verdicts.RequestFacts) -> str:
    return "set ANTHROPIC_API_KEY: --with-key needs one" if facts.with_key else "fix what is marked above"


def _refused_certificate(exchange: request.Exchange) -> bool:
    last = exchange.steps.last
    refused = verdicts.cause_of(exchange) == NetworkCause.TLS_CERTIFICATE_ERROR.value
    return refused and last is not None and last.kind is Kind.TLS and not last.hop


def _unresolved(found: names.LookUp, cause: str | None, proxy_name: str) -> Finding:
    errno = found.cause.errno if found.cause is not None else None
    text = f"{found.host}: the resolver did not answer" if found.late else f"{found.host}: there is no such name"
    if not found.late and errno not in ("EAI_NONAME", "EAI_NODATA", None):
        text = f"{found.host}: the name could not be resolved"
    remedy = "check the spelling, then the DNS and egress policy here; behind a proxy, set HTTPS_PROXY"
    if proxy_name:
        remedy = f"correct the proxy's name in {proxy_name}, or look at the DNS of this machine"
    if found.late:
        remedy = "look at this machine's resolver (/etc/resolv.conf) and at the egress policy for DNS, port 53"
    word = cause or (found.cause.word.value if found.cause is not None else None)
    return bad("DNS", text + (f" ({errno})" if errno and not found.late else ""), remedy, word, found.seconds)


def _rest(target: Target) -> str:
    return ", ".join(["TCP", *(kind.value for kind in verdicts.after(Kind.TCP, target))])


def _split(address: str) -> tuple[str, int]:
    parts = urlsplit(f"//{address}")
    return parts.hostname or "", parts.port or 80
