"""The dashboard "Claude API: limits": how near the rate limits are, with 429 (your limit) apart from 529 (overload).

Rule: an overload of the API is never shown as if a higher limit would help, nor a used-up limit as an overload.
"""

from __future__ import annotations

from anthropic_otel._core import instruments, semconv
from anthropic_otel.bundle.boards import waiting
from anthropic_otel.bundle.growth import KIND, MODEL, OVERLOADED, RATE_LIMITED
from anthropic_otel.bundle.panels import (
    LIMIT,
    NO_FAILURES,
    NOW,
    Board,
    Kind,
    Panel,
    Queries,
    Query,
    Row,
    Step,
    filtered,
    ratio,
)
from anthropic_otel.bundle.promql import any_of, label
from anthropic_otel.bundle.settings import Settings

_429 = any_of(semconv.ERROR_TYPE, *RATE_LIMITED)
_529 = any_of(semconv.ERROR_TYPE, *OVERLOADED)
_NO_HEADERS = "no rate-limit headers seen"


def board(settings: Settings) -> Board:
    """Returns the dashboard "Claude API: limits" for these settings."""
    q = Queries(settings.histograms)
    return Board(
        "limits",
        "Claude API: limits",
        "Rate limits of the organization, what is left of them, and whether refusals are yours (429) or the API's "
        "(529).",
        (
            Row("How near? Mine or theirs?", _answers(settings, q)),
            Row("Headroom", _headroom(settings)),
            Row("429 against 529", _refusals(settings, q)),
            Row("Waiting because the server said so", waiting.panels(settings, q)),
        ),
    )


def _left(by: tuple[str, ...], window: str) -> str:
    """Returns an expression for the least that was left of a limit in a window, as a share of it, by the labels `by`.

    The share is that of the limit as it is now. The least counts because what is left refills all the time, and so is
    low for a moment only.
    """
    low = f"min_over_time({filtered(instruments.RATELIMIT_REMAINING)}[{window}])"
    return f"min by ({', '.join(by)}) ({low} / {filtered(instruments.RATELIMIT_LIMIT)})"


def _headroom_steps(settings: Settings) -> tuple[Step, ...]:
    low = settings.alerts.AnthropicLowHeadroom.remaining
    return (Step(low, "orange"), Step(min(1.0, 2 * low), "green"))


def _answers(settings: Settings, q: Queries) -> tuple[Panel, ...]:
    a = settings.alerts

    def refused(title: str, matcher: str, limit: float, alert: str, description: str) -> Panel:
        query = Query(ratio(q.grown(instruments.ATTEMPT_DURATION, matcher), q.grown(instruments.ATTEMPT_DURATION)))
        steps = (Step(limit, "red"),)
        return Panel(
            title,
            Kind.STAT,
            "percentunit",
            description,
            (query,),
            "attempts",
            steps=steps,
            width=5,
            height=5,
            decimals=2,
            shows=alert,
        )

    return (
        Panel(
            "Least headroom",
            Kind.STAT,
            "percentunit",
            f"The least that was left in the last {a.AnthropicLowHeadroom.window} of each limit. Red: below the "
            "alert's threshold. Limits belong to the organization: another service may be the one that uses them up.",
            (Query(_left((KIND,), a.AnthropicLowHeadroom.window), f"{{{{{KIND}}}}}"),),
            "attempts",
            nothing=_NO_HEADERS,
            steps=_headroom_steps(settings),
            width=9,
            height=5,
            decimals=0,
            shows="AnthropicLowHeadroom",
        ),
        refused(
            "429: over your limit",
            _429,
            a.AnthropicRateLimited.ratio,
            "AnthropicRateLimited",
            "Share of the attempts that were refused because the organization is over its limit. Cure: ask for less, "
            "or for more limit.",
        ),
        refused(
            "529: the API is overloaded",
            _529,
            a.AnthropicOverloaded.ratio,
            "AnthropicOverloaded",
            "Share of the attempts that the API refused as it is overloaded, before the response or inside the stream. "
            "No limit of yours cures it.",
        ),
        Panel(
            f"Backoffs longer than {a.AnthropicLongBackoff.longer_than:g} s",
            Kind.STAT,
            "short",
            f"Backoffs of the last {a.AnthropicLongBackoff.window} that kept a user waiting this long. The SDK's own "
            "formula ends at 8 s: longer ones were asked for by the server.",
            (Query(waiting.long(settings, q, a.AnthropicLongBackoff.window)),),
            "attempts",
            nothing=waiting.NO_RETRIES,
            steps=(Step(a.AnthropicLongBackoff.at_least, "red"),),
            width=5,
            height=5,
            decimals=0,
            shows="AnthropicLongBackoff",
        ),
    )


