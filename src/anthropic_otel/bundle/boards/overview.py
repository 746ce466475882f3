"""The dashboard "Claude API: overview": whether users are affected, what fails, and whose fault it is.

Rule: answers come first. The top row can be read by someone who has never seen it.
"""

from __future__ import annotations

from anthropic_otel._core import instruments, semconv
from anthropic_otel.bundle.boards import costs, faults, senders, services, tokens
from anthropic_otel.bundle.boards.services import COUNTED, FAILED_CALLS, OF_INFERENCE
from anthropic_otel.bundle.growth import (
    ANSWERED,
    FAILED,
    MODEL,
    OUTCOME,
    SLO_CALLS,
    recorded,
)
from anthropic_otel.bundle.panels import (
    NO_FAILURES,
    NOW,
    OUTCOMES,
    QUANTILES,
    RANGE,
    Board,
    Colours,
    Kind,
    Panel,
    Queries,
    Query,
    Row,
    Step,
    ratio,
)
from anthropic_otel.bundle.promql import JOB, any_of, equal, label, series
from anthropic_otel.bundle.settings import Settings

_OPERATION = label(semconv.OPERATION_NAME)
_REASON = label(semconv.ERROR_TYPE)


_WINDOWS = ("light-blue", "blue", "light-purple", "purple", "dark-purple")
"""The colours of the burn rate's windows, shortest first. They differ from the colours of its thresholds."""


def board(settings: Settings) -> Board:
    """Returns the dashboard "Claude API: overview" for these settings."""
    q = Queries(settings.histograms)
    return Board(
        "overview",
        "Claude API: overview",
        "Calls of the Anthropic SDK as their users see them: after all retries. Start here.",
        (
            Row("Are users hurt? What fails? Whose fault?", _answers(settings, q)),
            Row("By service", services.panels(settings, q)),
            Row("By process", senders.panels(q)),
            Row("Service level", _service_level(settings, q)),
            Row("Calls", _calls(q)),
            Row("Latency", _latency(q)),
            Row("Tokens and cost", (tokens.lost(), costs.hourly_by_service(16))),
        ),
    )


def failed_share(q: Queries, window: str) -> str:
    """Returns an expression for the share that failed of all calls in a window that asked a model for an answer.

    Calls that manage, count, list or poll are left out, and so are cancelled and abandoned calls. It covers series that
    fit the dashboard's variables. It is 0 if none failed, and absent if there were no calls.
    """
    failed = q.grown(instruments.CALL_DURATION, FAILED_CALLS, OF_INFERENCE, window=window)
    return ratio(failed, q.grown(instruments.CALL_DURATION, COUNTED, OF_INFERENCE, window=window))


def budget_left(settings: Settings) -> str:
    """Returns an expression for the share of the error budget that is left, of all chosen jobs together.

    It is below 0 if more failed than the objective allows. It sums the counts that a rule records for each job:
    computing it from the counters would load every sample of a month at each view. A call is counted once a minute as
    long as it is in the recorded window, which the ratio cancels.
    """
    slo = settings.slo
    name = recorded(SLO_CALLS, slo.windows[0])

    def counted(*outcomes: str) -> str:
        selector = series(name, f'{JOB}=~"$job"', any_of(semconv.CALL_OUTCOME, *outcomes))
        return f"sum(sum_over_time({selector}[{slo.window}:1m]))"

    return f"1 - ({ratio(counted(*FAILED), counted(*ANSWERED, *FAILED))}) / {slo.budget:g}"


def burn_steps(settings: Settings, unit: float = 1.0) -> tuple[Step, ...]:
    """Returns the steps of a burn rate: orange from the lowest rate of the ticket on, red from that of the page on.

    Both rates are multiplied by `unit`, which is what a burn rate of 1 is on the panel's scale.
    """
    slo = settings.slo
    lowest = min(pair.burn_rate for pair in slo.ticket)
    page = min(pair.burn_rate for pair in slo.page)
    return (Step(round(lowest * unit, 6), "orange"), Step(round(page * unit, 6), "red"))


def _pages(settings: Settings) -> str:
    """Returns a sentence that says above which burn rates, over which windows, the alert pages."""
    pairs = settings.slo.page
    return "It pages with " + " or ".join(f"{p.long} and {p.short} above {p.burn_rate:g}" for p in pairs)


def _answers(settings: Settings, q: Queries) -> tuple[Panel, ...]:
    return (
        Panel(
            "Are users hurt? Failed calls",
            Kind.STAT,
            "percentunit",
            "Share of the calls that asked a model for an answer and got none, after all retries. Orange: the error "
            "budget is being used up too fast. Red: fast enough to page. Cancelled and abandoned calls, and what only "
            "polls, counts or lists, are not counted.",
            (Query(failed_share(q, RANGE)),),
            "attempts",
            steps=burn_steps(settings, settings.slo.budget),
            width=4,
            height=10,
            decimals=2,
            shows="AnthropicErrorBudgetBurnFast",
        ),
        Panel(
            "Does it hang? Open requests",
            Kind.STAT,
            "short",
            f"Requests that began at least {settings.alerts.AnthropicHanging.older_than} ago and have neither been "
            "answered nor failed: at least so many. They are in no other panel until they end. Agents' event streams "
            "are not counted.",
            (Query(f"{services.hanging_now(settings, q)} or 0 * sum({services.started()})"),),
            "attempts",
            steps=(Step(settings.alerts.AnthropicHanging.at_least, "red"),),
            width=4,
            height=10,
            decimals=0,
            shows="AnthropicHanging",
        ),
        Panel(
            "Saved by a retry",
            Kind.STAT,
            "percentunit",
            "Share of the calls that failed at first and got their answer by a retry. Users waited, but were not hurt. "
            "High and rising is an early sign: the next step is failed calls.",
            (
                Query(
                    ratio(
                        q.grown(instruments.CALL_DURATION, equal(semconv.CALL_OUTCOME, "recovered")),
                        q.grown(instruments.CALL_DURATION, COUNTED),
                    )
                ),
            ),
            "attempts",
            width=4,
            height=10,
            decimals=2,
        ),
        Panel(
            "What fails? Calls by error",
            Kind.BARS,
            "short",
            "Failed calls in the time shown, by the error that the app was given. The same word is on the call's span.",
            (
                Query(
                    f"topk(8, {q.grown(instruments.CALL_DURATION, FAILED_CALLS, by=(_REASON,))})", f"{{{{{_REASON}}}}}"
                ),
            ),
            "attempts",
            nothing=NO_FAILURES,
            width=5,
            height=10,
            ink="red",
        ),
        faults.panel(q),
    )


