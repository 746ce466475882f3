"""Defines what an adapter finds out about a send that has failed, beside its exception.

Rule: an adapter sets it before it ends the attempt; `ending` reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Broken(Enum):
    """Which response broke a send: its body could not be read, or no request could be made that was to follow it."""

    ANSWER = "the last one, whose status decides as if the send had returned it"
    HOP = "one that a further request of the attempt may have been to follow: a redirect or a demand for credentials"


@dataclass(slots=True)
class FailedSend:
    """The facts of a send that has failed, beside its exception.

    - `broken`: which response of the send broke it, `None` if none is known to have.
    - `redirected`: whether the last response before it failed was a redirect; `False` if not known.
    - `client_closed`: whether the app is known to have closed the HTTP client.
    """

    broken: Broken | None = None
    redirected: bool = False
    client_closed: bool = False


NO_FAILED_SEND: Final = FailedSend()
"""That of an attempt whose send has not failed, or of which nothing is known. Not to be changed."""
