"""Credentials that are fetched before a request is sent."""

from __future__ import annotations

import time
from typing import Any

import pytest


class SlowProvider:
    """A provider of the SDK's credentials that takes 50 ms. `took` is how many seconds each fetch took.

    Skips the test if the SDK fetches no credentials.
    """

    def __init__(self) -> None:
        self._credentials = pytest.importorskip("anthropic.lib.credentials", reason="this SDK fetches no credentials")
        self.took: list[float] = []

    def __call__(self, *, force_refresh: bool = False) -> Any:
        began = time.perf_counter()
        time.sleep(0.05)
        self.took.append(time.perf_counter() - began)
        return self._credentials.AccessToken(token="a-token", expires_at=None)
