"""Writes `docs/telemetry.md`, and the table in `docs/simulator.md`, from the library's own definitions.

    python docs/generate.py            # --check compares only

Rule: no name is written here. Whatever a page says of one comes from `semconv`, `instruments` and `schema`,
and of a fault from the simulator's catalogue.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from anthropic_otel._core import errors, instruments, semconv
from anthropic_otel._otel import attributes as bounds
from anthropic_otel._otel.ratelimits import MAX_ACCOUNTS
from anthropic_otel.bundle.boards.tokens import tokens_of
from anthropic_otel.cli.why.schema import ATTRIBUTES, CAUSES
from anthropic_otel.simulator import FAULTS

DOCS = Path(__file__).parent
FAULTS_BEGIN, FAULTS_END = "<!-- faults -->", "<!-- /faults -->"

INTRODUCTION = """\
# What is recorded

This page is generated from the code by `python docs/generate.py`. Names are the library's public API.

- A **call** is one invocation of an SDK method, with every retry and the reading of the body it returns.
- An **attempt** is one HTTP request the SDK sends within a call. A retry is a further attempt of the same call.
- **Backoff** is the time in a call when no attempt is running.
- A **phase** is the part of an attempt that is under way: {phases}. The phases of an attempt add up to its duration.
- The **cause** is the one word that says why the network failed an attempt.

An attempt's **outcome** is one of {attempt_outcomes}. A call's is one of {call_outcomes}: *recovered* after a failed
attempt, *exhausted* when the last of its retries failed too, *failed* when it was not retried, *cancelled* when the app
stopped it, *abandoned* when the app stopped reading before the end. The event stream of an agent's session that the
SDK's own runner reads is *recovered* too when it breaks off: the runner opens another, and the app sees nothing. So is
the call of a message thread that the server refuses because it has lost the thread, or cannot hold one: the SDK sends
the turn again, by another call.
"""

SPANS = """\
## Spans

The instrumentation scope is `{scope}`. An attempt's span is named `{{method}} {{url.template}}`, is of kind CLIENT and
a child of the call's span. It starts just before the send and ends when the body has ended. The call's span is the
SDK's own (1.14 and later) or, where there is none, ours with the same name; there is never a second one.

The status is ERROR for every HTTP status that the SDK raises for, a 3xx that is not followed among them, for an
exception, for an `error` event in a stream, and for a 2xx that is no answer; it is unset for success and where the app
itself cancelled or abandoned the attempt. Spans have no events and no stack traces.
"""

ERRORS = """\
## `error.type` of an attempt

A closed list. If several words fit, the first one in this list is recorded:

1. the HTTP status as a string, if the SDK raises for it, such as `429`, `529`, or a 3xx that is not followed;
2. the network cause, from the table below, if an exception ended the attempt;
3. the API's error type of an `error` event in a stream ({api}; `{other}` for another one);
4. `invalid_event`: the SDK could not take an event of a stream: it cannot be decoded, or the SDK can make no message of
   it, as of a part of a block that has not begun. Look for a proxy or gateway that changes or translates events. Not
   where the body is no event stream at all, neither by its content type nor by its first bytes;
5. `unexpected_content`: a 2xx that is no answer, such as a page of HTML, JSON that the SDK cannot parse or that is no
   object, or an object with nothing of what the operation returns, such as a gateway's `{{"code": 401}}`. Check the
   base URL, and look for a captive portal or a gateway's own page. A response of `with_raw_response` is parsed by the
   app, after the call: if it begins and ends as an answer does, its attempt is completed and the call has succeeded,
   whatever `parse()` raises then. So it is with a body that the app reads by itself;
6. `incomplete_stream`, from the table below.

"""

CALL_ERRORS = """\
## `error.type` of a call

A closed list too: the word of the SDK's own span, so that both agree. What it does not say, `{cause}` and `{code}` do,
on the call's metric too. On Amazon Bedrock an exception within a stream has its own name ({bedrock}).
"""
_CALL_WORDS = {
    f"`{errors.CONNECTION_ERROR}`": "No response, or a body that broke off. Look at `anthropic.client.network.cause`.",
    f"`{errors.CLIENT_TIMEOUT_ERROR}`": "A timeout of the client's own. "
    "Look at the cause: which timeout, and in which phase.",
    f"`{errors.CLIENT_ERROR}`": "Another exception of the client's: nothing could be sent, or what came "
    "could not be decoded. Look at the cause, or at the attempt's `error.type`.",
    "the API's error type": "The API said so, such as `overloaded_error` or `rate_limit_error`; the list is that of "
    "attempts. `anthropic.error.code` says which limit.",
    "a status": "The API, or a gateway, answered with that status and no type that the API documents.",
    f"`{errors.API_ERROR}`": "Also a stream that ended without its last event, or was none: the app got no "
    "exception. Treat the reply as cut.",
    f"`{semconv.UNEXPECTED_CONTENT}`": "The reply was no answer, and the SDK raised nothing. Check the base URL.",
}

METRICS = """\
## Metrics

