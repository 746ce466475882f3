"""Every word in a runbook is one that its reader can find: a value of a label that the page's query shows, a panel, an
alert, a setting.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Iterator
from pathlib import Path

import anthropic
import anthropic.types
import pytest

from anthropic_otel._core import errors, semconv
from anthropic_otel.bundle import files, settings
from anthropic_otel.bundle.promql import label
from anthropic_otel.cli.why.schema import ATTRIBUTES

from .test_dashboards import BOARDS, KNOWN_METRICS, PAGES, possible_alerts

SETTINGS = files.source("dashboards/thresholds.yaml").read_text()


def error_codes() -> set[str]:
    """Every `error_code` that the SDK has a type for."""
    folder = Path(inspect.getfile(anthropic.types)).parent
    text = "".join(path.read_text() for path in folder.rglob("*error_details.py"))
    return set(re.findall(r'error_code: Literal\["(\w+)"\]', text))


CAUSES = {cause.value for cause in semconv.NetworkCause}
CALL_ERRORS = {*semconv.API_ERROR_TYPES, errors.CLIENT_TIMEOUT_ERROR, errors.CONNECTION_ERROR, errors.CLIENT_ERROR}
ATTEMPT_ERRORS = {*semconv.API_ERROR_TYPES, *CAUSES, semconv.UNEXPECTED_CONTENT, semconv.INVALID_EVENT}
VALUES = {
    label(semconv.NETWORK_CAUSE): CAUSES,
    label(semconv.API_ERROR_CODE): error_codes(),
    label(semconv.RETRY_REASON): ATTEMPT_ERRORS,
    label(semconv.RETRY_SOURCE): {source.value for source in semconv.RetrySource},
    label(semconv.CALL_OUTCOME): {outcome.value for outcome in semconv.CallOutcome},
}
"""The values of the labels that mean the same on every metric. What an error is called differs."""
EVERY_VALUE = set().union(CALL_ERRORS, ATTEMPT_ERRORS, *VALUES.values())
NAMES = (
    {attribute.name for attribute in ATTRIBUTES}
    | {label(attribute.name) for attribute in ATTRIBUTES}
    | KNOWN_METRICS
    | set(re.findall(r"^\s*(\w+):", SETTINGS, re.MULTILINE))
    | set(re.findall(r"(\w+):", SETTINGS))
)
PARAMETERS = set(inspect.signature(anthropic.Anthropic).parameters) | {"max_connections", "keepalive_expiry"}
TIMEOUTS = {"in_stream"}
"""Of the alert's own label `timeout`, those that look like a name."""
ELSEWHERE = {"out_of_order_time_window", "queue_size", "memory_limiter", "max_tokens"}
"""Words of Prometheus, of the Collector and of the API's requests."""


def queries(text: str) -> list[str]:
    """The queries of a page."""
    return re.findall(r"```promql\n(.*?)```", text, re.DOTALL)


def shown(text: str) -> set[str]:
    """What the labels of a page's queries can say, of the metrics that they read."""
    found: set[str] = set()
    for query in queries(text):
        for name in re.findall(r"\w+", query):
            found |= VALUES.get(name, set())
        if "error_type" in query:
            found |= CALL_ERRORS if "anthropic_client_call_" in query else ATTEMPT_ERRORS
    return found


def words(page: str) -> Iterator[str]:
    """The words in backticks outside of blocks of code that look like a name or a value."""
    text = re.sub(r"```.*?```", "", files.source(f"docs/runbooks/{page}.md").read_text(), flags=re.DOTALL)
    yield from re.findall(r"`([a-z]+(?:_[a-z]+)+)`", text)


@pytest.mark.parametrize("page", PAGES)
def test_a_value_is_one_that_the_pages_query_can_show(page: str) -> None:
    """Nobody looks for a word that the label of that metric never has."""
    can = shown(files.source(f"docs/runbooks/{page}.md").read_text())
    assert [word for word in words(page) if word in EVERY_VALUE and word not in can | NAMES] == []


@pytest.mark.parametrize("page", PAGES)
def test_a_word_that_looks_like_a_name_is_one(page: str) -> None:
    """Of an attribute, a metric, a setting, or of something else that exists."""
    known = EVERY_VALUE | NAMES | PARAMETERS | TIMEOUTS | ELSEWHERE
    unknown = [word for word in words(page) if word not in known and not word.startswith("otelcol_")]
    assert unknown == []


@pytest.mark.parametrize("page", PAGES)
def test_a_panel_that_a_page_names_is_on_a_dashboard(page: str) -> None:
    """By its whole title, or by the part before a colon or a question."""
    titles = {panel.title for board in BOARDS for row in board.rows for panel in row.panels}
    titles |= {re.split(r"(?<=[?])|:|,| \(", title)[0] for title in titles}
    text = " ".join(files.source(f"docs/runbooks/{page}.md").read_text().split())
    where = text.partition("## Where to look")[2].partition("## Likely causes")[0]
    where = re.sub(r"```.*?```", "", where)
    unknown = [title for title in re.findall(r'"([^"]+)"', where) if title.rstrip(",") not in titles]
    assert unknown == []


@pytest.mark.parametrize("page", PAGES)
def test_an_alert_that_a_page_names_exists(page: str) -> None:
    """A link to a runbook leads to an alert of that name."""
    text = files.source(f"docs/runbooks/{page}.md").read_text()
    assert set(re.findall(r"\bAnthropic[A-Z]\w+", re.sub(r"```.*?```", "", text, flags=re.DOTALL))) <= {
        alert["alert"] for alert in possible_alerts()
    }


def test_a_setting_that_a_page_names_is_in_the_thresholds_file() -> None:
    """The defaults can be read, so the names that are checked above are real ones."""
    assert typing.get_type_hints(settings.Settings).keys() <= NAMES
