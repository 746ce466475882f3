"""Faults: an action of the server, what the client has to be set to, and what the library must report of it.

Rule: a fault is a plain value. A user can make others, and the simulator treats them as those of the catalogue.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, get_args

from anthropic_otel._core.semconv import AttemptOutcome, NetworkCause, Phase
from anthropic_otel.simulator import checks
from anthropic_otel.simulator.actions import ExchangeAction, Reply
from anthropic_otel.simulator.addresses import Action, Address, AddressAction, Detour, Handshake, Proxy, Tls

HTTPX: Final = "httpx"
HTTPX2: Final = "httpx2"
AIOHTTP: Final = "aiohttp"
STACKS: Final = frozenset({HTTPX, HTTPX2, AIOHTTP})
"""The HTTP libraries that the SDK can run on: httpx, httpx2, or aiohttp under httpx's interface."""


class Where(str, Enum):
    """Where in an attempt a fault strikes; `NOWHERE` if the attempt completes. Documents print the value."""

    NOWHERE = "nowhere"
    CONNECT = "connect"
    REQUEST = "in the request"
    BEFORE_HEADERS = "before headers"
    RESPONSE = "in the response"
    BODY = "in the body"
    STREAM = "in the stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """How a client must be set up to meet a fault, and to meet it soon.

    A field with its default asks for nothing.

    - `connect_timeout`, `read_timeout`, `write_timeout`, `pool_timeout`: in seconds.
    - `max_connections`: the size of the client's connection pool.
    - `busy_connections`: how many requests to the same endpoint must be under way already.
    - `request_bytes`: how many bytes the request's body must have at least.
    - `ca`: whether the client must trust `Endpoint.ca_file`.
    - `proxy`: the URL scheme of the proxy that the client must use.
    - `follow_redirects`: `True` is the default of the SDK's clients; `False`: the client must not follow redirects.
    - `sdk`: the SDK class that the client must be of, such as `AnthropicBedrock`, if only a client that decodes events
      or parses bodies can meet the fault.
    """

    connect_timeout: float | None = None
    read_timeout: float | None = None
    write_timeout: float | None = None
    pool_timeout: float | None = None
    max_connections: int | None = None
    busy_connections: int = 0
    request_bytes: int = 0
    ca: bool = False
    proxy: str | None = None
    follow_redirects: bool = True
    sdk: str | None = None


NO_NEEDS: Final = Needs()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that can happen to an attempt, and what the library has to report of it.

    - `where`: where in an attempt it strikes; `action`: what the server does.
    - `error_type`, `cause`, `phase`, `outcome`: what the library reports; `None`: the attribute is absent.
    - `status`: the HTTP status of the response that the SDK gets, of which the body may fail; `None` if it gets none.
      Redirects that the client follows do not count, neither here nor for `request_id`; one whose own body fails does.
    - `errno`: names of operating system or resolver errors. On Linux one of them is in the exception chain; empty:
      none.
    - `retried`: whether the SDK retries the attempt, if it has retries left.
    - `request_id`: whether that response has a request id of the API, or of Amazon for a client of Bedrock.
    - `complete`: for a stream that fails, whether its end event arrived; `None`: not stated.
    - `retry_after`: whether the server's headers decide the backoff (else the SDK does). `None`: they do if the
      response has `retry-after` or `retry-after-ms`.
    - `response_id`: the id that a gateway or platform gave a response that has no request id; `None`: it has no such
      id.
    - `api_error`: the `type` and the `error_code` in an error body that the app reads; `None`: not stated.
    - `server_duration`: the seconds that the API took, by a response header; `None`: no header says it.
    - `stream`: `True`: only requests with `stream=True` can meet it; `False`: only others; `None`: both.
    - `applies_to`: the HTTP libraries (of `STACKS`) on which it can be met and told from other faults.
    - `needs`: what the client must be set to.
    """

    name: str
    description: str
    where: Where
    action: Action
    error_type: str | None
    cause: NetworkCause | str | None
    phase: Phase | None
    outcome: AttemptOutcome
    status: int | None
    errno: tuple[str, ...] = ()
    retried: bool
    request_id: bool
    complete: bool | None = None
    retry_after: bool | None = None
    response_id: str | None = None
    api_error: tuple[str, str | None] | None = None
    server_duration: float | None = None
    stream: bool | None = None
    applies_to: frozenset[str] = STACKS
    needs: Needs = NO_NEEDS

    def __post_init__(self) -> None:
        """Checks `name`, `action` and `needs`, and no other field.

        Raises `TypeError` for a wrong type, and `ValueError` for a name that UTF-8 cannot encode.
        """
        checks.text("name", self.name)
        actions = (*get_args(ExchangeAction), *get_args(AddressAction))
        checks.instance("action", self.action, actions, "an action, such as Reply(529)")
        checks.instance("needs", self.needs, Needs, "Needs(...)")

    @property
    def cause_word(self) -> str | None:
        """The cause as a plain string; `None` if the fault has no cause."""
        return self.cause.value if isinstance(self.cause, NetworkCause) else self.cause

    @property
    def own_address(self) -> bool:
        """Whether the fault cannot be made on `base_url`: it needs an address of its own, of `Simulator.endpoint`."""
        return isinstance(self.action, Address | Tls | Handshake | Proxy | Detour)


