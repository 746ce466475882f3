"""Probes of HTTP clients and SDK clients: what they look like, how they are copied and kept, and subclasses of them."""

from __future__ import annotations

import copy
import inspect
import pickle
import typing
import weakref
from collections.abc import Callable
from typing import Any

from e2e.unchanged.facts import Facts, attribute, kind, lifetimes, outcome, unmarked, walk
from e2e.unchanged.world import World
from support.waiting import collect_garbage

# -- every attribute ---------------------------------------------------------------------------------------------------


def http_client(world: World) -> Facts:
    """Every attribute of the HTTP client."""
    world.open()
    return walk(world.http)


def http_classes(world: World) -> Facts:
    """Every attribute of the HTTP client's class and of its bases, and every name in their `__dict__`."""
    world.open()
    return {cls.__qualname__: walk(cls) for cls in type(world.http).__mro__[:-1]}


def sdk_client(world: World) -> Facts:
    """Every attribute of the SDK client."""
    world.open()
    return walk(world.sdk)


def sdk_classes(world: World) -> Facts:
    """Every attribute of the SDK client's class and of its bases, and every name in their `__dict__`."""
    world.open()
    return {cls.__qualname__: walk(cls) for cls in type(world.sdk).__mro__[:-1]}


def sdk_methods(world: World) -> Facts:
    """Every attribute of `client.messages`, and the protocols of `request` of the SDK client."""
    world.open()
    return {"messages": walk(world.sdk.messages), "request": _protocols(world.sdk, "request")}


# -- bound methods and functions ---------------------------------------------------------------------------------------


def send_method(world: World) -> Facts:
    """`send` as a bound method and as a function of its class, by every protocol of them."""
    world.open()
    return _protocols(world.http, "send")


def _protocols(owner: Any, name: str) -> Facts:
    bound, cls = getattr(owner, name), type(owner)
    function = getattr(cls, name)
    return {
        "bound": attribute(owner, name),
        "static": kind(inspect.getattr_static(owner, name)),
        "equal": (bound == getattr(owner, name), len({bound, getattr(owner, name)})),
        "self": outcome(lambda: bound.__self__ is owner),
        "function": outcome(lambda: bound.__func__ is function),
        "bound by hand": outcome(lambda: function.__get__(owner) == bound),
        "weak": outcome(lambda: weakref.WeakMethod(bound)() == bound),
        "pickled": outcome(lambda: pickle.loads(pickle.dumps(function)) is function),
        "copied": copy.deepcopy(function) is function,
        "hints": outcome(lambda: sorted(typing.get_type_hints(function))),
        "wrong arguments": outcome(lambda: inspect.signature(bound).bind()),
    }


def send_without_a_request(world: World) -> Any:
    """The exception of `send` without its argument, raised at the call and not later."""
    world.open()
    return outcome(lambda: world.http.send())


def send_coroutine(world: World) -> Facts:
    """What `send` returns before it is awaited, by its names."""
    world.open()
    returned = world.http.send(world.request())
    facts = {"type": kind(returned), "name": str(getattr(returned, "__qualname__", None))}
    if inspect.iscoroutine(returned):
        returned.close()
    return facts


def a_request_method(world: World) -> Facts:
    """A request by `client.post`, by `client.stream` and by `request` of the client."""
    world.open()
    posted = world.driver(world.http.post(world.url, json={}))
    requested = world.driver(world.http.request("POST", world.url, json={}))
    manager = world.http.stream("POST", world.url, json={})
    response = world.driver.enter(manager)
    body = world.body(response)
    world.driver.leave(manager)
    return {"statuses": [each.status_code for each in (posted, requested, response)], "body": bool(body)}


# -- copies ------------------------------------------------------------------------------------------------------------


def copied_http_client(world: World) -> Facts:
    """`copy.copy` of the HTTP client: the copy is a client of its own, also when the original is gone."""
    with lifetimes():
        world.open()
        copied = copy.copy(world.http)
        facts = {"self": outcome(lambda: copied.send.__self__ is copied), "vars": unmarked(vars(copied))}
        facts["sends"] = outcome(lambda: world.text(world.send(copied.send)))
        request = world.request()
        world.http = world.sdk = None
        collect_garbage()
        facts["sends alone"] = outcome(lambda: world.text(world.driver(copied.send(request))))
        world.close(copied)
        return facts


def serialized_http_client(world: World) -> Facts:
    """`copy.deepcopy` and `pickle` of the HTTP client, of its `send`, and of its class."""
    world.open()
    cls = type(world.http)
    return {
        "deepcopy": outcome(lambda: kind(copy.deepcopy(world.http))),
        "pickle": outcome(lambda: kind(pickle.dumps(world.http))),
        "pickled send": outcome(lambda: kind(pickle.dumps(world.http.send))),
        "class": outcome(lambda: pickle.loads(pickle.dumps(cls)) is cls),
    }


