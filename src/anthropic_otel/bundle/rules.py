"""The alert rules in every format that something reads: Prometheus, the Prometheus operator, Grafana.

Rule: no format knows a rule of its own. What differs is the envelope, and for Grafana the spelling of a
value in a text.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Any

from anthropic_otel.bundle.alerts import alerts
from anthropic_otel.bundle.alerts.model import Alert, Urgency
from anthropic_otel.bundle.conditions import Duration
from anthropic_otel.bundle.growth import Ledger, Recording
from anthropic_otel.bundle.promql import JOB
from anthropic_otel.bundle.settings import Settings

HEADER = "# Generated from thresholds.yaml; edit that file, not this one.\n"
COMPONENT = "anthropic-client"
"""The `component` label of every alert: what a route in Alertmanager matches."""
_SLOW = 3600.0


def prometheus(settings: Settings) -> str:
    """The rule file of Prometheus."""
    return _header(settings) + dump({"groups": _groups(settings)})


def operator(settings: Settings) -> str:
    """The PrometheusRule resource of the Prometheus operator."""
    return _header(settings) + dump(
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PrometheusRule",
            "metadata": {"name": "anthropic-otel", "labels": {"app.kubernetes.io/part-of": "anthropic-otel"}},
            "spec": {"groups": _groups(settings)},
        }
    )


def grafana(settings: Settings) -> str:
    """Grafana's alert provisioning. Needs no recording rules: every expression is written out."""
    rules = [_grafana_rule(settings, alert) for alert in alerts(Ledger(settings, record=False))]
    group = {
        "orgId": 1,
        "name": "anthropic-client",
        "folder": "Claude API",
        "interval": settings.evaluation.interval,
        "rules": rules,
    }
    return _header(settings) + dump({"apiVersion": 1, "groups": [group]})


def labels(settings: Settings, alert: Alert) -> dict[str, str]:
    """The labels that a rule adds."""
    names = {Urgency.PAGE: settings.severity.page, Urgency.TICKET: settings.severity.ticket}
    return {"severity": names[alert.urgency], "component": COMPONENT, "cause": alert.cause.value}


def texts(settings: Settings, alert: Alert) -> dict[str, str]:
    """What a person is told, and where the alert leads."""
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
    """Two groups: the counts over long windows, and the others with the alerts, which come last as they read them."""
    ledger = Ledger(settings)
    rules = [_rule(settings, alert) for alert in alerts(ledger)]
    slow = _recorded(each for each in ledger.recordings.values() if _is_slow(each))
    fast = _recorded(each for each in ledger.recordings.values() if not _is_slow(each))
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
    """A query, whether it gave a number, and a threshold on that: a Prometheus condition filters, so any fires."""
    return {
        "uid": "anthropic-" + hashlib.sha256(alert.name.encode()).hexdigest()[:20],
        "title": alert.name,
        "condition": "fires",
        "for": str(alert.hold),
        # A Grafana that is too old to know it takes no notice.
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
    """YAML that a person can read: keys in the order given, long texts as blocks."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """A dumper of its own, so that the representers below are nobody else's."""

        def ignore_aliases(self, data: object) -> bool:
            """Writes out whatever is there twice, for a person to read."""
            return True

    def text(dumper: Any, value: str) -> Any:
        return dumper.represent_scalar("tag:yaml.org,2002:str", str(value), style="|" if "\n" in value else None)

    Dumper.add_representer(str, text)
    Dumper.add_representer(Duration, text)
    found: str = yaml.dump(value, Dumper=Dumper, sort_keys=False, width=120, allow_unicode=True)
    return found
