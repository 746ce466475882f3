"""That panels can be read, as far as their JSON tells; tests/tools/test_screenshots.py looks at them drawn."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from anthropic_otel.bundle import files, settings, thresholds

# As a plain tuple: a type checker takes the oldest Python for granted, and would skip the rest.
if tuple(sys.version_info) < (3, 11):
    pytest.skip("the dashboards' generator needs Python 3.11", allow_module_level=True)


from anthropic_otel.bundle import render

TEXT = files.source("dashboards/thresholds.yaml").read_text("utf-8")


def panels(kind: str, **edits: str) -> Iterator[dict[str, Any]]:
    """The panels of a kind of every dashboard, under edited settings."""
    for name, text in render.generated(settings.parse(thresholds.edited(TEXT, **edits))).items():
        if name.startswith("dashboards/") and name.endswith(".json"):
            yield from (panel for panel in json.loads(text)["panels"] if panel["type"] == kind)


def overrides(panel: dict[str, Any], matcher: str) -> dict[str, Any]:
    """What a panel sets for the fields that its matcher's options name."""
    found = panel["fieldConfig"]["overrides"]
    chosen = [one["properties"] for one in found if one["matcher"]["options"] == matcher]
    return {each["id"]: each["value"] for properties in chosen for each in properties}


def test_a_bar_that_is_alone_has_its_name() -> None:
    """Grafana leaves the name of a single series away, unless the panel sets one: of labels, as the legend has them."""
    for panel in panels("bargauge"):
        legends = [target["legendFormat"] for target in panel["targets"]]
        if len(legends) == 1:
            name = panel["fieldConfig"]["defaults"]["displayName"]
            assert name.replace("${__field.labels.", "{{").replace("}", "}}") == legends[0]


def test_bars_keep_their_height_and_scroll_instead() -> None:
    """One bar does not fill a panel, and of many the values can be read."""
    for panel in panels("bargauge"):
        options = panel["options"]
        assert (options["sizing"], options["minVizHeight"], options["maxVizHeight"]) == ("manual", 30, 56)


def test_an_empty_cell_does_not_say_that_nothing_failed() -> None:
    """It would have the words that a table has for no row at all: a failure without a status said "no failures"."""
    for panel in panels("table"):
        assert overrides(panel, "string") == {"noValue": "-"}


def test_an_axis_of_seconds_counts_in_seconds() -> None:
    """In minutes its steps are 1.17 and 1.33."""
    units = {panel["fieldConfig"]["defaults"]["unit"] for panel in panels("timeseries")}
    assert "suffix:s" in units
    assert "s" not in units


@pytest.mark.parametrize(
    ("edits", "page"),
    [({}, None), ({"runbooks": "https://wiki.example.com/x/"}, "https://wiki.example.com/x/${__value.raw}.md")],
)
def test_an_alert_that_fires_opens_its_runbook(edits: dict[str, str], page: str | None) -> None:
    """Where the runbooks have an address that a browser can open; its severity has a colour in either case."""
    (panel,) = (panel for panel in panels("table", **edits) if panel["title"] == "Alerts that fire now")
    links = overrides(panel, "alert").get("links")
    assert (links and links[0]["url"]) == page
    [mapping] = overrides(panel, "severity")["mappings"]
    assert {word: value["color"] for word, value in mapping["options"].items()} == {"page": "red", "ticket": "orange"}
