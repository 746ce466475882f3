"""Rate limits as facts: what an account may use, what a request takes, and why it is turned away.

Rule: a fact is a frozen value; what it does to the next request is the business of `ratelimits.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from anthropic_otel.simulator import checks


@dataclass(frozen=True, slots=True)
class Limits:
    """What an account may use in a minute. `None` is a limit that the account does not have, and is not told of.

    `priority` and `fast` are the input and output tokens of capacity of its own: of the Priority Tier, and for requests
    with `speed: "fast"`. `unified` are the tokens of a subscription in five hours and in seven days; they are told of,
    and enforced, instead of everything else.
    """

    requests: int | None = 4_000
    input_tokens: int | None = 400_000
    output_tokens: int | None = 80_000
    priority: tuple[int, int] | None = None
    fast: tuple[int, int] | None = None
    unified: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        """Raises `TypeError` or `ValueError` for what can be no limit."""
        for name in ("requests", "input_tokens", "output_tokens"):
            if (value := getattr(self, name)) is not None:
                checks.whole(name, value, 0)
        for name in ("priority", "fast", "unified"):
            if (pair := getattr(self, name)) is not None:
                if not isinstance(pair, tuple) or len(pair) != 2:
                    raise TypeError(f"{name} must be two whole numbers in a tuple, not {pair!r}")
                for value in pair:
                    checks.whole(name, value, 0)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a request takes: one request and so many tokens. `fast` and `priority` say of which capacity."""

    input: int = 0
    output: int = 0
    fast: bool = False
    priority: bool = True


ONE_REQUEST: Final = Cost()


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """A limit that a request would exceed, in the API's words, and the seconds until there is room for it."""

    message: str
    retry_after: float
