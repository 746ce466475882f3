"""Queries for the cost of calls in USD: the tokens of each kind times their price.

Rule: each token has one price. The conventions count cached tokens as input tokens, so those are subtracted first;
reasoning counts as output. A model without a price adds nothing to a cost, and is shown as not priced.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from anthropic_otel._core import instruments
from anthropic_otel._core.instruments import Metric
from anthropic_otel.bundle.growth import MODEL, Growth, Recording, RuleQueries
from anthropic_otel.bundle.promql import JOB, grouped, quote, series, total
from anthropic_otel.bundle.settings import Settings

KIND = "kind"
"""The label of a price with the kind of token."""
PRICE = "model:claude_price_usd:per_million_tokens"
"""The name under which the prices of models in use are recorded."""
DAY = "1d"
GAP = "1d"
"""How long a series of tokens may have no samples before it counts as new. It is longer than for other counts, because
the tokens of weeks would appear as the cost of one hour."""
_MILLION = 1_000_000
_DATE = re.compile("[-@][0-9]{8}$")

KINDS: dict[str, tuple[Metric, ...]] = {
    "input": (instruments.USAGE_INPUT, instruments.USAGE_CACHE_READ, instruments.USAGE_CACHE_WRITE),
    "cache_read": (instruments.USAGE_CACHE_READ,),
    "cache_write": (instruments.USAGE_CACHE_WRITE,),
    "output": (instruments.USAGE_OUTPUT,),
}
"""The kinds of token that have prices, with the counters that count them: the first less the others."""


def kind_cost(kind: str, by: tuple[str, ...], tokens: Callable[[Metric], str], price: Callable[[str], str]) -> str:
    """Returns an expression for the cost of the tokens of one kind of `KINDS`, in USD, summed by the labels `by`.

    The tokens are the kind's first counter less its others. `tokens` returns the expression of a token counter, by
    these labels and the model. `price` returns, for a kind, the expression of the price of a million tokens, by model.
    Models without a price are left out.
    """
    counted = "\n-\n".join(tokens(metric) for metric in KINDS[kind])
    return total(by, f"{grouped(counted)}\n* on ({MODEL}) group_left ()\n{price(kind)} / {_MILLION}")


def cost(by: tuple[str, ...], tokens: Callable[[Metric], str], price: Callable[[str], str]) -> str:
    """Returns an expression for the cost of the tokens of all kinds, in USD. Arguments are as in `kind_cost`.

    It is absent where one of the kinds is absent.
    """
    return grouped("\n+\n".join(kind_cost(kind, by, tokens, price) for kind in KINDS))


def recorded_price(window: str = "") -> Callable[[str], str]:
    """Returns a function from a kind of `KINDS` to the expression of its recorded prices, by model.

    They are in USD for a million tokens. With a window, that is the latest price of each model used in the window;
    without one, the price of each model in use now.
    """

    def of(kind: str) -> str:
        now = series(PRICE, f"{KIND}={quote(kind)}")
        return f"last_over_time({now}[{window}])" if window else now

    return of


def priced(settings: Settings, kind: str, used: Callable[[str], str]) -> str:
    """Returns an expression for the price of a million tokens of a kind, for each model that is used.

    `used` returns, for a matcher, the expression that is 1 for each model that is used and fits it. A model without a
    price is absent.
    """
    field = f"cache_write_{settings.spend.cache_writes}" if kind == "cache_write" else kind
    plain = {price.model for price in settings.spend.prices}
    terms = []
    # The first match counts, so a version with a price of its own comes before the name that stands for all versions.
    for dated in (True, False):
        models: dict[float, list[str]] = {}
        for price in settings.spend.prices:
            if (_DATE.sub("", price.model) in plain - {price.model}) is dated:
                models.setdefault(getattr(price, field), []).append(price.model)
        terms += [f"{used(f'{MODEL}=~{quote(_names(names))}')} * {usd:.12g}" for usd, names in models.items()]
    return "\nor\n".join(terms)


def _names(models: list[str]) -> str:
    """Returns a regular expression for the names of models, each optionally followed by the date of a version."""
    return f"({'|'.join(re.sub('[.]', '[.]', model) for model in models)})([-@][0-9]{{8}})?"


def cost_by_job(e: RuleQueries, window: str) -> str:
    """Returns an expression for the cost of each service in a window, in USD.

    If rules record, it is the name of a recording rule, which is added with those that it needs; else it is written
    out.
    """
    if not e.records:
        return _written_cost(e, window, lambda kind: grouped(priced(e.settings, kind, _used_in(e, window))))
    for kind in KINDS:
        e.enter(Recording(PRICE, priced(e.settings, kind, _used_now(e)), window, {KIND: kind}, slow=True))
    found = _written_cost(e, window, recorded_price(window))
    return e.enter(Recording(recorded_cost(window), found, window, slow=True))


def recorded_cost(window: str) -> str:
    """Returns the name under which the cost of each service in a window is recorded."""
    return f"job:claude_cost_usd:increase{window}"


def seen(e: RuleQueries, half: str) -> str:
    """Returns an expression for the input tokens that services had counted at `half` before now.

    It is absent for a series without a sample between `half` and twice `half` ago.
    """
    return f"last_over_time({e.select(instruments.USAGE_INPUT)}[{half}] offset {half})"


def _written_cost(e: RuleQueries, window: str, price: Callable[[str], str]) -> str:
    return cost((JOB,), lambda metric: e.grown(_growth(metric), window), price)


def _growth(metric: Metric) -> Growth:
    return Growth("job_model", metric, (JOB, MODEL), of="", gap=GAP, slow=True)


def _used_now(e: RuleQueries) -> Callable[[str], str]:
    return lambda matcher: f"group by ({MODEL}) ({e.select(instruments.USAGE_INPUT, matcher)})"


def _used_in(e: RuleQueries, window: str) -> Callable[[str], str]:
    return lambda matcher: (
        f"group by ({MODEL}) (last_over_time({e.select(instruments.USAGE_INPUT, matcher)}[{window}]))"
    )
