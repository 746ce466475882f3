"""The recipes of the documents run as they are copied: the providers of a worker, a whole configuration file."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def block(document: str, begin: str) -> str:
    """The fenced block that begins so."""
    text = (DOCS / document).read_text("utf-8")
    [found] = re.findall(rf"^```\w+\n({re.escape(begin)}.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return str(found)


def run(code: str, folder: Path, **variables: str) -> str:
    """What the code prints in a process of its own, in that folder."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")} | variables
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_worker_of_a_prefork_server_can_set_up_its_providers(tmp_path: Path) -> None:
    """As the file that the page shows; each process has an id of its own."""
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    (tmp_path / "telemetry.py").write_text(block("prefork.md", "# telemetry.py"), encoding="utf-8")
    code = """
import os, telemetry
telemetry.set_up()
from opentelemetry import metrics, trace
print(trace.get_tracer_provider().resource.attributes["service.instance.id"], type(metrics.get_meter_provider()))
os._exit(0)  # nobody listens
"""
    first, second = (run(code, tmp_path) for _ in range(2))
    assert "MeterProvider" in first
    assert first != second


def test_the_configuration_file_is_one_that_opentelemetry_takes(tmp_path: Path) -> None:
    """Whole, with the library's options where they belong."""
    pytest.importorskip("opentelemetry.configuration", reason="opentelemetry-configuration is not installed")
    (tmp_path / "otel.yaml").write_text(block("usage.md", "file_format:"), encoding="utf-8")
    code = """
from opentelemetry.configuration import load_config_file
configuration = load_config_file("otel.yaml")
print(configuration.instrumentation_development.python)
"""
    assert "phases" in run(code, tmp_path)