def network(
    name: str,
    description: str,
    where: Where,
    action: Action,
    cause: NetworkCause,
    phase: Phase | None,
    *,
    errno: tuple[str, ...] = (),
    status: int | None = None,
    retried: bool = True,
    stream: bool | None = None,
    applies_to: frozenset[str] = STACKS,
    needs: Needs = NO_NEEDS,
) -> Fault:
    """Returns a network fault: a failed attempt whose cause is also its error type.

    `status` is that of the response whose headers arrived before the failure; such a response has a request id. `None`:
    no response arrived, and so no request id. The other arguments are fields of `Fault`.
    """
    return Fault(
        name=name,
        description=description,
        where=where,
        action=action,
        error_type=cause.value,
        cause=cause,
        phase=phase,
        outcome=AttemptOutcome.FAILED,
        status=status,
        errno=errno,
        retried=retried,
        request_id=status is not None,
        stream=stream,
        applies_to=applies_to,
        needs=needs,
    )


def answered(
    name: str,
    description: str,
    action: Action,
    error_type: str | None = None,
    *,
    where: Where = Where.RESPONSE,
    status: int = 200,
    retried: bool = False,
    request_id: bool = True,
    response_id: str | None = None,
    complete: bool | None = None,
    stream: bool | None = None,
    applies_to: frozenset[str] = STACKS,
    needs: Needs = NO_NEEDS,
) -> Fault:
    """Returns a fault that is a response whose status or content is the error, so that it has no cause and no phase.

    `error_type` `None` makes an attempt that completes; its `where` is `NOWHERE`, whatever is passed. The arguments are
    fields of `Fault`.
    """
    return Fault(
        name=name,
        description=description,
        where=where if error_type else Where.NOWHERE,
        action=action,
        error_type=error_type,
        cause=None,
        phase=None,
        outcome=AttemptOutcome.FAILED if error_type else AttemptOutcome.COMPLETED,
        status=status,
        retried=retried,
        request_id=request_id,
        response_id=response_id,
        complete=complete,
        stream=stream,
        applies_to=applies_to,
        needs=needs,
    )


def refused(name: str, description: str, reply: Reply, *, retried: bool, needs: Needs = NO_NEEDS) -> Fault:
    """Returns a fault that is a whole response with a status that the SDK raises for; the status is its error type.

    If `reply` has no request id, the fault's `response_id` is the value of the header `cf-ray` in `reply.headers`, or
    `None`. `retried` is whether the SDK retries it; `needs` is that of `Fault`.
    """
    return answered(
        name,
        description,
        reply,
        str(reply.status),
        status=reply.status,
        retried=retried,
        request_id=reply.request_id,
        response_id=None if reply.request_id else dict(reply.headers).get("cf-ray"),
        needs=needs,
    )
