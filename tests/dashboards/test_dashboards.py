"""The rules that every dashboard, panel, query and alert obeys."""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anthropic
import promql_parser
import pytest
import yaml

from anthropic_otel._core import instruments, semconv
from anthropic_otel.bundle import files, settings, thresholds
from anthropic_otel.bundle.promql import label, le
from anthropic_otel.cli.why.schema import ATTRIBUTES

# As a plain tuple: a type checker takes the oldest Python for granted, and would skip the rest.
if tuple(sys.version_info) < (3, 11):
    pytest.skip("the dashboards' generator needs Python 3.11", allow_module_level=True)


from anthropic_otel.bundle import render, rules
from anthropic_otel.bundle.panels import Kind, Panel

SETTINGS = settings.load()
BOARDS = render.boards(SETTINGS)
NAMES = [board.name for board in BOARDS]
KNOWN_METRICS = {
    metric.prometheus_name + suffix
    for metric in instruments.METRICS
    for suffix in (("_count", "_sum", "_bucket") if metric.instrument is instruments.Instrument.HISTOGRAM else ("",))
}
OTHERS = {"ALERTS", "target_info", "traces_span_metrics_calls_total"}
RECORDED = set(re.findall(r"record: (\S+)", files.source("dashboards/alerts/rules.yaml").read_text()))
KNOWN_LABELS = {label(attribute.name) for attribute in ATTRIBUTES}
OWN_LABELS = {"job", "instance", "le", "component", "alertname", "alertstate", "severity"}


def loaded(name: str) -> dict[str, Any]:
    """A dashboard as it is shipped."""
    found: dict[str, Any] = json.loads(files.source(f"dashboards/{name}.json").read_text())
    return found


def panels() -> Iterator[Any]:
    """Every panel as it is shipped, with a readable id."""
    for name in NAMES:
        for panel in loaded(name)["panels"]:
            if panel["type"] != "row":
                yield pytest.param(panel, id=f"{name} {panel['title']}")


def drawn() -> Iterator[Any]:
    """Every panel that draws an alert's threshold."""
    for board in BOARDS:
        for row in board.rows:
            for panel in row.panels:
                if panel.shows:
                    yield pytest.param(panel, id=f"{board.name} {panel.title}")


def filled(expression: str) -> str:
    """A query with some value for each of Grafana's variables."""
    return re.sub(r"\$\w+", lambda found: {"$__rate_interval_ms": "60000"}.get(found[0], "1m"), expression)


each_panel = pytest.mark.parametrize("panel", list(panels()))


@pytest.mark.parametrize("name", sorted(render.generated(SETTINGS)))
def test_the_committed_file_is_what_the_generator_makes(name: str) -> None:
    """Nobody edited it by hand, and nobody forgot `python dashboards/generate.py`."""
    assert files.source(name).read_text(encoding="utf-8") == render.generated(SETTINGS)[name]


@pytest.mark.parametrize("name", NAMES)
def test_a_dashboard_is_what_grafanas_own_types_read(name: str) -> None:
    """Read into the types of Grafana's SDK and written again, nothing is lost or invented."""
    # Not at the top: importing the types of schema v1 warns, which our generator knows and answers for.
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

    register_default_plugins()
    board = loaded(name)
    assert json.loads(json.dumps(Dashboard.from_json(board), cls=JSONEncoder)) == board


@pytest.mark.parametrize("name", NAMES)
def test_a_dashboard_has_its_variables_its_siblings_and_one_crosshair(name: str) -> None:
    """The same choices everywhere, and links that keep them."""
    board = loaded(name)
    variables = [variable["name"] for variable in board["templating"]["list"]]
    assert variables == ["datasource", "job", "instance", "operation", "model", "jaeger", "tempo"]
    assert board["graphTooltip"] == 1
    assert board["description"]
    (link,) = board["links"]
    assert (link["includeVars"], link["keepTime"]) == (True, True)
    assert set(link["tags"]) <= set(board["tags"])
    ids = [panel["id"] for panel in board["panels"]]
    assert ids == sorted(set(ids))


