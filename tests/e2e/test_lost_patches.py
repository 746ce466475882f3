"""Libraries that restore what they found, and so take away what was patched after them: it is put back, and said.

Rule: what is sent by a call of the SDK after that is recorded, once, and nothing is patched where nothing was lost.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from typing import Any

import pytest

import anthropic_otel
from anthropic_otel._adapters import patches
from anthropic_otel.simulator import Endpoint, Simulator
from support.apps import SdkApp
from support.driver import Driver
from support.stacks import SDK_STACKS, Stack, each_of, http_client
from support.telemetry import Telemetry, recording

stack = each_of(each for each in SDK_STACKS if not each.aiohttp)


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    patches.warn_of_lost_patch.cache_clear()
    with recording() as recorded:
        yield recorded
    patches.warn_of_lost_patch.cache_clear()


def wrapped(original: Any) -> Any:
    """What another library makes of a function."""

    @functools.wraps(original)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return original(*args, **kwargs)

    return wrapper


def owner_of(cls: type[Any], name: str) -> type[Any]:
    """The class that defines the function."""
    return next(each for each in cls.__mro__ if name in each.__dict__)


def counts(telemetry: Telemetry) -> tuple[int, int]:
    """How many calls and attempts were recorded since it was asked last."""
    found = len(telemetry.calls), len(telemetry.attempts)
    telemetry.exporter.clear()
    return found


@pytest.mark.parametrize("below", [False, True], ids=["its own", "another library's"])
@pytest.mark.parametrize("name", ["send", "request"])
def test_a_patch_that_another_library_takes_away_is_put_back(
    name: str, below: bool, stack: Stack, sim: Simulator, driver: Driver, telemetry: Telemetry
) -> None:
    """One that was there first, and restores what it had found: the class's own function, or a wrapper of a third."""
    app = SdkApp(stack, Endpoint(sim.base_url), driver, telemetry, http=http_client(stack, cls=stack.client_class))
    cls = owner_of(type(app.http if name == "send" else app.client), name)
    own = cls.__dict__[name]
    try:
        if below:
            setattr(cls, name, wrapped(own))
        found = cls.__dict__[name]
        setattr(cls, name, wrapped(found))
        telemetry.instrument()
        app.create()
        assert counts(telemetry) == (1, 1)
        setattr(cls, name, found)
        app.create()
        # A lost patch of the call is only noticed by the request that is sent without one.
        assert counts(telemetry)[1] == 1
        app.create()
        assert counts(telemetry) == (1, 1)
        assert ["has undone what anthropic_otel had patched" in each for each in telemetry.warnings] == [True]
        anthropic_otel.uninstrument()
        app.create()
        assert counts(telemetry)[1] == 0
        assert cls.__dict__[name] is found
    finally:
        setattr(cls, name, own)
        app.close()


@pytest.mark.parametrize("hides", [False, True])
def test_a_wrapper_on_top_of_a_patch_takes_nothing_away(
    hides: bool, stack: Stack, sim: Simulator, driver: Driver, telemetry: Telemetry
) -> None:
    """Also one that does not say what it wraps."""
    app = SdkApp(stack, Endpoint(sim.base_url), driver, telemetry, http=http_client(stack, cls=stack.client_class))
    telemetry.instrument()
    cls = owner_of(type(app.http), "send")
    ours = cls.__dict__["send"]
    on_top = wrapped(ours)
    if hides:
        del on_top.__wrapped__
    cls.send = on_top
    try:
        for _ in range(2):
            app.create()
            assert counts(telemetry) == (1, 1)
        assert cls.__dict__["send"] is on_top
        assert not [record for record in telemetry.records if record.levelno >= logging.WARNING]
    finally:
        cls.send = ours
        app.close()
