"""Each kind of incident is one page, for the right reason and in time, or none, and the document says the same."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from .incidents import INCIDENTS, Incident, measured, row

pytestmark = pytest.mark.slow

DOCUMENT = Path(__file__).parents[2] / "docs" / "incidents.md"


@pytest.mark.parametrize("incident", INCIDENTS, ids=lambda incident: incident.name)
def test_an_incident_costs_what_the_document_says_and_no_more_than_one_page(
    promtool_path: str, tmp_path: Path, incident: Incident
) -> None:
    """By the shipped rules and the example routing."""
    cost = measured(promtool_path, tmp_path, incident)
    assert cost.pages == incident.pages
    assert cost.told >= ({incident.told} if incident.told else set())
    if incident.told is None:
        assert not cost.told
    if incident.within is not None:
        assert cost.minutes is not None
        assert cost.minutes <= incident.within
    if cost.resolved is not None:
        assert math.isinf(cost.resolved) == incident.lasts
    assert row(incident, cost) in DOCUMENT.read_text().splitlines()
