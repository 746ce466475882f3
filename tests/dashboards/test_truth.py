"""Every panel of the dashboards says what has happened: the number that it shows, against a load that is known.

The real SDK makes the calls. Prometheus' own promtool evaluates the shipped panels' queries over the metrics that the
library has of them. And a real Prometheus 3 gets them by OTLP, as exponential histograms and with fixed buckets, and
answers the queries that a bundle for native histograms has.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from anthropic_otel._core import instruments, semconv
from anthropic_otel._core.instruments import Metric
from anthropic_otel.bundle import files, write_bundle
from anthropic_otel.cli.stack import panels
from support import promtool

from . import load, sent
from .load import LARGE, PLAN, SMALL, Made, Step

pytestmark = pytest.mark.slow

MINUTE = 60
APPEARS = 10
"""The minute of the first export, which has everything: no counter was there before."""
LOOKED = APPEARS + 1
HANGS = APPEARS + 9
"""The minute in which what began in the first one is older than the alert's `older_than`."""
RATE = 4 * MINUTE
"""What Grafana makes of $__rate_interval with a sample a minute."""
Values = dict[tuple[str, ...], float]
Key = tuple[str, ...]
NOT_HERE = {
    "Alerts that fire now": "the rules are not evaluated here: test_incidents.py, test_alert_rules.py",
    "Error budget left (30d)": "of what the rules record: test_panel_values.py",
    "Processes that share one series": "one process has an id: test_panel_values.py",
}
TOKENS = "Tokens and cost"
"""The row whose numbers are those of the counters of tokens: test_cost_values.py, tests/e2e/test_usage.py."""


def boards() -> Iterator[tuple[str, str]]:
    """The row and the title of every panel."""
    for name in ("overview", "attempts", "limits"):
        row = ""
        for panel in json.loads((files.source("dashboards") / f"{name}.json").read_text())["panels"]:
            if panel["type"] == "row":
                row = panel["title"]
            else:
                yield row, panel["title"]


# -- what has happened -------------------------------------------------------------------------------------------------


def calls(by: Callable[[Step], str | None], *, inference: bool = False) -> Counter[str]:
    """The calls of the plan by something; without those that have none."""
    found: Counter[str] = Counter()
    for step in PLAN:
        value = by(step)
        if value is not None and (not inference or step.operation == "messages.create"):
            found[value] += step.calls
    return found


def attempts(by: Callable[[Step, load.Met], str | None]) -> Counter[str]:
    """The attempts of the plan by something; without those that have none."""
    found: Counter[str] = Counter()
    for step in PLAN:
        for met in step.met:
            value = by(step, met)
            if value is not None:
                found[value] += step.calls
    return found


def total(found: Mapping[str, int]) -> int:
    """How many."""
    return sum(found.values())


def failed(step: Step) -> bool:
    """Whether the calls of a step gave no answer."""
    return step.outcome in ("failed", "exhausted")


def of_error(*errors: str) -> int:
    """How many attempts failed with one of these errors."""
    return total(attempts(lambda _, met: met.error if met.error in errors else None))


def each(found: Mapping[str, float]) -> Values:
    """Numbers by the one word of a legend."""
    return {(key,): float(value) for key, value in found.items()}


def per_second(found: Mapping[str, float]) -> Values:
    """Numbers as rates."""
    return {(key,): value / RATE for key, value in found.items()}


def only(value: float) -> Values:
    """One number without a name."""
    return {(): value}


CALLS = total(calls(lambda step: ""))
INFERENCE = total(calls(lambda step: "", inference=True))
FAILED = total(calls(lambda step: "" if failed(step) else None, inference=True))
ATTEMPTS = total(attempts(lambda step, met: ""))
RETRIES = ATTEMPTS - CALLS
RECOVERED = total(calls(lambda step: "" if step.outcome == "recovered" else None))
EXHAUSTED = total(calls(lambda step: "" if step.outcome == "exhausted" else None))
FAILED_ATTEMPTS = total(attempts(lambda step, met: "" if met.error else None))
UNANSWERED = of_error("connection_reset", "read_timeout")
LIMITED, OVERLOADED = of_error("429"), of_error("529", "overloaded_error")
ON_ACCOUNT = ATTEMPTS + 1 - sum(step.calls for step in PLAN if step.subscribed) - UNANSWERED
"""The requests that the account has been charged, with the one that hangs."""
BUDGET = 0.01
"""The share of the calls that may fail, by the shipped objective."""


