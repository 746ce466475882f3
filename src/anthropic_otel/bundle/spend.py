"""What calls cost, in USD, as queries: the tokens of each kind by their prices.

Rule: a token has one price. Of the conventions' input tokens, what came from the cache and what was written to it is
taken off first; reasoning is output. A model without a price costs nothing here, and is shown as not priced.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from anthropic_otel._core import semconv as s
from anthropic_otel._core.semconv import Metric
from anthropic_otel.bundle.growth import MODEL, Growth, Ledger, Recording
from anthropic_otel.bundle.promql import JOB, grouped, quote, series, total
from anthropic_otel.bundle.settings import Settings

KIND = "kind"
"""The label of a price that says of which tokens."""
PRICE = "model:claude_price_usd:per_million_tokens"
"""The recorded price of each model that has been used."""
DAY = "1d"
GAP = "1d"
"""How long a gap in the telemetry may be before the tokens of an old process are taken for those of a new one. Longer
than for other counts: the tokens of weeks would be an expensive hour."""
_MILLION = 1_000_000
_DATE = re.compile("[-@][0-9]{8}$")

KINDS: dict[str, tuple[Metric, ...]] = {
    "input": (s.USAGE_INPUT, s.USAGE_CACHE_READ, s.USAGE_CACHE_WRITE),
    "cache_read": (s.USAGE_CACHE_READ,),
    "cache_write": (s.USAGE_CACHE_WRITE,),
    "output": (s.USAGE_OUTPUT,),
}
"""The kinds of token that have prices: the first counter, less the others."""


def kind_cost(kind: str, by: tuple[str, ...], tokens: Callable[[Metric], str], price: Callable[[str], str]) -> str:
    """What the tokens of one kind cost, in USD, by some labels.

    `tokens` gives a count by these labels and the model, `price` the price of a million by the model.
    """
    counted = "\n-\n".join(tokens(metric) for metric in KINDS[kind])
    return total(by, f"{grouped(counted)}\n* on ({MODEL}) group_left ()\n{price(kind)} / {_MILLION}")


def cost(by: tuple[str, ...], tokens: Callable[[Metric], str], price: Callable[[str], str]) -> str:
    """What the tokens of all kinds cost."""
    return grouped("\n+\n".join(kind_cost(kind, by, tokens, price) for kind in KINDS))


def recorded_price(window: str = "") -> Callable[[str], str]:
    """The latest price of each model that was used in a window; without one, of those that are in use."""

    def of(kind: str) -> str:
        now = series(PRICE, f"{KIND}={quote(kind)}")
        return f"last_over_time({now}[{window}])" if window else now

    return of


def priced(settings: Settings, kind: str, used: Callable[[str], str]) -> str:
    """The price of a kind of token, of each model that is used: by what `used` makes of a matcher of models."""
    field = f"cache_write_{settings.spend.cache_writes}" if kind == "cache_write" else kind
    plain = {price.model for price in settings.spend.prices}
    terms = []
    # A version that has a price of its own comes before the name that stands for every version: the first one counts.
    for dated in (True, False):
        models: dict[float, list[str]] = {}
        for price in settings.spend.prices:
            if (_DATE.sub("", price.model) in plain - {price.model}) is dated:
                models.setdefault(getattr(price, field), []).append(price.model)
        terms += [f"{used(f'{MODEL}=~{quote(_names(names))}')} * {usd:.12g}" for usd, names in models.items()]
    return "\nor\n".join(terms)


def _names(models: list[str]) -> str:
    """A regular expression for the names of models, also with the date of a version behind them."""
    return f"({'|'.join(re.sub('[.]', '[.]', model) for model in models)})([-@][0-9]{{8}})?"


def used(e: Ledger, window: str) -> str:
    """What each service has cost in a window."""
    if not e.records:
        return _cost_of_jobs(e, window, lambda kind: grouped(priced(e.settings, kind, _used_in(e, window))))
    for kind in KINDS:
        e.enter(Recording(PRICE, priced(e.settings, kind, _used_now(e)), window, {KIND: kind}, slow=True))
    found = _cost_of_jobs(e, window, recorded_price(window))
    return e.enter(Recording(recorded_cost(window), found, window, slow=True))


def recorded_cost(window: str) -> str:
    """The name under which the cost of each service in a window is recorded."""
    return f"job:claude_cost_usd:increase{window}"


def seen(e: Ledger, half: str) -> str:
    """Whether a service had counted tokens in the older half of a time."""
    return f"last_over_time({e.select(s.USAGE_INPUT)}[{half}] offset {half})"


def _cost_of_jobs(e: Ledger, window: str, price: Callable[[str], str]) -> str:
    return cost((JOB,), lambda metric: e.grown(_growth(metric), window), price)


def _growth(metric: Metric) -> Growth:
    return Growth("job_model", metric, (JOB, MODEL), of="", gap=GAP, slow=True)


def _used_now(e: Ledger) -> Callable[[str], str]:
    return lambda matcher: f"group by ({MODEL}) ({e.select(s.USAGE_INPUT, matcher)})"


def _used_in(e: Ledger, window: str) -> Callable[[str], str]:
    return lambda matcher: f"group by ({MODEL}) (last_over_time({e.select(s.USAGE_INPUT, matcher)}[{window}]))"