@pytest.mark.parametrize("name", NAMES)
def test_panels_do_not_lie_on_each_other(name: str) -> None:
    """Every cell of the grid belongs to one panel, and none is outside."""
    cells: set[tuple[int, int]] = set()
    for panel in loaded(name)["panels"]:
        at = panel["gridPos"]
        mine = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not mine & cells, panel["title"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        cells |= mine


@each_panel
def test_a_panel_says_what_it_shows_in_which_unit_and_where_to_go_next(panel: dict[str, Any]) -> None:
    """Title, description, unit, what to say instead of nothing, links that keep the choices."""
    assert panel["title"]
    assert len(panel["description"]) > 40
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"]
    assert defaults["noValue"]
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert panel["links"]
    for link in panel["links"]:
        assert re.fullmatch(rf"/d/anthropic-otel-({'|'.join(NAMES)})\?.*", link["url"])
        assert "${__url_time_range}" in link["url"]
        assert "${__all_variables}" in link["url"]


@each_panel
def test_a_query_parses_and_names_only_what_the_library_emits(panel: dict[str, Any]) -> None:
    """Every metric and every label is one of the library's definitions."""
    for target in panel["targets"]:
        expression = target["expr"]
        promql_parser.parse(filled(expression))
        for name, matchers in re.findall(r"([a-zA-Z_:][\w:]*)\{([^}]*)\}", expression):
            assert name in KNOWN_METRICS | OTHERS | RECORDED, name
            labels = set(re.findall(r"(\w+)(?:=~|!~|!=|=)", matchers))
            if name in KNOWN_METRICS:
                assert labels <= KNOWN_LABELS | OWN_LABELS, labels
                assert {"job", "instance"} <= labels
        bare = set(re.findall(r"(?<![\w:])(anthropic_client_\w+)\b(?!\{)", expression)) - KNOWN_LABELS
        assert not bare, f"without the dashboard's variables: {bare}"


@each_panel
def test_a_query_avoids_the_traps(panel: dict[str, Any]) -> None:
    """No literal whole bound, no scope label, no window of its own for a rate, exemplars wherever there are buckets."""
    for target in panel["targets"]:
        expression = target["expr"]
        assert not re.search(r'le="\d+(\.0)?"', expression)
        assert "otel_scope" not in expression
        assert set(re.findall(r"rate\([^\[]*\[([^\]]+)\]", expression)) <= {"$__rate_interval"}
        assert target["exemplar"] == ("histogram_quantile" in expression)


@each_panel
def test_a_panel_looks_back_over_the_samples_that_there_are(panel: dict[str, Any]) -> None:
    """The least step is the apps' export interval: with Prometheus' own 15 s, panels of data by OTLP would be blank."""
    steps = {target.get("interval") for target in panel["targets"]}
    assert steps == ({SETTINGS.evaluation.export_interval} if panel["type"] == "timeseries" else {None})


GOOD = {"succeeded", "/2../", "reused true", "calls", "without", "/^median/"}
"""The series that may be green."""


@each_panel
def test_good_is_green_and_bad_is_not(panel: dict[str, Any]) -> None:
    """What is known to be good or bad has its colour by meaning; bars of failures are not left to chance."""
    for override in panel["fieldConfig"]["overrides"]:
        for one in override["properties"]:
            if one["id"] == "color":
                name = override["matcher"]["options"]
                assert (one["value"]["fixedColor"] == "green") == (name in GOOD), name
    colour = panel["fieldConfig"]["defaults"]["color"]
    if panel["type"] == "bargauge":
        assert colour["mode"] == "thresholds"
        nothing, some = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        assert nothing == {"value": None, "color": "text"}
        assert some["value"] < 1e-3
        assert some["color"] in ("red", "dark-red", "yellow")
    if "outcome" in panel["title"]:
        painted = {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]}
        assert painted == {outcome.value for outcome in semconv.CallOutcome}


@pytest.mark.parametrize("panel", list(drawn()))
def test_a_panels_threshold_is_its_alerts(panel: Panel) -> None:
    """The line on the panel is where the alert fires."""
    assert panel.shows
    alert = getattr(SETTINGS.alerts, panel.shows, None)
    if alert is None:
        slo = SETTINGS.slo
        page = min(pair.burn_rate for pair in slo.page)
        limits = {page, round(page * slo.budget, 6)}
    else:
        names = ("ratio", "remaining", "longer_than", "attempts_per_call", "at_least", "rise")
        limits = {getattr(alert, name) for name in names if hasattr(alert, name)}
    assert {step.value for step in panel.steps} & limits


