"""New prices in the text of a thresholds file that somebody has written in another way than the shipped one."""

from __future__ import annotations

import pytest
import yaml

from anthropic_otel.bundle import thresholds
from anthropic_otel.bundle.settings import SettingsError


@pytest.mark.parametrize(
    "mine",
    [
        "prices:\n    - {model: mine}\n    - {model: old}\n",
        "prices:\n    - {model: mine}\n\n    - {model: old}\n\n",
        "prices:\n    - {model: mine}\n\n  # Not those of a contract.\n    - {model: old}\n\n",
        "prices:\n  - {model: mine}\n  - {model: old}\n\n",
        "prices:   # By contract.\n      - {model: mine}\n      - {model: old}  # Until spring.\n",
        "prices:\n    - model: mine\n      input: 3\n    - model: old\n      input: 2\n",
        "prices:\n    - {model: mine,\n       input: 3}\n    - {model: old}\n      # Not used now.\n",
    ],
    ids=["plain", "blank-line", "comment-at-key", "not-indented", "indented-more", "blocks", "two-lines"],
)
@pytest.mark.parametrize("rest", ["", "  budget: 1\nalerts: 2\n", "# Of alerts.\nalerts: 2\n"])
def test_new_prices_leave_none_of_the_old_ones_however_the_list_is_written(mine: str, rest: str) -> None:
    """Whatever else is in the file stays, with its comments."""
    text = thresholds.with_prices(f"# Mine.\nspend:\n  days: 7\n  {mine}{rest}", ["- {model: new}", "- {model: newer}"])
    found = yaml.safe_load(text)
    assert found.pop("spend")["prices"] == [{"model": "new"}, {"model": "newer"}]
    assert found == ({"alerts": 2} if rest else {})
    assert text.startswith("# Mine.\nspend:\n  days: 7\n  prices:")
    assert text.endswith(rest)


def test_a_price_in_the_last_line_of_a_file_without_a_line_break_is_replaced_too() -> None:
    text = "spend:\n  prices:\n    - {model: mine}\n    - {model: old}"
    assert thresholds.with_prices(text, ["- {model: new}"]) == "spend:\n  prices:\n    - {model: new}\n"


@pytest.mark.parametrize("mine", ["prices: []\n", "prices:\n", "prices:\n    model: mine\n", "budget: 1\n"])
def test_prices_that_are_no_list_in_rows_are_refused_and_not_guessed(mine: str) -> None:
    with pytest.raises(SettingsError, match="no list `prices`"):
        thresholds.with_prices(f"spend:\n  {mine}alerts:\n  - {{a: 1}}\n", ["- {model: new}"])