def share(part: Callable[[Step, load.Met], bool]) -> Values:
    """The share of some attempts in those of their model, by model, where there are some."""
    every = attempts(lambda step, _: step.model)
    found = attempts(lambda step, met: step.model if part(step, met) else None)
    return each({model: count / every[model] for model, count in found.items()})


COUNTED: dict[tuple[str, str], Values] = {
    ("Are users hurt? Failed calls", "A"): only(FAILED / INFERENCE),
    ("Saved by a retry", "A"): only(RECOVERED / CALLS),
    ("What fails? Calls by error", "A"): each(calls(lambda step: step.met[-1].call_error if failed(step) else None)),
    ("Whose fault? Failed attempts", "A"): only(OVERLOADED),
    ("Whose fault? Failed attempts", "B"): only(of_error("500")),
    ("Whose fault? Failed attempts", "C"): only(LIMITED),
    ("Whose fault? Failed attempts", "D"): only(of_error("400", "404")),
    ("Whose fault? Failed attempts", "E"): only(of_error("connection_reset", "read_timeout", "incomplete_stream")),
    ("Whose fault? Failed attempts", "F"): only(0),
    ("Whose fault? Failed attempts", "G"): only(0),
    ("Whose fault? Failed attempts", "H"): only(0),
    ("Calls that failed, by service", "A"): each({"shop": FAILED / INFERENCE}),
    ("Failed calls by process, and where it runs", "A"): only(FAILED),
    ("Burn rate of the error budget", "A"): only(FAILED / INFERENCE / BUDGET),
    ("Burn rate of the error budget", "B"): only(FAILED / INFERENCE / BUDGET),
    ("Burn rate of the error budget", "C"): only(FAILED / INFERENCE / BUDGET),
    ("Burn rate of the error budget", "D"): only(FAILED / INFERENCE / BUDGET),
    ("Calls that failed", "A"): each(
        {
            model: count / calls(lambda step: step.model)[model]
            for model, count in calls(lambda step: step.model if failed(step) else None).items()
        }
    ),
    ("Calls by outcome", "A"): per_second(calls(lambda step: step.outcome)),
    ("Calls by model", "A"): per_second(calls(lambda step: step.model)),
    ("Calls by operation", "A"): per_second(calls(lambda step: step.operation)),
    ("Attempts per call", "A"): only(ATTEMPTS / CALLS),
    ("Attempts that failed", "A"): only(FAILED_ATTEMPTS / ATTEMPTS),
    ("Retried calls that were saved", "A"): only(RECOVERED / (RECOVERED + EXHAUSTED)),
    ("Attempts against calls", "A"): only(ATTEMPTS / RATE),
    ("Attempts against calls", "B"): only(CALLS / RATE),
    ("Retry amplification", "A"): only(ATTEMPTS / CALLS),
    ("Attempts in flight", "A"): only(1),
    ("Recovered against exhausted", "A"): only(RECOVERED / RATE),
    ("Recovered against exhausted", "B"): only(EXHAUSTED / RATE),
    ("Attempts by status", "A"): per_second(attempts(lambda _, met: met.status or "no response")),
    ("Attempts by status class", "A"): per_second(
        attempts(lambda _, met: f"{met.status[0]}xx" if met.status else None)
    ),
    ("429, 529, timeouts, broken streams, connections apart", "A"): only(LIMITED / RATE),
    ("429, 529, timeouts, broken streams, connections apart", "B"): only(OVERLOADED / RATE),
    ("429, 529, timeouts, broken streams, connections apart", "C"): only(of_error("read_timeout") / RATE),
    ("429, 529, timeouts, broken streams, connections apart", "D"): only(of_error("incomplete_stream") / RATE),
    ("429, 529, timeouts, broken streams, connections apart", "E"): only(of_error("connection_reset") / RATE),
    ("Failed attempts by error", "A"): per_second(attempts(lambda _, met: met.error or None)),
    ("Timeouts by kind", "A"): each({"read": of_error("read_timeout") / ATTEMPTS}),
    ("Connection failures by cause", "A"): each(
        {cause: of_error(cause) / ATTEMPTS for cause in ("connection_reset", "incomplete_stream")}
    ),
    ("Streams that begin later than 10 s", "A"): each({SMALL: 0, LARGE: 0}),
    ("Streams that fell silent for more than 30 s", "A"): each({SMALL: 0, LARGE: 0}),
    ("Bodies and streams that broke", "A"): per_second(
        attempts(lambda _, met: met.error if met.error and met.status == "200" else None)
    ),
    ("Phase in which the network failed", "A"): per_second(
        {"wait": UNANSWERED, "receive": of_error("incomplete_stream")}
    ),
    ("Failing attempts: click an error to see its traces", "A"): {
        tuple(key.split()): count
        for key, count in attempts(
            lambda step, met: f"shop {met.error} {step.model} {step.operation}" if met.error else None
        ).items()
    },
    ("429: over your limit", "A"): only(LIMITED / ATTEMPTS),
    ("529: the API is overloaded", "A"): only(OVERLOADED / ATTEMPTS),
    ("429 against 529", "A"): only(LIMITED / RATE),
    ("429 against 529", "B"): only(OVERLOADED / RATE),
    ("Share of 429 by model", "A"): share(lambda _, met: met.error == "429"),
    ("Share of 529 by model", "A"): share(lambda _, met: met.error in ("529", "overloaded_error")),
    ("Who is refused with 429", "A"): {("shop", "messages.create"): LIMITED},
    ("Who is refused with 529", "A"): {("shop", "messages.create"): OVERLOADED},
    ("Backoffs longer than 10 s", "A"): only(0),
    ("Backoffs longer than 10 s, over time", "A"): each({"retry_after": 0, "backoff": 0}),
    ("Who sets the backoff", "A"): per_second({"retry_after": LIMITED, "backoff": RETRIES - LIMITED}),
    ("Headroom by kind and model", "A"): {
        ("requests", SMALL): 0.0,
        ("requests", LARGE): 1 - ON_ACCOUNT / 1000,
    },
    ("Request limits", "A"): {("requests", SMALL): 1000, ("requests", LARGE): 1000},
    ("Request limits", "B"): {("requests", SMALL): 0, ("requests", LARGE): 1000 - ON_ACCOUNT},
    ("Least headroom", "A"): each({"requests": 0}),
}
"""What each panel must show, counted from the plan."""


