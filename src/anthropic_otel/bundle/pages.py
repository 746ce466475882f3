"""Rewrites the documents and Prometheus configs of a bundle for a Prometheus with native histograms.

Rule: documents are written once, with queries on classic histograms. Of a document only its PromQL blocks and the
series that it names are rewritten, as `promql.Histograms` writes them.
"""

from __future__ import annotations

import re

from anthropic_otel._core.instruments import METRICS
from anthropic_otel.bundle import files

_FOLDERS = ("docs/runbooks/", "docs/why/")
_CONFIGS = "collector-config/prometheus/"
_BLOCK = re.compile(r"(?<=```promql\n).*?(?=^ *```$)", re.MULTILINE | re.DOTALL)
_SERIES = re.compile(r"(?<=`)anthropic_client_\w+_(?:count|sum|bucket)(?:\{[^}`]*\})?(?=`)")
_NAME = "|".join(metric.prometheus_name for metric in METRICS if metric.buckets)
_MATCHERS = r"(?:\{[^}]*\})?"
_OVER_TIME = re.compile(rf"(\w+)\(({_NAME})_(count|sum)({_MATCHERS}\[\w+\](?: offset \w+)?)\)")
_NOW = re.compile(rf"\b({_NAME})_(count|sum)\b({_MATCHERS})")
_BUCKETS = re.compile(rf"\b({_NAME})_bucket\b")

_OTLP, _OTLP_NATIVE = (
    "otlp:\n",
    "otlp:\n"
    "  # What apps send with fixed buckets becomes a native histogram too, with these buckets.\n"
    "  convert_histograms_to_nhcb: true\n",
)
_SCRAPE, _SCRAPE_NATIVE = (
    "    honor_labels: true\n",
    "    honor_labels: true\n"
    "    # The Collector has exponential histograms as native ones; those with fixed buckets become native here.\n"
    "    scrape_native_histograms: true\n"
    "    convert_classic_histograms_to_nhcb: true\n",
)


def native() -> dict[str, str]:
    """Returns the new text of the files that native histograms need changed, by their paths relative to `files.root`.

    They are the runbooks and pages of `docs/why` that `document` changes, and two Prometheus configs. Raises
    `ValueError` if a config is not as expected.
    """
    made: dict[str, str] = {}
    for path, source in files.shipped().items():
        if path.startswith(_FOLDERS):
            old = source.read_text(encoding="utf-8")
            new = document(old)
            made |= {path: new} if new != old else {}
    made[f"{_CONFIGS}prometheus.yaml"] = _changed("prometheus.yaml", _OTLP, _OTLP_NATIVE)
    made[f"{_CONFIGS}prometheus-scrape.yaml"] = _changed("prometheus-scrape.yaml", _SCRAPE, _SCRAPE_NATIVE)
    return made


def has_query(classic: str) -> bool:
    """Returns whether a document, in Markdown, has a PromQL block that `query` changes."""
    return any(query(block[0]) != block[0] for block in _BLOCK.finditer(classic))


def document(classic: str) -> str:
    """Returns a document, in Markdown, rewritten for native histograms.

    Its PromQL blocks are rewritten, and series of the library between backquotes, as `query` does it.
    """
    return _SERIES.sub(lambda series: query(series[0]), _BLOCK.sub(lambda block: query(block[0]), classic))


def query(classic: str) -> str:
    """Returns a PromQL query on the library's classic histograms, rewritten for native ones.

    `_count` and `_sum` become the functions `histogram_count` and `histogram_sum`. If a function over time, such as
    `rate`, was called on the series, they are called on its result. `_bucket` becomes the metric itself, and an `le`
    with which the labels of a `by` begin is taken out.
    """
    found = _OVER_TIME.sub(r"histogram_\3(\1(\2\4))", classic)
    found = _NOW.sub(r"histogram_\2(\1\3)", found)
    found = _BUCKETS.sub(r"\1", found)
    return re.sub(r"\bby \(le(?:, )?", "by (", found)


def _changed(name: str, old: str, new: str) -> str:
    """Returns a shipped Prometheus config with `old` replaced by `new`.

    Raises `ValueError` unless `old` is in it exactly once.
    """
    text = files.source(_CONFIGS + name).read_text(encoding="utf-8")
    if text.count(old) != 1:
        raise ValueError(f"{name} has not once {old!r}")
    return text.replace(old, new)
