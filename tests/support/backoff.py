"""The SDK's retries without the waiting.

Rule: the SDK decides everything as it always does - whether to retry, and for how long to wait; only the waiting
itself is cut short. What it wanted to wait is written down.
"""

from __future__ import annotations

import time
from typing import Any, Final

import anthropic._base_client as base_client
import anyio
import pytest

SHORT: Final = 0.002
"""The seconds that a backoff takes at most."""


class _Like:
    """A module with one function of it replaced."""

    def __init__(self, module: Any, **replaced: Any) -> None:
        self._module = module
        self.__dict__.update(replaced)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


def shorten(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Cuts the SDK's backoffs short. Returns the list of the seconds that it will have wanted to wait."""
    wanted: list[float] = []

    def sleep(seconds: float) -> None:
        wanted.append(seconds)
        time.sleep(min(seconds, SHORT))

    async def asleep(seconds: float) -> None:
        wanted.append(seconds)
        await anyio.sleep(min(seconds, SHORT))

    monkeypatch.setattr(base_client, "time", _Like(time, sleep=sleep))
    monkeypatch.setattr(base_client, "anyio", _Like(anyio, sleep=asleep))
    return wanted
