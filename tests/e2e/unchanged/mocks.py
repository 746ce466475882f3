"""Probes with `unittest.mock`: mocks of the clients and of their `send`, as an app's own tests put them on."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any
from unittest import mock

from e2e.unchanged.facts import Facts, function, kind, outcome, unmarked
from e2e.unchanged.world import World


def send_mocked_on_the_client(world: World) -> Facts:
    """`mock.patch.object(client, "send")`: a mock of the right kind, which is called, and leaves nothing."""
    world.open()
    return _mocked(world, world.http)


def send_mocked_on_the_class(world: World) -> Facts:
    """`mock.patch.object(Client, "send")`: a mock of the right kind, which is called, and leaves nothing."""
    world.open()
    return _mocked(world, type(world.http))


def _mocked(world: World, target: Any) -> Facts:
    answer = world.send()
    before = list(vars(target))
    original = target.send
    with mock.patch.object(target, "send", return_value=answer) as mocked:
        facts = {"type": kind(mocked), "is": world.http.send is mocked, "text": outcome(world.use)}
        facts["awaited"] = mocked.await_count if isinstance(mocked, mock.AsyncMock) else None
        facts["calls"] = _calls(mocked)
    return facts | {
        "left": list(vars(target)) == before,
        "restored": target.send == original,
        "text after": world.use(),
    }


def _calls(mocked: Any) -> list[Any]:
    """The kinds of the arguments of each call of a mock."""
    return [([kind(each) for each in call.args], sorted(call.kwargs)) for call in mocked.call_args_list]


def send_spied_on_the_client(world: World) -> Facts:
    """`mock.patch.object(client, "send", wraps=client.send)`: the spy sees the call, and it is sent."""
    world.open()
    with mock.patch.object(world.http, "send", wraps=world.http.send) as spy:
        facts = {"type": kind(spy), "text": outcome(world.use), "calls": _calls(spy)}
    return facts | {"vars": unmarked(vars(world.http)), "text after": world.use()}


def send_with_a_spec_on_the_class(world: World) -> Facts:
    """`mock.patch.object(Client, "send", autospec=True)`: a function, which is given the client."""
    world.open()
    answer = world.send()
    with mock.patch.object(type(world.http), "send", autospec=True, return_value=answer) as mocked:
        facts = {"function": function(mocked), "text": outcome(world.use), "calls": _calls(mocked)}
        facts["wrong"] = outcome(lambda: world.driver(world.http.send()))
    return facts | {"text after": world.use()}


def specified_client(world: World) -> Facts:
    """`create_autospec` of the client and of its class: what each has, of which kind, and what it refuses."""
    world.open()
    specified: dict[str, Callable[[], Any]] = {
        "client": lambda: mock.create_autospec(world.http),
        "class": lambda: mock.create_autospec(type(world.http), instance=True),
        "mock": lambda: mock.Mock(spec=world.http),
        "async mock": lambda: mock.AsyncMock(spec=world.http),
    }
    return {name: outcome(lambda: _specified(make())) for name, make in specified.items()}  # noqa: B023


def _specified(mocked: Any) -> Facts:
    return {
        "names": unmarked(dir(mocked)),
        "kinds": [kind(getattr(mocked, name)) for name in ("send", "request", "timeout")],
        "coroutine function": inspect.iscoroutinefunction(mocked.send),
        "wrong arguments": outcome(lambda: str(inspect.signature(mocked.send).bind(1, 2, 3))),
    }


def specified_sdk_client(world: World) -> Facts:
    """A mock of the SDK client by its spec, and of `messages.create` on the client."""
    world.open()
    specified = mock.Mock(spec=world.sdk)
    with mock.patch.object(world.sdk.messages, "create") as create:
        facts: Facts = {"create": kind(create)}
    with mock.patch.object(world.sdk, "request", wraps=world.sdk.request) as request:
        facts |= {"request": kind(request), "text": outcome(world.use), "calls": len(request.call_args_list)}
    return facts | {"spec": {name: kind(getattr(specified, name)) for name in ("request", "post", "messages")}}


def request_mocked_on_the_sdk(world: World) -> Facts:
    """`mock.patch.object` of `request` on the class of the SDK that defines it."""
    world.open()
    definer = next(cls for cls in type(world.sdk).__mro__ if "request" in cls.__dict__)
    before = list(vars(definer))
    with mock.patch.object(definer, "request", return_value="mocked") as mocked:
        facts = {"type": kind(mocked), "calls": outcome(lambda: world.driver(world.sdk.get("/", cast_to=str)))}
    return facts | {"left": list(vars(definer)) == before, "text after": world.use()}


HTTP_PROBES: tuple[Callable[[World], Any], ...] = (
    send_mocked_on_the_client,
    send_mocked_on_the_class,
    send_spied_on_the_client,
    send_with_a_spec_on_the_class,
    specified_client,
)
SDK_PROBES: tuple[Callable[[World], Any], ...] = (specified_sdk_client, request_mocked_on_the_sdk)
