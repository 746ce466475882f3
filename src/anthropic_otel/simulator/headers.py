"""The API's response headers except those of rate limits, and the ids in them and in bodies.

The headers are the date, the request id, the organization, and those of the API's edge.

Rule: everything but the date depends only on the seed and on how many ids were made before, so that a run can be
repeated.
"""

from __future__ import annotations

import random
import uuid
from email.utils import formatdate
from hashlib import sha256
from typing import Final

from anthropic_otel.simulator.actions import Headers

_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


class Ids:
    """Generates ids of the API's form, such as `req_011CSHoEeqs5C35K2UUqR7Fy`; the same seed gives the same sequence.

    `organization` is the id of the account's organization, which depends on the seed too.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.organization: Final = self.uuid()

    def new(self, prefix: str) -> str:
        """Returns a new id: `prefix`, `_01` and 22 random characters."""
        return f"{prefix}_01" + "".join(self._random.choices(_ALPHABET, k=22))

    def uuid(self) -> str:
        """Returns a new random UUID, such as the id that Amazon Bedrock gives a request."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))


def common(now: float) -> Headers:
    """Returns the headers of every `Response`, also of those that are not the API's: `date`.

    `now` is in epoch seconds.
    """
    return (("date", formatdate(now, usegmt=True)),)


def of_the_api(request_id: str, organization: str) -> Headers:
    """Returns the headers that only the API itself and its edge send, but not those about rate limits.

    They are those of recorded responses of 2026, but for two that say how long the server took, of which a simulator
    would know no more than the client does. The edge's own id is made from the request's.
    """
    ray = sha256(request_id.encode()).hexdigest()[:16]
    return (
        ("request-id", request_id),
        ("anthropic-organization-id", organization),
        ("server", "cloudflare"),
        ("via", "1.1 google"),
        ("cf-cache-status", "DYNAMIC"),
        ("cf-ray", f"{ray}-FRA"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ("vary", "Accept-Encoding"),
        ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
        ("x-robots-tag", "none"),
    )


_RETRIED: Final = (429, 529)
_UNKNOWN: Final = (408, 409)


def about_retry(status: int) -> Headers:
    """Returns the header `x-should-retry` of a refusal by the API itself, as recorded responses with that status have.

    It is `true` for 429 and 529, and `false` for any other 4xx. Empty for 408, 409 and any other 5xx, of which it is
    not known.
    """
    if status in _RETRIED:
        return (("x-should-retry", "true"),)
    return (("x-should-retry", "false"),) if 400 <= status < 500 and status not in _UNKNOWN else ()


def merge(headers: Headers, over: Headers) -> Headers:
    """Returns `headers` without those whose name is in `over`, followed by `over`. Names are compared without case."""
    names = {name.lower() for name, _ in over}
    return (*((name, value) for name, value in headers if name.lower() not in names), *over)