# -- what was seen -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made() -> Made:
    """The load, once."""
    return load.make()


def named(asked: panels.Asked) -> tuple[str, str]:
    """A query by its panel's title and its letter. One title is there twice."""
    return asked.panel + (", over time" if asked.lines and asked.panel.startswith("Backoffs longer") else ""), asked.ref


def queries(folder: Path | None = None) -> dict[tuple[str, str], panels.Asked]:
    """Every query of a panel whose number is judged here, of the dashboards in a folder, or of the shipped ones."""
    elsewhere = {title for row, title in boards() if row == TOKENS} | NOT_HERE.keys()
    known = {title for _, title in boards()} - elsewhere
    return {named(asked): asked for asked in panels.queries(folder) if asked.panel in known}


@dataclass(frozen=True)
class Way:
    """How Prometheus gets the histograms, and how much a quantile may differ: by a bucket, or by a factor."""

    name: str
    factor: float = 1.0

    def __str__(self) -> str:
        return self.name


CLASSIC, NATIVE, FIXED = Way("classic"), Way("native", 2 ** (1 / 8)), Way("native of fixed buckets")
"""An exponential histogram of 160 buckets has eight from each power of two to the next, where it has 20 of these."""
Evaluate = Callable[[int, list[str]], dict[str, list[tuple[dict[str, str], float]]]]
"""What each of some queries gives in a minute."""


