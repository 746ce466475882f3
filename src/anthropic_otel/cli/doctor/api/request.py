"""Sends one request with the SDK's own client, by its rules for proxies, CAs and addresses, and records the result.

Without a key it is `POST /v1/messages` with an empty object: the API answers 401, and nothing can be billed. With the
key it is `GET /v1/models`, which is free.

Rule: without `--with-key`, the headers that may contain a key are removed from the request, and from each one that
follows a redirect, right before it is sent. They are the SDK's, and all that `ANTHROPIC_CUSTOM_HEADERS` sets.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from anthropic_otel._adapters.transports import facts_of
from anthropic_otel._core.cause import classify
from anthropic_otel._core.cause_chain import chain
from anthropic_otel._core.semconv import NetworkCause
from anthropic_otel.cli.doctor.api.key import HEADERS
from anthropic_otel.cli.doctor.api.steps import Steps
from anthropic_otel.cli.doctor.deadline import Deadline
from anthropic_otel.testing import Attempt, capture

_KEY_HEADERS: Final = ("authorization", "x-api-key")
_NO_KEY: Final = "not-a-key"
_KEPT: Final = ("content-type", "date", "server", "via", "location", "www-authenticate", "proxy-authenticate", "cf-ray")


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of a response: its status, some of its headers, and when it arrived (`at`).

    The headers are those in `_KEPT`, by their names in lower case. Of `location`, which may contain a secret, only the
    host is to be shown. `at` is in seconds since the epoch.
    """

    status: int
    headers: Mapping[str, str]
    at: float


@dataclass
class Exchange:
    """The result of the request. `send` fills it in bit by bit, so that it can be read while the request hangs.

    - `steps`: the steps that the transport has reported.
    - `answers`: the responses so far, those of redirects too.
    - `attempt`: what the library has recorded of the last attempt; `None` if there was none or it has not ended.
    - `made`: whether a client was constructed.
    - `proxy`: the proxy that is used, as `host:port`; `None` for none.
    - `cause`: why no request could be sent, as a value of `network.cause`; else `None`.
    - `error`: the name of the class of the exception that the SDK raised; empty without one.
    - `verify_code`: OpenSSL's number for why a certificate was refused; else `None`.
    - `tls_reason`: OpenSSL's name for why TLS failed; else empty.
    """

    steps: Steps = field(default_factory=Steps)
    answers: list[Answer] = field(default_factory=list)
    attempt: Attempt | None = None
    made: bool = False
    proxy: str | None = None
    cause: str | None = None
    error: str = ""
    verify_code: int | None = None
    tls_reason: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """The base URL and proxy (`host:port`) of the SDK's client, or `error`, the exception that its constructor raised.

    `proxy` is `None` if the client uses none. `error` is `None` if the client could be constructed. All three are
    `None` if that was not tried.
    """

    base_url: str | None = None
    proxy: str | None = None
    error: Exception | None = None

    @property
    def cause(self) -> str | None:
        """The cause of `error`, as a value of `network.cause`; `None` if there is no `error`."""
        return unmade_cause(self.error) if self.error is not None else None


def make(url: str | None) -> Made:
    """Constructs a client in this process's environment, and returns its base URL and proxy, or why that failed.

    The client has the base URL `url` and an invalid key; with `None`, those that the SDK finds for an app. Sends
    nothing. Raises only if the SDK is not installed.
    """
    import anthropic

    try:
        with anthropic.DefaultHttpxClient() as http_client:
            options: dict[str, Any] = {"base_url": url, "api_key": _NO_KEY} if url is not None else {}
            client = anthropic.Anthropic(http_client=http_client, **options)
            return Made(str(client.base_url), facts_of(http_client, client.base_url).proxy)
    except Exception as error:
        # The traceback would keep a half-made client alive, whose `__del__` would print a warning.
        return Made(error=error.with_traceback(None))


def unmade_cause(error: Exception) -> str:
    """Returns the cause of `error`, which kept a request from being sent, as a value of `network.cause`.

    That is `request_not_sent` if no other one is known.
    """
    word = classify(error).word
    return str((NetworkCause.REQUEST_NOT_SENT if word is NetworkCause.OTHER else word).value)


def send(exchange: Exchange, url: str, environment: Mapping[str, str], deadline: Deadline, *, with_key: bool) -> None:
    """Sends the request to the base URL `url`, with the user's key if `with_key`, and fills in `exchange`.

    Returns when the request has ended. What is left until `deadline`, but at least 0.1 s, limits each step separately,
    so a request with several slow steps may take longer. `environment` says which custom headers to remove without
    `with_key`. Raises only if the SDK is not installed.
    """
    import anthropic

    try:
        seconds = max(deadline.remaining, 0.1)
        timeout = anthropic.Timeout(seconds, connect=seconds, read=seconds, write=seconds, pool=seconds)
        outgoing, incoming = _Outgoing(exchange, environment, with_key), _Incoming(exchange)
        hooks: dict[str, Any] = {"request": [outgoing], "response": [incoming]}
        with anthropic.DefaultHttpxClient(timeout=timeout, event_hooks=hooks) as http_client:
            options: dict[str, Any] = {} if with_key else {"api_key": _NO_KEY}
            client = anthropic.Anthropic(base_url=url, http_client=http_client, max_retries=0, **options)
            exchange.proxy = facts_of(http_client, client.base_url).proxy
            exchange.steps.proxied = exchange.proxy is not None
            exchange.made = True
            _send(client, exchange, with_key)
    except Exception as error:
        exchange.cause, exchange.error = unmade_cause(error), type(error).__qualname__


def _send(client: Any, exchange: Exchange, with_key: bool) -> None:
    with capture(real_time=True) as captured:
        try:
            if with_key:
                client.get("/v1/models", cast_to=object)
            else:
                client.post("/v1/messages", body={}, cast_to=object)
        except Exception as error:
            exchange.error = type(error).__qualname__
            _read_tls(exchange, error)
            if not captured.attempts:
                exchange.cause = unmade_cause(error)
        exchange.attempt = captured.attempts[-1] if captured.attempts else None


def _read_tls(exchange: Exchange, error: Exception) -> None:
    for each in chain(error):
        if isinstance(each, ssl.SSLCertVerificationError):
            exchange.verify_code = each.verify_code
        if isinstance(each, ssl.SSLError):
            exchange.tls_reason = str(each.reason or "")


class _Outgoing:
    """A request hook of the HTTP client: called with each request before it is sent, adds the `trace` function to it.

    Unless `with_key`, it also removes every header that may contain a key: the SDK's, and those that the variable
    `ANTHROPIC_CUSTOM_HEADERS` sets.
    """

    def __init__(self, exchange: Exchange, environment: Mapping[str, str], with_key: bool) -> None:
        lines = environment.get(HEADERS, "").split("\n")
        own = [line.partition(":")[0].strip() for line in lines if ":" in line]
        self._exchange: Final = exchange
        self._taken_off: Final = [] if with_key else [*_KEY_HEADERS, *(name for name in own if name)]

    def __call__(self, request: Any) -> None:
        for name in self._taken_off:
            request.headers.pop(name, None)
        self._exchange.steps.listen_to(request)


class _Incoming:
    """A response hook of the HTTP client: called with each response, adds its head to the exchange's `answers`."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange: Final = exchange

    def __call__(self, response: Any) -> None:
        kept = {name: str(response.headers[name]) for name in _KEPT if name in response.headers}
        self._exchange.answers.append(Answer(int(response.status_code), kept, time.time()))
