"""Pages of a list, as the API returns them: `limit`, `after_id` and `before_id` in the query choose one.

Rule: the same list and the same query give the same page; nothing is remembered between pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import parse_qs, urlsplit

from anthropic_otel.simulator.answers import Refused, Whole
from anthropic_otel.simulator.bodies import invalid
from anthropic_otel.simulator.wire import Json

_DEFAULT: Final = 20
_MOST: Final = 1_000
_CURSOR: Final = "page_"


def page(items: Sequence[Json], target: str, *, cursors: bool = False) -> Whole | Refused:
    """Returns the page of `items` that the query of a request's target asks for, or a refusal (400) of the query.

    Each item has an `id`. The page has up to `limit` items, 20 by default: those right after the item `after_id`, else
    those right before `before_id`, else the first. `has_more` says whether there are more in that direction. Refused
    are a `limit` that is not from 1 to 1,000 and an id that no item has.

    With `cursors` the page has a `next_page`, which is `None` if no item follows. A query may then have that as `page`,
    without `after_id` and `before_id`, for the items that follow.
    """
    query = {name: values[-1] for name, values in parse_qs(urlsplit(target).query).items()}
    limit = _limit(query.get("limit", str(_DEFAULT)))
    if isinstance(limit, Refused):
        return limit
    ids = [item["id"] for item in items]
    names = [name for name in ("page", "after_id", "before_id") if name in query and (cursors or name != "page")]
    if len(names) > 1 and names[0] == "page":
        return invalid("page: may not be combined with after_id or before_id")
    cursor = names[0] if names else None
    known = query[cursor].removeprefix(_CURSOR if cursor == "page" else "") if cursor else ""
    if cursor is not None and known not in ids:
        # What the API says to an id that it does not know is not documented.
        return invalid(f"{cursor}: no such object")
    if cursor == "before_id":
        end = ids.index(known)
        found, has_more = items[max(0, end - limit) : end], end > limit
    else:
        start = ids.index(known) + 1 if cursor else 0
        found, has_more = items[start : start + limit], start + limit < len(items)
    first, last = (found[0]["id"], found[-1]["id"]) if found else (None, None)
    shown: Json = {"data": list(found), "has_more": has_more, "first_id": first, "last_id": last}
    if cursors:
        further = bool(found) and found[-1]["id"] != ids[-1]
        shown["next_page"] = f"{_CURSOR}{last}" if further else None
    return Whole(shown)


def _limit(text: str) -> int | Refused:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        return invalid("limit: Input should be a valid integer, unable to parse string as an integer")
    if int(text) < 1:
        return invalid("limit: Input should be greater than or equal to 1")
    if int(text) > _MOST:
        return invalid("limit: Input should be less than or equal to 1000")
    return int(text)
