"""Counts what each kind of incident costs a team: alerts, pages, minutes. `python tests/dashboards/incidents.py` prints
the table of docs/incidents.md.

Rule: the rules are those that are shipped, evaluated by promtool over counters as apps export them, and routed as
`collector-config/alertmanager/alertmanager.yaml` says. Alertmanager's grouping and inhibition are computed here.
"""

from __future__ import annotations

import math
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

if __name__ == "__main__":
    ROOT = Path(__file__).parents[2]
    sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from anthropic_otel.bundle import files, rules, settings, thresholds
from dashboards import timeline as t
from support import native, promtool

MINUTE = 60
BEGIN, END = 45 * MINUTE, 75 * MINUTE
"""When trouble begins and ends, in seconds, if it ends."""
LENGTH = 110 * MINUTE
STEP = 30
"""Seconds between two evaluations."""
Alert = Mapping[str, str]


@dataclass(frozen=True)
class Incident:
    """One kind of incident, and what is right for it: alerts that must be told, pages, minutes to the first page."""

    name: str
    happens: str
    build: Callable[[t.Timeline], None]
    told: str | None
    pages: int
    within: float | None = None
    """Minutes from the first failed call, or from the first that hangs, to the first page."""
    lasts: bool = False
    """Whether the trouble does not end by itself: the page must then not resolve either."""


def fleet(services: int, pods: int = 2) -> list[t.Instance]:
    """Some services with some processes each."""
    return [t.Instance(f"service-{service}", f"{service}-{pod}") for service in range(services) for pod in range(pods)]


def _well(at: float) -> t.Failure | None:
    return None


def traffic(
    made: t.Timeline,
    instance: t.Instance,
    failing: Callable[[float], t.Failure | None] = _well,
    every: float = 2.0,
    model: str = "claude-sonnet-4-5",
) -> None:
    """Calls at even distances as long as the process lives."""
    at, end = float(instance.born), min(instance.dead, made.end)
    while at < end:
        made.call(instance, at, failing(at), model=model)
        at += every


def _during(failure: t.Failure) -> Callable[[float], t.Failure | None]:
    """A failure of every call in the time of trouble."""
    return lambda at: failure if BEGIN <= at < END else None


def _overload(made: t.Timeline) -> None:
    for instance in fleet(10):
        traffic(made, instance, _during(t.OVERLOADED), every=4)


def _region(made: t.Timeline) -> None:
    for number, instance in enumerate(fleet(6)):
        traffic(made, instance, _during(t.NO_DNS) if number < 6 else _well, every=4)


def _pod(made: t.Timeline) -> None:
    for instance in fleet(1, pods=5):
        bad = instance.name == "0-0"
        traffic(made, instance, _during(t.REFUSED) if bad else _well, every=4)


def _all(failure: t.Failure, services: int) -> Callable[[t.Timeline], None]:
    def build(made: t.Timeline) -> None:
        for instance in fleet(services):
            traffic(made, instance, _during(failure))

    return build


def _model(made: t.Timeline) -> None:
    for instance in fleet(1):
        traffic(made, instance)
        traffic(made, instance, lambda at: t.GONE if at >= BEGIN else None, every=60, model="claude-2.1")


def _hang(made: t.Timeline) -> None:
    for instance in fleet(1):
        at = float(instance.phase)
        while at < END:
            if at < BEGIN:
                made.call(instance, at)
            else:
                made.hang(instance, at)
            at += 2


def _cron(made: t.Timeline) -> None:
    for instance in (t.Instance("nightly", f"run-{run}", run * 40 * MINUTE, run * 40 * MINUTE + 120) for run in (0, 1)):
        traffic(made, instance)


def _deploy(made: t.Timeline) -> None:
    for pod in range(20):
        moment = BEGIN + pod * 20
        old, new = t.Instance("service-0", f"old-{pod}", 0, moment), t.Instance("service-0", f"new-{pod}", moment)
        traffic(made, old, every=10)
        for number in range(3):
            made.hang(old, moment - 62 - number)
        traffic(made, new, every=10)


INCIDENTS = (
    Incident(
        "The API is overloaded for everybody",
        "every call of 10 services fails with 529",
        _overload,
        "AnthropicAllCallsFailing",
        1,
        5,
    ),
    Incident(
        "The network of one region",
        "every call of 3 services of 6 finds no name",
        _region,
        "AnthropicAllCallsFailing",
        1,
        5,
    ),
    Incident(
        "One dead pod",
        "1 of 5 pods gets no connection",
        _pod,
        "AnthropicConnectionFailures",
        0,
    ),
    Incident(
        "Revoked key",
        "every call of 3 services is answered 401",
        _all(t.REVOKED, 3),
        "AnthropicAccessRefused",
        1,
        5,
    ),
    Incident(
        "Spend limit",
        "every call of 3 services is refused for the limit",
        _all(t.SPENT, 3),
        "AnthropicSpendLimit",
        1,
        5,
    ),
    Incident(
        "Credit used up, no code",
        "every call of 3 services is answered 400",
        _all(t.CREDIT, 3),
        "AnthropicAllCallsInvalid",
        1,
        5,
    ),
    Incident(
        "Retired model",
        "a model with 3 % of the calls is answered 404",
        _model,
        "AnthropicModelGone",
        1,
        6,
        lasts=True,
    ),
    Incident("Hang", "no call ends any more", _hang, "AnthropicHanging", 1, 6, lasts=True),
    Incident("Cron", "a job of two minutes, named in `short_lived`", _cron, None, 0),
    Incident("Deploy of 20 pods", "each is killed with 3 calls in flight", _deploy, None, 0),
)


