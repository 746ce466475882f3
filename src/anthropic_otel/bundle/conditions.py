"""The kinds of condition that an alert has, and the values that they are made of.

Rule: a field is a value of the thresholds file, by the same name; which alert has which kind is in `settings`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}


class Duration(str):
    """A Prometheus duration, such as `5m`."""

    __slots__ = ()

    @property
    def seconds(self) -> float:
        """Its length in seconds."""
        return sum(int(n) * _SECONDS[unit] for n, unit in re.findall(r"(\d+)(ms|[smhdwy])", self))


@dataclass(frozen=True)
class Floor:
    """So many events in a window."""

    window: Duration
    at_least: float


@dataclass(frozen=True)
class Count:
    """So many events in a window."""

    window: Duration
    hold: Duration
    keep: Duration
    at_least: float


@dataclass(frozen=True)
class Outage:
    """No event went well in one of some windows, and so many failed in it."""

    within: tuple[Floor, ...]
    hold: Duration
    keep: Duration


@dataclass(frozen=True)
class Refusals:
    """A share of the calls of one of some windows, and so many, failed for one reason."""

    within: tuple[Floor, ...]
    hold: Duration
    keep: Duration
    ratio: float


@dataclass(frozen=True)
class Hang:
    """So many attempts that are older than `older_than` and have not ended."""

    older_than: Duration
    hold: Duration
    keep: Duration
    at_least: float


@dataclass(frozen=True)
class Full:
    """A share of a queue that is used."""

    hold: Duration
    keep: Duration
    ratio: float


@dataclass(frozen=True)
class Share:
    """A share of attempts in a window, with a floor of calls that got into trouble."""

    window: Duration
    hold: Duration
    keep: Duration
    ratio: float
    at_least: float


@dataclass(frozen=True)
class Amplification:
    """Attempts per call in a window, with a floor of calls."""

    window: Duration
    hold: Duration
    keep: Duration
    attempts_per_call: float
    at_least: float


@dataclass(frozen=True)
class Longer:
    """So many events in a window that took longer than a bucket's bound, in seconds."""

    window: Duration
    hold: Duration
    keep: Duration
    longer_than: float
    at_least: float


@dataclass(frozen=True)
class SlowShare:
    """A share of events in a window that took longer than a bucket's bound, in seconds, with a floor of them."""

    window: Duration
    hold: Duration
    keep: Duration
    longer_than: float
    ratio: float
    at_least: float


@dataclass(frozen=True)
class Headroom:
    """The share of a limit that must be left at its lowest in each `window`."""

    window: Duration
    hold: Duration
    keep: Duration
    remaining: float


@dataclass(frozen=True)
class Silence:
    """A reporter of the last `window` that has been silent for `hold`."""

    window: Duration
    hold: Duration
    keep: Duration


@dataclass(frozen=True)
class Limit:
    """A limit that is set elsewhere."""

    hold: Duration
    keep: Duration


@dataclass(frozen=True)
class Rise:
    """So many times as much in a window as in the highest of a time before, and at least so much, in USD."""

    window: Duration
    before: Duration
    hold: Duration
    keep: Duration
    rise: float
    at_least: float
