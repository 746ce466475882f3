"""The attribute sets of metrics: few, bounded, and built once.

Rule: whatever models, hosts, paths and statuses a process meets, one metric never has more than `MAX_SETS` + the
number of closed-list combinations of attribute sets, which is below the OpenTelemetry SDK's limit of 2,000. What is
beyond a cap is `_OTHER`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from anthropic_otel._core.semconv import GEN_AI_REQUEST_MODEL, OPERATION_NAME, OTHER, SERVER_ADDRESS

MAX_MODELS: Final = 50
MAX_ADDRESSES: Final = 20
MAX_STATUSES: Final = 40
MAX_SETS: Final = 1_000
_MAX_LENGTH: Final = 128

AttributeValue = str | int
Values = tuple[AttributeValue | None, ...]
Facts = tuple[Any, ...]
"""What a measurement's attributes are made of, as it was met: of any length and number of values."""


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


class AttributeSets(dict[Facts, dict[str, AttributeValue]]):
    """The attribute sets of one metric, by the facts that they are made of.

    A dictionary, so that a set that was asked for before is found in one step: `sets[facts]`. For other facts `bound`
    gives the values of the attributes `names`, in their order and each bounded; `None` leaves one out.
    """

    __slots__ = ("_bound", "_most", "_names", "_sets")

    def __init__(self, names: tuple[str, ...], bound: Callable[..., Values], most: int = MAX_SETS) -> None:
        super().__init__()
        self._names: Final = names
        self._bound: Final = bound
        self._most: Final = most
        self._sets: dict[Values, dict[str, AttributeValue]] = {}

    def __missing__(self, facts: Facts) -> dict[str, AttributeValue]:
        values = self._bound(*facts)
        attributes = self._sets.get(values)
        if attributes is None:
            attributes = self._add(values)
        if len(self) < self._most:
            self[facts] = attributes
        return attributes

    def _add(self, values: Values) -> dict[str, AttributeValue]:
        attributes = {name: value for name, value in zip(self._names, values, strict=True) if value is not None}
        if len(self._sets) >= self._most:
            # Still told apart: everything from a closed list. No longer: whose call it was.
            return {name: OTHER if name in _OPEN else value for name, value in attributes.items()}
        self._sets[values] = attributes
        return attributes


_OPEN: Final = frozenset({OPERATION_NAME, SERVER_ADDRESS, GEN_AI_REQUEST_MODEL})
