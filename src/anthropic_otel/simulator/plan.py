"""The rate limits of a subscription, and the `anthropic-ratelimit-unified-*` headers that report them.

Rule: nothing here has a clock; `now` is an argument, in seconds since the epoch.
"""

from __future__ import annotations

from typing import Final

from anthropic_otel.simulator.actions import Headers
from anthropic_otel.simulator.limits import Cost, ExceededLimit


class Plan:
    """The limits of a subscription: tokens in a window of five hours and in one of seven days.

    A window begins with the first request after the last one has ended, with no tokens used.
    """

    _WINDOWS: Final = (("5h", "five_hour", 5 * 3600), ("7d", "seven_day", 7 * 86_400))

    def __init__(self, limits: tuple[int, int], now: float) -> None:
        self._limits = limits
        self._used = [0, 0]
        self._resets = [now, now]

    def exceeded(self, cost: Cost, now: float) -> ExceededLimit | None:
        """Returns the used-up window that ends last, or `None` if neither is used up. `cost` is not used.

        A request is admitted while any tokens are left, even if it then exceeds the window. Takes nothing, but begins a
        new window if one has ended.
        """
        self._renew(now)
        spent = [reset for used, limit, reset in self._rows() if used >= limit]
        if not spent:
            return None
        words = "This request would exceed your account's rate limit. Please try again later."
        return ExceededLimit(words, max(spent) - now)

    def take(self, cost: Cost, now: float) -> None:
        """Adds the input and output tokens of `cost` to both windows."""
        self._renew(now)
        self._used = [used + cost.input + cost.output for used in self._used]

    def headers(self, cost: Cost, now: float) -> Headers:
        """Returns headers with the state of each window, and which window is used most. `cost` is not used.

        A window is `rejected` when it is used up, `allowed_warning` from 80% on, else `allowed`; one of no tokens is
        always `allowed`. Further headers say that the account has no overage.
        """
        self._renew(now)
        shares = [used / max(1, limit) for used, limit, _ in self._rows()]
        worst = shares.index(max(shares))
        told = {"status": _status(shares[worst])}
        for (name, _, _), share, reset in zip(self._WINDOWS, shares, self._resets, strict=True):
            told |= {f"{name}-status": _status(share), f"{name}-reset": str(int(reset))}
            told[f"{name}-utilization"] = f"{share:.2f}".rstrip("0").rstrip(".")
        told |= {"representative-claim": self._WINDOWS[worst][1], "reset": str(int(self._resets[worst]))}
        told |= {"fallback-percentage": "0.5", "overage-status": "rejected"}
        told["overage-disabled-reason"] = "org_level_disabled"
        return tuple((f"anthropic-ratelimit-unified-{name}", value) for name, value in told.items())

    def _rows(self) -> list[tuple[int, int, float]]:
        return list(zip(self._used, self._limits, self._resets, strict=True))

    def _renew(self, now: float) -> None:
        for index, (_, _, seconds) in enumerate(self._WINDOWS):
            if now >= self._resets[index]:
                self._used[index], self._resets[index] = 0, now + seconds


def _status(share: float) -> str:
    return "rejected" if share >= 1 else "allowed_warning" if share >= 0.8 else "allowed"
