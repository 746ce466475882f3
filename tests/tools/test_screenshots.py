"""The pictures of the dashboards: every panel is drawn by Grafana's own components, of an hour with trouble in it."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from anthropic_otel.bundle import files
from anthropic_otel.cli.stack import binaries

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("screenshots")]

ROOT = Path(__file__).parents[2]
BOARDS = sorted(path.stem for path in files.source("dashboards").glob("*.json"))
THEMES = ("light", "dark")
WELL = {"Processes that share one series", "Not priced: tokens of models without a price"}
"""The panels that show nothing in this hour, as in most: what they say instead is good news."""


@pytest.fixture(scope="module")
def drawn() -> Iterator[Any]:
    """The module that draws."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        yield importlib.import_module("tools.screenshots.drawn")


@pytest.fixture(scope="module")
def given(drawn: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The dashboards and what a Prometheus with the hour in it answers to their queries."""
    missing = drawn.missing() + [f"{name}: Debian's prometheus" for name in ("promtool",) if not shutil.which(name)]
    if missing:
        pytest.skip(f"not on the PATH: {', '.join(missing)}")
    if binaries.present(binaries.PROMETHEUS) is None:
        pytest.skip("Prometheus is not installed")
    loaded = importlib.import_module("tools.screenshots.loaded")
    with loaded.prometheus(tmp_path_factory.mktemp("prometheus")) as base:
        return {one.name: one for one in loaded.inputs(base)}


@pytest.fixture(scope="module")
def pictures(drawn: Any, given: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Any]:
    """Every picture by the names of its dashboard and of its theme. CI keeps them in the cache."""
    out = drawn.KEPT if os.environ.get("CI") else tmp_path_factory.mktemp("screenshots")
    found = drawn.draw(given.values(), out)
    return {(one.name, one.file.stem.rpartition("-")[2]): one for one in found}


def panels(name: str) -> list[dict[str, Any]]:
    """The panels of a dashboard, rows among them."""
    found: list[dict[str, Any]] = json.loads(files.source(f"dashboards/{name}.json").read_text("utf-8"))["panels"]
    return found


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", BOARDS)
def test_every_panel_is_drawn_and_nothing_goes_wrong(
    pictures: dict[tuple[str, str], Any], name: str, theme: str
) -> None:
    """Each has its title and something below it; the browser has nothing to complain of, and asked for nothing else."""
    picture = pictures[name, theme]
    assert picture.wrong == ()
    assert set(picture.panels) == {panel["id"] for panel in panels(name)}
    for panel in panels(name):
        title, _, content = picture.panels[panel["id"]].partition("\n")
        assert title == panel["title"]
        assert content.strip() or panel["type"] == "row", title
        assert "__name__" not in content, "a column of a table that nobody has named"
    head = picture.file.read_bytes()[:24]
    assert head.startswith(b"\x89PNG")
    assert struct.unpack(">I", head[16:20]) == (1600,)


@pytest.mark.parametrize("name", BOARDS)
def test_no_name_is_cut_and_no_legend_has_to_be_scrolled(pictures: dict[tuple[str, str], Any], name: str) -> None:
    """At 1,600 pixels: titles, the names of bars, cells of tables, legends. At night nobody hovers over dots."""
    assert pictures[name, "light"].cut == {}


@pytest.mark.parametrize("name", BOARDS)
def test_no_panel_is_empty_in_an_hour_with_trouble_in_it(given: dict[str, Any], name: str) -> None:
    """A query that finds nothing in that hour asks for something that no app sends."""
    titles = {panel["title"] for panel in panels(name) if panel["id"] in given[name].nothing}
    assert titles <= WELL


def test_a_panel_without_data_says_in_its_own_words_that_there_are_none(
    drawn: Any, given: dict[str, Any], tmp_path: Path
) -> None:
    """And never that it is broken."""
    name = BOARDS[0]
    told = json.loads(given[name].text)
    for answers in told["answers"].values():
        for answer in answers.values():
            answer["result"] = []
    [picture, _] = drawn.draw([dataclasses.replace(given[name], text=json.dumps(told))], tmp_path)
    assert picture.wrong == ()
    for panel in panels(name):
        if panel["type"] != "row":
            assert panel["fieldConfig"]["defaults"]["noValue"] in picture.panels[panel["id"]]


def test_what_cannot_be_drawn_as_grafana_draws_it_is_an_error(
    drawn: Any, given: dict[str, Any], tmp_path: Path
) -> None:
    """A kind of panel or an option of a field that the page does not know is not left out of the picture in silence."""
    name = BOARDS[0]
    told = json.loads(given[name].text)
    first, second = [panel for panel in told["board"]["panels"] if panel["type"] in ("stat", "timeseries")][:2]
    first["type"] = "piechart"
    second["fieldConfig"]["defaults"]["custom"] = {"gradientMode": "opacity"}
    [picture, _] = drawn.draw([dataclasses.replace(given[name], text=json.dumps(told))], tmp_path)
    said = "\n".join(picture.wrong)
    assert "nobody draws piechart" in said
    assert "nobody draws custom.gradientMode" in said
