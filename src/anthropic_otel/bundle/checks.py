"""Checks settings for values that are of the right type and still cannot work.

Rule: such a value is refused before anything is written, as it would make a rule that never fires, a panel that is
blank, or a file that Prometheus or Grafana does not take.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from urllib.parse import urlsplit

from anthropic_otel._core import instruments
from anthropic_otel.bundle import re2
from anthropic_otel.bundle.conditions import Duration
from anthropic_otel.bundle.settings import Links, Settings, SettingsError

LOOKBACK = 300.0
"""For how many seconds Prometheus takes the latest sample of a series as its value."""


def check(settings: Settings) -> None:
    """Raises `SettingsError` for the first value that cannot work, if any; the message says where it is and why."""
    for problem in _problems(settings):
        raise SettingsError(problem)


def _problems(settings: Settings) -> Iterator[str]:
    for name in ("job", "short_lived", "collectors"):
        yield from _of_job(name, getattr(settings, name))
    yield from _of_links(settings.links)
    yield from _of_evaluation(settings)
    yield from _of_slo(settings)
    yield from _of_spend(settings)
    for name, alert in vars(settings.alerts).items():
        yield from _of_alert(f"alerts.{name}", alert)


def _of_job(name: str, job: str) -> Iterator[str]:
    problem = re2.problem(job)
    if problem is not None:
        yield f"{name} is not a valid regular expression: {job!r}: {problem}"


def _of_links(links: Links) -> Iterator[str]:
    for name, address in vars(links).items():
        if name == "runbooks" and re.fullmatch(r"[\w.-]+(/[\w.-]+)*/?", address):
            continue  # a folder, which is what the shipped file has
        try:
            parts = urlsplit(address)
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
            # A path is appended to the address, and a password must not be written into rules.
            good = good and not (parts.query or parts.fragment or parts.username)
        except ValueError:
            good = False
        if not good or not re.fullmatch(r"[!-~]+", address) or re.search(r"[{}\"<>\\^`|]", address):
            yield f"links.{name} must be an address such as https://{name}.example.com, not {address!r}"


def _of_evaluation(settings: Settings) -> Iterator[str]:
    evaluation, slo = settings.evaluation, settings.slo
    for name in ("interval", "slow_interval"):
        if not 0 < getattr(evaluation, name).seconds < LOOKBACK:
            yield f"evaluation.{name} must be shorter than 5m: what a rule has recorded is only seen for so long"
    windows: dict[str, Duration] = {f"slo window {window}": window for window in slo.windows}
    for name, alert in vars(settings.alerts).items():
        windows |= {f"alerts.{name}.window": alert.window} if hasattr(alert, "window") else {}
        for index, floor in enumerate(getattr(alert, "within", ())):
            windows[f"alerts.{name}.within[{index}].window"] = floor.window
    if settings.alerts.AnthropicHanging.older_than.seconds <= evaluation.export_interval.seconds:
        yield "alerts.AnthropicHanging.older_than must be longer than evaluation.export_interval"
    for name, window in windows.items():
        if window.seconds < 2 * evaluation.export_interval.seconds:
            yield f"{name} must be at least twice evaluation.export_interval, or there is nothing to compare in it"


def _of_slo(settings: Settings) -> Iterator[str]:
    slo = settings.slo
    if not 0 < slo.objective < 100:
        yield f"slo.objective must lie between 0 and 100, not {slo.objective:g}"
    for name in ("page", "ticket"):
        for index, pair in enumerate(getattr(slo, name)):
            if pair.short.seconds >= pair.long.seconds:
                yield f"slo.{name}[{index}].short must be shorter than long"
            if pair.burn_rate * slo.budget >= 1:
                yield (
                    f"slo.{name}[{index}].burn_rate {pair.burn_rate:g} can never be reached with an objective of "
                    f"{slo.objective:g}: {pair.burn_rate * slo.budget:.0%} of the calls would have to fail"
                )


def _of_spend(settings: Settings) -> Iterator[str]:
    spend, rise = settings.spend, settings.alerts.AnthropicCostRise
    if spend.cache_writes not in ("5m", "1h"):
        yield f"spend.cache_writes must be 5m or 1h, not {spend.cache_writes!r}"
    try:
        date.fromisoformat(spend.prices_of)
    except ValueError:
        yield f"spend.prices_of must be a day such as '2026-11-29', not {spend.prices_of!r}"
    known: set[str] = set()
    for index, price in enumerate(spend.prices):
        if not re.fullmatch(r"[\w.:/@-]+", price.model):
            yield f"spend.prices[{index}].model must be the name of a model, not {price.model!r}"
        if price.model in known:
            yield f"spend.prices[{index}].model: {price.model} has two prices"
        known.add(price.model)
    if not spend.prices:
        yield "spend.prices must have the price of one model at least"
    if rise.rise < 1:
        yield f"alerts.AnthropicCostRise.rise must be at least 1, not {rise.rise:g}"
    if rise.before.seconds < 2 * rise.window.seconds:
        yield "alerts.AnthropicCostRise.before must be at least twice its window"


def _of_alert(where: str, alert: object) -> Iterator[str]:
    for limit in ("ratio", "remaining"):
        if not 0 <= getattr(alert, limit, 0) <= 1:
            yield f"{where}.{limit} must lie between 0 and 1"
    bound = getattr(alert, "longer_than", None)
    if bound is not None and bound not in instruments.SECONDS_BUCKETS:
        bounds = ", ".join(f"{b:g}" for b in instruments.SECONDS_BUCKETS)
        yield f"{where}.longer_than must be a bucket bound ({bounds}), not {bound:g}"
