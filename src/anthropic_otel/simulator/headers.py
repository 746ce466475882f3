"""The API's response headers: request ids, the organization, rate limits that go down as they are used.

The one rule here: everything follows from the seed and the order of the responses, but for the dates, so that a run
can be repeated.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Final

from anthropic_otel.simulator.actions import Headers

_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_WINDOW: Final = 60.0
_LIMITS: Final = {"requests": 4000, "tokens": 480_000, "input-tokens": 400_000, "output-tokens": 80_000}


class Ids:
    """Ids as the API makes them, such as `req_011CSHoEeqs5C35K2UUqR7Fy`: unique, and the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.organization: Final = str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def new(self, prefix: str) -> str:
        """Return the next id with that prefix."""
        return f"{prefix}_01" + "".join(self._random.choices(_ALPHABET, k=22))


@dataclass(slots=True)
class RateLimits:
    """What is left of the organization's limits: told, never enforced, and full again after a minute."""

    clock: Callable[[], float] = time.time
    _used: dict[str, int] = field(default_factory=dict)
    _since: float = 0.0

    def spend(self, input_tokens: int, output_tokens: int) -> Headers:
        """Count one request and return the headers that tell what is left."""
        now = self.clock()
        if now - self._since >= _WINDOW:
            self._since, self._used = now, dict.fromkeys(_LIMITS, 0)
        spent = {
            "requests": 1,
            "tokens": input_tokens + output_tokens,
            "input-tokens": input_tokens,
            "output-tokens": output_tokens,
        }
        for kind, amount in spent.items():
            self._used[kind] += amount
        return tuple(header for kind in _LIMITS for header in self._headers(kind))

    def _headers(self, kind: str) -> Headers:
        prefix = f"anthropic-ratelimit-{kind}"
        reset = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._since + _WINDOW))
        limit = _LIMITS[kind]
        return (
            (f"{prefix}-limit", str(limit)),
            (f"{prefix}-remaining", str(max(0, limit - self._used[kind]))),
            (f"{prefix}-reset", reset),
        )


def common() -> Headers:
    """Return the headers that every response has, whoever sends it."""
    return (("date", formatdate(usegmt=True)),)


def of_the_api(request_id: str, organization: str) -> Headers:
    """Return the headers that only the API itself sends, and what its edge adds to them."""
    return (
        ("request-id", request_id),
        ("anthropic-organization-id", organization),
        ("server", "cloudflare"),
        ("via", "1.1 google"),
        ("cf-cache-status", "DYNAMIC"),
        ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
        ("x-robots-tag", "none"),
    )


def merge(headers: Headers, over: Headers) -> Headers:
    """Return the headers with those of the second in the place of the first's of the same name."""
    names = {name.lower() for name, _ in over}
    return (*((name, value) for name, value in headers if name.lower() not in names), *over)
