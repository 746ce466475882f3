"""Native histograms by each of the ways into Prometheus 3: from an app that sends exponential ones, and from one that
does not, through the Collector with its redaction, with the configs of a bundle for native histograms.
"""

from __future__ import annotations

import json
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

if tuple(sys.version_info) < (3, 11):
    pytest.skip("the generator of the bundle needs Python 3.11", allow_module_level=True)

from anthropic_otel._core import instruments
from anthropic_otel.bundle import write_bundle
from anthropic_otel.cli.stack import layout, panels, services
from anthropic_otel.cli.stack.layout import HOST, Layout
from anthropic_otel.cli.stack.service import Service

from .conftest import WAYS, App, eventually, running

CALLS = 6
AGGREGATION = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"
EXPONENTIAL, FIXED = "exponential", "fixed"
Bases = dict[str, str]


@pytest.fixture(scope="module")
def bases(found: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bases]:
    """The addresses of three Prometheus servers, by the way in which both apps have reached them."""
    work, bundle = tmp_path_factory.mktemp("ways"), tmp_path_factory.mktemp("bundle")
    write_bundle(bundle, histograms="native")
    ports = layout.free_ports([*layout.PORTS, *WAYS])

    def prometheus(way: str) -> Service:
        mine = Layout(work, {**ports, "prometheus": ports[way]}, bundle)
        made = services.prometheus(found["Prometheus 3"], mine, scrape=way == "scrape", interval="1s", name=way)
        made.command.append("--web.enable-remote-write-receiver")
        return made

    collector = services.collector(
        found["Collector"],
        ("all-in-one.yaml", *(f"metrics/{way}.yaml" for way in WAYS)),
        Layout(work, ports, bundle),
        METRICS_ENDPOINT=f"http://{HOST}:{ports['otlp']}/api/v1/otlp",
        REMOTE_WRITE_ENDPOINT=f"http://{HOST}:{ports['remote-write']}/api/v1/write",
        BATCH_TIMEOUT="200ms",
    )
    exporters = "[prometheus, prometheus_remote_write, otlp_http/metrics]"
    collector.command.append(f"--config=yaml:service::pipelines::metrics::exporters: {exporters}")
    with running(*(prometheus(way) for way in WAYS), collector), pytest.MonkeyPatch.context() as patch:
        for name, value in ((FIXED, ""), (EXPONENTIAL, "base2_exponential_bucket_histogram")):
            patch.setenv(AGGREGATION, value or "explicit_bucket_histogram")
            app = App(name, ports["otlp_http"])
            app(f"calls {CALLS} everything")
            app.end()
        yield {way: f"http://{HOST}:{ports[way]}" for way in WAYS}


def counted(base: str, query: str) -> float | None:
    """The one number that a query gives, if it gives one."""
    found = panels.query(base, "query", {"query": f"sum({query})"})
    return float(found[0]["value"][1]) if found else None


each_way = pytest.mark.parametrize(
    ("way", "app"),
    [("otlp", EXPONENTIAL), ("otlp", FIXED), ("scrape", EXPONENTIAL), ("scrape", FIXED), ("remote-write", EXPONENTIAL)],
)


@each_way
def test_what_an_app_has_counted_is_in_native_histograms(bases: Bases, way: str, app: str) -> None:
    """Every call of it, and in no classic series beside."""
    name = instruments.CALL_DURATION.prometheus_name
    count = f'histogram_count({name}{{job="{app}"}})'
    eventually(lambda: counted(bases[way], count) == CALLS, 60, lambda: f"{count} is {counted(bases[way], count)}")
    assert counted(bases[way], f'{name}_count{{job="{app}"}}') is None
    assert counted(bases[way], f'{name}_bucket{{job="{app}"}}') is None


def test_by_remote_write_fixed_buckets_stay_classic(bases: Bases) -> None:
    """Nothing on the way makes native ones of them: such an app has to send exponential histograms."""
    name = instruments.CALL_DURATION.prometheus_name
    base = bases["remote-write"]
    eventually(lambda: counted(base, f'{name}_count{{job="{FIXED}"}}') == CALLS, 60, "the calls of the app")
    assert counted(base, f'histogram_count({name}{{job="{FIXED}"}})') is None


@each_way
def test_exemplars_lead_from_a_native_histogram_to_traces_but_by_remote_write(bases: Bases, way: str, app: str) -> None:
    """The Collector's exporter of remote write leaves out those of exponential histograms."""
    name = instruments.CALL_DURATION.prometheus_name
    selector = f'{name}{{job="{app}"}}'
    eventually(lambda: counted(bases[way], f"histogram_count({selector})") == CALLS, 60, "the calls of the app")
    asked = urllib.parse.urlencode({"query": selector, "start": "0", "end": "9999999999"})
    with urllib.request.urlopen(f"{bases[way]}/api/v1/query_exemplars?{asked}", timeout=30) as response:
        found = json.load(response)["data"]
    traces = [exemplar["labels"]["trace_id"] for one in found for exemplar in one["exemplars"]]
    assert bool(traces) == (way != "remote-write")