Every attribute is bounded: at most {models} models, {addresses} server addresses, {statuses} statuses, {codes} error
codes, and {accounts} organizations and workspaces per process are told apart, the next ones are `{other}`. Of the
models and addresses half are those that were answered with a 2xx, so that mistyped names do not crowd out real ones.
Beyond {sets} attribute sets a metric no longer tells addresses and models apart. An attribute that does not apply is
left out. Of a model's ARN or resource path the last part is the label.

A call without a retry is not in `{retries}`: how many calls there were, `{calls}` tells. The metrics of streams are
those of message streams; the event stream of an agent waits as long as nothing happens.

### Tokens

The counters of tokens are those of the GenAI conventions ([semantic-conventions-genai][genai] 0.1.0), with the outcome
of the attempt beside: what failed, cancelled and abandoned attempts used was for nothing.

- Each attempt counts by itself, under the model of its own request: nothing is counted twice, whoever retries.
- `{input}` has the cached tokens in it, which the API's `input_tokens` leaves out; cache reads and writes are also
  counters of their own. `{output}` has those of reasoning (thinking) in it.
- They are what the API tells: of a reply that the SDK parses from its object, of a stream from its `message_start` and
  its last `message_delta` as they pass, of Amazon Bedrock also from its headers and the end event. No body is read. A
  reply that came whole and that code of the app refuses, as the model of a structured output, is told by its body in
  memory: it is billed.
- **A lower bound** is what a broken or abandoned stream counts: what the API had told until then. That is the input
  and the first output token, as the API tells the rest at the end.
- Compaction is counted with the model that the request asks for, an advisor under its own model: both are billed, and
  the API leaves both out of the usage of the reply. Attempts of a server-side fallback that declined are not billed,
  and not counted.
- An attempt that was not completed and has no usage counts 0, so that the counter exists before its first token.
- **Not counted**, as the library does not see it: raw responses that the app never parses by `parse()`; replies that
  are no stream and do not come by the SDK, but for those of Amazon Bedrock; a reply that a middleware of the SDK keeps
  from the app without parsing it; the results of message batches; agent sessions; what events of more than 16 KB say;
  a compressed stream that the app passes on as it came, by `iter_raw()`, whose `error` event is not seen either.
- An answer that a middleware has kept of an earlier call, or made anew, is told by its `request-id`. Without that
  header it counts for the attempt of the call that completed. What a cache below the HTTP client has kept, as one in a
  transport, in a gateway or in a recording for tests, is an attempt like any other and counts each time.
- Within a call whose span another GenAI instrumentation has opened, nothing is counted: it may count by the same names.
  If its sampler has dropped that span, that cannot be seen. Traceloop's is never to be seen; its metric of tokens,
  `gen_ai.client.token.usage`, has another name. Strands always opens such a span, and pydantic-ai where it is
  instrumented: the tokens are in their own metrics, `strands.event_loop.input.tokens` and `gen_ai.client.token.usage`,
  and not in the dashboard *Claude API: usage* and its alerts.
- `usage=False` turns the counters off.

What did last night's broken streams cost? The tokens, input and output, of the attempts that failed in the last twelve
hours, by model:

```promql
{query}
```

