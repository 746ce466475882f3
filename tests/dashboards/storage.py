"""What a process of a fleet costs a real Prometheus 3, with classic and with native histograms.

Rule: only bytes are measured, never times, so that a busy machine does not matter.
"""

from __future__ import annotations

import gzip
import json
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from anthropic_otel.cli.stack import layout, panels
from anthropic_otel.cli.stack.layout import HOST
from anthropic_otel.cli.stack.service import Service
from dashboards import instance, sent

CLASSIC, NATIVE, FIXED = "classic", "native, exponential", "native, fixed buckets"
WAYS: Final = (CLASSIC, NATIVE, FIXED)
MINUTES: Final = 120
PROCESSES: Final = 20


@dataclass(frozen=True)
class Cost:
    """What one process costs: bytes of disk for a minute in a block, of memory for two hours, of an export."""

    disk: float
    memory: float
    wire: float


class Storage:
    """A Prometheus that gets metrics by OTLP and nothing else."""

    def __init__(self, base: str, data: Path) -> None:
        self._base, self._data = base, data

    def take(self, export: ExportMetricsServiceRequest, seconds: float) -> None:
        """Gets an export of some time."""
        self._ask("/api/v1/otlp/v1/metrics", sent.at(export, seconds))

    def series(self) -> int:
        """How many series it has."""
        return int(self._own("prometheus_tsdb_head_series"))

    def value(self, query: str, seconds: float) -> float | None:
        """The one number that a query gives at a time, if it gives one."""
        found = panels.query(self._base, "query", {"query": query, "time": seconds})
        return float(found[0]["value"][1]) if found else None

    def memory(self) -> float:
        """The bytes that are in use, after what is not has been collected."""
        for _ in range(3):  # a pool keeps what it has for two collections
            self._ask("/debug/pprof/heap?gc=1")
        return self._own("go_memstats_heap_alloc_bytes")

    def disk(self) -> int:
        """The bytes of a block of all that it has: of its samples and of its index."""
        name = json.loads(self._ask("/api/v1/admin/tsdb/snapshot", b""))["data"]["name"]
        files = [path for path in (self._data / "snapshots" / name).rglob("*") if path.is_file()]
        return sum(path.stat().st_size for path in files)

    def _own(self, name: str) -> float:
        lines = self._ask("/metrics").decode().splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))

    def _ask(self, path: str, body: bytes | None = None) -> bytes:
        request = urllib.request.Request(self._base + path, body, {"content-type": "application/x-protobuf"})
        with urllib.request.urlopen(request, timeout=60) as response:
            return bytes(response.read())


@contextmanager
def storage(binary: Path, work: Path, way: str) -> Iterator[Storage]:
    """A new Prometheus 3. It is given no rules and scrapes nothing."""
    convert = str(way == FIXED).lower()
    (work / "config.yaml").write_text(f"otlp:\n  convert_histograms_to_nhcb: {convert}\n")
    port = layout.free_port()
    command = [
        str(binary),
        f"--config.file={work / 'config.yaml'}",
        f"--storage.tsdb.path={work / 'data'}",
        f"--web.listen-address={HOST}:{port}",
        "--web.enable-otlp-receiver",
        "--web.enable-admin-api",
    ]
    base = f"http://{HOST}:{port}"
    service = Service("prometheus", command, f"{base}/-/ready", work / "log").start()
    try:
        yield Storage(base, work / "data")
    finally:
        service.stop()


def now() -> float:
    """The beginning of this minute."""
    return time.time() // 60 * 60


def fill(prometheus: Storage, way: str, processes: int, minutes: int) -> float:
    """Has some processes export for some minutes until now. The bytes of an export on its way, compressed."""
    begin, sizes = now() - minutes * 60, []
    for minute, every in enumerate(
        zip(*(instance.exports(number, minutes) for number in range(processes)), strict=True)
    ):
        for number, (fixed, exponential) in enumerate(every):
            export = exponential if way == NATIVE else fixed
            seconds = begin + minute * 60 + number / processes
            prometheus.take(export, seconds)
            sizes.append(len(gzip.compress(sent.at(export, seconds))))
    return sum(sizes) / len(sizes)


def measured(binary: Path, way: str) -> Cost:
    """What one of twenty processes costs a Prometheus in two hours."""
    with tempfile.TemporaryDirectory() as work, storage(binary, Path(work), way) as prometheus:
        before = prometheus.memory()
        wire = fill(prometheus, way, PROCESSES, MINUTES)
        memory = prometheus.memory() - before
        return Cost(prometheus.disk() / PROCESSES / MINUTES, memory / PROCESSES, wire)
