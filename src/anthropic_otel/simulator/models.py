"""What the API says about its models.

Rule: it says nothing here that `known.py` does not know.
"""

from __future__ import annotations

import re
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
        "display_name": _display_name(name),
        "created_at": _CREATED,
        "lifecycle": "active",
        "deprecated_at": None,
        "retires_at": None,
        "max_input_tokens": None if most is None else 1_000_000 if most == known.MOST else 200_000,
        "max_tokens": most,
    }


def _display_name(name: str) -> str:
    """Returns what the API calls a model for people, such as `Claude Opus 4.5` for `claude-opus-4-5-20251101`.

    A name that does not have the form of the API's names is returned as it is.
    """
    match = re.fullmatch(r"(claude(?:-[a-z]+)+)(?:-(\d(?:-\d)?))?(?:-\d{8})?", name)
    if match is None:
        return name
    words = " ".join(word.capitalize() for word in match[1].split("-"))
    return f"{words} {match[2].replace('-', '.')}" if match[2] else words