@dataclass(frozen=True)
class Cost:
    """What an incident has cost. `fired` are the alerts that fired, `told` those that somebody was told of.

    `resolved` is how many minutes after the end of the trouble the last page was: None where there was none, and
    infinite where it still was at the end of the time that is looked at.
    """

    fired: frozenset[str]
    told: frozenset[str]
    pages: int
    tickets: int
    minutes: float | None
    resolved: float | None


def measured(tool: str, work: Path, incident: Incident, histograms: str = "classic") -> Cost:
    """What an incident costs with the shipped rules, for classic or native histograms, and the example routing."""
    text = thresholds.edited(
        files.source("dashboards/thresholds.yaml").read_text(), short_lived="nightly", histograms=histograms
    )
    groups = yaml.safe_load(rules.prometheus(settings.parse(text)))["groups"]
    every = [rule for group in groups for rule in group["rules"]]
    made = t.Timeline(LENGTH)
    incident.build(made)
    series = native.series(made.series()) if histograms == "native" else made.series()
    found = promtool.firing(tool, work, every, series, range(0, LENGTH, STEP), sample=t.SAMPLE)
    notices = {"page": 0, "ticket": 0}
    open_groups: set[tuple[str, ...]] = set()
    fired: set[str] = set()
    told: set[str] = set()
    first = last = None
    for second, alerts in found.items():
        fired |= {alert["alertname"] for alert in alerts}
        sent = list(_not_inhibited(alerts))
        told |= {alert["alertname"] for alert in sent}
        groups = {_group(alert): alert["severity"] for alert in sent}
        for group in groups.keys() - open_groups:
            notices[groups[group]] += 1
        open_groups = set(groups)
        if "page" in groups.values():
            first = second if first is None else first
            last = second
    minutes = None if first is None else (first - BEGIN) / MINUTE
    resolved = None if last is None else (last + STEP - END) / MINUTE if last + STEP < LENGTH else math.inf
    return Cost(frozenset(fired), frozenset(told), notices["page"], notices["ticket"], minutes, resolved)


def _routing() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(files.source("collector-config/alertmanager/alertmanager.yaml").read_text())
    return found


def _group(alert: Alert) -> tuple[str, ...]:
    return tuple(alert.get(name, "") for name in _routing()["route"]["group_by"])


def _not_inhibited(alerts: Sequence[Alert]) -> Iterator[Alert]:
    inhibiting = _routing()["inhibit_rules"]
    for alert in alerts:
        if not any(_inhibits(rule, source, alert) for rule in inhibiting for source in alerts if source is not alert):
            yield alert


def _inhibits(rule: Mapping[str, Any], source: Alert, target: Alert) -> bool:
    return (
        _matches(rule["source_matchers"], source)
        and _matches(rule["target_matchers"], target)
        and all(source.get(name) == target.get(name) for name in rule["equal"])
    )


def _matches(matchers: Sequence[str], alert: Alert) -> bool:
    for matcher in matchers:
        name, operator, value = re.fullmatch(r'(\w+)(=~|=)"(.*)"', matcher).groups()  # type: ignore[union-attr]
        found = alert.get(name, "")
        if not (re.fullmatch(value, found) if operator == "=~" else found == value):
            return False
    return True


def row(incident: Incident, cost: Cost) -> str:
    """A line of the table."""
    told = ", ".join(f"[{name}](runbooks/{name}.md)" for name in sorted(cost.told)) or "none"
    minutes = "" if cost.minutes is None else f"{cost.minutes:.1f}"
    resolved = (
        "" if cost.resolved is None else "while it lasts" if math.isinf(cost.resolved) else f"{cost.resolved:.1f}"
    )
    counts = (str(len(cost.fired)), str(cost.pages), str(cost.tickets))
    cells = (incident.name, incident.happens, told, *counts, minutes, resolved)
    return f"| {' | '.join(cells)} |"


HEAD = (
    "| incident | what happens | what somebody is told | alerts that fire | pages | tickets | minutes to the page "
    "| minutes until it resolves |",
    "|---|---|---|---|---|---|---|---|",
)


def main() -> None:
    """Prints the table."""
    tool = shutil.which("promtool")
    if tool is None:
        sys.exit("promtool is missing: apt-get install prometheus")
    print("\n".join(HEAD))
    for incident in INCIDENTS:
        with tempfile.TemporaryDirectory() as work:
            print(row(incident, measured(tool, Path(work), incident)), flush=True)


if __name__ == "__main__":
    main()
