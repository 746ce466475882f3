"""The panel "Whose fault?": no failed attempt is missing from it, and none is in it twice."""

from __future__ import annotations

import re

import pytest

from anthropic_otel._core import semconv
from anthropic_otel._core.semconv import NetworkCause
from anthropic_otel.bundle.boards.faults import FAULTS, NOBODY, panel
from anthropic_otel.bundle.panels import Queries
from anthropic_otel.bundle.promql import Histograms

STATUSES = [str(status) for status in range(300, 600)]
ERRORS = [
    *STATUSES,
    *(cause.value for cause in NetworkCause),
    *semconv.API_ERROR_TYPES,
    *semconv.BEDROCK_EXCEPTIONS,
    semconv.UNEXPECTED_CONTENT,
    semconv.INVALID_EVENT,
]
"""Every `error.type` that an attempt can have."""
UNKNOWN = {semconv.INVALID_EVENT, semconv.OTHER}
"""What no bar but the last one has."""


def bars(error: str) -> list[str]:
    """The bars whose query finds an error. A matcher of Prometheus fits the whole value."""
    found = []
    for query in panel(Queries(Histograms.CLASSIC)).queries:
        matcher = re.search(r'error_type(=~|!~)"([^"]*)"', query.expression)
        assert matcher
        operator, pattern = matcher.groups()
        if bool(re.fullmatch(pattern.replace("\\\\", "\\"), error)) == (operator == "=~"):
            found.append(query.legend)
    return found


@pytest.mark.parametrize("error", ERRORS)
def test_each_error_of_an_attempt_is_in_exactly_one_bar(error: str) -> None:
    """Also those that nobody can be blamed for."""
    (bar,) = bars(error)
    assert (bar == NOBODY) == (error in UNKNOWN)


@pytest.mark.parametrize(
    ("error", "bar"),
    [
        ("529", "Anthropic: overloaded"),
        ("500", "Anthropic: errors"),
        ("408", "Anthropic: errors"),
        ("429", "your rate limit"),
        ("throttlingException", "your rate limit"),
        ("404", "your request"),
        ("incomplete_stream", "the network"),
        ("pool_timeout", "your app: not sent"),
        ("302", "a base URL or a gateway"),
    ],
)
def test_an_error_is_where_somebody_would_look(error: str, bar: str) -> None:
    """One of each bar, and those near a border."""
    assert bars(error) == [bar]
    assert bar in FAULTS