def copied_sdk_client(world: World) -> Facts:
    """Copies of the SDK client, by itself and by `copy`: whose HTTP client they have, and that they work."""
    world.open()
    copies = {
        "copy.copy": copy.copy(world.sdk),
        "copy": world.sdk.copy(),
        "with_options": world.sdk.with_options(timeout=3.0),
    }
    facts: Facts = {}
    for name, each in copies.items():
        world.sdk = each
        facts[name] = {"type": kind(each), "vars": list(vars(each)), "text": world.use()}
    facts["deepcopy"] = outcome(lambda: kind(copy.deepcopy(world.sdk)))
    facts["pickle"] = outcome(lambda: kind(pickle.dumps(world.sdk)))
    return facts


# -- who keeps whom alive ----------------------------------------------------------------------------------------------


def kept_send(world: World) -> Facts:
    """A bound `send` that is kept while its client is dropped keeps the client, and works."""
    with lifetimes():
        world.open()
        send, request, client = world.http.send, world.request(), weakref.ref(world.http)
        world.http = world.sdk = None
        collect_garbage()
        facts = {"alive": client() is not None, "text": outcome(lambda: world.text(world.driver(send(request))))}
        world.http = client()
        return facts


def dropped_http_client(world: World) -> Facts:
    """When an HTTP client is gone: at once, or once it is collected."""
    with lifetimes():
        world.open()
        world.close(world.http)
        world.sdk = None
        return _lifetime(world, "http")


def dropped_sdk_client(world: World) -> Facts:
    """When an SDK client is gone: at once, or once it is collected. Its HTTP client stays, as the app has it."""
    with lifetimes():
        world.open()
        return _lifetime(world, "sdk") | {"http": world.text(world.send())}


def _lifetime(world: World, name: str) -> Facts:
    gone: list[str] = []
    reference = weakref.ref(getattr(world, name), lambda _: gone.append(name))
    setattr(world, name, None)
    at_once = reference() is None
    collect_garbage()
    return {"at once": at_once, "collected": reference() is None, "called back": gone}


def client_dropped_before_its_stream_is_read(world: World) -> Facts:
    """The clients are forgotten while a stream is unread, which is read to its end all the same."""
    with lifetimes():
        world.open()
        response = world.response(stream=True)
        http = weakref.ref(world.http)
        world.http = world.sdk = None
        collect_garbage()
        facts = {"alive": http() is not None, "bytes": outcome(lambda: len(world.body(response)))}
        world.close(response)
        return facts


# -- clients with a `send` of their own --------------------------------------------------------------------------------


def subclass_with_super(world: World) -> Facts:
    """A client class whose `send` calls that of its base."""
    seen: list[str] = []
    world.open(_derived(world, lambda self, request, kwargs: seen.append(request.method)))
    facts = {"text": world.use(), "seen": list(seen)}
    return facts | {"walk": walk(world.http), "class": walk(type(world.http)), "send": _protocols(world.http, "send")}


def _derived(world: World, before: Callable[[Any, Any, Any], Any]) -> type[Any]:
    """A client class that asks `before` for a response, and its base if that has none."""
    base = world.stack.client_class

    class Sync(base):  # type: ignore[misc,valid-type]
        def send(self, request: Any, **kwargs: Any) -> Any:
            answered = before(self, request, kwargs)
            return answered if answered is not None else super().send(request, **kwargs)

    class Async(base):  # type: ignore[misc,valid-type]
        async def send(self, request: Any, **kwargs: Any) -> Any:
            answered = before(self, request, kwargs)
            return answered if answered is not None else await super().send(request, **kwargs)

    return Async if world.stack.asynchronous else Sync


def subclass_without_super(world: World) -> Facts:
    """A client class whose `send` answers by itself, with an object that it gets back as it is."""
    kept: list[Any] = []

    def answer(self: Any, request: Any, kwargs: Any) -> Any:
        message = {"id": "msg_1", "type": "message", "content": [{"type": "text", "text": "canned"}]}
        kept.append(world.stack.module.Response(200, json=message, request=request))
        return kept[-1]

    world.open(_derived(world, answer))
    response = world.send()
    return {
        "same": response is kept[-1],
        "response": walk(response),
        "text": world.use(),
        "walk": walk(world.http),
        "send": _protocols(world.http, "send"),
    }


def client_with_a_send_of_its_own(world: World) -> Facts:
    """An HTTP client that the app has given a `send` on the instance: it is called, and it stays."""
    seen: list[str] = []
    world.open()
    original = world.http.send

    def send(request: Any, **kwargs: Any) -> Any:
        seen.append(request.method)
        return original(request, **kwargs)

    world.http.send = send
    facts = {
        "text": world.use(),
        "seen": list(seen),
        "stays": world.http.send is send,
        "vars": walk(world.http)["vars"],
    }
    del world.http.send
    return facts | {"text after": outcome(world.use), "seen after": list(seen)}


HTTP_PROBES: tuple[Callable[[World], Any], ...] = (
    http_client,
    http_classes,
    send_method,
    send_without_a_request,
    send_coroutine,
    a_request_method,
    copied_http_client,
    serialized_http_client,
    kept_send,
    dropped_http_client,
    client_dropped_before_its_stream_is_read,
    subclass_with_super,
    subclass_without_super,
    client_with_a_send_of_its_own,
)
SDK_PROBES: tuple[Callable[[World], Any], ...] = (
    sdk_client,
    sdk_classes,
    sdk_methods,
    copied_sdk_client,
    dropped_sdk_client,
)
