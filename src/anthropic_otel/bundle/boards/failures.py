"""The rows of "Claude API: attempts" on why attempts fail: causes, streams, connections, links to traces.

Rule: failures are counted by cause, error or phase and never as one sum, because each cause has its own remedy.
"""

from __future__ import annotations

from anthropic_otel._core import instruments, semconv
from anthropic_otel.bundle.growth import (
    CAUSE,
    ERROR,
    MODEL,
    OVERLOADED,
    RATE_LIMITED,
    STATUS,
    TIMEOUT,
    TIMEOUTS,
    with_timeout,
)
from anthropic_otel.bundle.panels import (
    NO_FAILURES,
    NOW,
    QUANTILES,
    Colours,
    Kind,
    Panel,
    Queries,
    Query,
    Step,
    rate,
)
from anthropic_otel.bundle.promql import any_of, equal, increase, label, none_of, quote, relabelled, series, total
from anthropic_otel.bundle.settings import Settings

SPAN_CALLS = "traces_span_metrics_calls_total"
"""The counter of the Collector's span_metrics connector, whose labels are attributes that only spans have."""

SERVICE = "service"
"""The column of the table with the service's name, as it is on spans."""

_CLASS = label(semconv.ATTEMPT_STATUS_CLASS)
_FAILED = equal(semconv.ATTEMPT_OUTCOME, "failed")
_BROKEN = ("incomplete_stream", "incomplete_body", "server_disconnected", "protocol_error", "decoding_error")
_CURES: Colours = (
    ("429: your limit", "yellow"),
    ("529: overloaded", "dark-red"),
    ("timeouts", "purple"),
    ("broken streams and bodies", "blue"),
    ("connections", "orange"),
)
_NO_STREAMS = "no streams"
_NO_SPAN_METRICS = "needs the Collector's span_metrics"


def causes(settings: Settings, q: Queries) -> tuple[Panel, ...]:
    a = settings.alerts
    attempt = instruments.ATTEMPT_DURATION

    def share(part: str) -> str:
        return f"{part} / on () group_left () ({q.grown(attempt, window=NOW)} > 0)"

    connection = none_of(semconv.NETWORK_CAUSE, ".*_timeout")
    timed_out = q.grown(attempt, any_of(semconv.ERROR_TYPE, *TIMEOUTS), by=(ERROR, STATUS), window=NOW)
    return (
        Panel(
            "429, 529, timeouts, broken streams, connections apart",
            Kind.LINES,
            "reqps",
            "Failed attempts by the five causes that have five different cures.",
            (
                Query(q.per_second(attempt, any_of(semconv.ERROR_TYPE, *RATE_LIMITED)), "429: your limit"),
                Query(q.per_second(attempt, any_of(semconv.ERROR_TYPE, *OVERLOADED)), "529: overloaded"),
                Query(q.per_second(attempt, any_of(semconv.ERROR_TYPE, *TIMEOUTS)), "timeouts"),
                Query(q.per_second(attempt, connection, f'{_CLASS}="2xx"'), "broken streams and bodies"),
                Query(q.per_second(attempt, connection, f'{_CLASS}=""'), "connections"),
            ),
            "limits",
            nothing=NO_FAILURES,
            width=12,
            height=10,
            colours=_CURES,
        ),
        Panel(
            "Failed attempts by error",
            Kind.LINES,
            "reqps",
            "The attempt's error.type: the status, the API's error inside a stream, or the network's cause.",
            (Query(q.per_second(attempt, _FAILED, by=(ERROR,)), f"{{{{{ERROR}}}}}"),),
            "limits",
            nothing=NO_FAILURES,
            width=12,
            height=10,
            stacked=True,
            crowded=True,
        ),
        Panel(
            "Timeouts by kind",
            Kind.LINES,
            "percentunit",
            "Share of the attempts. connect, tls: no connection. write: sending. read: no response in time. in_stream: "
            "the body stopped. pool: no free connection in the app itself. server: the API gave up. The alert has the "
            "same word as its label, and needs some timeouts beside the share.",
            (Query(share(total((TIMEOUT,), with_timeout(timed_out))), f"{{{{{TIMEOUT}}}}}"),),
            "overview",
            nothing=NO_FAILURES,
            steps=(Step(a.AnthropicTimeouts.ratio, "red"),),
            shows="AnthropicTimeouts",
        ),
        Panel(
            "Connection failures by cause",
            Kind.LINES,
            "percentunit",
            "Share of the attempts that the network failed, timeouts apart: DNS, refused, reset, TLS, proxy, cut "
            "bodies.",
            (Query(share(q.grown(attempt, connection, by=(CAUSE,), window=NOW)), f"{{{{{CAUSE}}}}}"),),
            "overview",
            nothing=NO_FAILURES,
            steps=(Step(a.AnthropicConnectionFailures.ratio, "red"),),
            shows="AnthropicConnectionFailures",
        ),
        Panel(
            "How long failed attempts took",
            Kind.LINES,
            "s",
            "Fast failures are cheap to retry. Failures that take as long as a timeout cost users their patience.",
            q.quantiles(attempt, _FAILED),
            "overview",
            nothing=NO_FAILURES,
            colours=QUANTILES,
        ),
    )


