"""Every way to send an HTTP request that is installed here: httpx and httpx2, sync and async, and aiohttp below them.

Rule: a client is the one that a user of the SDK would have: the SDK's own default client where it has one for that
stack, else the library's.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import ssl
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

import anthropic
import pytest

from anthropic_otel.simulator import Endpoint
from support.versions import SDK_LIBRARY
from support.waiting import patience

LONG: Final = 300.0
"""The seconds of a timeout that never strikes: only a hang is longer."""

_SOON: Final = 0.15
"""Those of one that does, on an idle machine: soon enough for a whole catalogue of them."""


@dataclass(frozen=True)
class Stack:
    """One of them. `library` is `httpx` or `httpx2`; `aiohttp` is whether that is the transport, and not httpcore."""

    library: str
    asynchronous: bool
    aiohttp: bool = False

    @property
    def name(self) -> str:
        """For the names of tests, such as `httpx2-async`."""
        kind = "aiohttp" if self.aiohttp else "async" if self.asynchronous else "sync"
        return f"{self.library}-{kind}"

    @property
    def kind(self) -> str:
        """The word that `Fault.applies_to` has for it."""
        return "aiohttp" if self.aiohttp else self.library

    @property
    def of_sdk(self) -> bool:
        """Whether the installed SDK takes its clients."""
        return self.library == SDK_LIBRARY

    @property
    def module(self) -> ModuleType:
        """The library."""
        return importlib.import_module(self.library)

    @property
    def client_class(self) -> type[Any]:
        """The class of its clients, with the SDK's own defaults where the SDK has one."""
        name = "AioHttp" if self.aiohttp else "AsyncHttpx" if self.asynchronous else "Httpx"
        default: type[Any] | None = getattr(anthropic, f"Default{name}Client", None) if self.of_sdk else None
        if default is not None:
            return default
        if self.aiohttp:
            return _aiohttp_class(self.library)
        client_class: type[Any] = self.module.AsyncClient if self.asynchronous else self.module.Client
        return client_class


def _aiohttp_class(library: str) -> type[Any]:
    if library == "httpx":
        return importlib.import_module("httpx_aiohttp").HttpxAiohttpClient  # type: ignore[no-any-return]
    return importlib.import_module("httpx_aiohttp.httpx2").Httpx2AiohttpClient  # type: ignore[no-any-return]


def _installed(library: str) -> list[Stack]:
    if importlib.util.find_spec(library) is None:
        return []
    stacks = [Stack(library, asynchronous=False), Stack(library, asynchronous=True)]
    aiohttp = Stack(library, asynchronous=True, aiohttp=True)
    try:
        aiohttp.client_class()
    except (ImportError, RuntimeError, AttributeError):
        return stacks
    return [*stacks, aiohttp]


STACKS: Final = tuple(stack for library in ("httpx", "httpx2") for stack in _installed(library))
"""Every stack that is installed."""

SDK_STACKS: Final = tuple(stack for stack in STACKS if stack.of_sdk)
"""Those that the installed SDK can be given."""

HTTPCORE_STACKS: Final = tuple(stack for stack in STACKS if not stack.aiohttp)


def each_of(stacks: Iterable[Stack]) -> Any:
    """The fixture `stack` of a module, whose tests run on each of these stacks."""

    @pytest.fixture(name="stack", params=list(stacks), ids=lambda stack: stack.name)
    def stack(request: pytest.FixtureRequest) -> Stack:
        found: Stack = request.param
        return found

    return stack


class Witness:
    """What a client's `send` did, as the class below any instrumentation saw it.

    It keeps no response alive, and so no more of the connections than the app does.
    """

    def __init__(self) -> None:
        self.raised: list[BaseException] = []
        self._returned: weakref.ref[Any] | None = None

    @property
    def returned(self) -> Any:
        """The last response, the very object; `None` if nobody has it any more."""
        return self._returned() if self._returned is not None else None

    def saw(self, response: Any) -> Any:
        """Remembers a response, and hands it on."""
        self._returned = weakref.ref(response)
        return response


