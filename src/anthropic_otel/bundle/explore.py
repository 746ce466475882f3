"""Links from a row of a table to its traces, in Grafana's Explore.

Rule: the links contain variables, which Grafana replaces by the row's fields `service` and `error`, by the time shown,
and by the chosen data source.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote as percent

from anthropic_otel._core import semconv


def _field(name: str) -> str:
    return f"${{__data.fields.{name}}}"


def to_jaeger() -> dict[str, Any]:
    """Returns a link of Grafana, its title and URL, to a Jaeger search for the service and the error of a row."""
    query = {"queryType": "search", "service": _field("service"), "tags": f"{semconv.ERROR_TYPE}={_field('error')}"}
    return {"title": "Traces in Jaeger", "url": _explore("jaeger", query)}


def to_tempo() -> dict[str, Any]:
    """Returns a link of Grafana, its title and URL, to a Tempo search for the service and the error of a row."""
    text = f'{{ resource.service.name = "{_field("service")}" && span.{semconv.ERROR_TYPE} = "{_field("error")}" }}'
    return {"title": "Traces in Tempo", "url": _explore("tempo", {"queryType": "traceql", "query": text})}


def _explore(kind: str, query: dict[str, str]) -> str:
    """Returns the path and query of the URL of Explore, with `query` in a data source of the kind `jaeger` or `tempo`.

    Grafana's variables are left unescaped, so that Grafana replaces them.
    """
    source = {"type": kind, "uid": f"${{{kind}}}"}
    pane = {
        "datasource": source["uid"],
        "queries": [{"refId": "A", "datasource": source, **query}],
        "range": {"from": "${__from}", "to": "${__to}"},
    }
    text = percent(json.dumps({"a": pane}, separators=(",", ":")), safe="")
    for variable in (f"${{{kind}}}", "${__from}", "${__to}", _field("service"), _field("error")):
        text = text.replace(percent(variable, safe=""), variable)
    return f"/explore?schemaVersion=1&panes={text}"
