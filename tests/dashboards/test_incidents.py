"""Each kind of incident is one page, for the right reason and in time, or none, and the document says the same."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest

from .incidents import INCIDENTS, MINUTE, STEP, Cost, Incident, measured, row

pytestmark = pytest.mark.slow

DOCUMENT = Path(__file__).parents[2] / "docs" / "incidents.md"


@pytest.mark.parametrize("incident", INCIDENTS, ids=lambda incident: incident.name)
def test_an_incident_costs_what_the_document_says_and_no_more_than_one_page(
    promtool_path: str, tmp_path: Path, incident: Incident
) -> None:
    """By the shipped rules and the example routing."""
    cost = measured(promtool_path, tmp_path, incident)
    _check(incident, cost)
    assert row(incident, cost) in DOCUMENT.read_text().splitlines()


@pytest.mark.parametrize("incident", INCIDENTS, ids=lambda incident: incident.name)
def test_native_histograms_cost_the_same(promtool_3_path: str, tmp_path: Path, incident: Incident) -> None:
    """By the rules for them, over the same counts. Prometheus 3 may see an outage one evaluation sooner.

    A window of it does not include its own beginning, whatever the histograms are.
    """
    cost = measured(promtool_3_path, tmp_path, incident, histograms="native")
    _check(incident, cost)
    later = None if cost.minutes is None else cost.minutes + STEP / MINUTE
    rows = {row(incident, cost), row(incident, dataclasses.replace(cost, minutes=later))}
    assert rows & set(DOCUMENT.read_text().splitlines())


def _check(incident: Incident, cost: Cost) -> None:
    """The costs are right for that kind of incident."""
    assert cost.pages == incident.pages
    assert cost.told >= ({incident.told} if incident.told else set())
    if incident.told is None:
        assert not cost.told
    if incident.within is not None:
        assert cost.minutes is not None
        assert cost.minutes <= incident.within
    if cost.resolved is not None:
        assert math.isinf(cost.resolved) == incident.lasts
