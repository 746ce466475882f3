"""Maps the exception that ended an attempt to the attempt's cause, one word of a closed list: `classify`.

Rule: a cause is decided from types, `errno` and, where a library leaves nothing else, from its own fixed messages. No
text of an exception ever leaves these modules.

Where two words fit, this order decides. The first that applies is the cause:

0. If a signal handler of the app has raised an exception of the chain, or other code of the app the outermost one, such
   as a hook, it is `app_exception` (`cause_app.is_of_app`). If the request's body has raised one of the chain, it is
   `request_not_sent`.
1. An exception of the chain with an exact meaning, the innermost first. For one exception:
   a. the event loop is closed, or is another one (`event_loop_closed`), the app has closed the client
      (`client_closed`), or the request cannot be sent: URL, header or body (`request_not_sent`);
   b. it is one of h2, the library for HTTP/2;
   c. the name does not resolve; d. certificate or TLS; e. a proxy refused, or did not answer; f. the number of an error
   of libcurl; g. that of a system error.
2. The type of an exception of aiohttp, then of httpx or httpcore, the outermost first.
3. The type of any other exception, the innermost first: of a library for credentials, of anyio or trio, of Python
   itself, or an error of the system without a cause of its own (`connection_error`).
4. Any other failure while credentials were fetched, and an argument that a library cannot use, such as a timeout that
   is a string: `request_not_sent`.
5. What a library cannot read of what the server sent: `protocol_error`.
6. An exception that another thread or greenlet has set in the middle of a library: `app_exception`.
7. `_OTHER`: exceptions of transports that are not known here, `MemoryError` and the like.

Then some failures to reach a proxy, or to have it connect to the API's host, become `proxy_error`: if an exception
names a proxy, or if one was used and the phase shows that it failed. A timeout and a rejected certificate keep their
word (`_blamed_on_a_proxy`).

Some errors of the system do not have the cause that one might expect. Out of file descriptors is `connection_error`
with the errno `EMFILE` or `ENFILE`, but any error of the system that the resolver meets is `name_resolution_error`. A
connection that a local firewall or sandbox forbids (`EACCES`, `EPERM`) is `network_unreachable`, as the address has not
refused it. A CA file, key or token that cannot be read before connecting is `request_not_sent`. A CA file of the client
itself is read when the client is made, so that there is no attempt at all.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from anthropic_otel._core import cause_app, cause_client, cause_curl, cause_errno, cause_http, cause_other
from anthropic_otel._core.cause_chain import SDK_OR_CLIENTS, chain, root
from anthropic_otel._core.failure import Failure
from anthropic_otel._core.guard import guarded
from anthropic_otel._core.semconv import NetworkCause, Phase


@dataclass(frozen=True)
class Cause:
    """Why an attempt failed by an exception, an incomplete stream or a proxy's refusal.

    - `word`: the cause.
    - `errno`: the name of the operating system's error (`ECONNREFUSED`, or `EAI_NONAME` from the resolver), `None`
      without one.
    - `phase`: the phase in which the attempt failed, as far as it is known here, else `None`.
    """

    word: NetworkCause
    errno: str | None
    phase: Phase | None


@guarded(Cause(NetworkCause.OTHER, None, None))
def classify(
    error: BaseException, *, phase: Phase | None = None, through_proxy: bool = False, in_tunnel: bool = True
) -> Cause:
    """Returns why `error` was raised, by an HTTP client's `send` or by the reading of a response body. Never raises.

    `phase` is the one that was under way, by the transport's trace events or by what else shows it, `None` if nothing
    does. `None` and `POOL` become `AUTH` here if an authentication has raised `error`.

    `through_proxy` is whether the transport used a proxy. `in_tunnel` is whether a TLS handshake, if that was under
    way, was with the API's host through the proxy, and not with the proxy. An exception that no rule knows has the
    cause `_OTHER`.
    """
    if phase in (None, Phase.POOL) and cause_app.is_of_authentication(error):
        phase = Phase.AUTH
    failure = Failure(tuple(chain(error)), phase)
    word = _word(failure)
    if word in _blamed_on_a_proxy(failure, through_proxy, in_tunnel):
        word = NetworkCause.PROXY_ERROR
    return Cause(word, cause_errno.errno_name(failure), _phase(failure, word))


def type_name(error: BaseException) -> str:
    """Returns the name of the class of `error` for `exception.type`, such as `httpx.ReadTimeout`.

    It begins with the class's `__module__`, unless that is `builtins`.
    """
    return _name_of(type(error))


def base_name(error: BaseException) -> str:
    """Returns the name of the nearest class of `error` that the SDK, httpx or httpx2 defines: its own or a base class.

    Without one, returns the same as `type_name`. The SDK goes by such a base: an app may derive a class of its own.
    """
    known = (cls for cls in type(error).__mro__ if root(cls) in SDK_OR_CLIENTS)
    return _name_of(next(known, type(error)))


def _name_of(cls: type[BaseException]) -> str:
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


_Rule = Callable[[BaseException, Failure], NetworkCause | None]
"""A rule returns the cause that one exception of the failure's chain stands for, `None` if the rule does not apply."""