`abandoned` and `cancelled` in the place of `failed` are what the app itself did not wait for. The overview has it as a
panel, and the dashboard *Claude API: usage* what it cost: [an estimate](usage.md#what-calls-cost).

[genai]: https://github.com/open-telemetry/semantic-conventions-genai

### Rate limits

What is left of a rate limit is the lowest value that a response told since the reader looked last: a limit refills all
the time, and would read full while requests are turned away. Where no response came in between it grows towards the
limit, by the server's own clock. A reader is known by its thread; one with a new thread each time is told of the last
minute. Nothing is reported ten minutes after the last response, nor the utilization of a subscription's window after
its reset.
"""

COMPATIBILITY = """\
## Compatibility

What is on this page is the library's public API, as its functions are: the names of spans, metrics, attributes and
loggers; the types and units of their values; the instruments, and the bounds of the histograms; which attributes a
metric has; the words of the closed lists, above all outcomes, causes and `error.type`; and what each of them means.

- **Additions are no change**: a new metric, a new attribute on spans and logs, a new word in an open list. A minor
  version may bring them, and `CHANGELOG.md` names them. A query should not fail for what it does not know.
- **A change is announced**: what is to be renamed or removed is deprecated first, in `CHANGELOG.md` under *Deprecated*
  and on this page, with what takes its place. Old and new are emitted side by side for at least one minor version and
  three months. Then a major version takes the old one away. Before 1.0 a minor version may, after the same notice.
- **A new attribute on a metric** splits its series, and so is announced one minor version ahead, as is a new word for
  what had another one. The queries of the dashboards and alerts in the package come with it.
- **Mistakes are mended at once**: a value that is wrong by this page is a bug, and its correction no change.
- **Names of others** (`http.*`, `gen_ai.*`, `server.*`, `error.type`) are those of the version of the OpenTelemetry
  conventions that this page names. A later version of theirs is taken as a change, as above.
- **No API** are the wording of descriptions and log messages, the order of attributes, which spans have no parent, and
  the numbers of the caps.
"""

LOGS = """\
## Logs

One record of the standard library's `logging` per failed attempt, on the logger `anthropic_otel.attempt`: INFO when
another attempt follows, WARNING when the call fails with it. A call that fails although no attempt failed with it has a
WARNING of its own on that logger: nothing could be sent, or the app could not use an answer. A WARNING ends with the
command that explains the error: `anthropic-otel why WORD`. The attributes above are its `extra` fields, under the same
names.
"""


def telemetry() -> str:
    """`telemetry.md` as a whole."""
    return "\n".join(
        (
            INTRODUCTION.format(
                phases=_words(phase.value for phase in semconv.Phase),
                attempt_outcomes=_words(outcome.value for outcome in semconv.AttemptOutcome),
                call_outcomes=_words(outcome.value for outcome in semconv.CallOutcome),
            ),
            SPANS.format(scope=semconv.SCOPE),
            *_table(("attribute", "type", "on", "when", "what it says"), _attributes()),
            "",
            ERRORS.format(api=_words(semconv.API_ERROR_TYPES), other=semconv.OTHER),
            *_table(
                ("cause", "what happened, and what to do next"),
                ((f"`{cause.value}`", CAUSES[cause]) for cause in semconv.NetworkCause),
            ),
            "",
            CALL_ERRORS.format(
                cause=semconv.NETWORK_CAUSE, code=semconv.API_ERROR_CODE, bedrock=_words(semconv.BEDROCK_EXCEPTIONS)
            ),
            *_table(("word", "what the app got, and what to do next"), _CALL_WORDS.items()),
            "",
            METRICS.format(
                models=bounds.MAX_MODELS,
                addresses=bounds.MAX_ADDRESSES,
                statuses=bounds.MAX_STATUSES,
                codes=bounds.MAX_CODES,
                accounts=MAX_ACCOUNTS,
                sets=f"{bounds.MAX_SETS:,}",
                retries=instruments.CALL_RETRIES.name,
                calls=instruments.CALL_DURATION.name,
                other=semconv.OTHER,
                input=instruments.USAGE_INPUT.name,
                output=instruments.USAGE_OUTPUT.name,
                query=tokens_of(semconv.AttemptOutcome.FAILED.value, "12h"),
            ),
            *_table(("metric", "instrument, unit", "in Prometheus", "attributes", "what it measures"), _metrics()),
            "",
            f"Bounds of the histograms in seconds: {_numbers(instruments.SECONDS_BUCKETS)}.",
            f"Bounds of `{instruments.CALL_RETRIES.name}`: {_numbers(instruments.CALL_RETRIES.buckets)}.",
            "",
            LOGS,
            COMPATIBILITY,
        )
    )


def _attributes() -> Iterator[tuple[str, ...]]:
    for a in ATTRIBUTES:
        yield (f"`{a.name}`", a.type, a.on, a.when, a.description)


def _metrics() -> Iterator[tuple[str, ...]]:
    for m in instruments.METRICS:
        instrument = m.instrument.value.replace("_", " ") + (f", `{m.unit}`" if m.unit else "")
        yield (f"`{m.name}`", instrument, f"`{m.prometheus_name}`", _words(m.attributes), m.description)


def simulator() -> str:
    """`simulator.md` as it stands, with the table of faults made anew."""
    before, _, rest = (DOCS / "simulator.md").read_text("utf-8").partition(FAULTS_BEGIN)
    _, _, after = rest.partition(FAULTS_END)
    table = _table(("fault", "where", "what happens", "`error.type`", "phase", "retried"), _faults())
    return "\n".join((before + FAULTS_BEGIN, *table, FAULTS_END + after))


def _faults() -> Iterator[tuple[str, ...]]:
    for f in FAULTS.values():
        name = f"*`{f.name}`*" if f.own_address else f"`{f.name}`"
        word = f"`{f.error_type}`" if f.error_type else ""
        yield (name, f.where.value, f.description, word, f.phase.value if f.phase else "", "yes" if f.retried else "")


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield "| " + " | ".join(header) + " |"
    yield "|" + "---|" * len(header)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def _words(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _numbers(numbers: Iterable[float]) -> str:
    return ", ".join(f"{number:g}" for number in numbers)


PAGES = {"telemetry.md": telemetry, "simulator.md": simulator}


def main() -> str | None:
    """Writes every page, or with `--check` returns which of them are out of date."""
    made = {DOCS / name: page() for name, page in PAGES.items()}
    stale = [path for path, text in made.items() if path.read_text("utf-8") != text]
    if "--check" in sys.argv:
        return f"out of date: {', '.join(path.name for path in stale)}; run docs/generate.py" if stale else None
    for path in stale:
        path.write_text(made[path], "utf-8")
    return None


if __name__ == "__main__":
    sys.exit(main())
