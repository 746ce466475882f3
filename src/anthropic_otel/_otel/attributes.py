"""The attribute sets of metrics: few, bounded, and built once.

The rule: whatever models, hosts, paths and statuses a process meets, one metric never has more than `MAX_SETS` + the
number of closed-list combinations of attribute sets, which is below the OpenTelemetry SDK's limit of 2,000. What is
beyond a cap is `_OTHER`.
"""

from __future__ import annotations

from typing import Final

from anthropic_otel._core.semconv import GEN_AI_REQUEST_MODEL, OPERATION_NAME, OTHER, SERVER_ADDRESS

MAX_MODELS: Final = 50
MAX_ADDRESSES: Final = 20
MAX_STATUSES: Final = 40
MAX_SETS: Final = 1_000
_MAX_LENGTH: Final = 128

AttributeValue = str | int
Pairs = tuple[tuple[str, AttributeValue], ...]


class Capped:
    """Lets the first `most` distinct values through; every other one is `_OTHER`."""

    __slots__ = ("_most", "_values")

    def __init__(self, most: int) -> None:
        self._most: Final = most
        self._values: set[str] = set()

    def __call__(self, value: str) -> str:
        if value in self._values:
            return value
        if len(self._values) >= self._most or len(value) > _MAX_LENGTH or not value.isprintable():
            return OTHER
        self._values.add(value)
        return value


class AttributeSets:
    """The attribute sets of one metric. A set that was asked for before is the same `dict` again."""

    __slots__ = ("_most", "known")

    def __init__(self, most: int = MAX_SETS) -> None:
        self._most: Final = most
        self.known: Final[dict[tuple[AttributeValue | None, ...], dict[str, AttributeValue]]] = {}

    def get(self, names: tuple[str, ...], values: tuple[AttributeValue | None, ...]) -> dict[str, AttributeValue]:
        """The attributes `names` with `values`, in that order; `None` leaves one out."""
        found = self.known.get(values)
        return found if found is not None else self._add(names, values)

    def _add(self, names: tuple[str, ...], values: tuple[AttributeValue | None, ...]) -> dict[str, AttributeValue]:
        attributes = {name: value for name, value in zip(names, values, strict=True) if value is not None}
        if len(self.known) >= self._most:
            # Still told apart: everything from a closed list. No longer: whose call it was.
            return {name: OTHER if name in _OPEN else value for name, value in attributes.items()}
        self.known[values] = attributes
        return attributes


_OPEN: Final = frozenset({OPERATION_NAME, SERVER_ADDRESS, GEN_AI_REQUEST_MODEL})
