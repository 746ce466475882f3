"""The kinds of condition that an alert can have, and the values in them.

Rule: each field is a value of the thresholds file with the same name; `settings` says which alert has which kind.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}


class Duration(str):
    """A Prometheus duration as text, such as `5m` or `1h30m`."""

    __slots__ = ()

    @property
    def seconds(self) -> float:
        """The length of the duration in seconds."""
        return sum(int(n) * _SECONDS[unit] for n, unit in re.findall(r"(\d+)(ms|[smhdwy])", self))


@dataclass(frozen=True)
class Floor:
    """A window, and `at_least`, the least number of calls that must have failed in it for a condition to hold."""

    window: Duration
    at_least: float


@dataclass(frozen=True)
class Condition:
    """What all conditions have.

    - `hold`: how long the condition must hold before the alert fires.
    - `keep`: how long the alert goes on firing after the condition has ended.
    """

    hold: Duration
    keep: Duration


@dataclass(frozen=True)
class Count(Condition):
    """Holds if there are at least `at_least` events in the window. The alert says what an event is."""

    window: Duration
    at_least: float


@dataclass(frozen=True)
class Outage(Condition):
    """Holds if in one of the windows no call was answered and at least its floor's `at_least` calls failed.

    `within` has the windows with their floors.
    """

    within: tuple[Floor, ...]


@dataclass(frozen=True)
class Refusals(Condition):
    """Holds if in one of the windows more than a share `ratio` of the calls for an answer failed for one reason.

    At least `at_least` calls, of the window's floor, must have failed for that reason. `within` has the windows with
    their floors.
    """

    within: tuple[Floor, ...]
    ratio: float


@dataclass(frozen=True)
class Hang(Condition):
    """Holds if at least `at_least` attempts started longer than `older_than` ago and have not ended."""

    older_than: Duration
    at_least: float


@dataclass(frozen=True)
class Full(Condition):
    """Holds if more than a share `ratio` of an export queue of a Collector is used."""

    ratio: float


@dataclass(frozen=True)
class Share(Condition):
    """Holds if more than a share `ratio` of the attempts in the window is bad, with a floor.

    The floor is that at least `at_least` calls were affected, as `alerts.attempts` counts them.
    """

    window: Duration
    ratio: float
    at_least: float


@dataclass(frozen=True)
class Amplification(Condition):
    """Holds if there are more than `attempts_per_call` attempts per call and `at_least` calls or more in the window."""

    window: Duration
    attempts_per_call: float
    at_least: float


@dataclass(frozen=True)
class Longer(Condition):
    """Holds if many events in the window took longer than `longer_than` seconds, which is a bucket's bound.

    Many are more than `(at_least - 1) * max_retries`, the setting: a call has at most `max_retries` such events, so at
    least `at_least` calls had one.
    """

    window: Duration
    longer_than: float
    at_least: float


@dataclass(frozen=True)
class SlowShare(Condition):
    """Holds if more than a share `ratio` of the events in the window took longer than `longer_than` seconds.

    `longer_than` is a bucket's bound. `at_least` is the floor: how many such events there must be.
    """

    window: Duration
    longer_than: float
    ratio: float
    at_least: float


@dataclass(frozen=True)
class Headroom(Condition):
    """Holds if less than a share `remaining` of a rate limit was left at any time of the window."""

    window: Duration
    remaining: float


@dataclass(frozen=True)
class Silence(Condition):
    """Holds if what the alert is about, services or Collectors, has reported in the last `window` and not now.

    For Collectors it also holds while Prometheus cannot scrape one of them. For services it also holds for one that
    never reported, if `job` of the settings names it; if `job` is more than names with `|` between them, only if no
    service that fits it reports. It does not hold for a service that `short_lived` fits.
    """

    window: Duration


@dataclass(frozen=True)
class Limit(Condition):
    """Has no further values: the limit of the condition is elsewhere in the settings."""


@dataclass(frozen=True)
class Rise(Condition):
    """Holds if a service's cost in the last `window` is more than `rise` times its highest in any such window before.

    The time `before`, which ended a day ago, is searched for the highest. The cost must also be at least `at_least`
    USD, and Prometheus must have samples of the service's tokens or cost from the older half of `before`.
    """

    window: Duration
    before: Duration
    rise: float
    at_least: float
