"""Renders the alert rules in three formats: for Prometheus, for the Prometheus operator, and for Grafana's alerting.

Rule: all formats have the same alerts. They differ in their structure; Grafana's has no recording rules, and its texts
refer to the value in another way.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Any

from anthropic_otel.bundle.alerts import alerts
from anthropic_otel.bundle.alerts.model import Alert, Urgency
from anthropic_otel.bundle.conditions import Duration
from anthropic_otel.bundle.growth import Recording, RuleQueries
from anthropic_otel.bundle.promql import JOB
from anthropic_otel.bundle.settings import Settings

HEADER = "# Generated from thresholds.yaml; edit that file, not this one.\n"
COMPONENT = "anthropic-client"
"""The `component` label of every alert: what a route in Alertmanager matches."""
_SLOW = 3600.0


def prometheus(settings: Settings) -> str:
    """Returns the YAML text of a Prometheus rule file."""
    return _header(settings) + dump({"groups": _groups(settings)})


def operator(settings: Settings) -> str:
    """Returns the YAML text of a PrometheusRule resource for the Prometheus operator."""
    return _header(settings) + dump(
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PrometheusRule",
            "metadata": {"name": "anthropic-otel", "labels": {"app.kubernetes.io/part-of": "anthropic-otel"}},
            "spec": {"groups": _groups(settings)},
        }
    )


def grafana(settings: Settings) -> str:
    """Returns the YAML text of Grafana's alert provisioning.

    It uses no recording rules: expressions are written out.
    """
    rules = [_grafana_rule(settings, alert) for alert in alerts(RuleQueries(settings, record=False))]
    group = {
        "orgId": 1,
        "name": "anthropic-client",
        "folder": "Claude API",
        "interval": settings.evaluation.interval,
        "rules": rules,
    }
    return _header(settings) + dump({"apiVersion": 1, "groups": [group]})


def labels(settings: Settings, alert: Alert) -> dict[str, str]:
    """Returns the labels that a rule adds to its alert: `severity`, `component` and `cause`."""
    names = {Urgency.PAGE: settings.severity.page, Urgency.TICKET: settings.severity.ticket}
    return {"severity": names[alert.urgency], "component": COMPONENT, "cause": alert.cause.value}


def texts(settings: Settings, alert: Alert) -> dict[str, str]:
    """Returns the annotations of an alert: `summary`, `description`, `runbook_url` and `dashboard_url`.

    `runbook_url` is a path if `links.runbooks` is a folder. `dashboard_url` chooses the alert's service, if the alert
    is about one.
    """
    return {
        "summary": alert.summary,
        "description": alert.description,
        "runbook_url": f"{settings.links.runbooks.rstrip('/')}/{alert.name}.md",
        "dashboard_url": f"{settings.links.grafana.rstrip('/')}/d/anthropic-otel-{alert.dashboard}"
        + (f"?var-job={{{{ $labels.{JOB} }}}}" if alert.per_job else ""),
    }


def _header(settings: Settings) -> str:
    spend = settings.spend
    return f"{HEADER}# Prices: {spend.prices_from}, list prices of {spend.prices_of}, in USD.\n"


def _groups(settings: Settings) -> list[dict[str, Any]]:
    """Returns two rule groups: the slow recording rules; all other recording rules, and after them the alerts.

    Slow are those with `Recording.slow`, and those whose window is longer than an hour. They have the slow interval. A
    group without a rule is left out.
    """
    queries = RuleQueries(settings)
    rules = [_rule(settings, alert) for alert in alerts(queries)]
    slow = _recorded(each for each in queries.recordings.values() if _is_slow(each))
    fast = _recorded(each for each in queries.recordings.values() if not _is_slow(each))
    groups = [
        ("anthropic-client-long-windows", settings.evaluation.slow_interval, slow),
        ("anthropic-client", settings.evaluation.interval, fast + rules),
    ]
    return [{"name": name, "interval": str(interval), "rules": rules} for name, interval, rules in groups if rules]


def _is_slow(recording: Recording) -> bool:
    return recording.slow or Duration(recording.window).seconds > _SLOW


def _recorded(found: Iterable[Recording]) -> list[dict[str, Any]]:
    return [
        {"record": each.name, "expr": each.expression, **({"labels": dict(each.labels)} if each.labels else {})}
        for each in found
    ]


def _rule(settings: Settings, alert: Alert) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expression,
        "for": str(alert.hold),
        **({"keep_firing_for": str(alert.keep)} if alert.keep.seconds else {}),
        "labels": labels(settings, alert),
        "annotations": texts(settings, alert),
    }


def _grafana_rule(settings: Settings, alert: Alert) -> dict[str, Any]:
    """Returns one rule of Grafana's: a query, whether it returned a number or an infinity, and a threshold on that.

    It fires for any series that the query returns, unless its value is NaN: a condition in PromQL returns no series
    where it does not hold.
    """
    return {
        "uid": "anthropic-" + hashlib.sha256(alert.name.encode()).hexdigest()[:20],
        "title": alert.name,
        "condition": "fires",
        "for": str(alert.hold),
        # A Grafana that is too old for this ignores it.
        **({"keepFiringFor": str(alert.keep)} if alert.keep.seconds else {}),
        "noDataState": "OK",
        "execErrState": "Error",
        "labels": labels(settings, alert),
        "annotations": {key: _grafana_text(text) for key, text in texts(settings, alert).items()},
        "data": [
            _node("query", "prometheus", {"expr": alert.expression, "instant": True, "range": False}),
            _node("found", "__expr__", {"type": "math", "expression": "is_number($query) || is_inf($query)"}),
            _node("fires", "__expr__", {"type": "threshold", "expression": "found", "conditions": [_ABOVE_ZERO]}),
        ],
    }


_ABOVE_ZERO = {"evaluator": {"type": "gt", "params": [0]}}


def _node(ref: str, datasource: str, model: dict[str, Any]) -> dict[str, Any]:
    source = {"type": "prometheus" if datasource == "prometheus" else "__expr__", "uid": datasource}
    return {
        "refId": ref,
        "datasourceUid": datasource,
        "relativeTimeRange": {"from": 600, "to": 0},
        "model": {"refId": ref, "datasource": source, **model},
    }


def _grafana_text(text: str) -> str:
    return re.sub(r"\$value\b", "$values.query.Value", text)


def dump(value: Any) -> str:
    """Returns the value as readable YAML: keys in the given order, texts of several lines as blocks, no aliases.

    Raises `ImportError` without PyYAML.
    """
    import yaml

    class Dumper(yaml.SafeDumper):
        """A subclass, so that the representers below do not apply to other dumps."""

        def ignore_aliases(self, data: object) -> bool:
            """Returns `True`: repeated values are written out and not as YAML aliases."""
            return True

    def text(dumper: Any, value: str) -> Any:
        return dumper.represent_scalar("tag:yaml.org,2002:str", str(value), style="|" if "\n" in value else None)

    Dumper.add_representer(str, text)
    Dumper.add_representer(Duration, text)
    found: str = yaml.dump(value, Dumper=Dumper, sort_keys=False, width=120, allow_unicode=True)
    return found