def test_what_no_other_dashboard_shows_is_shown() -> None:
    """Every metric of the library is in some panel, and every dashboard has a top row of answers."""
    text = "".join(
        target["expr"] for name in NAMES for panel in loaded(name)["panels"] for target in panel.get("targets", ())
    )
    assert [metric.name for metric in instruments.METRICS if metric.prometheus_name not in text] == []
    for board in BOARDS:
        assert {panel.kind for panel in board.rows[0].panels} <= {Kind.STAT, Kind.BARS}


def test_the_links_of_the_table_open_traces_of_that_error_in_either_back_end() -> None:
    """The query in the address is valid once Grafana has filled it in."""
    (table,) = (panel for panel in loaded("attempts")["panels"] if panel["type"] == "table")
    (override,) = (one for one in table["fieldConfig"]["overrides"] if one["matcher"]["options"] == "error")
    links = override["properties"][0]["value"]
    row = {"__data.fields.service": "shop", "__data.fields.error": "529", "__from": "1000", "__to": "2000"}
    wanted = {
        "jaeger": {"queryType": "search", "service": "shop", "tags": "error.type=529"},
        "tempo": {"queryType": "traceql", "query": '{ resource.service.name = "shop" && span.error.type = "529" }'},
    }
    for link, (kind, query) in zip(links, wanted.items(), strict=True):
        url = _filled_in(link["url"], {**row, kind: "the-uid"})
        (pane,) = json.loads(parse_qs(urlsplit(url).query)["panes"][0]).values()
        assert pane["range"] == {"from": "1000", "to": "2000"}
        assert pane["datasource"] == "the-uid"
        assert query.items() <= pane["queries"][0].items()
        assert pane["queries"][0]["datasource"] == {"type": kind, "uid": "the-uid"}


def _filled_in(url: str, values: Mapping[str, str]) -> str:
    """A link's URL, with its variables as Grafana fills them in."""
    return re.sub(r"\$\{([\w.]+)\}", lambda found: values[found[1]], url)


# -- alerts ------------------------------------------------------------------------------------------------------------


