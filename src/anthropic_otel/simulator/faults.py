"""What a fault is: an action of the server, what the client has to be like, and what the library must report.

Rule: a fault is a plain value. Whoever wants another one makes it with `dataclasses.replace` or anew, and
gives it to the simulator as it gives one of the catalogue.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from anthropic_otel._core.semconv import AttemptOutcome, NetworkCause, Phase
from anthropic_otel.simulator.actions import Action, Address, Detour, Handshake, Proxy, Reply, Tls

HTTPX: Final = "httpx"
HTTPX2: Final = "httpx2"
AIOHTTP: Final = "aiohttp"
STACKS: Final = frozenset({HTTPX, HTTPX2, AIOHTTP})
"""The HTTP stacks that the SDK can be given: its own of either generation, and aiohttp under it."""


class Where(str, Enum):
    """Where in an attempt a fault strikes. The value is what documents say."""

    NOWHERE = "nowhere"
    CONNECT = "connect"
    REQUEST = "in the request"
    BEFORE_HEADERS = "before headers"
    RESPONSE = "in the response"
    BODY = "in the body"
    STREAM = "in the stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a client must be set to for the fault to show (soon). Timeouts are in seconds; `None` and 0: no need.

    `busy_connections` is how many requests to the same endpoint must be under way already; `request_bytes` how large
    the request's body must be; `ca` whether the client must trust `Endpoint.ca_file`; `proxy` the scheme of the proxy
    that it must use; `follow_redirects` whether it must follow them, as the SDK's clients do. `sdk` is the class of the
    SDK that the client must be of, such as `AnthropicBedrock`, for what only a client that decodes events can meet.
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
    """One thing that can befall an attempt, and what an observer has to say about it.

    - `error_type`, `cause`, `phase`, `outcome`: what the library reports. `None`: the attribute is absent.
    - `status`: the HTTP status that the client sees; `None` when no response reaches it.
    - `errno`: the operating system's or the resolver's errors, by name, one of which is in the exception chain on
      Linux; empty: none is.
    - `retried`: whether the SDK tries again, given that it may.
    - `request_id`: whether a response with a request id reaches the client.
    - `complete`: whether the end event of a stream came, where it did although the stream failed.
    - `retry_after`: whether the server decides the backoff, where its headers alone do not say so.
    - `response_id`: the id of an edge or a platform that a response without a request id has.
    - `api_error`: the API's own type of the error and its `error_code`, of a body that the app reads.
    - `server_duration`: the seconds that the API took, by a header.
    - `stream`: `True` for requests with `stream=True` only, `False` for others only, `None` for both.
    - `applies_to`: the HTTP stacks that can meet it and tell it apart.
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

    @property
    def cause_word(self) -> str | None:
        """The cause as a plain string, also where the schema does not have it yet."""
        return self.cause.value if isinstance(self.cause, NetworkCause) else self.cause

    @property
    def own_address(self) -> bool:
        """Whether only `Simulator.endpoint` can make it, because it begins before there is an HTTP request."""
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
    """A fault of the network: its cause is its error type, and a response has a request id if there is one at all."""
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
    """A response that the network has brought whole: it has no cause. Without an error type it is no fault at all."""
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
    """A whole response with a status that the SDK raises for."""
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
