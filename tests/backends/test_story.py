"""End to end: the real SDK against the simulator -> OTLP -> Collector -> Jaeger, Prometheus, Alertmanager."""

from __future__ import annotations

import itertools
import json
import re
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from anthropic_otel._core import instruments, semconv
from anthropic_otel.bundle import files
from anthropic_otel.bundle.promql import label
from anthropic_otel.cli.stack import panels

from . import otlp
from .app import PROMPT, SECRET
from .conftest import WAYS, App, Stack, Webhook, eventually

WINDOW = panels.Window(seconds=120)


def fetch(url: str) -> Any:
    """The JSON at a URL; None while there is none."""
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return json.load(response)
    except urllib.error.HTTPError:
        return None


def spans(jaeger: str, trace: str, at_least: int = 1) -> list[dict[str, Any]]:
    """The spans of a trace in Jaeger, in the order in which they started, once there are so many."""

    def look() -> list[dict[str, Any]] | None:
        answer = fetch(f"{jaeger}/api/traces/{trace}")
        found = answer["data"][0]["spans"] if answer and answer.get("data") else []
        return sorted(found, key=lambda span: span["startTime"]) if len(found) >= at_least else None

    return eventually(look, why=f"{at_least} spans of trace {trace} in Jaeger")


def tags(span: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a span in Jaeger."""
    return {tag["key"]: tag["value"] for tag in span["tags"]}


def alert_states(prometheus: str, name: str, **labels: str) -> set[str]:
    """The states of an alert in Prometheus."""
    found = fetch(f"{prometheus}/api/v1/alerts")["data"]["alerts"]
    return {a["state"] for a in found if a["labels"]["alertname"] == name and labels.items() <= a["labels"].items()}


def test_a_trace_in_jaeger_shows_the_call_its_attempts_their_causes_and_request_ids(app: App, stack: Stack) -> None:
    """529, reset, answer: three attempts under one call, each with what happened to it."""
    told = app("trace")
    found = spans(stack.jaeger, told["trace"], 5)
    call = next(span for span in found if span["operationName"] == "anthropic.messages.create")
    attempts = [span for span in found if span["operationName"].startswith("POST /v1/messages")]
    assert [span["operationName"].partition(" retry ")[2] for span in attempts] == ["", "1", "2"]
    assert [span["references"][0]["spanID"] for span in attempts] == [call["spanID"]] * 3
    first, second, third = map(tags, attempts)
    assert (first[semconv.HTTP_RESPONSE_STATUS_CODE], first[semconv.ERROR_TYPE], first[semconv.REQUEST_ID]) == (
        529,
        "529",
        told["requests"][0],
    )
    assert (
        second[semconv.NETWORK_CAUSE],
        second[semconv.NETWORK_ERRNO],
        second[semconv.HTTP_REQUEST_RESEND_COUNT],
    ) == (
        "connection_reset",
        "ECONNRESET",
        1,
    )
    assert semconv.REQUEST_ID not in second
    assert (
        third[semconv.HTTP_RESPONSE_STATUS_CODE],
        third[semconv.RETRY_REASON],
        third[semconv.HTTP_REQUEST_RESEND_COUNT],
    ) == (
        200,
        "connection_reset",
        2,
    )
    assert third[semconv.REQUEST_ID] == told["requests"][-1]


def test_the_collector_takes_out_a_key_and_a_prompt_and_leaves_the_token_counts(app: App, stack: Stack) -> None:
    """What other instrumentations recorded by mistake does not leave the node."""
    found = spans(stack.jaeger, app("trace")["trace"], 5)
    everything = json.dumps(found)
    assert SECRET not in everything
    assert PROMPT not in everything
    handled = next(tags(span) for span in found if span["operationName"] == "handle request")
    assert handled["app.note"] == "key ****"
    assert handled["otel.status_description"] == "401: **** is no key"
    call = next(tags(span) for span in found if span["operationName"] == "anthropic.messages.create")
    assert call["gen_ai.usage.input_tokens"] > 0


@pytest.mark.parametrize(
    ("weather", "name", "labels"),
    [
        ("overload", "AnthropicOverloaded", {label(semconv.GEN_AI_REQUEST_MODEL): "claude-haiku-4-5"}),
        ("timeouts", "AnthropicTimeouts", {"timeout": "read"}),
    ],
)
def test_an_alert_goes_pending_fires_arrives_at_the_webhook_and_resolves(
    another_app: App, stack: Stack, webhook: Webhook, weather: str, name: str, labels: dict[str, str]
) -> None:
    """The whole way of an alert, from the weather at the API to the person, and back."""
    app, prometheus, seen = another_app, stack.ways["scrape"], set()
    wanted = {"job": app.name, "severity": "ticket", "component": "anthropic-client", **labels}
    app("load healthy")
    eventually(lambda: not alert_states(prometheus, name, job=app.name), why=f"{name} quiet in good weather")
    app(f"load {weather}")

    def fires() -> bool:
        seen.update(alert_states(prometheus, name, **wanted))
        return "firing" in seen

    eventually(fires, why=f"{name} fires")
    assert seen == {"pending", "firing"}
    path, alert = eventually(lambda: webhook.got(name, "firing", **wanted), why="a notice")[0]
    assert path == "/tickets"
    assert alert["annotations"]["runbook_url"] == f"docs/runbooks/{name}.md"
    assert f"var-job={app.name}" in alert["annotations"]["dashboard_url"]
    app("load healthy")
    eventually(lambda: webhook.got(name, "resolved", **wanted), 60, "a notice that it is over")


@pytest.fixture(scope="module")
def filled(app: App, stack: Stack) -> Stack:
    """The stack after every kind of trouble that the panels show, an alert still firing."""
    app("load everything")
    errors = ("pool_timeout", "429", "404", "incomplete_stream", "tls_certificate_error", "504")

    def absent() -> list[str]:
        """What no panel could show yet."""
        counted = instruments.ATTEMPT_DURATION.prometheus_name + "_count"
        found = [
            f"{error} by {way}"
            for way, base in stack.ways.items()
            for error in errors
            if not panels.query(base, "query", {"query": f'{counted}{{error_type="{error}"}}'})
        ]
        if "firing" not in alert_states(stack.ways["scrape"], "AnthropicRetryAmplification"):
            found.append("a firing alert")
        return found

    eventually(lambda: not absent(), 90, lambda: f"absent: {', '.join(absent())}")
    return stack


ELSEWHERE = ("Not priced", "Cost of 1h against the dearest")
"""The panels that are empty where every model has a price, and where there is no day before: test_cost_values.py."""


@pytest.mark.usefixtures("strangers")
@pytest.mark.parametrize("way", WAYS)
def test_every_query_of_every_panel_returns_series(filled: Stack, way: str) -> None:
    """No panel is empty, whichever way the metrics came."""
    base = filled.ways[way]

    def empty() -> list[str]:
        return [
            f"{asked.dashboard} / {asked.panel} / {asked.ref}: {panels.resolved(asked, WINDOW)}"
            for asked in panels.queries()
            if not asked.panel.startswith(ELSEWHERE) and not panels.ask(base, asked, WINDOW)
        ]

    eventually(lambda: not empty(), why=lambda: "\n".join(empty()))


@pytest.fixture(scope="module")
def strangers(stack: Stack) -> Iterator[str]:
    """A service of two processes that have no id, each exporting its own count of the same series. Its name."""
    service, ended, began = "strangers", threading.Event(), time.time_ns()

    def export() -> None:
        for number in itertools.count(1):
            for started in (1000 + number, number):
                if ended.wait(0.35):  # not in step with a scrape a second, which would see one of them only
                    return
                otlp.post(
                    stack.otlp, "metrics", otlp.counted(instruments.ATTEMPT_STARTED.name, started, began, service)
                )

    exporting = threading.Thread(target=export)
    exporting.start()
    yield service
    ended.set()
    exporting.join()


@pytest.mark.parametrize("way", WAYS)
def test_processes_that_share_one_series_are_named(stack: Stack, strangers: str, way: str) -> None:
    """Whichever way their metrics came: each way has another instance for who has none."""
    asked = next(asked for asked in panels.queries() if asked.panel == "Processes that share one series")

    def resets() -> float:
        found = {one["metric"]["job"]: float(one["value"][1]) for one in panels.ask(stack.ways[way], asked, WINDOW)}
        assert set(found) <= {strangers}
        return found.get(strangers, 0.0)

    eventually(lambda: resets() > 2, 60, f"{strangers} go backwards by {way}")


NO_TROUBLE_HERE = {"AnthropicTelemetryLost", "AnthropicTelemetryRefused"}
"""Runbooks whose trouble is none of an app's."""


@pytest.mark.parametrize("way", WAYS)
def test_every_query_of_every_runbook_returns_series(filled: Stack, way: str) -> None:
    """What somebody pastes at night gives an answer."""

    def empty() -> list[str]:
        return [
            f"{page.stem}: {query}"
            for page in sorted(files.source("docs/runbooks").glob("Anthropic*.md"))
            for query in re.findall(r"```promql\n(.*?)```", page.read_text(), re.DOTALL)
            if page.stem not in NO_TROUBLE_HERE and not panels.query(filled.ways[way], "query", {"query": query})
        ]

    eventually(lambda: not empty(), why=lambda: "\n".join(empty()))


def test_the_three_ways_give_the_same_series_under_the_same_names(filled: Stack) -> None:
    """Names, labels and, but for the way whole bounds are written, values of labels agree."""

    def series(base: str) -> set[frozenset[tuple[str, str]]]:
        match = urllib.parse.urlencode({"match[]": '{__name__=~"anthropic_client_.+"}'})
        found = fetch(f"{base}/api/v1/series?{match}")["data"]
        return {
            frozenset((k, v.removesuffix(".0") if k == "le" else v) for k, v in one.items() if k in names)
            for one in found
        }

    names = {"__name__", "job", "le", *(label(name) for metric in instruments.METRICS for name in metric.attributes)}

    def agree() -> bool:
        scraped, written, sent = (series(filled.ways[way]) for way in WAYS)
        return bool(scraped) and scraped == written == sent

    eventually(agree, why="the app goes on while they are compared, so that one may be a moment ahead")


def test_the_search_behind_a_row_of_the_table_finds_traces_in_jaeger(filled: Stack) -> None:
    """For each service and error in the table, the search that its link opens has at least one trace."""
    (table,) = (asked for asked in panels.queries() if asked.panel.startswith("Failing attempts"))
    rows = [one["metric"] for one in panels.ask(filled.ways["scrape"], table, WINDOW)]
    assert len(rows) > 5
    for row in rows:
        search = {
            "service": row["service"],
            "tags": json.dumps({semconv.ERROR_TYPE: row[label(semconv.ERROR_TYPE)]}),
            "limit": 1,
        }
        assert fetch(f"{filled.jaeger}/api/traces?{urllib.parse.urlencode(search)}")["data"], row


def test_the_queries_of_the_panels_find_exemplars(filled: Stack) -> None:
    """Grafana asks with the panel's own query, and Prometheus looks at the series in it."""
    asked = next(asked for asked in panels.queries() if asked.panel == "Call duration, with retries")
    query = urllib.parse.urlencode({"query": panels.resolved(asked, WINDOW), "start": "0", "end": "9999999999"})
    for way in WAYS:
        found = fetch(f"{filled.ways[way]}/api/v1/query_exemplars?{query}")["data"]
        assert any(one["exemplars"] for one in found), way


def test_histograms_have_exemplars_that_lead_to_traces_in_jaeger(filled: Stack) -> None:
    """From a bucket to the trace of an attempt in it."""
    query = urllib.parse.urlencode(
        {"query": f"{instruments.ATTEMPT_DURATION.prometheus_name}_bucket", "start": "0", "end": "9999999999"}
    )
    for way in WAYS:
        found = fetch(f"{filled.ways[way]}/api/v1/query_exemplars?{query}")["data"]
        traces = [exemplar["labels"]["trace_id"] for one in found for exemplar in one["exemplars"]]
        assert traces, way
        assert spans(filled.jaeger, traces[-1])


def test_the_collectors_own_metrics_have_the_names_that_the_alert_on_lost_telemetry_reads(filled: Stack) -> None:
    """A renamed metric would silence the alert for ever. There is none before the first export."""

    def named() -> bool:
        with urllib.request.urlopen(f"{filled.collector}/metrics", timeout=10) as response:
            text = response.read().decode()
        return "otelcol_exporter_sent_spans" in text and "otelcol_exporter_sent_metric_points" in text

    eventually(named)


@pytest.mark.parametrize(
    ("shown", "held_back"),
    [
        (("AnthropicErrorBudgetBurnFast", "page"), ("AnthropicOverloaded", "ticket")),
        (("AnthropicErrorBudgetBurnFast", "page"), ("AnthropicErrorBudgetBurnSlow", "ticket")),
        (("AnthropicAllCallsFailing", "page"), ("AnthropicErrorBudgetBurnFast", "page")),
        (("AnthropicOverloaded", "ticket"), ("AnthropicRetryAmplification", "ticket")),
        (("AnthropicRateLimited", "ticket"), ("AnthropicLongBackoff", "ticket")),
    ],
    ids=lambda one: one[0],
)
def test_an_alert_holds_back_what_it_explains_of_its_own_service_only(
    stack: Stack, webhook: Webhook, shown: tuple[str, str], held_back: tuple[str, str]
) -> None:
    """Alertmanager's example sends the page and not its causes, the cause and not what comes of it."""
    hurt, other = f"hurt by {shown[0]} not {held_back[0]}", f"other than {shown[0]} {held_back[0]}"

    def alert(name: str, severity: str, job: str) -> dict[str, Any]:
        return {"labels": {"alertname": name, "severity": severity, "job": job, "component": "anthropic-client"}}

    url, headers = f"{stack.alertmanager}/api/v2/alerts", {"Content-Type": "application/json"}
    for body in ([alert(*shown, hurt)], [alert(*held_back, hurt), alert(*held_back, other)]):
        urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers), timeout=10).close()

    def states() -> dict[tuple[str, str], str]:
        return {(a["labels"]["alertname"], a["labels"]["job"]): a["status"]["state"] for a in fetch(url)}

    wanted = {(shown[0], hurt): "active", (held_back[0], hurt): "suppressed", (held_back[0], other): "active"}
    eventually(lambda: wanted.items() <= states().items(), why="the other alert of the hurt service held back")
    path, _ = eventually(lambda: webhook.got(shown[0], "firing", job=hurt), why="a notice")[0]
    assert path == ("/pager" if shown[1] == "page" else "/tickets")
    eventually(lambda: webhook.got(held_back[0], "firing", job=other), why="a notice for the other service")
    assert webhook.got(held_back[0], "firing", job=hurt) == []