@pytest.fixture(scope="module", params=[CLASSIC, NATIVE, FIXED], ids=str)
def way(request: pytest.FixtureRequest) -> Way:
    """Each of the ways."""
    way: Way = request.param
    return way


@pytest.fixture(scope="module")
def shown(
    made: Made, way: Way, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[tuple[str, str], Values]]:
    """What every panel shows a minute after the export, and what hangs when it has hung for long."""
    work = tmp_path_factory.mktemp("prometheus")
    if way is CLASSIC:
        yield values(by_promtool(request.getfixturevalue("promtool_path"), work, made), queries())
        return
    binary = request.getfixturevalue("prometheus_3_path")
    bundle = tmp_path_factory.mktemp("bundle")
    write_bundle(bundle, histograms="native")
    with sent.prometheus(binary, bundle, work, minutes=HANGS + 1) as prometheus:
        prometheus.take(made.fixed if way is FIXED else made.exponential, range(APPEARS, HANGS + 1))

        def evaluate(minute: int, texts: list[str]) -> dict[str, list[tuple[dict[str, str], float]]]:
            return {text: prometheus.values(text, minute) for text in texts}

        yield values(evaluate, queries(bundle / "dashboards"))


def by_promtool(path: str, work: Path, made: Made) -> Evaluate:
    """The classic series, as promtool is told them."""
    series = {one: f"_x{APPEARS - 1} {value}x60" for one, value in made.series.items()}

    def evaluate(minute: int, texts: list[str]) -> dict[str, list[tuple[dict[str, str], float]]]:
        return promtool.values(path, work, series, texts, minute * MINUTE, sample=MINUTE)

    return evaluate


def values(evaluate: Evaluate, every: dict[tuple[str, str], panels.Asked]) -> dict[tuple[str, str], Values]:
    """What every query gives in its minute."""
    found: dict[tuple[str, str], Values] = {}
    for minute, only_hanging in ((LOOKED, False), (HANGS, True)):
        asked = {name: one for name, one in every.items() if ("hang" in one.panel) == only_hanging}
        answers = evaluate(minute, [panels.resolved(one) for one in asked.values()])
        for name, one in asked.items():
            found[name] = {key(one, labels): value for labels, value in answers[panels.resolved(one)]}
    return found


TABLES = {
    "Failing attempts: click an error to see its traces": (
        "service",
        "error_type",
        "gen_ai_request_model",
        "anthropic_operation_name",
    ),
    "Failed calls by process, and where it runs": (),
}
"""The columns by which the rows of a table are told apart here."""


def key(asked: panels.Asked, labels: Mapping[str, str]) -> Key:
    """What the legend says of a series, or the row's columns."""
    names = TABLES[asked.panel] if asked.panel in TABLES else LEGENDS[asked.panel, asked.ref, asked.lines]
    return tuple(labels.get(name, "") for name in names)


LEGENDS = {
    (panel["title"], target["refId"], panel["type"] == "timeseries"): re.findall(
        r"\{\{(\w+)\}\}", target["legendFormat"]
    )
    for name in ("overview", "attempts", "limits")
    for panel in json.loads((files.source("dashboards") / f"{name}.json").read_text())["panels"]
    for target in panel.get("targets", ())
}
"""The labels in the legend of each query."""


@pytest.mark.parametrize(("title", "ref"), COUNTED)
def test_a_panel_shows_what_was_counted(shown: dict[tuple[str, str], Values], title: str, ref: str) -> None:
    """No series too many, none too few, each with the number that the plan gives."""
    assert shown[title, ref] == pytest.approx(COUNTED[title, ref], rel=1e-9)


