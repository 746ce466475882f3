"""Times as the API writes them.

Rule: a time is in seconds since the epoch; what is later than the year 9999 is its end.
"""

from __future__ import annotations

from datetime import datetime, timezone

from anthropic_otel.simulator import checks


def written(seconds: float | None) -> str | None:
    """Returns the time in UTC as RFC 3339 writes it, such as `2026-10-01T00:00:00Z`; `None` for `None`."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(min(seconds, checks.LAST_SECOND), timezone.utc).isoformat().replace("+00:00", "Z")