def http_client(stack: Stack, endpoint: Endpoint | None = None, *, cls: type[Any] | None = None, **options: Any) -> Any:
    """A client of that stack, set to what the endpoint needs. It has a `witness`, unless its class is given."""
    needs: dict[str, Any] = _needed(stack, endpoint) if endpoint is not None else {}
    needs.setdefault("timeout", stack.module.Timeout(LONG))
    if cls is None:
        cls = (_async_witness if stack.asynchronous else _sync_witness)(stack.client_class)
    return cls(**{"follow_redirects": True, "trust_env": False, **needs, **options})


def client_class_returning(stack: Stack, change: Callable[[Any], Any]) -> type[Any]:
    """A class of httpx clients, as an app's own, whose `send` returns what `change` makes of each response."""

    class Sync(stack.module.Client):  # type: ignore[misc,name-defined]
        def send(self, request: Any, **options: Any) -> Any:
            return change(super().send(request, **options))

    class Async(stack.module.AsyncClient):  # type: ignore[misc,name-defined]
        async def send(self, request: Any, **options: Any) -> Any:
            return change(await super().send(request, **options))

    return Async if stack.asynchronous else Sync


def _needed(stack: Stack, endpoint: Endpoint) -> dict[str, Any]:
    needs, httpx = endpoint.needs, stack.module
    options: dict[str, Any] = {"timeout": timeout_for(httpx, endpoint)}
    if endpoint.proxy is not None:
        options["proxy"] = endpoint.proxy
    if endpoint.ca_file is not None:
        options["verify"] = ssl.create_default_context(cafile=endpoint.ca_file)
    elif endpoint.base_url.startswith("http:"):
        options["verify"] = _unused_context()
    if not needs.follow_redirects:
        options["follow_redirects"] = False
    if needs.max_connections is not None:
        options["limits"] = httpx.Limits(max_connections=needs.max_connections)
    return options


def timeout_for(httpx: ModuleType, endpoint: Endpoint) -> Any:
    """The timeouts of that library by which a client meets a fault: the one that the fault needs strikes soon.

    A read may be of what the server does send before it falls silent, and a connection may come so far that it falls
    silent in its handshake: that takes as long as the machine is busy.
    """
    needs = endpoint.needs
    return httpx.Timeout(
        connect=LONG if needs.connect_timeout is None else _soon(endpoint),
        read=LONG if needs.read_timeout is None else _soon(endpoint),
        write=LONG if needs.write_timeout is None else _SOON,
        pool=LONG if needs.pool_timeout is None else _SOON,
    )


@functools.lru_cache(maxsize=256)
def _soon(endpoint: Endpoint) -> float:
    """Said once for each endpoint: the SDK sends it along, and two clients may be compared."""
    return patience(_SOON)


@functools.lru_cache(maxsize=1)
def _unused_context() -> ssl.SSLContext:
    """One for every client that speaks no TLS: the libraries make one each, which costs more than a request."""
    return ssl.create_default_context()


def _sync_witness(cls: type[Any]) -> type[Any]:
    class Client(cls):  # type: ignore[misc]
        def __init__(self, **options: Any) -> None:
            self.witness = Witness()
            super().__init__(**options)

        def send(self, request: Any, **options: Any) -> Any:
            try:
                return self.witness.saw(super().send(request, **options))
            except BaseException as error:
                self.witness.raised.append(error)
                raise

    return Client


def _async_witness(cls: type[Any]) -> type[Any]:
    class Client(cls):  # type: ignore[misc]
        def __init__(self, **options: Any) -> None:
            self.witness = Witness()
            super().__init__(**options)

        async def send(self, request: Any, **options: Any) -> Any:
            try:
                return self.witness.saw(await super().send(request, **options))
            except BaseException as error:
                self.witness.raised.append(error)
                raise

    return Client