def test_what_hangs_is_counted_when_it_has_hung_for_long(shown: dict[tuple[str, str], Values]) -> None:
    """One stream that was never read to its end, in all and of its service."""
    assert shown["Does it hang? Open requests", "A"] == only(1)
    assert shown["Requests that hang, by service", "A"] == each({"shop": 1})


def test_the_limits_of_the_subscription_are_shown_as_shares(made: Made, shown: dict[tuple[str, str], Values]) -> None:
    """Of what the server has counted."""
    assert made.tokens > 10
    assert load.SUBSCRIPTION.unified
    windows = zip(("unified_5h", "unified_7d"), load.SUBSCRIPTION.unified, strict=True)
    expected = {(kind, LARGE): made.tokens / limit for kind, limit in windows}
    assert shown["Windows of a subscription", "A"] == pytest.approx(expected, abs=0.005)  # told with two decimals


def test_limits_of_tokens_are_shown_where_only_a_refusal_tells_of_them(shown: dict[tuple[str, str], Values]) -> None:
    """The account of this load has none; a 429 says that nothing is left of any."""
    assert shown["Token limits", "A"] == {}
    assert shown["Token limits", "B"] == {(kind, SMALL): 0.0 for kind in ("input_tokens", "output_tokens")}


def test_new_connections_are_those_that_the_server_has_seen(made: Made, shown: dict[tuple[str, str], Values]) -> None:
    """And one of the subscription's. The last request, which hangs, has not been counted."""
    new = len({served.request.connection for served in made.served[:-1]}) + 1
    expected = per_second({"true": ATTEMPTS - new, "false": new})
    assert shown["Connections: reused or new", "A"] == pytest.approx(expected)


def test_the_time_in_backoff_is_what_the_calls_have_waited(made: Made, shown: dict[tuple[str, str], Values]) -> None:
    """By its source and its reason, and in all. It is a part of the time that the calls took."""
    waits = [(dict(span.attributes), span.attributes[semconv.RETRY_DELAY]) for span in retries(made)]
    assert len(waits) == RETRIES
    whole = sum(wait for _, wait in waits)
    assert 0.5 * (RETRIES - LIMITED) * 0.5 < whole < sum(seconds for _, seconds in made.took)
    assert shown["Time lost in backoff", "A"] == pytest.approx(only(whole))
    for title, attribute in (
        ("Time lost in backoff, by its source", semconv.RETRY_SOURCE),
        ("Time lost in backoff, by its reason", semconv.RETRY_REASON),
    ):
        found: dict[str, float] = defaultdict(float)
        for attributes, wait in waits:
            found[str(attributes[attribute])] += wait
        assert shown[title, "A"] == pytest.approx(per_second(found))


def retries(made: Made) -> list[Any]:
    """The spans of the attempts that were retries."""
    return [span for span in made.spans if semconv.RETRY_DELAY in span.attributes]


def seconds(made: Made, **wanted: str) -> list[float]:
    """How long the attempts with these attributes took, named by their constants in semconv."""
    attributes = {getattr(semconv, name.upper()): value for name, value in wanted.items()}
    return [
        (span.end_time - span.start_time) / 1e9
        for span in made.spans
        if semconv.ATTEMPT_OUTCOME in span.attributes and attributes.items() <= dict(span.attributes).items()
    ]


def told(made: Made, attribute: str, **wanted: str) -> list[float]:
    """The values of an attribute of the attempts with some others."""
    attributes = {getattr(semconv, name.upper()): value for name, value in wanted.items()}
    return [
        span.attributes[attribute]
        for span in made.spans
        if attribute in span.attributes and attributes.items() <= dict(span.attributes).items()
    ]