def _service_level(settings: Settings, q: Queries) -> tuple[Panel, ...]:
    slo = settings.slo
    windows = sorted({pair.long for pair in slo.page} | {pair.short for pair in slo.page}, key=lambda w: w.seconds)
    return (
        Panel(
            f"Error budget left ({slo.window})",
            Kind.STAT,
            "percentunit",
            f"Of the {100 - slo.objective:g} % of calls that may fail in {slo.window}, the share that is still unused. "
            f"Below 0 the objective of {slo.objective:g} % is missed. Of whole services, whatever model is chosen, and "
            "since the rule file is in Prometheus.",
            (Query(budget_left(settings)),),
            "attempts",
            nothing="needs the rule file in Prometheus, and traffic",
            steps=(Step(0.0, "orange"), Step(0.25, "green")),
            width=4,
            decimals=1,
        ),
        Panel(
            "Burn rate of the error budget",
            Kind.LINES,
            "short",
            f"1 uses up exactly the budget by the end of its period. {_pages(settings)}, both at once: the long window "
            "says that it matters, the short one that it still goes on.",
            tuple(Query(f"({failed_share(q, w)}) / {slo.budget:g}", w) for w in windows),
            "attempts",
            steps=burn_steps(settings),
            width=10,
            colours=tuple(zip(windows, _WINDOWS, strict=False)),
            shows="AnthropicErrorBudgetBurnFast",
        ),
        Panel(
            "Calls that failed",
            Kind.LINES,
            "percentunit",
            "Share of the calls that gave no answer, over time, by model. One model alone: look at its limits and at "
            "its overload. All of them: look at the network and at the key.",
            (
                Query(
                    f"{q.grown(instruments.CALL_DURATION, FAILED_CALLS, by=(MODEL,), window=NOW)}"
                    f" / ({q.grown(instruments.CALL_DURATION, COUNTED, by=(MODEL,), window=NOW)} > 0)",
                    f"{{{{{MODEL}}}}}",
                ),
            ),
            "attempts",
            nothing=NO_FAILURES,
            steps=burn_steps(settings, slo.budget),
            width=10,
            shows="AnthropicErrorBudgetBurnFast",
        ),
    )


def _calls(q: Queries) -> tuple[Panel, ...]:
    def by(name: str, title: str, description: str, colours: Colours = ()) -> Panel:
        query = Query(q.per_second(instruments.CALL_DURATION, by=(name,)), f"{{{{{name}}}}}")
        return Panel(title, Kind.LINES, "reqps", description, (query,), "attempts", stacked=True, colours=colours)

    return (
        by(
            OUTCOME,
            "Calls by outcome",
            "succeeded: by the first attempt. recovered: by a retry. failed: not retried. exhausted: retries used up. "
            "cancelled and abandoned: by the app itself.",
            OUTCOMES,
        ),
        by(MODEL, "Calls by model", "Calls that ended, by the model that was asked for: where load went."),
        by(
            _OPERATION, "Calls by operation", "Calls that ended, by SDK method: which part of the app asks for so much."
        ),
    )


def _latency(q: Queries) -> tuple[Panel, ...]:
    completed = equal(semconv.ATTEMPT_OUTCOME, "completed")
    return (
        Panel(
            "Call duration, with retries",
            Kind.LINES,
            "s",
            "What users wait: every attempt, every backoff, and the reading of the body, so that a stream counts to "
            "its end.",
            q.quantiles(instruments.CALL_DURATION),
            "attempts",
            colours=QUANTILES,
        ),
        Panel(
            "What retries cost: p95 with and without",
            Kind.LINES,
            "s",
            "With: p95 of calls. Without: p95 of the attempts that completed. The gap between the lines is time lost "
            "in failed attempts and in backoff.",
            (
                Query(q.quantile(0.95, instruments.CALL_DURATION), "with retries", exemplars=True),
                Query(q.quantile(0.95, instruments.ATTEMPT_DURATION, completed), "without", exemplars=True),
            ),
            "attempts",
            colours=(("with retries", "orange"), ("without", "green")),
        ),
        Panel(
            "p95 of calls by model",
            Kind.LINES,
            "s",
            "Larger models and longer replies take longer: compare a model with its own past, not with another.",
            (
                Query(
                    q.quantile(0.95, instruments.CALL_DURATION, by=(MODEL,)),
                    f"{{{{{MODEL}}}}}",
                    exemplars=True,
                ),
            ),
            "limits",
        ),
    )