def _headroom(settings: Settings) -> tuple[Panel, ...]:
    def absolute(title: str, kinds: str, unit_word: str) -> Panel:
        queries = tuple(
            Query(
                f"{of} by ({KIND}, {MODEL}) "
                f"({of}_over_time({filtered(metric, any_of(semconv.RATELIMIT_KIND, kinds))}[{NOW}]))",
                f"{word} {{{{{KIND}}}}} {{{{{MODEL}}}}}",
            )
            for metric, word, of in (
                (instruments.RATELIMIT_LIMIT, LIMIT, "max"),
                (instruments.RATELIMIT_REMAINING, "left", "min"),
            )
        )
        return Panel(
            title,
            Kind.LINES,
            "short",
            f"The limit in {unit_word} as the API last reported it, and the least that was left of it. A step in the "
            "limit is a change of tier. Lines end ten minutes after the last response.",
            queries,
            "attempts",
            nothing=_NO_HEADERS,
            width=12,
            height=10,
            crowded=True,
            extreme="min",
        )

    return (
        Panel(
            "Headroom by kind and model",
            Kind.LINES,
            "percentunit",
            "The least that was left of each limit, as a share of it. It saws: a limit refills all the time. Worry "
            "when the lows do not stay away.",
            (Query(_left((KIND, MODEL), NOW), f"{{{{{KIND}}}}} {{{{{MODEL}}}}}"),),
            "attempts",
            nothing=_NO_HEADERS,
            steps=_headroom_steps(settings),
            width=12,
            height=10,
            maximum=1.0,
            crowded=True,
            extreme="min",
            shows="AnthropicLowHeadroom",
        ),
        absolute("Request limits", "requests", "requests"),
        absolute("Token limits", ".+_tokens", "tokens"),
        Panel(
            "Windows of a subscription",
            Kind.LINES,
            "percentunit",
            "The share of each window that is used up. At 1 requests are turned away until the window ends. API keys "
            "have limits by the minute instead.",
            (
                Query(
                    f"max by ({KIND}, {MODEL}) (max_over_time({filtered(instruments.RATELIMIT_UTILIZATION)}[{NOW}]))",
                    f"{{{{{KIND}}}}} {{{{{MODEL}}}}}",
                ),
            ),
            "attempts",
            nothing="no subscription seen",
            width=12,
            height=10,
            maximum=1.0,
        ),
    )


def _refusals(settings: Settings, q: Queries) -> tuple[Panel, ...]:
    a = settings.alerts
    operation = label(semconv.OPERATION_NAME)

    def by_model(title: str, matcher: str, limit: float, alert: str, description: str) -> Panel:
        part = q.grown(instruments.ATTEMPT_DURATION, matcher, by=(MODEL,), window=NOW)
        whole = q.grown(instruments.ATTEMPT_DURATION, by=(MODEL,), window=NOW)
        query = Query(f"{part} / ({whole} > 0)", f"{{{{{MODEL}}}}}")
        steps = (Step(limit, "red"),)
        return Panel(
            title, Kind.LINES, "percentunit", description, (query,), "attempts", NO_FAILURES, steps, shows=alert
        )

    return (
        Panel(
            "429 against 529",
            Kind.LINES,
            "reqps",
            "Refused attempts. Both rising together usually is one cause: retries of many clients against an API in "
            "trouble.",
            (
                Query(q.per_second(instruments.ATTEMPT_DURATION, _429), "429: your limit"),
                Query(q.per_second(instruments.ATTEMPT_DURATION, _529), "529: overloaded"),
            ),
            "attempts",
            nothing=NO_FAILURES,
            colours=(("429: your limit", "yellow"), ("529: overloaded", "dark-red")),
        ),
        by_model(
            "Share of 429 by model",
            _429,
            a.AnthropicRateLimited.ratio,
            "AnthropicRateLimited",
            "Limits are per model class: another model may still have room.",
        ),
        by_model(
            "Share of 529 by model",
            _529,
            a.AnthropicOverloaded.ratio,
            "AnthropicOverloaded",
            "One model alone: fall back to another. All of them: wait, and lower your own load.",
        ),
        Panel(
            "Who is refused with 429",
            Kind.BARS,
            "short",
            "Refused attempts in the time shown, by service and SDK method: who to talk to about load.",
            (
                Query(
                    f"topk(10, {q.grown(instruments.ATTEMPT_DURATION, _429, by=('job', operation))})",
                    f"{{{{job}}}} {{{{{operation}}}}}",
                ),
            ),
            "attempts",
            nothing=NO_FAILURES,
            width=12,
            ink="yellow",
        ),
        Panel(
            "Who is refused with 529",
            Kind.BARS,
            "short",
            "Refused attempts in the time shown, by service and SDK method. Overload inside a stream is counted too.",
            (
                Query(
                    f"topk(10, {q.grown(instruments.ATTEMPT_DURATION, _529, by=('job', operation))})",
                    f"{{{{job}}}} {{{{{operation}}}}}",
                ),
            ),
            "attempts",
            nothing=NO_FAILURES,
            width=12,
            ink="dark-red",
        ),
    )
