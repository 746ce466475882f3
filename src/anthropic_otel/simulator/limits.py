"""Rate limits as data: what an account may use, what a request costs, and why a request is refused.

Rule: these are frozen values; `ratelimits.py` applies them to requests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from anthropic_otel.simulator import checks

MAX_LIMIT: Final = 10**15
"""The largest limit: what a `float` can count in steps of less than one."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an account may use per minute. `None`: the account has no such limit, and no headers report one.

    - `requests`, `input_tokens`, `output_tokens`: the shared limits.
    - `priority`, `fast`: input and output tokens of separate capacity, for the Priority Tier and for requests with
      `speed: "fast"`. A request is never refused for a lack of priority capacity.
    - `unified`: not per minute, but the tokens of a subscription in five hours and in seven days. If given, only these
      two are enforced and reported.
    """

    requests: int | None = 4_000
    input_tokens: int | None = 400_000
    output_tokens: int | None = 80_000
    priority: tuple[int, int] | None = None
    fast: tuple[int, int] | None = None
    unified: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        """Checks the fields. Raises `TypeError` for a wrong type, also for a pair that is no tuple of two.

        Raises `ValueError` for a number that is negative or above 10**15.
        """
        for name in ("requests", "input_tokens", "output_tokens"):
            if (value := getattr(self, name)) is not None:
                checks.whole(name, value, 0, MAX_LIMIT)
        for name in ("priority", "fast", "unified"):
            if (pair := getattr(self, name)) is not None:
                if not isinstance(pair, tuple) or len(pair) != 2:
                    raise TypeError(f"{name} must be two whole numbers in a tuple, not {pair!r}")
                for value in pair:
                    checks.whole(name, value, 0, MAX_LIMIT)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a request takes from the rate limits: one request, and its input and output tokens.

    `fast` and `priority` say which separate capacity the tokens may count against.
    """

    input: int = 0
    output: int = 0
    fast: bool = False
    priority: bool = True


ONE_REQUEST: Final = Cost()


@dataclass(frozen=True, slots=True)
class ExceededLimit:
    """A limit that has no room for a request, with the API's message about it.

    `retry_after` is how many seconds it takes until the limit has room; for a request that is larger than the limit,
    until nothing of it is used. For a limit of 0 per minute it is 60.
    """

    message: str
    retry_after: float
