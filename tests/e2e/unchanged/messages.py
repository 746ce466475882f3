"""Probes of requests, responses and streams: unread, read, closed unread, compressed, copied and dropped."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from anthropic_otel.simulator import Redirect, Reply
from e2e.unchanged.facts import Facts, attribute, kind, lifetimes, outcome, public, shown, walk
from e2e.unchanged.world import World
from reliability.programs import TRACE_CONTEXT
from support.apps import request_of
from support.stacks import LONG
from support.waiting import collect_garbage

# -- requests ----------------------------------------------------------------------------------------------------------


def sent_request(world: World) -> Facts:
    """A request before and after it was sent, and of which object the response says that it was."""
    world.open()
    request = world.request()
    before = walk(request)
    extensions, inside = request.extensions, dict(request.extensions)
    response = world.driver(world.http.send(request))
    return {
        "before": before,
        "after": walk(request),
        "headers": _headers(request),
        "same request": response.request is request,
        "same extensions": request.extensions is extensions,
        "unchanged extensions": extensions == inside,
    }


def _headers(request: Any) -> list[str]:
    return [shown(pair) for pair in request.headers.raw if pair[0].decode().lower() not in TRACE_CONTEXT]


def request_of_a_stream(world: World) -> Facts:
    """A request whose response is unread, and then closed."""
    world.open()
    request = world.request(stream=True)
    response = world.driver(world.http.send(request, stream=True))
    unread = walk(request)
    world.close(response)
    return {"unread": unread, "closed": walk(request)}


def request_of_a_call(world: World) -> Facts:
    """The request that the SDK has made, as the response of a call tells of it."""
    world.open()
    return walk(world.response().request)


def request_with_extensions(world: World) -> Facts:
    """A request with extensions of the app's own, `trace` among them: they stay, and are called as often."""
    world.open()
    events: list[str] = []

    def trace(name: str, info: Any) -> None:
        events.append(name)

    async def atrace(name: str, info: Any) -> None:
        events.append(name)

    own = {"trace": atrace if world.stack.asynchronous else trace, "own": 1}
    request = world.request()
    request.extensions = given = {**request.extensions, **own}
    world.driver(world.http.send(request))
    return {
        "events": events,
        "same": request.extensions is given,
        "names": list(request.extensions),
        "trace": request.extensions["trace"] is own["trace"],
    }


def request_that_the_app_notes_on(world: World) -> Facts:
    """What a hook and an authentication put into, replace in and take out of the extensions of what is sent.

    Of a request that is answered, one that is redirected, one that fails, and one behind a redirect that fails.
    """

    def note(request: Any) -> None:
        own = request.extensions
        own["noted"] = own.get("noted", 0) + 1
        own["given"] = "another"
        own.pop("used", None)

    def note_anew(request: Any) -> None:
        request.extensions = {**request.extensions, "anew": True}

    async def anote(request: Any) -> None:
        note(request)

    async def anote_anew(request: Any) -> None:
        note_anew(request)

    class Auth(world.stack.module.Auth):  # type: ignore[misc,name-defined]
        def auth_flow(self, request: Any) -> Iterator[Any]:
            request.extensions["authenticated"] = True
            yield request

    def sent(hook: Any, *faults: Any) -> Facts:
        world.http.event_hooks = {"request": [hook]}
        world.sim.play(*faults)
        request = world.request()
        request.extensions = given = {**request.extensions, "given": "one", "used": True}
        try:
            response = world.driver(world.http.send(request, auth=Auth(), follow_redirects=True))
            requests = [each.request for each in (*response.history, response)]
        except world.stack.module.TransportError as error:
            requests = [error.request]
        noted = [
            {name: value for name, value in each.extensions.items() if name != "timeout"}
            for each in (request, *requests)
        ]
        return {"noted": noted, "same": request.extensions is given, "given": list(given)}

    world.open()
    refused = Reply(307, headers=(("location", "http://127.0.0.1:1/v1/messages"),))
    plays = {
        "answered": ("ok",),
        "redirected": (Redirect(hops=1),),
        "failed": ("connection_reset",),
        "redirected and failed": (refused,),
    }
    hooks = (anote, anote_anew) if world.stack.asynchronous else (note, note_anew)
    return {f"{name}, {hook.__name__}": sent(hook, *faults) for name, faults in plays.items() for hook in hooks}


class _Incomparable:
    """A value that cannot be compared, as an array of numpy."""

    def __eq__(self, other: object) -> bool:
        raise ValueError("ambiguous")

    __hash__ = None  # type: ignore[assignment]


def request_whose_notes_are_replaced(world: World) -> Facts:
    """What a hook puts into the extensions in the place of what equals it, or cannot be compared with it."""
    equal, other = [1], _Incomparable()

    def replace(request: Any) -> None:
        request.extensions.update(equal=equal, other=other)

    async def areplace(request: Any) -> None:
        replace(request)

    world.open()
    world.http.event_hooks = {"request": [areplace if world.stack.asynchronous else replace]}
    request = world.request()
    request.extensions = given = {**request.extensions, "equal": [1], "other": _Incomparable()}
    response = world.driver(world.http.send(request))
    return {
        "names": list(response.request.extensions),
        "same": request.extensions is given,
        "equal": given["equal"] is equal,
        "other": given["other"] is other,
    }