def shipped_alerts() -> list[dict[str, Any]]:
    """The alert rules of the Prometheus file."""
    groups = yaml.safe_load(files.source("dashboards/alerts/rules.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def possible_alerts() -> list[dict[str, Any]]:
    """The same, and the one that there is with a budget."""
    text = thresholds.edited(files.source("dashboards/thresholds.yaml").read_text(), budget_per_day=100.0)
    groups = yaml.safe_load(rules.prometheus(settings.parse(text)))["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


each_alert = pytest.mark.parametrize("alert", possible_alerts(), ids=lambda rule: rule["alert"])


def test_without_a_budget_there_is_no_alert_on_one() -> None:
    """Nobody has set one in the shipped file, and every other alert is there in any case."""
    named = [{alert["alert"] for alert in found} for found in (possible_alerts(), shipped_alerts())]
    assert named[0] - named[1] == {"AnthropicDailyBudget"}
    assert named[1] < named[0]


@each_alert
def test_an_alert_says_what_it_means_and_leads_to_a_runbook_and_a_dashboard_that_exist(alert: dict[str, Any]) -> None:
    """Severity, summary, description with values, and two places to go."""
    assert alert["labels"]["severity"] in ("page", "ticket")
    texts = alert["annotations"]
    assert texts["summary"]
    assert "{{" in texts["summary"] + texts["description"]
    assert files.source(texts["runbook_url"]).is_file()
    uid = re.search(r"/d/([\w-]+)", texts["dashboard_url"])
    assert uid
    assert uid[1] in {loaded(name)["uid"] for name in NAMES}


@each_alert
def test_a_runbook_answers_what_somebody_on_call_asks(alert: dict[str, Any]) -> None:
    """What users feel, where to look, what it is, how to be sure, when to ask for help."""
    page = files.source(f"docs/runbooks/{alert['alert']}.md").read_text()
    assert page.startswith(f"# {alert['alert']}\n")
    headings = re.findall(r"^## (.+)$", page, re.MULTILINE)
    assert headings == [
        "What users feel",
        "Where to look",
        "Likely causes, and the fix",
        "How to confirm",
        "When to escalate",
    ]
    assert "```promql" in page
    for query in re.findall(r"```promql\n(.*?)```", page, re.DOTALL):
        promql_parser.parse(query)
        names = set(re.findall(r"\b((?:anthropic_client|traces_span)_\w+)", query)) - KNOWN_LABELS
        assert names <= KNOWN_METRICS | OTHERS, names


PAGES = sorted(path.stem for path in files.source("docs/runbooks").glob("Anthropic*.md"))


@pytest.mark.parametrize("page", PAGES)
def test_the_code_in_a_runbook_runs_on_the_sdk(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever pastes it at night has no time to correct it."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-not-a-key")
    text = files.source(f"docs/runbooks/{page}.md").read_text()
    for code in re.findall(r"^ *```python\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL):
        made: dict[str, Any] = {}
        exec(compile(textwrap.dedent(code), page, "exec"), made)
        for value in made.values():
            if isinstance(value, anthropic.Anthropic):
                value.close()


def test_the_runbooks_that_are_cured_in_code_show_the_code() -> None:
    """Timeouts per phase, retries, proxy and CA bundle, a cap on calls at once: there, or on a page it leads to."""
    shown = {page: files.source(f"docs/runbooks/{page}.md").read_text() for page in PAGES}
    for page, text in shown.items():
        linked = re.findall(r"\]\(\.\./why/([\w.]+)\.md\)", text)
        shown[page] = text + "".join(files.source(f"docs/why/{each}.md").read_text() for each in linked)
    for page, words in (
        ("AnthropicTimeouts", ("anthropic.Timeout(", "connect=", "read=", "write=", "pool=", "max_retries=")),
        (
            "AnthropicConnectionFailures",
            ("DefaultHttpxClient(", "verify=", "proxy=", "SSL_CERT_FILE"),
        ),
        ("AnthropicRetryAmplification", ("max_retries=0",)),
        ("AnthropicRateLimited", ("Semaphore(",)),
    ):
        assert [word for word in words if word not in shown[page]] == [], page


def test_no_runbook_is_left_behind_by_an_alert_that_is_gone() -> None:
    """Each page is an alert's, but for the index."""
    pages = {path.stem for path in files.source("docs/runbooks").glob("*.md")} - {"README"}
    assert pages == {alert["alert"] for alert in possible_alerts()}
    index = files.source("docs/runbooks/README.md").read_text()
    assert all(f"({page}.md)" in index for page in pages)


def test_the_kubernetes_and_grafana_forms_have_the_same_alerts() -> None:
    """One source, three envelopes."""
    plain = yaml.safe_load(files.source("dashboards/alerts/rules.yaml").read_text())
    resource = yaml.safe_load(files.source("dashboards/alerts/prometheus-rule.yaml").read_text())
    assert resource["spec"] == plain
    (group,) = yaml.safe_load(files.source("dashboards/alerts/grafana-alerting.yaml").read_text())["groups"]
    assert [rule["title"] for rule in group["rules"]] == [alert["alert"] for alert in shipped_alerts()]
    for rule, alert in zip(group["rules"], shipped_alerts(), strict=True):
        assert rule["labels"] == alert["labels"]
        assert (rule["for"], rule.get("keepFiringFor")) == (alert["for"], alert.get("keep_firing_for"))
        expression = rule["data"][0]["model"]["expr"]
        promql_parser.parse(expression)
        assert ":increase" not in expression, "Grafana has no recording rules"
        assert "$value " not in json.dumps(rule["annotations"])
    assert len({rule["uid"] for rule in group["rules"]}) == len(group["rules"])


def test_a_bound_that_a_histogram_has_not_is_refused() -> None:
    """A matcher for it would find nothing, for ever."""
    with pytest.raises(ValueError, match="no bucket bound"):
        le(instruments.CALL_DURATION, 11)