_EXACT: Final[tuple[_Rule, ...]] = (
    cause_client.of_client,
    cause_http.of_h2,
    cause_http.of_resolver,
    cause_http.of_tls,
    cause_http.of_proxy,
    cause_curl.of_curl,
    cause_errno.of_errno,
)

_BY_OUTER_TYPE: Final[tuple[_Rule, ...]] = (cause_http.of_aiohttp, cause_http.of_httpx)

_BY_INNER_TYPE: Final[tuple[_Rule, ...]] = (
    cause_http.of_anyio,
    cause_other.of_other,
    cause_errno.of_other_errno,
)


def _word(failure: Failure) -> NetworkCause:
    """Returns the cause by the steps 0 to 7 of this module's docstring."""
    if cause_app.is_of_app(failure):
        return NetworkCause.APP_EXCEPTION
    if cause_app.is_of_request_body(failure):
        return NetworkCause.REQUEST_NOT_SENT
    by_outer_type = (rule(error, failure) for rule in _BY_OUTER_TYPE for error in failure.errors)
    words = itertools.chain(_innermost(failure, _EXACT), by_outer_type, _innermost(failure, _BY_INNER_TYPE))
    if (word := next(filter(None, words), None)) is not None:
        return word
    if failure.phase is Phase.AUTH or cause_app.is_of_argument(failure):
        return NetworkCause.REQUEST_NOT_SENT
    if cause_app.is_of_response(failure):
        return NetworkCause.PROTOCOL_ERROR
    return NetworkCause.APP_EXCEPTION if cause_app.was_set_from_outside(failure) else NetworkCause.OTHER


def _innermost(failure: Failure, rules: tuple[_Rule, ...]) -> Iterator[NetworkCause | None]:
    """Yields what each rule returns for each exception: the innermost exception first, for each the rules in order."""
    return (rule(error, failure) for error in reversed(failure.errors) for rule in rules)


def _phase(failure: Failure, word: NetworkCause) -> Phase | None:
    """Returns the phase that the exceptions show for a failure with the cause `word`, `None` if they show none.

    But if `failure.phase` is `AUTH`, it is `AUTH`, whatever the exceptions show. If they show none, it is `SEND` for a
    request that was not sent, and for a client that was closed before the send.
    """
    if failure.phase is Phase.AUTH:
        # Credentials are fetched by other requests, whose phases are not the phases of this attempt.
        return Phase.AUTH
    # A request that was not sent never waited for the server. A client that was closed before raises `RuntimeError`.
    unsent = word is NetworkCause.REQUEST_NOT_SENT or (
        word is NetworkCause.CLIENT_CLOSED and type(failure.errors[0]) is RuntimeError
    )
    shown = cause_curl.phase_of_curl(failure) or failure.own_phase
    return Phase.SEND if unsent and shown is None else shown


_REFUSED: Final = frozenset({NetworkCause.CONNECTION_REFUSED, NetworkCause.CONNECTION_ERROR})
_NOT_REACHED: Final = _REFUSED | {
    NetworkCause.NAME_RESOLUTION_ERROR,
    NetworkCause.NETWORK_UNREACHABLE,
    NetworkCause.CONNECTION_RESET,
    NetworkCause.SERVER_DISCONNECTED,
    # What answers there is not a proxy, or not one of this kind.
    NetworkCause.PROTOCOL_ERROR,
    NetworkCause.TLS_ERROR,
}


def _blamed_on_a_proxy(failure: Failure, through_proxy: bool, in_tunnel: bool) -> frozenset[NetworkCause]:
    """Returns the causes that `classify` replaces by `proxy_error` for this failure.

    They are all that may mean that no proxy was reached (`_NOT_REACHED`) if an exception names a proxy
    (`names_a_proxy`), whatever the phase, or if the connect phase of an attempt through a proxy failed, or its TLS
    handshake with the proxy itself. In a handshake through the proxy (`in_tunnel`), where the API's host may have
    answered, they are only those of a refused or failed connection. Otherwise there are none. Causes of certificates
    and timeouts are never among them.
    """
    by_phase = failure.phase is Phase.CONNECT or (failure.phase is Phase.TLS and not in_tunnel)
    if cause_http.names_a_proxy(failure) or (through_proxy and by_phase):
        return _NOT_REACHED
    return _REFUSED if through_proxy and failure.phase is Phase.TLS else frozenset()