def requests_with_the_same_extensions(world: World) -> Facts:
    """Two requests with one mapping, the second sent within the first: what is put into it meanwhile stays in it."""
    world.open()
    requests = [world.request() for _ in range(2)]
    shared = dict(requests[0].extensions)
    for request in requests:
        request.extensions = shared

    def note(request: Any) -> None:
        if request is requests[0]:
            shared["by the app"] = True
            return
        request.extensions["by a hook"] = True

    def within(request: Any) -> None:
        note(request)
        if request is requests[0]:
            world.http.send(requests[1])

    async def awithin(request: Any) -> None:
        note(request)
        if request is requests[0]:
            await world.http.send(requests[1])

    world.http.event_hooks = {"request": [awithin if world.stack.asynchronous else within]}
    world.driver(world.http.send(requests[0]))
    return {"same": [request.extensions is shared for request in requests], "names": sorted(shared)}


def request_sent_twice(world: World) -> Facts:
    """A request that the app sends twice, by one client and then by another."""
    world.open()
    request, before = world.request(), len(world.sim.requests)
    first = world.driver(world.http.send(request))
    second = world.driver(world.http.send(request))
    other = world.stack.client_class(trust_env=False)
    third = world.driver(other.send(request))
    world.close(other)
    return {
        "texts": [world.text(each) for each in (first, second, third)],
        "request": walk(request),
        "sent": [each.body for each in world.sim.requests[before:]],
    }


def request_sent_twice_at_once(world: World) -> Facts:
    """A request whose second send begins before its first one ends, and ends after it, as of an app that hedges."""
    world.open()
    request = world.request()
    request.extensions = given = dict(request.extensions)
    arrived: list[None] = []
    event: Any = asyncio.Event if world.stack.asynchronous else threading.Event
    both, one = event(), event()

    def send() -> None:
        world.http.send(request)
        one.set()

    def hook(_: Any) -> None:
        arrived.append(None)
        if len(arrived) == 1:
            assert both.wait(LONG)
        else:
            both.set()
            assert one.wait(LONG)

    async def asend() -> None:
        await world.http.send(request)
        one.set()

    async def ahook(_: Any) -> None:
        arrived.append(None)
        if len(arrived) == 1:
            await asyncio.wait_for(both.wait(), LONG)
        else:
            both.set()
            await asyncio.wait_for(one.wait(), LONG)

    async def twice() -> None:
        await asyncio.gather(asend(), asend())

    world.http.event_hooks = {"request": [ahook if world.stack.asynchronous else hook]}
    if world.stack.asynchronous:
        world.driver(twice())
    else:
        with ThreadPoolExecutor(2) as pool:
            for sent in [pool.submit(send), pool.submit(send)]:
                sent.result()
    return {"same": request.extensions is given, "names": list(request.extensions), "sent": len(arrived)}


def request_that_failed(world: World) -> Facts:
    """The request that an exception of `send` names, and what is in it."""
    world.open()
    request = world.http.build_request("POST", "http://127.0.0.1:1/v1/messages", json={})
    request.headers["anthropic-version"] = "2023-06-01"
    try:
        world.driver(world.http.send(request))
    except world.stack.module.TransportError as error:
        return {
            "type": kind(error),
            "same": error.request is request,
            "request": walk(request),
            "vars": list(vars(error)),
        }
    raise AssertionError("Nothing listens on port 1")


def redirected_request(world: World) -> Facts:
    """The requests and the responses of a redirect, those in the history too."""
    world.open()
    world.sim.play(Redirect(hops=2))
    response = world.response()
    return {
        "response": walk(response),
        "request": walk(response.request),
        "history": [(walk(each), walk(each.request)) for each in response.history],
    }


def copied_request(world: World) -> Facts:
    """A request that was sent, copied and pickled."""
    world.open()
    request = world.request()
    world.driver(world.http.send(request))
    return _serialized(request)


# -- responses ---------------------------------------------------------------------------------------------------------


def whole_response(world: World) -> Facts:
    """A response that was read within the call, and its body."""
    world.open()
    response = world.response()
    return {"response": walk(response), **_serialized(response)}


def failed_response(world: World) -> Facts:
    """A response that says that something is wrong."""
    world.open()
    world.sim.play("http_400")
    response = world.send()
    return {"response": walk(response), **_serialized(response)}


def stream_response(world: World) -> Facts:
    """A stream's response before it is read, while it is, and when it has been."""
    world.open()
    response = world.response(stream=True)
    facts = {"unread": walk(response)}
    chunks = response.aiter_raw() if world.stack.asynchronous else response.iter_raw()
    world.driver.next(chunks)
    facts["begun"] = walk(response)
    world.driver.read(chunks)
    return facts | {"read": walk(response), **_serialized(response)}


