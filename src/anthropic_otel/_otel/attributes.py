"""Limits the cardinality of the metrics' attributes, and caches the attribute sets.

Rule: whatever models, hosts, paths and statuses a process meets, one metric has at most `MAX_SETS` attribute sets, and
beyond these the combinations of its other values with address and model `_OTHER`. That is to stay below the
OpenTelemetry SDK's limit of 2,000. A text beyond a limit is `_OTHER`; the caller leaves out a number beyond one. The
limits keep no text that is longer than `MAX_LENGTH`.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from anthropic_otel._core.semconv import GEN_AI_REQUEST_MODEL, OTHER, SERVER_ADDRESS

MAX_MODELS: Final = 50
MAX_ADDRESSES: Final = 20
MAX_STATUSES: Final = 40
MAX_CODES: Final = 30
MAX_SETS: Final = 1_000
MAX_LENGTH: Final = 128
_RESOURCE: Final = re.compile(r"(?<![\w-])(?:arn:|(?:projects|publishers|accounts|subscriptions)/)", re.IGNORECASE)
"""Finds the beginning of an ARN or a resource path, which contain an account, in the name of a model."""

AttributeValue = str | int
Attributes = dict[str, AttributeValue]
Values = tuple[AttributeValue | None, ...]


class _Places(dict[str, object]):
    """The values that have one of the `most` places of a limit.

    It takes no lock: a fork could leave that locked in the child, and a finalizer would wait for the code that it
    interrupts. The `pop` and `append` of a list are atomic, and so are the `setdefault` and `pop` of a dictionary.
    """

    __slots__ = ("_free",)

    def __init__(self, most: int) -> None:
        super().__init__()
        self._free: Final[list[None]] = [None] * most

    def take(self, value: str) -> bool:
        """Gives `value` a place, if it has none and one is free. Returns whether it has one then."""
        try:
            self._free.pop()
        except IndexError:
            # Another thread may have taken the last one for the same value.
            return value in self
        own = object()
        if self.setdefault(value, own) is not own:
            self._free.append(None)
        return True

    def give_back(self, value: str) -> None:
        """Frees the place of `value`. Does nothing if it has none."""
        if self.pop(value, None) is not None:
            self._free.append(None)


class Names:
    """A cardinality limit for names of models or hosts. Called with a name, it returns that name, or else `_OTHER`.

    It returns at most `most` different names. At most half of these were never passed as `answered`. So names that an
    app has mistyped cannot use up the limit, and some of them are still recorded. Thread-safe.
    """

    __slots__ = ("_answered", "_names", "_unanswered")

    def __init__(self, most: int) -> None:
        self._names: Final = _Places(most)
        self._unanswered: Final = _Places(most // 2)
        """The names in `_names` that were never passed as answered."""
        self._answered: Final[set[str]] = set()
        """The names in `_names` that were passed as answered."""

    def __call__(self, name: str, *, answered: bool = False) -> str:
        """Returns `name` if it is remembered, or if there is room to remember it; else `_OTHER`.

        `answered` is whether a request with it got a 2xx, `False` if not known yet. With `True`, a name that was
        remembered as unanswered counts as answered from then on. A name of more than 128 characters, or that is not
        printable, is never remembered.
        """
        # The length is checked first: a look-up of a long text would read all of it.
        if len(name) > MAX_LENGTH:
            return OTHER
        if name in self._answered or (not answered and name in self._names):
            return name
        return name if self._takes(name, answered) else OTHER

    def _takes(self, name: str, answered: bool) -> bool:
        if not name.isprintable() or not (answered or self._unanswered.take(name)):
            return False
        if not self._names.take(name):
            self._unanswered.give_back(name)
            return False
        if answered:
            self._answered.add(name)
        if name in self._answered:
            # Also if it is another thread that has passed it as answered meanwhile.
            self._unanswered.give_back(name)
        return True


class CardinalityLimit(Names):
    """A cardinality limit. Called with a value, it returns that value if it is among the first `most` distinct ones.

    For a further value it returns `_OTHER`; also for one of more than 128 characters or that is not printable, which
    does not count towards the limit. Thread-safe.
    """

    __slots__ = ()

    def __call__(self, name: str, *, answered: bool = True) -> str:
        return super().__call__(name, answered=answered)


def last_part(model: str) -> str:
    """Returns the last part of a model's name that is an ARN or a resource path, and so leaves out the account in it.

    `_OTHER` if the last part is empty, or the account itself. Any other name is returned unchanged. The ARN or path may
    begin after something else, such as the name of a gateway's provider, in the first 256 characters. It may be
    percent-encoded, up to `_MAX_ENCODED` times; then the last part is returned decoded.
    """
    if "/" not in model and ":" not in model and "%" not in model:
        # As nearly every one is: to search for a resource takes some ten times as long.
        return model
    name = model
    for _ in range(_MAX_ENCODED if "%" in model[: 2 * MAX_LENGTH] else 0):
        name = unquote(name)
    found = _RESOURCE.search(name, 0, 2 * MAX_LENGTH)
    if found is None:
        return model
    path = name[found.start() :]
    before, _, last = path.rpartition("/" if "/" in path else ":")
    # The account is the fifth of the parts of an ARN, and the second of a path.
    is_account = "/" not in before and before.count(":") < _BEFORE_RESOURCE
    return OTHER if is_account or not last else last


_MAX_ENCODED: Final = 3
_BEFORE_RESOURCE: Final = 4
"""How many colons are before the last one in front of an ARN's resource."""


class AttributeSets:
    """A cache of one metric's attribute sets. `names` are the metric's attributes.

    It keeps `MAX_SETS`, or a few more if threads add sets at once.
    """

    __slots__ = ("_names", "_sets")

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names: Final = names
        self._sets: dict[Values, Attributes] = {}

    def of(self, values: Values) -> Attributes:
        """Returns the attributes with these values, one for each name in their order; `None` leaves an attribute out.

        The caller has applied the cardinality limits of single values. Once `MAX_SETS` are kept, a further set is not,
        and its address and model are `_OTHER`. The dictionary is shared: not to be changed.
        """
        found = self._sets.get(values)
        return found if found is not None else self._add(values)

    def _add(self, values: Values) -> Attributes:
        attributes = {name: value for name, value in zip(self._names, values, strict=True) if value is not None}
        if len(self._sets) >= MAX_SETS:
            # Values of closed lists are kept. Address and model become `_OTHER`.
            return {name: OTHER if name in _OPEN else value for name, value in attributes.items()}
        # If two threads add the same set at once, both get that of the first.
        return self._sets.setdefault(values, attributes)


_OPEN: Final = frozenset({SERVER_ADDRESS, GEN_AI_REQUEST_MODEL})
