"""What the API says about its models.

Rule: it says nothing here that `known.py` does not know.
"""

from __future__ import annotations

from typing import Final

from anthropic_otel.simulator import known
from anthropic_otel.simulator.known import Known
from anthropic_otel.simulator.wire import Json

_CREATED: Final = "2026-10-01T00:00:00Z"


def listed(names: Known) -> list[Json]:
    """Returns what the API says about each of its models, the latest first, and then about `names.models` by name."""
    return [shown(each) for each in (*known.MODELS, *sorted(names.models or ()))]


def shown(name: str) -> Json:
    """Returns what the API says about the model of that name, which must be no alias."""
    most = known.MODELS.get(name)
    return {
        "type": "model",
        "id": name,
        "display_name": known.display_name(name),
        "created_at": _CREATED,
        "lifecycle": "active",
        "deprecated_at": None,
        "retires_at": None,
        "max_input_tokens": None if most is None else 1_000_000 if most == known.MOST else 200_000,
        "max_tokens": most,
    }
