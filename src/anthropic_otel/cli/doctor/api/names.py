"""Looks a host name up, and connects to each of its addresses, IPv4 and IPv6.

The client tries the addresses one after the other. It reports only the one that worked, although failed ones before it
delay each new connection. So all of them, up to six, are tried here in parallel.

Rule: nothing is sent to an address; a connection is closed as soon as it is established.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final

from anthropic_otel._core.cause import Cause, classify
from anthropic_otel._core.semconv import Phase
from anthropic_otel.cli.doctor.deadline import Deadline, Work

_MOST: Final = 6
_NO_ANSWER: Final = "no answer"


@dataclass(frozen=True, slots=True)
class LookUp:
    """The result of looking up the name `host`.

    - `addresses`: pairs of address family and address, as the module `socket` has them.
    - `seconds`: how long the look-up took.
    - `cause`: why there are no addresses; `None` if there are some.
    - `late`: whether the resolver had not answered by the deadline; `cause` is then that of a temporary failure.
    """

    host: str
    addresses: tuple[tuple[int, Any], ...] = ()
    seconds: float = 0.0
    cause: Cause | None = None
    late: bool = False

    @property
    def texts(self) -> list[str]:
        """The IP addresses as text, without ports."""
        return [str(address[0]) for _, address in self.addresses]

    @property
    def only_ipv6(self) -> bool:
        """Whether the name has addresses, and all of them are IPv6."""
        return bool(self.addresses) and all(family == socket.AF_INET6 for family, _ in self.addresses)


@dataclass(frozen=True, slots=True)
class Reached:
    """The result of connecting to one IP address.

    - `address`: without the port.
    - `seconds`: from the start of all these connects to the end of this one, or of the wait for it.
    - `error`: `no answer`, an errno's name such as `ECONNREFUSED`, or a value of `network.cause`; `None` if it worked.
    """

    address: str
    seconds: float
    error: str | None


def is_address(host: str) -> bool:
    """Returns whether `host` is an IP address, so that nothing has to be looked up."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def look_up(host: str, port: int, deadline: Deadline) -> LookUp:
    """Looks up the addresses of `host`, and returns them in the order in which a client tries them, or why it has none.

    Waits for the resolver until the deadline at most. Never raises.
    """
    started = time.perf_counter()

    def resolve() -> LookUp:
        try:
            found = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            return LookUp(host, seconds=time.perf_counter() - started, cause=classify(error, phase=Phase.CONNECT))
        addresses = dict.fromkeys((int(family), address) for family, _, _, _, address in found)
        return LookUp(host, tuple(addresses), time.perf_counter() - started)

    cause = classify(socket.gaierror(socket.EAI_AGAIN, ""), phase=Phase.CONNECT)
    return Work(resolve).result(deadline, lambda: LookUp(host, (), time.perf_counter() - started, cause, late=True))


def reach_each(found: LookUp, deadline: Deadline) -> list[Reached]:
    """Connects to the first six addresses in parallel, until the deadline at most, and returns a result for each.

    Does nothing and returns an empty list if there are fewer than two addresses, because the request itself tests a
    single one. Never raises.
    """
    if len(found.addresses) < 2:
        return []
    started = time.perf_counter()
    work = [
        (str(address[0]), Work(_connecting(family, address, started, deadline)))
        for family, address in found.addresses[:_MOST]
    ]
    return [
        each.result(deadline, lambda text=text: Reached(text, time.perf_counter() - started, _NO_ANSWER))  # type: ignore[misc]
        for text, each in work
    ]


def _connecting(family: int, address: Any, started: float, deadline: Deadline) -> Callable[[], Reached]:
    def connect() -> Reached:
        error: str | None = None
        try:
            with socket.socket(family, socket.SOCK_STREAM) as sock:
                sock.settimeout(max(deadline.remaining, 0.001))
                sock.connect(address)
        except OSError as raised:
            cause = classify(raised, phase=Phase.CONNECT)
            error = _NO_ANSWER if isinstance(raised, TimeoutError) else cause.errno or cause.word.value
        return Reached(str(address[0]), time.perf_counter() - started, error)

    return connect