def streams(settings: Settings, q: Queries) -> tuple[Panel, ...]:
    a, first = settings.alerts.AnthropicSlowFirstChunk, instruments.ATTEMPT_TIME_TO_FIRST_CHUNK
    stall, gap = settings.alerts.AnthropicStreamStalls, instruments.STREAM_MAX_GAP
    gaps = q.grown(gap, by=(MODEL,), window=stall.window)
    steady = q.within(gap, stall.longer_than, (MODEL,), stall.window)
    every = q.grown(first, by=(MODEL,), window=a.window)
    prompt = q.within(first, a.longer_than, (MODEL,), a.window)
    broken = any_of(semconv.ERROR_TYPE, *_BROKEN, ".*_error", "connection_reset", "read_timeout")
    return (
        Panel(
            "Time to the first chunk of an attempt",
            Kind.LINES,
            "s",
            "From the send of the attempt that streamed, free of retries and backoff: the API's own speed. Red: the "
            "alert's bound.",
            q.quantiles(first),
            "overview",
            nothing=_NO_STREAMS,
            steps=(Step(a.longer_than, "red"),),
            shows="AnthropicSlowFirstChunk",
            colours=QUANTILES,
        ),
        Panel(
            f"Streams that begin later than {a.longer_than:g} s",
            Kind.LINES,
            "percentunit",
            f"Share of the streams of the last {a.window}, by model: the alert's own condition.",
            (Query(f"({every} - {prompt}) / ({every} > 0)", f"{{{{{MODEL}}}}}"),),
            "overview",
            nothing=_NO_STREAMS,
            steps=(Step(a.ratio, "red"),),
            decimals=2,
            shows="AnthropicSlowFirstChunk",
        ),
        Panel(
            "Longest silence in a stream",
            Kind.LINES,
            "s",
            "The longest time that a reader of a stream waited for its next chunk. A server that stalls is seen here "
            "before anything times out.",
            q.quantiles(gap),
            "overview",
            nothing=_NO_STREAMS,
            colours=QUANTILES,
            steps=(Step(stall.longer_than, "red"),),
            shows="AnthropicStreamStalls",
        ),
        Panel(
            f"Streams that fell silent for more than {stall.longer_than:g} s",
            Kind.LINES,
            "percentunit",
            f"Share of the streams of the last {stall.window}, by model: the alert's own condition.",
            (Query(f"({gaps} - {steady}) / ({gaps} > 0)", f"{{{{{MODEL}}}}}"),),
            "overview",
            nothing=_NO_STREAMS,
            steps=(Step(stall.ratio, "red"),),
            width=12,
            decimals=2,
            shows="AnthropicStreamStalls",
        ),
        Panel(
            "Bodies and streams that broke",
            Kind.LINES,
            "reqps",
            "Attempts that failed after a good status. The SDK retries a body that it was reading itself, and no "
            "stream. incomplete_stream: the stream ended without its end event, and the app saw no error at all.",
            (
                Query(
                    q.per_second(instruments.ATTEMPT_DURATION, broken, f'{_CLASS}="2xx"', by=(ERROR,)),
                    f"{{{{{ERROR}}}}}",
                ),
            ),
            "overview",
            nothing=NO_FAILURES,
            width=12,
        ),
    )


def spans() -> tuple[Panel, ...]:
    reused, phase = label(semconv.CONNECTION_REUSED), label(semconv.NETWORK_PHASE)

    def panel(title: str, by: str, description: str, legend: str = "", colours: Colours = ()) -> Panel:
        selector = series(SPAN_CALLS, 'job=~"$job"', 'instance=~"$instance"', f"{by}!={quote('')}")
        query = Query(rate(total((by,), increase(selector, NOW))), f"{legend}{{{{{by}}}}}")
        return Panel(
            title,
            Kind.LINES,
            "reqps",
            description,
            (query,),
            "overview",
            _NO_SPAN_METRICS,
            width=12,
            stacked=True,
            colours=colours,
        )

    return (
        panel(
            "Connections: reused or new",
            reused,
            "reused true: the attempt went over a connection that existed. Each new one costs a TCP and a TLS "
            "handshake: a client per request, or a keep-alive that is too short. Counted from spans by the Collector, "
            "before sampling.",
            "reused ",
            (("reused true", "green"), ("reused false", "orange")),
        ),
        panel(
            "Phase in which the network failed",
            phase,
            "pool, connect, tls, send, wait (for the headers), receive (the body). The phase tells which timeout or "
            "which box in between to look at. Counted from spans by the Collector, before sampling.",
        ),
    )


def table(q: Queries) -> Panel:
    by = ("job", label(semconv.OPERATION_NAME), MODEL, ERROR, STATUS)
    counted = q.grown(instruments.ATTEMPT_DURATION, _FAILED, by=by)
    # A job is `namespace/name` where there is a namespace. The back ends of traces know the service by its name.
    named = relabelled(counted, SERVICE, "$1", "job", "(?:.*/)?(.+)")
    return Panel(
        "Failing attempts: click an error to see its traces",
        Kind.TABLE,
        "short",
        "Failed attempts in the time shown. The links of a row open its traces in Jaeger or in Tempo, in the same time "
        "range; an attempt's span has the request id to give to support.",
        (Query(f"sort_desc({named})"),),
        "overview",
        nothing=NO_FAILURES,
        width=24,
        height=10,
        columns=(
            (SERVICE, "service"),
            (label(semconv.OPERATION_NAME), "operation"),
            (MODEL, "model"),
            (STATUS, "status"),
            (ERROR, "error"),
            ("Value", "attempts"),
        ),
    )