def closed_unread(world: World) -> Facts:
    """A stream's response that is closed before it is read."""
    world.open()
    return _closed(world, world.response(stream=True))


def compressed_response(world: World) -> Facts:
    """A compressed response before it is read, and when it has been."""
    world.open()
    response = _compressed(world)
    facts = {"unread": walk(response), "bytes": len(world.body(response)), "read": walk(response)}
    return facts | _serialized(response)


def compressed_closed_unread(world: World) -> Facts:
    """A compressed response that is closed before it is read."""
    world.open()
    return _closed(world, _compressed(world))


def _compressed(world: World) -> Any:
    world.sim.play("ok_gzip")
    return world.response(stream=True)


def _closed(world: World, response: Any) -> Facts:
    world.close(response)
    return {"response": walk(response), **_serialized(response)}


def _serialized(value: Any) -> Facts:
    """A copy by each protocol, and what is in it."""
    return {
        "copy": outcome(lambda: _state(copy.copy(value))),
        "deepcopy": outcome(lambda: _state(copy.deepcopy(value))),
        "pickle": outcome(lambda: _state(pickle.loads(pickle.dumps(value)))),
    }


def _state(value: Any) -> Facts:
    """The `__dict__` of an object: plain values as they are, and of the others the type."""
    plain = (str, bytes, int, bool, type(None))
    # `stream` is the body, whose facts are those of the walk.
    return {
        name: each if isinstance(each, plain) else shown(each) if name.endswith("headers") else kind(each)
        for name, each in vars(value).items()
        if name != "stream"
    }


# -- bodies ------------------------------------------------------------------------------------------------------------


def body_read_by_another(world: World) -> Facts:
    """A response whose body another library has put its own in place of, as tracers and caches do."""
    world.open()
    response = world.response(stream=True)
    kept, httpx = response.stream, world.stack.module

    class Theirs(httpx.SyncByteStream, httpx.AsyncByteStream):  # type: ignore[misc,name-defined]
        def __iter__(self) -> Iterator[bytes]:
            yield from kept

        async def __aiter__(self) -> Any:
            async for chunk in kept:
                yield chunk

        def close(self) -> None:
            kept.close()

        async def aclose(self) -> None:
            await kept.aclose()

    response.stream = theirs = Theirs()
    read = len(world.body(response))
    return {"bytes": read, "stays": response.stream is theirs, "closed": response.is_closed}


def dropped_response(world: World) -> Facts:
    """When a response that is dropped unread is gone, and that its client works on."""
    with lifetimes():
        world.open()
        response = world.response(stream=True)
        references = [weakref.ref(response), weakref.ref(response.request)]
        del response
        at_once = [reference() is None for reference in references]
        collect_garbage()
        collected = [reference() is None for reference in references]
        return {"at once": at_once, "collected": collected, "text": world.use()}


def dropped_read_response(world: World) -> Facts:
    """When a response that was read is gone."""
    with lifetimes():
        world.open()
        reference = weakref.ref(world.response())
        at_once = reference() is None
        collect_garbage()
        return {"at once": at_once, "collected": reference() is None}


# -- what the SDK makes of them ----------------------------------------------------------------------------------------


def sdk_stream(world: World) -> Facts:
    """The SDK's stream before and after it is read, and the kinds of its events."""
    world.open()
    stream = world.stream()
    unread = walk(stream)
    events = [kind(event) for event in world.driver.read(stream)]
    return {"unread": unread, "events": events, "read": walk(stream)}


def sdk_raw_response(world: World) -> Facts:
    """The SDK's raw response, and the message that it parses."""
    world.open()
    raw = world.driver(world.sdk.messages.with_raw_response.create(**request_of()))
    message = world.driver(raw.parse())
    return {"raw": walk(raw), "message": {name: attribute(message, name) for name in ("content", "usage", "model")}}


def sdk_error(world: World) -> Facts:
    """The SDK's exception for a status, and its response."""
    world.open()
    world.sim.play("http_400")
    try:
        world.use()
    except Exception as error:
        facts = {name: attribute(error, name) for name in public(error)}
        return {"type": kind(error), "error": facts, "response": walk(error.response)}  # type: ignore[attr-defined]
    raise AssertionError("The simulator has answered 400")


HTTP_PROBES: tuple[Callable[[World], Any], ...] = (
    sent_request,
    request_of_a_stream,
    request_of_a_call,
    request_with_extensions,
    request_that_the_app_notes_on,
    request_whose_notes_are_replaced,
    requests_with_the_same_extensions,
    request_sent_twice,
    request_sent_twice_at_once,
    request_that_failed,
    redirected_request,
    copied_request,
    whole_response,
    failed_response,
    stream_response,
    closed_unread,
    compressed_response,
    compressed_closed_unread,
    body_read_by_another,
    dropped_response,
    dropped_read_response,
)
SDK_PROBES: tuple[Callable[[World], Any], ...] = (sdk_stream, sdk_raw_response, sdk_error)
