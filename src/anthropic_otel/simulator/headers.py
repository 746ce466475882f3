"""The API's response headers, but for those of rate limits: the date, request ids, the organization, the edge's.

Rule: everything follows from the seed and the order of the responses, but for the date, so that a run can be repeated.
"""

from __future__ import annotations

import random
import uuid
from email.utils import formatdate
from typing import Final

from anthropic_otel.simulator.actions import Headers

_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


class Ids:
    """Ids as the API makes them, such as `req_011CSHoEeqs5C35K2UUqR7Fy`: unique, and the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.organization: Final = str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def new(self, prefix: str) -> str:
        """Return the next id with that prefix."""
        return f"{prefix}_01" + "".join(self._random.choices(_ALPHABET, k=22))


def common(now: float) -> Headers:
    """Return the headers that every response has, whoever sends it. `now` is in seconds since the epoch."""
    return (("date", formatdate(now, usegmt=True)),)


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