ALL = {"A": 0.5, "B": 0.95, "C": 0.99}
QUANTILES: tuple[tuple[str, Metric, Callable[[Made], list[float]], Mapping[str, float]], ...] = (
    ("Call duration, with retries", instruments.CALL_DURATION, lambda made: [took for _, took in made.took], ALL),
    (
        "What retries cost: p95 with and without",
        instruments.CALL_DURATION,
        lambda made: [took for _, took in made.took],
        {"A": 0.95},
    ),
    (
        "What retries cost: p95 with and without",
        instruments.ATTEMPT_DURATION,
        lambda made: seconds(made, attempt_outcome="completed"),
        {"B": 0.95},
    ),
    (
        "How long failed attempts took",
        instruments.ATTEMPT_DURATION,
        lambda made: seconds(made, attempt_outcome="failed"),
        ALL,
    ),
    ("Length of a backoff", instruments.RETRY_DELAY, lambda made: told(made, semconv.RETRY_DELAY), ALL),
    (
        "Backoffs that the server asked for",
        instruments.RETRY_DELAY,
        lambda made: told(made, semconv.RETRY_DELAY, retry_source="retry_after"),
        ALL,
    ),
    (
        "Time to the first chunk of an attempt",
        instruments.ATTEMPT_TIME_TO_FIRST_CHUNK,
        lambda made: told(made, semconv.STREAM_TIME_TO_FIRST_CHUNK),
        ALL,
    ),
    ("Longest silence in a stream", instruments.STREAM_MAX_GAP, lambda made: told(made, semconv.STREAM_MAX_GAP), ALL),
)
"""The panels of quantiles: the histogram, the measured values, and the quantile of each query."""


def buckets(way: Way, metric: Metric, values: Iterable[float], q: float) -> tuple[float, float]:
    """Between which bounds of the histogram a quantile of some values lies, as far as two clocks agree."""
    ordered = sorted(values)
    found = ordered[math.ceil(q * len(ordered)) - 1]
    slack = 0.005 + found / 20
    if way is NATIVE:
        return (found - slack) / way.factor, (found + slack) * way.factor
    bounds = (0.0, *metric.buckets, math.inf)
    return (
        max(bound for bound in bounds if bound <= max(found - slack, 0.0)),
        min(bound for bound in bounds if bound >= found + slack),
    )


@pytest.mark.parametrize("panel", QUANTILES, ids=lambda panel: f"{panel[0]} {panel[1].name}")
def test_a_quantile_lies_in_the_bucket_of_what_was_measured(
    made: Made,
    way: Way,
    shown: dict[tuple[str, str], Values],
    panel: tuple[str, Metric, Callable[[Made], list[float]], Mapping[str, float]],
) -> None:
    """Nearer than its bucket no histogram tells."""
    title, metric, measured, refs = panel
    for ref, q in refs.items():
        low, high = buckets(way, metric, measured(made), q)
        (value,) = shown[title, ref].values()
        assert low <= value <= high, (ref, value, low, high)


def test_the_quantile_of_each_model_is_of_its_own_calls(
    made: Made, way: Way, shown: dict[tuple[str, str], Values]
) -> None:
    """And of no other's."""
    found = shown["p95 of calls by model", "A"]
    assert found.keys() == {(LARGE,), (SMALL,)}
    for model in (LARGE, SMALL):
        low, high = buckets(
            way, instruments.CALL_DURATION, [took for step, took in made.took if step.model == model], 0.95
        )
        assert low <= found[(model,)] <= high


def test_every_panel_is_judged() -> None:
    """Here, or where it is said. A new panel needs a number."""
    here = set(COUNTED)
    here |= {(title, ref) for title, _, _, refs in QUANTILES for ref in refs}
    here |= {
        ("Does it hang? Open requests", "A"),
        ("Requests that hang, by service", "A"),
        ("Windows of a subscription", "A"),
        ("Token limits", "A"),
        ("Token limits", "B"),
        ("Connections: reused or new", "A"),
        ("Time lost in backoff", "A"),
        ("Time lost in backoff, by its source", "A"),
        ("Time lost in backoff, by its reason", "A"),
        ("p95 of calls by model", "A"),
    }
    assert here == queries().keys()
    assert NOT_HERE.keys() <= {title for _, title in boards()}
